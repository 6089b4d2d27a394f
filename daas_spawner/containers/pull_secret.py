"""The logins for registries, from a `config.json` as `docker login` writes it.

Read by `fetching.py` at each fetch. Nothing of it stands in a log, an error or a `repr`.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daas_model import parsing
from daas_model.errors import ImageProblem
from daas_model.parsing import Malformed
from daas_spawner.containers.images import Image

DENIED = "The registry does not give out this app's image."


@dataclass(frozen=True, slots=True)
class Login:
    """What an engine shows to a registry: a name with a password, or a token."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def as_auth(self) -> dict[str, str]:
        """Return it as the Engine API wants it in `X-Registry-Auth`."""
        if self.identity_token:
            return {"identitytoken": self.identity_token}
        return {"username": self.username, "password": self.password} if self.username else {}


NOBODY = Login()


@dataclass(frozen=True, slots=True)
class PullSecret:
    """Logins by registry, or by a part of one (`host/path`)."""

    logins: Mapping[str, Login] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> "PullSecret":
        """Read the text of a `config.json`. Raises `Malformed`, which quotes nothing of it."""
        try:
            data = json.loads(text)
        except ValueError:
            raise Malformed("it must be JSON") from None
        logins = data.get("auths") if isinstance(data, dict) else None
        if not isinstance(logins, dict):
            helpers = isinstance(data, dict) and {"credsStore", "credHelpers"} & data.keys()
            raise Malformed(
                "it names a credential helper, which the hub does not run; write 'auths'"
                if helpers
                else "it must have 'auths', logins by registry"
            )
        return cls({_place(key): _login(value) for key, value in logins.items()})

    def login_for(self, image: Image) -> Login:
        """Return the login for *image*, of the longest place that it lies in."""
        places = [place for place in self.logins if f"{image.repository}/".startswith(f"{place}/")]
        return self.logins[max(places, key=len)] if places else NOBODY


def read_login(file: str, image: Image) -> Login:
    """Return the login for *image* from *file*; blocks. Raises `ImageProblem`."""
    if not file:
        return NOBODY
    try:
        return PullSecret.parse(Path(file).read_text("utf-8")).login_for(image)
    except Malformed as error:
        reason = str(error)
    except UnicodeDecodeError:
        reason = "it must be text"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise ImageProblem(DENIED, detail=f"ContainerImages.pull_secret_file {file}: {reason}")


def _place(key: str) -> str:
    """Docker writes its own Hub as `https://index.docker.io/v1/`, and old files every host so."""
    place = key.partition("://")[2] or key
    for end in ("/", "/v1", "/v2"):
        place = place.removesuffix(end)
    return "docker.io" if place == "index.docker.io" else place


def _login(data: object) -> Login:
    if not isinstance(data, dict):
        raise Malformed("each of 'auths' must be a mapping")
    packed = parsing.text(data, "auth", "")
    if not packed:
        name, password = parsing.text(data, "username", ""), parsing.text(data, "password", "")
    else:
        try:
            text = base64.b64decode(packed, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise Malformed("an 'auth' must be name:password in base64") from None
        name, _, password = text.partition(":")
    return Login(name, password, parsing.text(data, "identitytoken", ""))
