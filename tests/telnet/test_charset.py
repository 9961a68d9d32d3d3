"""CHARSET: asked, answered, crossed, and never a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.telnet import CharsetAgreed, CharsetRejected, Line, NegotiationSettled, TelnetEngine
from trio_mud.telnet.charsets import CODECS, codec_of
from trio_mud.telnet.options import Charset
from trio_mud.telnet.options.charset import parse_request
from trio_mud.testing.playbook import Playbook, check_every_split, converse, drain

REQUEST = b"\xff\xfa\x2a\x01;UTF-8\xff\xf0"
REJECTED = b"\xff\xfa\x2a\x03\xff\xf0"


def sb(payload: bytes) -> bytes:
    return b"\xff\xfa\x2a" + payload.replace(b"\xff", b"\xff\xff") + b"\xff\xf0"


def asked(*names: str) -> Playbook:
    option = Charset(names) if names else Charset()
    playbook = Playbook(TelnetEngine([option])).says("IAC WILL CHARSET").hears("IAC DO CHARSET")
    return playbook if names else playbook.says(REQUEST)


def asking() -> Playbook:
    """Return a playbook in which the peer has announced a question; it refuses our offer."""
    playbook = Playbook(TelnetEngine([Charset()])).says("IAC WILL CHARSET").hears("IAC DONT CHARSET IAC WILL CHARSET")
    return playbook.says("IAC DO CHARSET")


# We ask


def test_tintin_and_mudlet_accept_utf8() -> None:
    playbook = asked().hears(sb(b"\x02UTF-8"), CharsetAgreed("utf-8")).says(b"").ticks(0.0, NegotiationSettled())
    assert playbook.engine.charset == "utf-8"


def test_tintin_in_the_c_locale_rejects_and_that_is_reported() -> None:
    playbook = asked().hears(sb(b"\x03"), CharsetRejected(("utf-8",))).says(b"").ticks(0.0, NegotiationSettled())
    assert playbook.engine.charset == "utf-8"


@pytest.mark.parametrize("answer", [b" UTF-8", b"UTF-8 ", b"utf8", b"UTF_8"])
def test_tintin_before_2022_accepts_with_a_blank_and_others_spell_as_they_like(answer: bytes) -> None:
    asked().hears(sb(b"\x02" + answer), CharsetAgreed("utf-8"))


def test_an_answer_is_read_whatever_its_case() -> None:
    asked().hears(sb(b"\x02utf-8"), CharsetAgreed("utf-8"))


def test_several_charsets_are_asked_for_in_order_and_the_accepted_one_is_used_from_then_on() -> None:
    playbook = asked("ISO-8859-1", "UTF-8").says(sb(b"\x01;ISO-8859-1;UTF-8"))
    playbook.hears(b"\xc3\xa9\n", Line("é"))
    playbook.hears(sb(b"\x02ISO-8859-1"), CharsetAgreed("iso8859-1")).hears(b"\xe9\xff\xff\n", Line("éÿ"))
    playbook.calls("send_text", "é").says(b"\xe9")


@pytest.mark.parametrize("answer", [b"\x02KLINGON", b"\x02", b"\x02US-ASCII", b"\x02\xff", b"\x02UTF-8;X"])
def test_an_answer_that_was_not_asked_for_changes_nothing(answer: bytes) -> None:
    playbook = asked().hears(sb(answer)).says(b"").ticks(0.0, NegotiationSettled())
    assert playbook.engine.charset == "utf-8"


def test_an_answer_without_a_question_is_ignored() -> None:
    asking().hears(sb(b"\x02ISO-8859-1")).hears(sb(b"\x03")).says(b"")
    asked().hears(sb(b"\x03"), CharsetRejected(("utf-8",))).hears(sb(b"\x02UTF-8")).hears(sb(b"\x03"))


def test_a_peer_that_does_not_answer_is_not_waited_for_longer_than_a_second() -> None:
    asked().ticks(0.0).ticks(0.9).ticks(1.0, NegotiationSettled()).hears(sb(b"\x02UTF-8"), CharsetAgreed("utf-8"))


def test_a_peer_that_switches_it_off_is_not_waited_for() -> None:
    asked().hears("IAC DONT CHARSET").says("IAC WONT CHARSET").ticks(0.0, NegotiationSettled())


# The peer asks


@pytest.mark.parametrize(
    ("request_", "accepted", "codec"),
    [
        (b";UTF-8", b"UTF-8", "utf-8"),
        (b" UTF-8 ISO-8859-1", b"UTF-8", "utf-8"),
        (b";KLINGON;iso-8859-15;UTF-8", b"iso-8859-15", "iso8859-15"),
        (b",windows-1252,UTF-8", b"windows-1252", "cp1252"),
        (b"[TTABLE ]\x01;US-ASCII", b"US-ASCII", "ascii"),
        (b"[TTABLE]\x01;IBM437", b"IBM437", "cp437"),
        (b"\0UTF-8", b"UTF-8", "utf-8"),
        (b";Shift_JIS", b"Shift_JIS", "shift_jis"),
        (b";ISO_8859-1:1987;UTF-8", b"ISO_8859-1:1987", "iso8859-1"),
        (b";csISOLatinCyrillic", b"csISOLatinCyrillic", "iso8859-5"),
    ],
)
def test_the_first_charset_that_we_know_is_accepted_as_it_was_spelt(
    request_: bytes, accepted: bytes, codec: str
) -> None:
    playbook = asking().hears(sb(b"\x01" + request_), CharsetAgreed(codec)).says(sb(b"\x02" + accepted))
    assert playbook.engine.charset == codec


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b";",
        b";;;",
        b";KLINGON",
        b";UTF-16;UTF-7;hex;zlib;rot13;idna",
        b"[TTABLE",
        b"[TTABLE ]",
        b"UTF-8",
        b";\xff",
    ],
)
def test_a_request_for_nothing_that_we_know_is_rejected(request_: bytes) -> None:
    playbook = asking().hears(sb(b"\x01" + request_)).says(REJECTED)
    assert playbook.engine.charset == "utf-8"


def test_the_peer_may_ask_again() -> None:
    playbook = asking().hears(sb(b"\x01;LATIN1"), CharsetAgreed("iso8859-1")).says(sb(b"\x02LATIN1"))
    playbook.hears(sb(b"\x01;UTF-8"), CharsetAgreed("utf-8")).says(sb(b"\x02UTF-8"))


def test_a_change_holds_for_what_is_sent_behind_the_acceptance() -> None:
    playbook = asking().calls("send_text", "é").hears(sb(b"\x01;LATIN1"), CharsetAgreed("iso8859-1"))
    playbook.calls("send_text", "é").says(b"\xc3\xa9" + sb(b"\x02LATIN1") + b"\xe9")


def test_who_did_not_say_that_it_will_ask_may_not() -> None:
    asked().hears(sb(b"\x03"), CharsetRejected(("utf-8",))).hears(sb(b"\x01;UTF-8")).says(REJECTED)


def test_of_two_questions_that_cross_the_peers_is_rejected() -> None:
    playbook = Playbook(TelnetEngine([Charset()])).hears("IAC WILL CHARSET IAC DO CHARSET")
    playbook.says(b"\xff\xfb\x2a\xff\xfd\x2a" + REQUEST).hears(sb(b"\x01;LATIN1")).says(REJECTED)
    playbook.hears(sb(b"\x02UTF-8"), CharsetAgreed("utf-8"))
    playbook.hears(sb(b"\x01;LATIN1"), CharsetAgreed("iso8859-1")).says(sb(b"\x02LATIN1"))


def test_tintin_answering_only_one_of_will_and_do_is_enough() -> None:
    asked().ticks(0.0).hears(sb(b"\x02UTF-8"), CharsetAgreed("utf-8")).ticks(0.1, NegotiationSettled())


def test_tables_are_refused() -> None:
    asking().hears(sb(b"\x04\x01;UTF-8;1;LATIN1;1;")).says(sb(b"\x05"))


@pytest.mark.parametrize("payload", [b"", b"\0", b"\x05", b"\x06", b"\x07", b"\xff"])
def test_other_messages_are_ignored(payload: bytes) -> None:
    asked().hears(sb(payload)).says(b"")


# The user's choice


def test_the_choice_of_the_user_outweighs_every_agreement() -> None:
    playbook = asked()
    playbook.engine.choose_charset("latin-1")
    playbook.hears(sb(b"\x02UTF-8"), CharsetAgreed("utf-8")).hears(b"\xe9\n", Line("é"))
    playbook.engine.choose_charset(None)
    playbook.engine.agree_charset("utf-8")
    playbook.hears(b"\xc3\xa9\n", Line("é"))


def test_what_the_user_does_not_want_is_not_accepted() -> None:
    playbook = asking()
    playbook.engine.choose_charset("koi8-r")
    playbook.hears(sb(b"\x01;UTF-8")).says(REJECTED)
    playbook.hears(sb(b"\x01;UTF-8;KOI8-R"), CharsetAgreed("koi8-r")).says(sb(b"\x02KOI8-R"))


def test_a_peer_of_ascii_that_sends_more_is_read_as_utf8() -> None:
    playbook = asking().hears(sb(b"\x01;US-ASCII"), CharsetAgreed("ascii")).says(sb(b"\x02US-ASCII"))
    playbook.hears("café\n".encode(), Line("café")).calls("send_text", "café").says(b"caf?")


# Ourselves


@pytest.mark.parametrize("name", [*CODECS, *CODECS.values()])
def test_every_charset_is_known_by_both_its_names_in_any_spelling(name: str) -> None:
    codec = CODECS.get(name, name)
    assert {codec_of(spelling) for spelling in (name, name.lower(), f" {name} ", name.replace("-", "_"))} == {codec}


@pytest.mark.parametrize("name", ["", ";", "UTF-16", "hex", "UTF-8\ufffd", "latin-1;x", "rot13", "\u0662"])
def test_other_names_are_not(name: str) -> None:
    assert codec_of(name) is None


@pytest.mark.parametrize("name", CODECS)
def test_every_charset_that_we_know_is_a_superset_of_ascii(name: str) -> None:
    engine = TelnetEngine(())
    engine.charset = CODECS[name]
    assert engine.charset == CODECS[name]


# Names and aliases of each charset as IANA registers them.
REGISTERED = {
    "utf-8": "UTF-8 csUTF8",
    "ascii": "US-ASCII iso-ir-6 ANSI_X3.4-1968 ANSI_X3.4-1986 ISO_646.irv:1991 ISO646-US us IBM367 cp367 csASCII",
    "iso8859-1": "ISO_8859-1:1987 iso-ir-100 ISO_8859-1 ISO-8859-1 latin1 l1 IBM819 CP819 csISOLatin1",
    "iso8859-2": "ISO_8859-2:1987 iso-ir-101 ISO_8859-2 ISO-8859-2 latin2 l2 csISOLatin2",
    "iso8859-3": "ISO_8859-3:1988 iso-ir-109 ISO_8859-3 ISO-8859-3 latin3 l3 csISOLatin3",
    "iso8859-4": "ISO_8859-4:1988 iso-ir-110 ISO_8859-4 ISO-8859-4 latin4 l4 csISOLatin4",
    "iso8859-5": "ISO_8859-5:1988 iso-ir-144 ISO_8859-5 ISO-8859-5 cyrillic csISOLatinCyrillic",
    "iso8859-6": "ISO_8859-6:1987 iso-ir-127 ISO_8859-6 ISO-8859-6 ECMA-114 ASMO-708 arabic csISOLatinArabic",
    "iso8859-7": "ISO_8859-7:1987 iso-ir-126 ISO-8859-7 ELOT_928 ECMA-118 greek greek8 csISOLatinGreek",
    "iso8859-8": "ISO_8859-8:1988 iso-ir-138 ISO_8859-8 ISO-8859-8 hebrew csISOLatinHebrew",
    "iso8859-9": "ISO_8859-9:1989 iso-ir-148 ISO_8859-9 ISO-8859-9 latin5 l5 csISOLatin5",
    "iso8859-10": "ISO-8859-10 iso-ir-157 l6 ISO_8859-10:1992 csISOLatin6 latin6",
    "iso8859-11": "TIS-620 csTIS620 ISO-8859-11",
    "iso8859-13": "ISO-8859-13 csISO885913",
    "iso8859-14": "ISO-8859-14 iso-ir-199 ISO_8859-14:1998 ISO_8859-14 latin8 iso-celtic l8 csISO885914",
    "iso8859-15": "ISO-8859-15 ISO_8859-15 Latin-9 csISO885915",
    "iso8859-16": "ISO-8859-16 iso-ir-226 ISO_8859-16:2001 ISO_8859-16 latin10 l10 csISO885916",
    **{f"cp{page}": f"windows-{page} cswindows{page}" for page in range(1250, 1259)},
    "cp437": "IBM437 cp437 437 csPC8CodePage437",
    "cp850": "IBM850 cp850 850 csPC850Multilingual",
    "cp852": "IBM852 cp852 852 csPCp852",
    "cp866": "IBM866 cp866 866 csIBM866",
    "koi8-r": "KOI8-R csKOI8R",
    "koi8-u": "KOI8-U csKOI8U",
    "gbk": "GBK CP936 MS936 windows-936 csGBK",
    "gb18030": "GB18030 csGB18030",
    "big5": "Big5 csBig5",
    "euc_kr": "EUC-KR csEUCKR",
    "shift_jis": "Shift_JIS MS_Kanji csShiftJIS",
    "cp932": "Windows-31J csWindows31J",
    "euc_jp": "EUC-JP Extended_UNIX_Code_Packed_Format_for_Japanese csEUCPkdFmtJapanese",
}


@pytest.mark.parametrize("codec", REGISTERED)
def test_every_registered_name_and_alias_of_a_charset_is_known_in_any_case(codec: str) -> None:
    assert set(CODECS.values()) == REGISTERED.keys()
    for name in REGISTERED[codec].split():
        assert (codec_of(name), codec_of(name.lower()), codec_of(name.upper())) == (codec, codec, codec), name


@pytest.mark.parametrize(
    "name", ["", "cs", "-", "UTF-16", "UTF-7", "hex", "zlib", "rot13", "idna", "UTF\u00ad-8", "utf88"]
)
def test_what_is_no_name_of_a_charset_is_none(name: str) -> None:
    assert codec_of(name) is None


def test_an_acceptance_in_another_spelling_is_one() -> None:
    asked().hears(sb(b"\x02utf8"), CharsetAgreed("utf-8"))


@pytest.mark.parametrize("names", [(), ("UTF-16",), ("UTF-8", "KLINGON")])
def test_asking_for_what_we_do_not_know_is_a_mistake_of_ours(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="unknown charsets"):
        Charset(names)


def test_two_of_us_ask_each_other_and_fall_silent() -> None:
    first, second = TelnetEngine([Charset()]), TelnetEngine([Charset()])
    for _ in range(10):
        second.receive(drain(first))
        first.receive(drain(second))
    assert (drain(first), drain(second)) == (b"", b"")


def test_the_whole_exchange_may_be_cut_anywhere() -> None:
    check_every_split(
        b"\xff\xfd\x2a\xff\xfb\x2a"
        + sb(b"\x01 LATIN1")
        + sb(b"\x02UTF-8")
        + b"\xc3\xa9\r\n"
        + sb(b"\x01 LATIN1 UTF-8")
        + b"\xe9\r\n"
    )


@given(st.binary(max_size=40))
def test_no_request_raises(data: bytes) -> None:
    assert all(isinstance(name, str) for name in parse_request(data))


@given(st.lists(st.binary(max_size=12), max_size=5))
def test_no_message_raises_or_gets_more_than_it_is(payloads: list[bytes]) -> None:
    for opening in (b"\xff\xfd\x2a", b"\xff\xfb\x2a"):
        _, before = converse(TelnetEngine([Charset()]), opening)
        messages = b"".join(map(sb, payloads))
        events, sent = converse(TelnetEngine([Charset()]), opening, messages)
        assert {type(event) for event in events} <= {CharsetAgreed, CharsetRejected}
        assert len(sent) - len(before) <= len(messages)
