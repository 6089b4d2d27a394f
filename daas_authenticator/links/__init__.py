"""From a verified identity to the one account name that is hers.

(issuer, subject) → link → name. `store` keeps the links in a small database of this package
alone, `people` asks it without holding up the hub, `lists` reads the lists of a facility.
"""
