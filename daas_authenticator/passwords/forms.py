"""The password ways as the sign-in page shows them, and from where a form comes.

Called by `handlers.SignInPage` for every sign-in page, and by `pages` for a form that was sent.
"""

from typing import Any

from daas_authenticator.passwords.connection import client_address, why_unsafe


def password_forms(page: Any) -> list[dict[str, Any]]:
    """Return what the template needs of each way; one that is off here has no `url`."""
    off_because = why_no_passwords(page)
    return [
        {
            "id": way.id,
            "title": way.title,
            "for_whom": way.for_whom,
            "url": "" if off_because else page.address_of(way.login_path),
            "off_because": off_because,
            "form": True,
            "out_of_order": False,
        }
        for way in page.authenticator.passwords.listed()
    ]


def why_no_passwords(page: Any) -> str:
    """Return a sentence why no password may be sent to *page*; empty when it may."""
    public_url, trusted = page.authenticator.redirect_uri(""), page.authenticator.trusted_proxies
    return why_unsafe(public_url, page.request.headers, _peer(page), trusted)


def address_behind(page: Any) -> str:
    """Return the address of the computer that asks for *page*."""
    trusted = page.authenticator.trusted_proxies
    return client_address(page.request.headers, _peer(page), trusted)


def _peer(page: Any) -> str:
    # Not `request.remote_ip`: the hub takes that from a header that anybody can send.
    address = page.request.connection.context.address
    return str(address[0]) if isinstance(address, tuple) else ""
