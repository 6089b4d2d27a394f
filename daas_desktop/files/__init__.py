"""Files to and from a session: places, uploads, and the addresses at which the page has them."""
