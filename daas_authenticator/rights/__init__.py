"""What a person may do beyond using her own sessions, by what her provider says of her.

`entitlements` reads what the provider sends, `rules` says which of it gives a right, `step_up`
when such a right counts, `role` what it is worth in the hub. Pure; the authenticator calls them.
"""
