"""Which way text may go between the program and the viewers' computers.

The X server keeps to it, whatever a page sends. Read by `display`, and told to the page.
"""

from collections.abc import Mapping

#: What DAAS_CLIPBOARD may say; "in" is into the program, "out" is out of it.
SWITCHES = ("both", "in", "out", "off")
# The page refuses texts of more than 16 MB; with line ends of two bytes they are longer.
MOST_BYTES = 32 * 1024 * 1024


def clipboard_switch(env: Mapping[str, str]) -> str:
    """Give the facility's switch: "both" where it says nothing, "off" for a word we do not know."""
    switch = env.get("DAAS_CLIPBOARD") or "both"
    return switch if switch in SWITCHES else "off"


def x_parameters(switch: str) -> tuple[str, ...]:
    """Give the X server's parameters for it."""
    into, out = (int(switch in ("both", way)) for way in ("in", "out"))
    return (
        f"-AcceptCutText={into}",
        f"-SetPrimary={into}",
        f"-SendCutText={out}",
        f"-SendPrimary={out}",
        f"-MaxCutText={MOST_BYTES}",
    )
