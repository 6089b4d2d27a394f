"""Makes `reference/configuration.md` from the traits, which are the truth about the settings.

`python docs/make_reference.py` rewrites the page; with `--check` it compares, and exits with 1
where they differ. `tests/docs` and whoever changes a setting call it.
"""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Enum, Float, Integer, List, Set, TraitType, Unicode
from traitlets.config import Configurable

from daas_command.known import OURS

PAGE = Path(__file__).parent / "reference" / "configuration.md"

HEAD = """\
# Settings

*For administrators. Made from the code by `python docs/make_reference.py`; do not edit it.*

A setting is a line such as `c.PortalApp.title = "Data analysis"` in the file that
[`DAAS_SETTINGS`](environment.md) names. The hub and the portal read the same file.
Settings of JupyterHub and of OAuthenticator that we do not define are described
[there](https://jupyterhub.readthedocs.io/) and
[there](https://oauthenticator.readthedocs.io/); where our default differs, it is named below.
"""

KINDS: dict[type[TraitType[Any, Any]], str] = {
    Unicode: "text",
    Bool: "true or false",
    Integer: "whole number",
    Float: "number",
    List: "list of texts",
    Set: "set of texts",
    Dict: "mapping",
}


def ours(trait: TraitType[Any, Any]) -> bool:
    """Say whether one of our classes defines *trait*, rather than a class we build on."""
    assert trait.this_class is not None
    return trait.this_class.__module__.startswith("daas_")


def settings_of(configured: type[Configurable]) -> dict[str, TraitType[Any, Any]]:
    """Return the settings that *configured* defines, by name."""
    traits = configured.class_traits(config=True)
    return {name: traits[name] for name in sorted(traits) if ours(traits[name])}


def changed_defaults(configured: type[Configurable]) -> dict[str, object]:
    """Return our defaults for settings that a class we build on defines."""
    names = {
        name
        for parent in configured.__mro__
        if parent.__module__.startswith("daas_")
        for name in vars(parent).get("_trait_default_generators", ())
    }
    traits = configured.class_traits(config=True)
    foreign = sorted(name for name in names if name in traits and not ours(traits[name]))
    made = configured() if foreign else None
    return {name: getattr(made, name) for name in foreign}


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(_section(configured) for configured in OURS)])


def _section(configured: type[Configurable]) -> str:
    name = configured.__name__
    summary = (configured.__doc__ or "").partition("\n")[0]
    parts = [f"## {name}\n\n{summary}\n"]
    parts += [_setting(name, trait) for trait in settings_of(configured).values()]
    if changed := changed_defaults(configured):
        lines = [f"- `{name}.{key}` is {_literal(value)}" for key, value in changed.items()]
        parts.append("### Defaults that we change\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _setting(owner: str, trait: TraitType[Any, Any]) -> str:
    text = cleandoc(trait.help).replace("\n\n", "\n")
    default = _literal(trait.default())
    return f"### `{owner}.{trait.name}`\n\n*{_kind(trait)}; default {default}*\n\n{text}\n"


def _kind(trait: TraitType[Any, Any]) -> str:
    if isinstance(trait, Enum):
        return "one of " + ", ".join(_literal(value) for value in trait.values or ())
    kind = next(words for known, words in KINDS.items() if isinstance(trait, known))
    if isinstance(trait, List) and not isinstance(trait._trait, Unicode):
        kind = "list of mappings"
    lowest = getattr(trait, "min", None)
    return kind if lowest is None else f"{kind}, at least {lowest:g}"


def _literal(value: object) -> str:
    if isinstance(value, set | frozenset):
        value = sorted(value)
    return "empty" if value in ("", []) else f"`{json.dumps(value)}`"


def main() -> int:
    """Rewrite the page, or compare it; return the exit status."""
    made = page()
    if sys.argv[1:] == ["--check"]:
        same = PAGE.exists() and PAGE.read_text("utf-8") == made
        if not same:
            sys.stderr.write("docs/reference/configuration.md is old: run this without --check.\n")
        return 0 if same else 1
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
