"""Signing in with a password, where a facility has no OpenID provider: LDAP, PAM, user office.

`authenticator` makes `ways.PasswordWays` of the setting `password_ways`; `pages` is what people
see. The helper process of PAM imports this package too, so nothing heavy stands here.
"""
