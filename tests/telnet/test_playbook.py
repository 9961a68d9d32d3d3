"""The playbook passes what follows it and shows where the rest leaves it."""

import pytest

from trio_mud.telnet import Line, TelnetCommand, TelnetEngine, TelnetEvent, WindowResized
from trio_mud.telnet.options import Naws, Ttype
from trio_mud.testing.playbook import Playbook, check_every_split, converse, spell, unspell


def test_a_conversation_reads_as_a_script() -> None:
    (
        Playbook(TelnetEngine([Ttype(), Naws()], settle_within=None))
        .says("IAC DO TTYPE IAC DO NAWS")
        .hears("IAC WILL NAWS IAC SB NAWS 00 50 00 18 IAC SE", WindowResized(80, 24))
        .hears(b"look\r\n", Line("look"))
        .ticks(0.0)
        .calls("send_text", "Dark.\n")
        .says(b"Dark.\r\n")
        .says(b"")
    )


def test_other_events_are_shown_with_the_conversation() -> None:
    playbook = Playbook(TelnetEngine([Ttype(), Naws()])).says("IAC DO TTYPE IAC DO NAWS")
    with pytest.raises(AssertionError) as failure:
        playbook.hears(b"look\r\n", Line("up"))
    assert str(failure.value) == (
        "the engine left the playbook:\n"
        "  says   IAC DO TTYPE IAC DO NAWS\n"
        '  hears  "look" 0d 0a\n'
        "         -> Line('look')\n"
        "expected: Line('up')\n"
        "actual:   Line('look')"
    )


def test_other_bytes_are_shown_with_the_conversation() -> None:
    playbook = Playbook(TelnetEngine([])).calls("send_prompt", "> ")
    with pytest.raises(AssertionError) as failure:
        playbook.says(b"")
    assert str(failure.value) == (
        "the engine left the playbook:\n"
        "  calls  send_prompt('> ')\n"
        '  says   "> " IAC GA\n'
        "expected: (nothing)\n"
        'actual:   "> " IAC GA'
    )


def test_events_of_a_tick_are_checked() -> None:
    with pytest.raises(AssertionError, match="no events"):
        Playbook(TelnetEngine()).ticks(1.0, Line("tick"))


@pytest.mark.parametrize(
    ("data", "spelt"),
    [
        (b"", ""),
        (b"hi\r\n", '"hi" 0d 0a'),
        (b"\xff\xfd\x18a", 'IAC DO TTYPE "a"'),
        (b"\xff\xfb\x63", "IAC WILL 99"),
        (b"\xff\xfa\x1f\0P\0\x18\xff\xf0", 'IAC SB NAWS 00 "P" 00 18 IAC SE'),
        (b"\xff\xff\xff", "IAC IAC IAC"),
        (b"\xff\xfa\xff\xf0", "IAC SB IAC SE"),
        (b"\xff\x05", "IAC 05"),
        (b"\xff\xfd", "IAC DO"),
    ],
)
def test_bytes_are_spelt_as_telnet_names_them(data: bytes, spelt: str) -> None:
    assert spell(data) == spelt


def test_a_script_is_read_as_bytes() -> None:
    assert unspell("IAC SB NAWS 00 50 ff ff IAC SE") == b"\xff\xfa\x1f\0\x50\xff\xff\xff\xf0"
    assert unspell(b"IAC") == b"IAC"


class Forgetful(TelnetEngine):
    """An engine that loses its state after an IAC."""

    def receive(self, data: bytes) -> list[TelnetEvent]:
        events = super().receive(data)
        return [*events, TelnetCommand(0)] if data.endswith(b"\xff") else events


def test_a_difference_between_two_splits_is_shown() -> None:
    check_every_split(b"look\n\xff\xfd\x63")
    with pytest.raises(AssertionError) as failure:
        check_every_split(b"a\n\xff\xf1", lambda: Forgetful([Ttype(), Naws()]))
    assert str(failure.value) == (
        'cut as "a" 0a IAC | f1\n'
        "expected: Line('a'), sent IAC DO TTYPE IAC DO NAWS\n"
        "actual:   Line('a'), TelnetCommand(code=0), sent IAC DO TTYPE IAC DO NAWS"
    )


class Pondering(TelnetEngine):
    """An engine that reports one line per call, as an inflating one may."""

    @property
    def pending(self) -> bool:
        return bool(self._kept)

    def receive(self, data: bytes) -> list[TelnetEvent]:
        self._kept = [*getattr(self, "_kept", []), *super().receive(data)]
        return [self._kept.pop(0)] if self._kept else []


def test_an_engine_with_work_left_is_asked_again() -> None:
    assert converse(Pondering(()), b"a\nb\n", b"c\n")[0] == [Line("a"), Line("b"), Line("c")]
