"""The OpenID Connect of the demo's provider: Authlib's, with everything kept in memory.

Used by `provider_app`. One client, one redirect URI, the code flow with PKCE S256 and a nonce;
keys and codes live as long as the process.
"""

# The short methods are those that Authlib asks for; it documents them.
# ruff: noqa: D102

import secrets
import time
from dataclasses import dataclass
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet, RSAKey

from daas_demo.provider_people import DemoPerson
from daas_demo.provider_settings import ProviderSettings

CODE_SECONDS = 60
# Longer than a demo: it ends in a new choice of person, not in a refresh.
TOKEN_SECONDS = 12 * 3600
CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True)
class Client(ClientMixin):
    """The hub, as the only client."""

    settings: ProviderSettings

    def get_client_id(self) -> str:
        return self.settings.client_id

    def get_default_redirect_uri(self) -> str:
        return ""  # the request must name it

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(s for s in (scope or "").split() if s in ("openid", "profile"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.settings.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret, self.settings.client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in CLIENT_AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass(frozen=True, slots=True)
class Code(AuthorizationCodeMixin):
    """A code on its way through the browser."""

    person: DemoPerson
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    made_at: float
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.made_at)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Memory:
    """The codes and access tokens that are good now."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, tuple[DemoPerson, float]] = {}

    def keep_code(self, text: str, code: Code) -> None:
        """Keep *code*, and forget those that nobody used."""
        oldest = time.time() - CODE_SECONDS
        self._codes = {t: c for t, c in self._codes.items() if c.made_at > oldest}
        self._codes[text] = code

    def take_code(self, text: str) -> Code | None:
        """Return the code, once: it is spent even when what follows fails."""
        code = self._codes.pop(text, None)
        return code if code and time.time() - code.made_at <= CODE_SECONDS else None

    def keep_token(self, token: str, person: DemoPerson) -> None:
        """Keep an access token of *person*."""
        now = time.time()
        self._tokens = {t: kept for t, kept in self._tokens.items() if kept[1] > now}
        self._tokens[token] = (person, now + TOKEN_SECONDS)

    def person_of(self, token: str) -> DemoPerson | None:
        """Return whose access token this is, while it is good."""
        person, expires = self._tokens.get(token, (None, 0.0))
        return person if expires > time.time() else None

    def public_keys(self) -> dict[str, Any]:
        """Return the JWK set."""
        return dict(KeySet([self.key]).as_dict(private=False))


def create_server(settings: ProviderSettings, memory: Memory) -> AuthorizationServer:
    """Return Authlib's server, set up for the one client."""
    client = Client(settings)

    class Issuer(IssuerParameter):
        def get_issuer(self) -> str:
            return settings.issuer

    server = AuthorizationServer()
    server.register_grant(_code_grant(memory), [IdToken(settings, memory), RequiredPkce()])
    server.register_extension(Issuer().__call__)
    server.init_app(
        _Config({"OAUTH2_TOKEN_EXPIRES_IN": {"authorization_code": TOKEN_SECONDS}}),
        query_client=lambda client_id: client if client_id == settings.client_id else None,
        save_token=lambda token, request: memory.keep_token(token["access_token"], request.user),
    )
    return server


def _code_grant(memory: Memory) -> type[AuthorizationCodeGrant]:
    class CodeGrant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_AUTH_METHODS

        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            memory.keep_code(
                code,
                Code(
                    person=request.user,
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.scope,
                    nonce=data["nonce"],
                    code_challenge=data["code_challenge"],
                    made_at=time.time(),
                ),
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:  # noqa: ARG002
            return memory.take_code(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            """Nothing is left to delete: `take_code` has spent it."""

        def authenticate_user(self, authorization_code: Code) -> DemoPerson:
            return authorization_code.person

    return CodeGrant


class IdToken(OpenIDCode):
    """Signs ID tokens. They say who; the rest is for userinfo."""

    def __init__(self, settings: ProviderSettings, memory: Memory) -> None:
        super().__init__(require_nonce=True)
        self._settings = settings
        self._memory = memory

    def exists_nonce(self, nonce: str, request: Any) -> bool:  # noqa: ARG002
        return False  # a code is spent once, so its nonce is too

    def resolve_client_private_key(self, client: Client) -> RSAKey:  # noqa: ARG002
        return self._memory.key

    def get_encode_header(self, client: Client) -> dict[str, str]:  # noqa: ARG002
        return {"alg": "RS256", "kid": str(self._memory.key.kid)}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {
            "iss": self._settings.issuer,
            "aud": [client.get_client_id()],
            "exp": int(time.time()) + 300,
        }

    def generate_user_info(self, user: DemoPerson, scope: str) -> UserInfo:  # noqa: ARG002
        return UserInfo(sub=user.subject)


class RequiredPkce(CodeChallenge):
    """PKCE with S256, also for a client that has a secret (RFC 9700, 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class _Config:
    """What `AuthorizationServer.init_app` reads of a Flask app."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
