"""Events are values."""

import pytest

from trio_mud.telnet import Anomaly, AnomalyKind, Line, Subnegotiation, TelnetEngine, WindowResized


def test_lines_compare_by_value() -> None:
    assert Line("look") == Line("look")
    assert Line("look") != Line("up")
    assert Line("look") != Line("look", cut=True)
    assert Line("look") != "look"
    assert len({Line("look"), Line("look"), Line("look", cut=True)}) == 2


def test_a_line_shows_what_it_is() -> None:
    assert repr(Line("look")) == "Line('look')"
    assert repr(Line("look", cut=True)) == "Line('look', cut=True)"


def test_a_line_typed_hidden_does_not_show() -> None:
    engine = TelnetEngine()
    engine.hide_input(True)
    password, cut = engine.receive(b"secret\r\n" + b"x" * 5000 + b"\r\n")
    engine.hide_input(False)
    (line,) = engine.receive(b"look\r\n")
    assert [repr(password), repr(cut), repr(line)] == ["Line(hidden)", "Line(hidden, cut=True)", "Line('look')"]
    assert password == Line("secret")
    assert isinstance(password, Line)
    assert password.hidden


def test_a_payload_does_not_show() -> None:
    assert repr(Subnegotiation(201, b"Char.Login.Credentials secret")) == "Subnegotiation(option=201)"


def test_a_line_can_be_matched() -> None:
    match Line("look"):
        case Line(text, cut):
            assert (text, cut) == ("look", False)


def test_other_events_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        WindowResized(80, 24).columns = 5  # type: ignore[misc]


def test_kinds_of_anomaly_read_as_words() -> None:
    assert str(Anomaly(AnomalyKind.NEGOTIATION_FLOOD, "").kind) == "negotiation flood"
