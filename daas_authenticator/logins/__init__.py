"""Which browsers are signed in, as whom and until when; and how that ends.

The hub's login cookie is one per person and knows no browsers. `register` does: a cookie without
a login that stands here signs nobody in.
"""
