"""The scanner: every command found, nothing leaking, nothing quadratic."""

import pytest

from trio_mud.telnet import (
    Anomaly,
    AnomalyKind,
    InterruptKind,
    InterruptReceived,
    Line,
    Subnegotiation,
    TelnetCommand,
    TelnetEngine,
)
from trio_mud.telnet.codes import (
    ABORT,
    AO,
    AYT,
    BRK,
    DM,
    DO,
    DONT,
    EC,
    EL,
    EOR,
    GA,
    IAC,
    IP,
    NOP,
    SB,
    SUSP,
    WILL,
    WONT,
)
from trio_mud.telnet.interpreter import Interpreter
from trio_mud.telnet.scanner import Scanner
from trio_mud.testing.playbook import check_every_split, converse

LIMIT = 16  # bytes of payload


def engine() -> TelnetEngine:
    return TelnetEngine((), subnegotiation_limit=LIMIT)


def reports(data: bytes) -> list[object]:
    """Return the engine's events for the bytes, after checking that every split gives the same."""
    check_every_split(data, engine)
    return list(converse(engine(), data)[0])


def test_a_doubled_iac_is_one_ff_of_text() -> None:
    assert reports(b"a\xff\xffb\n") == [Line("a\ufffdb")]


def test_commands_inside_a_line_do_not_break_it() -> None:
    assert reports(b"lo\xff\xf1ok\r\xff\xf9\nup\r\n") == [Line("look"), Line("up")]


MEANINGS: dict[int, list[object]] = {
    IP: [InterruptReceived(InterruptKind.INTERRUPT)],
    BRK: [InterruptReceived(InterruptKind.BREAK)],
    SUSP: [InterruptReceived(InterruptKind.SUSPEND)],
    ABORT: [InterruptReceived(InterruptKind.ABORT)],
    **{code: [] for code in (NOP, GA, EOR, DM, AYT, AO, EC, EL)},
}


@pytest.mark.parametrize("code", sorted(set(range(256)) - {IAC, SB, WILL, WONT, DO, DONT}))
def test_every_other_command_takes_two_bytes_and_is_obeyed_or_reported(code: int) -> None:
    expected = MEANINGS.get(code, [TelnetCommand(code)])
    assert reports(bytes((IAC, code)) + b"look\n") == [*expected, Line("look")]


def test_a_payload_is_reported_undoubled() -> None:
    assert reports(b"\xff\xfa\xc8a\xff\xffb\xff\xf0") == [Subnegotiation(200, b"a\xffb")]


def test_a_payload_may_be_empty() -> None:
    assert reports(b"\xff\xfa\xc8\xff\xf0look\n") == [Subnegotiation(200, b""), Line("look")]


def test_a_doubled_iac_before_f0_does_not_end_a_payload() -> None:
    assert reports(b"\xff\xfa\xc8\xff\xff\xf0\xff\xf0") == [Subnegotiation(200, b"\xff\xf0")]


def test_a_subnegotiation_without_an_option_is_ignored() -> None:
    assert reports(b"\xff\xfa\xff\xf0look\n") == [Line("look")]


def test_option_255_is_doubled_like_any_ff() -> None:
    assert reports(b"\xff\xfa\xff\xffab\xff\xf0") == [Subnegotiation(255, b"ab")]


def test_a_command_inside_a_payload_ends_it_and_is_obeyed() -> None:
    malformed = Anomaly(AnomalyKind.MALFORMED_SUBNEGOTIATION, "broken off by IAC BRK")
    interrupt = InterruptReceived(InterruptKind.BREAK)
    assert reports(b"\xff\xfa\x18\x01\xff\xf3look\n") == [malformed, interrupt, Line("look")]


@pytest.mark.parametrize("code", [0x00, 0x18, 0x7F, 0xEB])
def test_below_ec_a_byte_behind_iac_in_a_payload_is_data_and_so_is_the_iac(code: int) -> None:
    data = b"\xff\xfa\xc8a\xff" + bytes((code,)) + b"b\xff\xf0look\n"
    assert reports(data) == [Subnegotiation(200, b"a\xff" + bytes((code,)) + b"b"), Line("look")]


@pytest.mark.parametrize("code", sorted({*range(0xEC, 0x100)} - {IAC, 0xF0}))
def test_from_ec_up_a_byte_behind_iac_in_a_payload_is_a_command(code: int) -> None:
    malformed = reports(b"\xff\xfa\xc8a\xff" + bytes((code,)) + b"\x63look\n")[0]
    assert isinstance(malformed, Anomaly)
    assert malformed.kind is AnomalyKind.MALFORMED_SUBNEGOTIATION


def test_option_255_need_not_be_doubled_before_data() -> None:
    assert reports(b"\xff\xfa\xff\x18ab\xff\xf0look\n") == [Subnegotiation(255, b"\x18ab"), Line("look")]


def test_undoubled_ffs_count_against_the_limit() -> None:
    oversized = Anomaly(AnomalyKind.OVERSIZED_SUBNEGOTIATION, "over 16 bytes for option 200")
    assert reports(b"\xff\xfa\xc8" + b"\xff\x01" * 9 + b"\xff\xf0look\n") == [oversized, Line("look")]


def test_only_for_options_of_a_fixed_length_se_alone_ends_a_payload() -> None:
    assert reports(b"\xff\xfa\xc8abc\xff\xff\xf0\xff\xf0") == [Subnegotiation(200, b"abc\xff\xf0")]


def test_a_new_subnegotiation_replaces_an_unfinished_one() -> None:
    malformed = Anomaly(AnomalyKind.MALFORMED_SUBNEGOTIATION, "broken off by IAC SB")
    assert reports(b"\xff\xfa\x18ab\xff\xfa\xc8cd\xff\xf0") == [malformed, Subnegotiation(200, b"cd")]


def test_a_request_instead_of_an_option_is_answered() -> None:
    data = b"\xff\xfa\xff\xfd\x63look\n"
    malformed = Anomaly(AnomalyKind.MALFORMED_SUBNEGOTIATION, "broken off by IAC DO")
    assert reports(data) == [malformed, Line("look")]
    assert converse(engine(), data)[1] == b"\xff\xfc\x63"


def test_crash_input_from_the_wild_is_survived() -> None:
    # FluffOS saw this one.
    assert Line("look") in reports(b"\xff\xfc\x22\xff\xfa\x22\xff\xf0\xff\xff\xfc\x03\xff\xf0\nlook\n")


def test_a_payload_of_the_limit_is_whole() -> None:
    payload = b"x" * LIMIT
    assert reports(b"\xff\xfa\xc8" + payload + b"\xff\xf0") == [Subnegotiation(200, payload)]
    assert reports(b"\xff\xfa\xc8" + payload[1:] + b"\xff\xff\xff\xf0") == [Subnegotiation(200, payload[1:] + b"\xff")]


@pytest.mark.parametrize("last", [b"x", b"\xff\xff"])
def test_an_oversized_payload_is_discarded_up_to_its_end(last: bytes) -> None:
    oversized = Anomaly(AnomalyKind.OVERSIZED_SUBNEGOTIATION, "over 16 bytes for option 200")
    assert reports(b"\xff\xfa\xc8" + b"x" * LIMIT + last + b"leak\n\xff\xf0look\n") == [oversized, Line("look")]


def test_no_command_inside_an_oversized_payload_lets_it_leak() -> None:
    oversized = Anomaly(AnomalyKind.OVERSIZED_SUBNEGOTIATION, "over 16 bytes for option 200")
    data = b"\xff\xfa\xc8" + b"x" * 17 + b"\xff\xfd\x63\xff\xfa\xff\xfflea\xff\xf1k\n\xff\xf0look\n"
    assert reports(data) == [oversized, Line("look")]
    assert converse(engine(), data)[1] == b""


class CountedBytes(bytes):
    """Bytes that count how many of them are searched or copied."""

    work = 0

    def find(self, sub, start=0, end=None):  # type: ignore[no-untyped-def]
        found = super().find(sub, start)
        CountedBytes.work += (len(self) if found < 0 else found + 1) - start
        return found

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            CountedBytes.work += len(range(*index.indices(len(self))))
        return super().__getitem__(index)


@pytest.mark.unmeasured
@pytest.mark.parametrize("opening", [b"\xff\xfa\xc8", b"\xff\xfa\xc8" + b"x" * 9000, b""], ids=["kept", "over", "text"])
@pytest.mark.parametrize("filling", [b"x", b"\xff\xff"])
def test_a_payload_in_many_pieces_is_looked_at_once(opening: bytes, filling: bytes) -> None:
    CountedBytes.work = 0
    listener, scanner = Interpreter(TelnetEngine((), subnegotiation_limit=8192)), Scanner()
    scanner.receive(opening, listener)
    for _ in range(50):
        scanner.receive(CountedBytes(filling * (4096 // len(filling))), listener)
    assert 0 < CountedBytes.work <= 2 * 50 * 4096 + 10_000


def test_a_payload_that_never_ends_keeps_nothing_over_the_limit() -> None:
    scanner = Scanner()
    listener = Interpreter(TelnetEngine((), subnegotiation_limit=8192))
    scanner.receive(b"\xff\xfa\xc8", listener)
    most = 0
    for _ in range(100):
        scanner.receive(b"x" * 4096, listener)
        most = max(most, len(scanner.payload or b""))
    assert most == 8192
    assert scanner.payload is None
