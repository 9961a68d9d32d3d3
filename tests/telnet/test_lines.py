"""Lines: six kinds of Enter key, three editing keys, one limit, for any segmentation."""

import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_mud.telnet.events import Line, TelnetEvent
from trio_mud.telnet.lines import LineAssembler

LIMIT = 8  # bytes


def lines(*chunks: bytes, limit: int = 4096, charset: str = "utf-8") -> list[TelnetEvent]:
    assembler = LineAssembler(limit)
    assembler.charset = charset
    events: list[TelnetEvent] = []
    for chunk in chunks:
        assembler.receive(chunk, events)
    return events


def lines_by_the_rules(data: bytes) -> list[TelnetEvent]:
    """The rules of the assembler for ASCII, one byte at a time and with no thought of speed."""
    events: list[TelnetEvent] = []
    kept, is_cut, after_cr = b"", False, False
    for byte in data:
        if after_cr and byte in b"\n\0":
            after_cr = False
            continue
        after_cr = byte == 0x0D
        if byte in b"\r\n":
            events.append(Line(kept.decode("ascii"), cut=is_cut))
            kept, is_cut = b"", False
        elif is_cut:
            pass
        elif byte == 0x15:
            kept = b""
        elif byte in b"\x08\x7f":
            kept = kept[:-1]
        elif len(kept) == LIMIT:
            is_cut = True
        else:
            kept += bytes((byte,))
    return events


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"look\r\nup\r\n", ["look", "up"]),  # telnet(1), busybox, tf, TinTin++, libtelnet in line mode
        (b"look\r\0up\r\0", ["look", "up"]),  # telnet(1), netkit, PuTTY in keystroke mode
        (b"look\nup\n", ["look", "up"]),  # nc, curl, openssl s_client, plink; tf once BINARY is agreed
        (b"look\rup\r", ["look", "up"]),  # telnetlib3-client; telnet(1) once BINARY is agreed
        (b"look\r\nup\rin\nout\r\0", ["look", "up", "in", "out"]),
    ],
)
def test_every_enter_key_ends_one_line(data: bytes, expected: list[str]) -> None:
    for cut in range(len(data) + 1):
        assert [Line(text) for text in expected] == lines(data[:cut], data[cut:])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\r\n\r\n", ["", ""]),
        (b"\n\n", ["", ""]),
        (b"\r\r", ["", ""]),
        (b"\r\r\n", ["", ""]),
        (b"\n\r", ["", ""]),
        (b"\r\n\n", ["", ""]),
        (b"\r\0\n", ["", ""]),
        (b"\r\n\0\n", ["", "\0"]),
        (b"\r\0\0\n", ["", "\0"]),
        (b"\0\n", ["\0"]),
    ],
)
def test_cr_swallows_exactly_one_lf_or_nul(data: bytes, expected: list[str]) -> None:
    for cut in range(len(data) + 1):
        assert [Line(text) for text in expected] == lines(data[:cut], data[cut:])


def test_a_line_ends_at_its_cr_without_waiting_for_more() -> None:
    assert lines(b"look\r") == [Line("look")]


def test_an_unfinished_line_is_not_reported() -> None:
    assert lines(b"loo", b"k") == []


def test_a_line_of_the_limit_is_whole_and_one_byte_more_is_cut() -> None:
    assert lines(b"12345678\n123456789\n1\n", limit=8) == [Line("12345678"), Line("12345678", cut=True), Line("1")]


def test_the_rest_of_a_long_line_is_discarded_and_never_a_line_of_its_own() -> None:
    assert lines(b"1234", b"56789", b"quit", b"\r", b"\nlook\n", limit=8) == [Line("12345678", cut=True), Line("look")]


def test_an_endless_line_keeps_no_more_than_the_limit() -> None:
    assembler = LineAssembler(4096)
    for _ in range(1000):
        assembler.receive(b"A" * 4096, [])
    assert len(assembler._partial) == 4096


def test_a_cut_inside_a_character_leaves_it_out() -> None:
    assert lines("1234567é\n".encode(), limit=8) == [Line("1234567", cut=True)]
    assert lines("12345€\n".encode(), limit=8) == [Line("12345€")]
    assert lines("123456€\n".encode(), limit=8) == [Line("123456", cut=True)]


def test_a_code_point_survives_any_cut_of_the_network() -> None:
    data = "né 木 🜁\n".encode()
    for cut in range(len(data) + 1):
        assert lines(data[:cut], data[cut:]) == [Line("né 木 🜁")]


@pytest.mark.parametrize(
    "data",
    [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\x80", b"\xc3"],
    ids=["overlong", "surrogate", "beyond", "ff", "stray", "unfinished"],
)
def test_invalid_utf8_becomes_replacement_characters(data: bytes) -> None:
    (line,) = lines(b"a" + data + b"\n")
    assert isinstance(line, Line)
    assert set(line.text) == {"a", "\ufffd"}


def test_a_stray_lead_byte_does_not_swallow_the_end_of_the_line() -> None:
    assert lines(b"a\xe2\nb\n") == [Line("a\ufffd"), Line("b")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"lock\x08\x08ok", "look"),
        (b"lock\x7f\x7fok", "look"),
        (b"\x08\x7flook", "look"),
        (b"secret\x15look", "look"),
        (b"\x15look", "look"),
        (b"a\x08\x08\x08b", "b"),
        ("né\x7fo".encode(), "no"),
        ("木\x7fx".encode(), "x"),
        ("🜁\x7fx".encode(), "x"),
        (b"a\x80\x7fb", "ab"),  # a stray continuation byte is a character of its own
        (b"\x80\x80\x80\x80\x80\x7f\x7f\x7f\x7f\x7fb", "b"),
    ],
)
def test_editing_keys_are_obeyed(data: bytes, expected: str) -> None:
    data += b"\r\0"
    for cut in range(len(data) + 1):
        assert lines(data[:cut], data[cut:]) == [Line(expected)]


SINGLE_BYTE = ["ascii", "iso8859-1", "cp1251", "koi8-r", "cp437"]
MULTI_BYTE = ["gbk", "gb18030", "big5", "euc_kr", "euc_jp", "shift_jis", "cp932"]


@pytest.mark.parametrize("charset", SINGLE_BYTE)
def test_in_charsets_of_one_byte_a_byte_is_erased(charset: str) -> None:
    text = b"n\xe9".decode(charset, "replace")
    assert lines(b"n\xe9\xe8\x7fo\n", charset=charset) == [Line(f"{text}o")]


@pytest.mark.parametrize("charset", MULTI_BYTE)
def test_in_charsets_of_several_bytes_a_character_is_erased_whole(charset: str) -> None:
    # In all of these the last byte of a character may be the whole of another one, or the first byte of one.
    data = "look 水水水a\x7f\x7f\x08木\r\0".encode(charset)
    for cut in range(len(data) + 1):
        assert lines(data[:cut], data[cut:], charset=charset) == [Line("look 水木")]


@pytest.mark.parametrize("charset", MULTI_BYTE)
def test_half_a_character_is_erased_like_a_whole_one(charset: str) -> None:
    half = "水".encode(charset)[:1]
    assert lines(b"look" + half + b"\x7f\x7fp\n", charset=charset) == [Line("loop")]


@given(
    st.sampled_from(MULTI_BYTE),
    st.lists(st.sampled_from(["a", "~", "水", "木", "中", "人", "\x7f", "\x08", "\x15"]), max_size=40),
    st.integers(0, 80),
)
@example("gbk", ["水", "\x7f", "水"], 4)
@example("gbk", ["\x7f", "水"], 2)
@example("gbk", ["水", "\x15", "\x7f", "水"], 5)
def test_whatever_is_erased_no_half_character_is_left(charset: str, typed: list[str], cut: int) -> None:
    left: list[str] = []
    for key in typed:
        if key == "\x15":
            left.clear()
        elif key in "\x7f\x08":
            del left[-1:]
        else:
            left.append(key)
    data = "".join([*typed, "\n"]).encode(charset)
    assert lines(data[:cut], data[cut:], charset=charset) == [Line("".join(left))]


def test_a_line_that_was_edited_has_a_limit_too() -> None:
    data = "水木\x7f木人".encode("gbk")
    assert lines(data + b"\n", charset="gbk", limit=9) == [Line("水木人")]
    assert lines(data + b"abc\n", charset="gbk", limit=9) == [Line("水木人", cut=True)]
    assert lines("水木人\x7f\x7f".encode("gbk") + b"abc\n", charset="gbk", limit=6) == [Line("水abc")]


@pytest.mark.parametrize(
    "character",
    [
        "e\u0301",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",  # a family
        "\U0001f44d\U0001f3fd",
        "\u2764\ufe0f",
        "\U0001f1e9\U0001f1ea",  # a flag
        "\u0e19\u0e49",  # Thai, with a tone
        "\u1112\u1161\u11ab",  # Hangul, decomposed
    ],
)
def test_what_is_seen_as_one_character_is_erased_as_one(character: str) -> None:
    data = f"hi {character}{character}\x7f\n".encode()
    for cut in range(len(data) + 1):
        assert lines(data[:cut], data[cut:]) == [Line(f"hi {character}")]


def test_a_stray_byte_is_erased_without_the_character_before_it() -> None:
    assert lines("木".encode() + b"\x82\x7f\n") == [Line("木")]
    assert lines("木".encode() + b"\xe6\x9c\x7f\n") == [Line("木")]


@pytest.mark.parametrize(
    "key", [b"\x1b[D", b"\x1bOD", b"\x1b[[A", b"\x1b[3~", b"\x1b[3$", b"\x1b[1;5C", b"\x1b[", b"\x1b"]
)
def test_an_erasing_key_leaves_no_half_of_a_function_key(key: bytes) -> None:
    data = b"lo" + key + key + b"\x7fook\n"
    for cut in range(len(data) + 1):
        assert lines(data[:cut], data[cut:]) == [Line("look")]


def test_editing_does_not_reach_into_the_line_before() -> None:
    assert lines(b"look\n\x7f\x7fup\n") == [Line("look"), Line("up")]


def test_once_cut_a_line_cannot_be_edited() -> None:
    assert lines(b"123456789\x15quit\n", limit=8) == [Line("12345678", cut=True)]


def test_other_control_characters_are_left_for_the_cleaning() -> None:
    assert lines(b"\x1b[31m\x07\x01\n") == [Line("\x1b[31m\x07\x01")]


_typed = st.lists(st.sampled_from([b"a", b"bcd", b"\r", b"\n", b"\0", b"\x08", b"\x7f", b"\x15", b"efghijkl"]))


@given(st.lists(_typed.map(b"".join)))
@example([b"12345678", b"9\x15", b"\r", b"\0"])
def test_any_bytes_in_any_pieces_obey_the_rules(chunks: list[bytes]) -> None:
    assert lines_by_the_rules(b"".join(chunks)) == lines(*chunks, limit=LIMIT)


@given(st.binary(), st.integers(0, 40), st.sampled_from(["utf-8", *SINGLE_BYTE, *MULTI_BYTE]))
@example(b"\0\0\0\0\0\0\0\x7f\x80\0\x80\n", 10, "gbk")
def test_any_bytes_in_any_charset_are_split_invariant(data: bytes, cut: int, charset: str) -> None:
    assert codecs.lookup(charset).name == charset
    whole = lines(data, limit=LIMIT, charset=charset)
    assert whole == lines(data[:cut], data[cut:], limit=LIMIT, charset=charset)
