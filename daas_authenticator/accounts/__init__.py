"""From a person to the local account she works as: UID, GID, groups, home.

`DaasAuthenticator.resolve_account` asks at each start. Nothing is cached or stored, and there is
no default: a look-up that fails refuses the start. `lookup` holds the protocols and the one way
through, `checks` what every account must pass; each other module is one source of accounts.
"""
