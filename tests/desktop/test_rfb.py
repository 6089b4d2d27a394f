import struct

import pytest

from daas_desktop.picture.rfb import INPUT, ClientStream, Kind, Piece, ProtocolError, Sieve

VERSION = b"RFB 003.008\n"
HELLO = VERSION + b"\1" + b"\1"

MESSAGES = {
    "pixel format": (Kind.SET_PIXEL_FORMAT, b"\0" + bytes(19)),
    "no encodings": (Kind.SET_ENCODINGS, struct.pack(">BxH", 2, 0)),
    "three encodings": (Kind.SET_ENCODINGS, struct.pack(">BxH3i", 2, 3, 7, -26, -224)),
    "update request": (Kind.UPDATE_REQUEST, struct.pack(">BBHHHH", 3, 1, 0, 0, 1920, 1080)),
    "key": (Kind.KEY, struct.pack(">BBHI", 4, 1, 0, 0x61)),
    "pointer": (Kind.POINTER, struct.pack(">BBHH", 5, 0x7F, 1, 2)),
    "empty cut text": (Kind.CUT_TEXT, struct.pack(">B3xi", 6, 0)),
    "cut text": (Kind.CUT_TEXT, struct.pack(">B3xi", 6, 5) + b"hello"),
    "extended clipboard": (Kind.CUT_TEXT, struct.pack(">B3xiI", 6, -4, 1 << 27)),
    "continuous updates": (Kind.CONTINUOUS_UPDATES, struct.pack(">BBHHHH", 150, 1, 0, 0, 9, 9)),
    "fence": (Kind.FENCE, struct.pack(">B3xIB", 248, 1, 3) + b"abc"),
    "xvp": (Kind.XVP, bytes([250, 0, 1, 2])),
    "desktop size": (Kind.SET_DESKTOP_SIZE, struct.pack(">BxHHBx", 251, 9, 9, 2) + bytes(32)),
    "QEMU key": (Kind.QEMU, struct.pack(">BBHII", 255, 0, 1, 0x61, 0x1E)),
    "QEMU audio on": (Kind.QEMU, struct.pack(">BBH", 255, 1, 0)),
    "QEMU audio format": (Kind.QEMU, struct.pack(">BBHBBI", 255, 1, 2, 0, 2, 44100)),
}
TABLE = [pytest.param(kind, data, id=name) for name, (kind, data) in MESSAGES.items()]


def joined(pieces: list[Piece]) -> list[tuple[Kind, bytes]]:
    whole: list[tuple[Kind, bytes]] = []
    for piece in pieces:
        if piece.first:
            whole.append((piece.kind, piece.data))
        else:
            kind, data = whole.pop()
            assert kind == piece.kind
            whole.append((kind, data + piece.data))
    return whole


@pytest.mark.parametrize(("kind", "data"), TABLE)
def test_each_message_is_found_between_two_others(kind: Kind, data: bytes) -> None:
    key = MESSAGES["key"]
    stream = ClientStream()
    stream.feed(HELLO)
    assert joined(stream.feed(key[1] + data + key[1])) == [key, (kind, data), key]


@pytest.mark.parametrize("size", range(1, 25))
def test_the_same_messages_are_found_however_the_stream_is_cut(size: int) -> None:
    everything = b"".join(data for _, data in MESSAGES.values())
    stream = ClientStream()
    sent = HELLO + everything
    pieces = [p for at in range(0, len(sent), size) for p in stream.feed(sent[at : at + size])]
    assert joined(pieces)[3:] == list(MESSAGES.values())
    assert b"".join(piece.data for piece in pieces) == sent


def test_the_stream_may_be_split_at_every_byte() -> None:
    sent = HELLO + b"".join(data for _, data in MESSAGES.values())
    for at in range(len(sent)):
        stream = ClientStream()
        pieces = stream.feed(sent[:at]) + stream.feed(sent[at:])
        assert joined(pieces)[3:] == list(MESSAGES.values()), f"split at {at}"


@pytest.mark.parametrize(
    ("hello", "kinds"),
    [
        pytest.param(HELLO, [Kind.VERSION, Kind.SECURITY, Kind.CLIENT_INIT], id="3.8"),
        pytest.param(
            b"RFB 003.007\n\1\0", [Kind.VERSION, Kind.SECURITY, Kind.CLIENT_INIT], id="3.7"
        ),
        pytest.param(b"RFB 003.003\n\1", [Kind.VERSION, Kind.CLIENT_INIT], id="3.3"),
    ],
)
def test_the_handshake_has_the_parts_of_its_version(hello: bytes, kinds: list[Kind]) -> None:
    stream = ClientStream()
    assert [kind for kind, _ in joined(stream.feed(hello))] == kinds
    assert joined(stream.feed(MESSAGES["key"][1])) == [MESSAGES["key"]]


@pytest.mark.parametrize("line", [b"RFB 003.005\n", b"RFB 003.003 ", b"RFB   3.  3\n"])
def test_a_version_that_the_x_server_takes_for_another_is_an_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        ClientStream().feed(line)


@pytest.mark.parametrize("size", range(1, 8))
def test_a_pointer_goes_on_without_the_byte_that_not_every_x_server_reads(size: int) -> None:
    sent = struct.pack(">BBHHB", 5, 0x81, 1, 2, 3) + MESSAGES["key"][1]
    stream = ClientStream()
    stream.feed(HELLO)
    pieces = [p for at in range(0, len(sent), size) for p in stream.feed(sent[at : at + size])]
    pointer = (Kind.POINTER, struct.pack(">BBHH", 5, 1, 1, 2))
    assert joined(pieces) == [pointer, MESSAGES["key"]]


@pytest.mark.parametrize("name", ["key", "pointer", "QEMU key", "update request"])
def test_a_short_message_is_passed_on_whole(name: str) -> None:
    """So that what lets go of keys never stands inside one."""
    kind, data = MESSAGES[name]
    stream = ClientStream()
    stream.feed(HELLO)
    for at in range(len(data) - 1):
        assert stream.feed(data[at : at + 1]) == []
        assert stream.between_messages
    assert stream.feed(data[-1:]) == [Piece(kind, data, first=True)]


def test_a_long_text_is_passed_on_without_waiting_for_its_end() -> None:
    stream = ClientStream()
    stream.feed(HELLO)
    head = struct.pack(">B3xi", 6, 1_000_000)
    assert stream.feed(head + b"x" * 100) == [Piece(Kind.CUT_TEXT, head + b"x" * 100, first=True)]
    assert stream.feed(b"y" * 50) == [Piece(Kind.CUT_TEXT, b"y" * 50, first=False)]


@pytest.mark.parametrize(
    "data", [pytest.param(b"\x01", id="type"), pytest.param(b"\xff\x07", id="QEMU type")]
)
def test_an_unknown_message_is_an_error(data: bytes) -> None:
    stream = ClientStream()
    stream.feed(HELLO)
    with pytest.raises(ProtocolError):
        stream.feed(data)


def test_only_what_a_hand_does_is_input() -> None:
    assert {Kind.KEY, Kind.POINTER, Kind.CUT_TEXT, Kind.QEMU} == INPUT


def passed(sieve: Sieve, data: bytes, *, controls: bool, size: int = 1000) -> bytes:
    stream = ClientStream()
    stream.feed(HELLO)
    cuts = [data[at : at + size] for at in range(0, len(data), size)]
    pieces = [piece for cut in cuts for piece in stream.feed(cut)]
    return b"".join(piece.data for piece in pieces if sieve.passes(piece, controls))


@pytest.mark.parametrize(("kind", "data"), TABLE)
def test_only_what_changes_nothing_passes_from_who_looks(kind: Kind, data: bytes) -> None:
    changes = kind in {
        *(Kind.KEY, Kind.POINTER, Kind.CUT_TEXT),
        *(Kind.QEMU, Kind.SET_DESKTOP_SIZE, Kind.XVP),
    }
    assert passed(Sieve(), data, controls=False) == (b"" if changes else data)
    assert passed(Sieve(), data, controls=True) == data


def test_a_message_passes_whole_or_not_at_all() -> None:
    """However it is cut, and whoever gets control meanwhile."""
    text = struct.pack(">B3xi", 6, 100) + bytes(100)
    stream, sieve = ClientStream(), Sieve()
    stream.feed(HELLO)
    first = [p for p in stream.feed(text[:50]) if sieve.passes(p, controls=True)]
    rest = [p for p in stream.feed(text[50:] + text) if sieve.passes(p, controls=False)]
    assert b"".join(p.data for p in [*first, *rest]) == text


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_held_keys_and_buttons_are_let_go(size: int) -> None:
    key, qemu = MESSAGES["key"][1], MESSAGES["QEMU key"][1]
    other = struct.pack(">BBHI", 4, 1, 0, 0xFFE1)
    let_go = struct.pack(">BBHI", 4, 0, 0, 0x61)
    sieve = Sieve()
    passed(sieve, key + other + let_go + qemu + MESSAGES["pointer"][1], controls=True, size=size)
    assert sieve.releases() == (
        struct.pack(">BBHI", 4, 0, 0, 0xFFE1)
        + struct.pack(">BBHII", 255, 0, 0, 0x61, 0x1E)
        + struct.pack(">BBHH", 5, 0, 1, 2)
    )
    assert sieve.releases() == b""


def test_what_is_dropped_is_not_held() -> None:
    sieve = Sieve()
    passed(sieve, MESSAGES["key"][1] + MESSAGES["pointer"][1], controls=False)
    assert sieve.releases() == b""
