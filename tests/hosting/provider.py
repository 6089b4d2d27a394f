"""The demo's identity provider at a port of its own, for a hub that has another address."""

import asyncio
import os

from daas_demo import provider_app
from daas_demo.provider import serve
from daas_demo.provider_settings import ProviderSettings

HUB = os.environ["DAAS_PUBLIC_URL"]


class Elsewhere(ProviderSettings):
    """The demo's settings, but for where the hub is."""

    @property
    def redirect_uri(self) -> str:
        """The only address that logins are answered to."""
        return f"{HUB}hub/oauth_callback"


if __name__ == "__main__":
    # The demo's form leads to its own host only; the way back from here goes on to others.
    policy = provider_app._HEADERS["Content-Security-Policy"]
    provider_app._HEADERS["Content-Security-Policy"] = policy.replace(
        "form-action 'self'", "form-action 'self' https:"
    )
    asyncio.run(serve(Elsewhere.from_environment(os.environ)))
