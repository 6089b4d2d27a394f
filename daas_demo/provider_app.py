"""The pages and addresses of the demo's identity provider, as one Flask app.

Served by `provider`; the OpenID Connect in it is `provider_oidc`'s.
"""

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    jsonify,
    render_template,
    request,
    send_from_directory,
    session,
)

from daas_demo.provider_oidc import CLIENT_AUTH_METHODS, Memory, create_server
from daas_demo.provider_people import DemoPerson, read_people
from daas_demo.provider_settings import ProviderSettings, is_loopback

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_app(settings: ProviderSettings) -> Flask:
    """Return the app that serves the provider below its prefix."""
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        SESSION_COOKIE_NAME="daas-demo-provider",
        SESSION_COOKIE_PATH=settings.prefix,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.before_request(lambda: _refuse_strangers(settings))
    app.after_request(_add_headers)
    app.register_blueprint(_pages(settings), url_prefix=settings.prefix.rstrip("/"))
    return app


def discovery_document(settings: ProviderSettings) -> dict[str, Any]:
    """Return the provider's metadata (OpenID Connect Discovery 1.0, section 3)."""
    issuer = settings.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile"],
        "token_endpoint_auth_methods_supported": list(CLIENT_AUTH_METHODS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


def _pages(settings: ProviderSettings) -> Blueprint:
    pages = Blueprint("provider", __name__)
    memory = Memory()
    server = create_server(settings, memory)
    pages.get("/.well-known/openid-configuration", endpoint="discovery")(
        lambda: jsonify(discovery_document(settings))
    )
    pages.get("/jwks", endpoint="jwks")(lambda: jsonify(memory.public_keys()))
    pages.get("/provider.css", endpoint="style")(
        lambda: send_from_directory("templates", "provider.css")
    )
    pages.route("/authorize", methods=["GET", "POST"])(_authorize_page(server))
    pages.post("/token", endpoint="token")(server.create_token_response)
    pages.get("/userinfo", endpoint="userinfo")(lambda: _userinfo(memory))
    return pages


def _authorize_page(server: AuthorizationServer) -> Callable[[], Any]:
    people = {person.name: person for person in read_people()}

    def authorize() -> Any:
        person = people.get(request.form.get("person", ""))
        if request.method == "POST" and (person is None or not _own_form()):
            abort(403, "This form was not made by this page. Go back and choose again.")
        try:
            grant = server.get_consent_grant(end_user=person)
        except OAuth2Error as error:
            return server.handle_error_response(None, error)
        if request.method == "POST":
            return server.create_authorization_response(grant=grant, grant_user=person)
        token = session.setdefault("form", secrets.token_urlsafe(16))
        return render_template("provider.html", people=people.values(), form_token=token)

    return authorize


def _userinfo(memory: Memory) -> Response:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    person = memory.person_of(text) if kind.lower() == "bearer" else None
    if person is None:
        return Response(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return jsonify(_claims(person))


def _claims(person: DemoPerson) -> dict[str, Any]:
    return {
        "sub": person.subject,
        "preferred_username": person.name,
        "name": person.display_name,
        "groups": list(person.groups),
    }


def _own_form() -> bool:
    given, ours = request.form.get("form_token", ""), session.get("form", "")
    return bool(ours) and secrets.compare_digest(given.encode(), ours.encode())


def _refuse_strangers(settings: ProviderSettings) -> None:
    """Answer only browsers on this machine, under the demo's own address.

    The proxy in front may listen more widely than it should; it says who is behind a request.
    A foreign `Host` is how a web page elsewhere would reach a loopback address by name.
    """
    seen = request.headers.get("X-Forwarded-For", "").split(",")
    if not all(is_loopback(host.strip()) for host in seen if host.strip()):
        abort(403, "The demo's identity provider answers on this machine only.")
    if request.host != urlsplit(settings.demo_url).netloc:
        abort(403, "The demo's identity provider answers under its own address only.")


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response
