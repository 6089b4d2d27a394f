"""The fictitious people of the demo, from `people.yaml`.

Read by the demo's identity provider, and by whoever sets up their accounts.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

PEOPLE_FILE = Path(__file__).with_name("people.yaml")


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody to sign in as, and what that shows."""

    name: str
    display_name: str
    sentence: str
    groups: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """What the provider calls her; stays the same from start to start."""
        return f"demo-{self.name}"

    def get_user_id(self) -> str:
        """Return the subject, under the name that Authlib asks for."""
        return self.subject


def read_people(path: Path = PEOPLE_FILE) -> tuple[DemoPerson, ...]:
    """Return the people in *path*, in its order."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(DemoPerson(**{**e, "groups": tuple(e.get("groups", ()))}) for e in entries)
