"""The demo's identity provider: a real OpenID Connect provider for fictitious people.

The hub starts it as a managed service: `python -m daas_demo.provider`. It asks for no password,
so it refuses to run, and to answer, on anything but this machine itself.
"""

import asyncio
import os
import sys

from tornado.httpserver import HTTPServer
from tornado.wsgi import WSGIContainer

from daas_demo.provider_app import create_app
from daas_demo.provider_settings import NotLoopbackError, ProviderSettings
from daas_portal.lifetime import until_ended


async def serve(settings: ProviderSettings) -> None:
    """Serve until the hub is gone or asks us to stop."""
    server = HTTPServer(WSGIContainer(create_app(settings)))
    # The settings have refused every address but this machine's own.
    server.listen(settings.port, settings.host)
    await until_ended()
    server.stop()


def main() -> None:
    """Run the provider with the settings of the environment."""
    try:
        settings = ProviderSettings.from_environment(os.environ)
    except NotLoopbackError as refusal:
        sys.exit(str(refusal))
    except KeyError as missing:
        sys.exit(f"The demo's identity provider needs {missing.args[0]} in its environment.")
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
