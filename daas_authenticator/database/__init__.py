"""The authenticator's own small database: who is who here, who is blocked, who is signed in.

`tables` says what is in it, `engine` opens it, `migrations` bring an older one up to date. It
holds no token, no password, no UID and nothing that an identity provider says of somebody.
"""
