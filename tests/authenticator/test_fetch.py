"""Asking a provider: by the facility's proxy and certificates, with limits of size and time."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daas_authenticator.client import OpenIDClient
from daas_authenticator.fetch import LARGEST_ANSWER_BYTES, Fetch
from daas_authenticator.login_flow import LoginFlow
from daas_authenticator.providers import Provider
from daas_model.errors import LoginFailed, ProviderUnavailable

from .conftest import CLIENT_ID, CLIENT_SECRET, LyingProvider, free_port, serving

HOST = "sso.facility.example"  # answers nowhere: only the proxy finds it
CALLBACK = "https://hub.example/hub/oidc/staff/callback"
DISCOVERY = ".well-known/openid-configuration"


class DistantProvider(LyingProvider):
    """A provider that knows itself by its public name."""

    @property
    def issuer(self) -> str:
        return f"https://{HOST}"


def client_of(issuer: str, **fetch: Any) -> OpenIDClient:
    provider = Provider(
        id="staff",
        title="Staff",
        for_whom="For staff.",
        issuer=issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        scope=("openid",),
        username_claim="preferred_username",
        groups_claim="groups",
    )
    return OpenIDClient(provider, Fetch(**{"timeout_seconds": 3.0, **fetch}))


async def sign_in(client: OpenIDClient, lying: LyingProvider) -> str:
    flow = LoginFlow()
    url = await client.authorization_url(flow, CALLBACK, {})
    query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
    code = parse_qs(urlsplit(lying.authorize(query)).query)["code"][0]
    return (await client.sign_in(code, flow, CALLBACK)).subject


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of the facility's own making for HOST, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Facility")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "facility.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
async def distant(certificate: Path) -> AsyncIterator[DistantProvider]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    async with serving(DistantProvider(free_port()), ssl_options=tls) as lying:
        yield lying  # type: ignore[misc]


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[int]:
    """Let *talk* answer at a port of this machine until the end of the block."""
    talks: list[asyncio.Task[None]] = []

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


@asynccontextmanager
async def proxy_to(port: int, asked: list[str]) -> AsyncIterator[str]:
    """An outbound proxy that finds every name at *port* of this machine."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0].decode())
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    async with listening(tunnel) as own_port:
        yield f"http://127.0.0.1:{own_port}"


async def test_proxy_and_certificates_serve_every_call_to_a_provider(
    distant: DistantProvider, certificate: Path
) -> None:
    asked: list[str] = []
    async with proxy_to(distant.port, asked) as proxy:
        client = client_of(distant.issuer, ca_bundle=str(certificate), proxy=proxy)
        assert await sign_in(client, distant) == "a1"
    assert distant.asked == [DISCOVERY, "token", "jwks", "userinfo"]
    assert asked == [f"CONNECT {HOST}:443 HTTP/1.1"] * 4


async def test_without_the_facilitys_certificates_its_provider_is_not_believed(
    distant: DistantProvider,
) -> None:
    async with proxy_to(distant.port, []) as proxy:
        with pytest.raises(ProviderUnavailable) as refusal:
            await client_of(distant.issuer, proxy=proxy).metadata()
    assert "Certificate" in refusal.value.detail
    assert distant.asked == []


async def test_a_proxy_is_not_asked_for_this_machine(provider: LyingProvider) -> None:
    client = client_of(provider.issuer, proxy="http://127.0.0.1:1")
    assert await sign_in(client, provider) == "a1"


async def test_a_proxy_of_the_environment_is_not_used(
    provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert await sign_in(client_of(provider.issuer), provider) == "a1"


@pytest.mark.parametrize("path", [DISCOVERY, "jwks", "token", "userinfo"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>Maintenance</html>", id="a page"),
        pytest.param(b"\xff\xfe\x00", id="bytes"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b'{"issuer": ' + b"9" * 5000 + b"}", id="a long number"),
        pytest.param(b'{"x": "' + b"x" * LARGEST_ANSWER_BYTES + b'"}', id="huge"),
    ],
)
async def test_garbage_is_a_provider_that_is_down(
    provider: LyingProvider, path: str, body: bytes
) -> None:
    provider.raw = {path: body}
    with pytest.raises(ProviderUnavailable, match="The identity provider does not"):
        await sign_in(client_of(provider.issuer), provider)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"authorization_endpoint": ["https://x.example"]}, id="a list of addresses"),
        pytest.param({"token_endpoint": 7}, id="a number"),
        pytest.param({"jwks_uri": "https://[::1"}, id="no address"),
        pytest.param({"jwks_uri": "https://x.example:port/"}, id="no port"),
        pytest.param({"jwks_uri": "https://x.example/\r\nX: 1"}, id="a line end"),
        pytest.param({"jwks_uri": "https://аpple.example/"}, id="look-alike letter"),
        pytest.param({"id_token_signing_alg_values_supported": "RS256"}, id="text for a list"),
        pytest.param({"id_token_signing_alg_values_supported": [None, {}, 1]}, id="wrong types"),
        pytest.param({"code_challenge_methods_supported": {"S256": 1}}, id="a mapping"),
    ],
)
async def test_a_discovery_document_of_wrong_types_is_refused(
    provider: LyingProvider, document: dict[str, Any]
) -> None:
    provider.metadata = document
    with pytest.raises(ProviderUnavailable):
        await client_of(provider.issuer).metadata()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(b"{}", id="no keys"),
        pytest.param(b'{"keys": {"kty": "RSA"}}', id="a mapping"),
        pytest.param(b'{"keys": [null, 7, "x", [], {"kty": ["RSA"]}]}', id="wrong types"),
        pytest.param(b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', id="a tiny key"),
        pytest.param(b'{"keys": [' + b",".join([b'{"kty": "RSA"}'] * 9000) + b"]}", id="thousands"),
    ],
)
async def test_keys_that_are_none_verify_nothing(provider: LyingProvider, keys: bytes) -> None:
    provider.raw = {"jwks": keys}
    with pytest.raises(LoginFailed, match="could not be verified"):
        await sign_in(client_of(provider.issuer), provider)


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drop_by_drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n{")
    with suppress(OSError):
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("talk", [mute, drop_by_drop])
async def test_a_provider_that_takes_its_time_is_left_after_the_limit(talk: Talk) -> None:
    began = time.monotonic()
    async with listening(talk) as port:
        with pytest.raises(ProviderUnavailable):
            await client_of(f"http://127.0.0.1:{port}", timeout_seconds=0.3).metadata()
    assert time.monotonic() - began < 2


async def test_many_who_wait_for_a_mute_provider_wait_once() -> None:
    began = time.monotonic()
    async with listening(mute) as port:
        client = client_of(f"http://127.0.0.1:{port}", timeout_seconds=0.3)
        done = await asyncio.gather(*(client.metadata() for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in done} == {ProviderUnavailable}
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("path", [DISCOVERY, "jwks", "token", "userinfo"])
async def test_attack_34_a_redirect_is_not_followed(provider: LyingProvider, path: str) -> None:
    async with serving(LyingProvider(free_port())) as inside:
        provider.redirects = {path: f"{inside.issuer}/{path}"}
        with pytest.raises(ProviderUnavailable):
            await sign_in(client_of(provider.issuer), provider)
        assert inside.asked == []


@pytest.mark.parametrize(
    "issuer", ["{}/", "{}/other", "http://localhost:1", "https://sso.facility.example"]
)
async def test_attack_34_a_document_of_another_issuer_is_refused(
    provider: LyingProvider, issuer: str
) -> None:
    provider.metadata = {"issuer": issuer.format(provider.issuer)}
    with pytest.raises(ProviderUnavailable) as refusal:
        await client_of(provider.issuer).metadata()
    assert "issuer is not exactly" in refusal.value.detail


@pytest.mark.parametrize("name", ["token_endpoint", "userinfo_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url", ["http://sso.facility.example/x", "file:///etc/passwd", "http://169.254.169.254/"]
)
async def test_attack_34_a_document_cannot_send_the_hub_elsewhere_without_https(
    provider: LyingProvider, name: str, url: str
) -> None:
    provider.metadata = {name: url}
    with pytest.raises(ProviderUnavailable) as refusal:
        await client_of(provider.issuer).metadata()
    assert name in refusal.value.detail
