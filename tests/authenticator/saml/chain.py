"""A SAML identity provider with SATOSA in front of it, as Umbrella and eduTEAMS are built.

Runs in the environment `.satosa`: `python chain.py FOLDER`. `../saml_chain.py` writes the folder's
`settings.json`, keys and certificates, and starts this.
"""

import json
import sys
import time
from datetime import datetime
from html import escape
from pathlib import Path
from threading import Thread
from typing import Any

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAME_FORMAT_URI, NAMEID_FORMAT_PERSISTENT
from saml2.server import Server
from satosa.micro_services.base import ResponseMicroService
from satosa.proxy_server import make_app
from satosa.satosa_config import SATOSAConfig
from satosa.scripts.satosa_saml_metadata import create_and_write_saml_metadata
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

#: By SATOSA's own names: how SAML calls an attribute, and OpenID Connect the claim.
ATTRIBUTES = {
    "account": ("uid", "uid"),
    "name": ("displayName", "name"),
    "entitlement": ("eduPersonEntitlement", "eduperson_entitlement"),
    "subject": ("eduPersonPrincipalName", "voperson_id"),
    "acr": ("acr", "acr"),
    "auth_time": ("auth_time", "auth_time"),
}


class WhoAuthenticatedHow(ResponseMicroService):
    """Passes on how and when the identity provider authenticated; SATOSA alone drops both."""

    def process(self, context: Any, data: Any) -> Any:
        instant = datetime.fromisoformat(data.auth_info.timestamp)
        data.attributes["acr"] = [data.auth_info.auth_class_ref]
        data.attributes["auth_time"] = int(instant.timestamp())
        return super().process(context, data)


class IdentityProvider:
    """A page with a button for each person, and a signed assertion about whom was chosen."""

    def __init__(self, settings: dict[str, Any], config: dict[str, Any]) -> None:
        self._people = settings["people"]
        self._saml = Server(config=IdPConfig().load(config))

    @Request.application
    def __call__(self, request: Request) -> Response:
        if request.path != "/sso":
            return Response(status=404)
        saml = self._saml.parse_authn_request(request.values["SAMLRequest"], BINDING_HTTP_REDIRECT)
        if request.method == "GET":
            return self._choice(request)
        return self._assertion(saml.message, request)

    def _choice(self, request: Request) -> Response:
        fields = "".join(
            f'<input type=hidden name="{name}" value="{escape(request.values[name])}">'
            for name in ("SAMLRequest", "RelayState")
        )
        buttons = "".join(f"<button name=person value={who}>{who}</button>" for who in self._people)
        page = f"<title>University</title><form method=post>{fields}{buttons}</form>"
        return Response(page, mimetype="text/html")

    def _assertion(self, message: Any, request: Request) -> Response:
        who = request.values["person"]
        person = self._people[who]
        instant = int(time.time()) - person.get("seconds_ago", 0)
        asked = self._saml.response_args(message)
        answer = self._saml.create_authn_response(
            person["attributes"],
            userid=who,
            authn={"class_ref": person["class_ref"], "authn_instant": instant},
            sign_response=True,
            sign_assertion=True,
            **asked,
        )
        page = self._saml.apply_binding(
            BINDING_HTTP_POST,
            str(answer),
            asked["destination"],
            request.values["RelayState"],
            response=True,
        )
        return Response(page["data"], mimetype="text/html")


def saml_config(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The identity provider's own configuration, without the metadata of whom it serves."""
    base = settings["identity_provider"]
    policy = {
        "lifetime": {"minutes": 5},
        "name_form": NAME_FORMAT_URI,
        "nameid_format": NAMEID_FORMAT_PERSISTENT,
    }
    return {
        "entityid": f"{base}/idp.xml",
        "service": {
            "idp": {
                "endpoints": {"single_sign_on_service": [(f"{base}/sso", BINDING_HTTP_REDIRECT)]},
                "policy": {"default": policy},
            }
        },
        **key_pair(folder, "idp"),
    }


def broker_config(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """SATOSA's configuration: a SAML service on one side, an OpenID provider on the other."""
    attributes = {
        name: {"saml": [saml], "openid": [claim]} for name, (saml, claim) in ATTRIBUTES.items()
    }
    service = {
        "entityid": "<base_url>/<name>/proxy.xml",
        "service": {
            "sp": {
                "allow_unsolicited": False,
                "want_response_signed": True,
                "want_assertions_signed": True,
                "endpoints": {
                    "assertion_consumer_service": [("<base_url>/<name>/acs", BINDING_HTTP_POST)]
                },
            }
        },
        "metadata": {"local": [str(folder / "idp.xml")]},
        **key_pair(folder, "broker"),
    }
    client = {
        "response_types": ["code"],
        "redirect_uris": settings["redirect_uris"],
        "client_secret": settings["client_secret"],
        "subject_type": "public",
    }
    (folder / "clients.json").write_text(json.dumps({"hub": client}))
    provider = {
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "eduperson_entitlement"],
        "extra_scopes": {"eduperson_entitlement": ["eduperson_entitlement", "voperson_id", "uid"]},
        "extra_id_token_claims": {"hub": ["acr", "auth_time"]},
    }
    return {
        "BASE": settings["issuer"],
        "COOKIE_STATE_NAME": "SATOSA_STATE",
        "STATE_ENCRYPTION_KEY": "of-the-test",
        "INTERNAL_ATTRIBUTES": {
            "attributes": attributes,
            "user_id_from_attrs": ["subject"],
        },
        "MICRO_SERVICES": [{"module": "chain.WhoAuthenticatedHow", "name": "How"}],
        "BACKEND_MODULES": [
            {
                "module": "satosa.backends.saml2.SAMLBackend",
                "name": "Saml2",
                "config": {"sp_config": service},
            }
        ],
        "FRONTEND_MODULES": [
            {
                "module": "satosa.frontends.openid_connect.OpenIDConnectFrontend",
                "name": "OIDC",
                "config": {
                    "signing_key_path": str(folder / "broker.key"),
                    "signing_key_id": "broker",
                    "client_db_path": str(folder / "clients.json"),
                    "sub_hash_salt": "of-the-test",
                    "provider": provider,
                },
            }
        ],
        "LOGGING": {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"log": {"class": "logging.StreamHandler"}},
            "root": {"level": "WARNING", "handlers": ["log"]},
        },
    }


def key_pair(folder: Path, name: str) -> dict[str, str]:
    return {"key_file": str(folder / f"{name}.key"), "cert_file": str(folder / f"{name}.crt")}


def serve(address: str, app: Any, **tls: Any) -> Thread:
    port = int(address.rpartition(":")[2])
    server = make_server("127.0.0.1", port, app, threaded=True, **tls)
    thread = Thread(target=server.serve_forever)
    thread.start()
    return thread


def main(folder: Path) -> None:
    settings = json.loads((folder / "settings.json").read_text())
    saml = saml_config(folder, settings)
    (folder / "idp.xml").write_text(str(entity_descriptor(IdPConfig().load(saml))))
    broker = SATOSAConfig(broker_config(folder, settings))
    create_and_write_saml_metadata(broker_config(folder, settings), "", "", folder, 1, sign=False)
    saml["metadata"] = {"local": [str(folder / "backend.xml")]}
    serve(settings["identity_provider"], IdentityProvider(settings, saml))
    tls = (str(folder / "server.pem"), str(folder / "server.key"))
    serve(settings["issuer"], make_app(broker), ssl_context=tls).join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
