"""Prompts: one mark or none, never two."""

import pytest

from trio_mud.telnet import TelnetEngine
from trio_mud.telnet.codes import SGA
from trio_mud.telnet.options import Eor, Sga
from trio_mud.testing.playbook import Playbook


def book() -> Playbook:
    return Playbook(TelnetEngine([Eor(), Sga()], settle_within=None)).says("IAC WILL 19")


def test_a_client_that_agrees_to_eor_gets_eor() -> None:
    # TinTin++, TinyFugue, Mudlet, telnetlib3
    playbook = book().hears("IAC DO 19").calls("send_prompt", "> ").says(b"> \xff\xef")
    assert playbook.engine.prompt_mark == b"\xff\xef"


def test_a_client_that_refuses_eor_gets_ga() -> None:
    # telnet(1), PuTTY, busybox
    book().hears("IAC DONT 19").calls("send_prompt", "> ").says(b"> \xff\xf9")


def test_a_client_that_refuses_eor_and_agreed_to_sga_gets_no_mark() -> None:
    playbook = book().hears("IAC DONT 19").calls("enable_ours", SGA).says("IAC WILL SGA").hears("IAC DO SGA")
    playbook.calls("send_prompt", "> ").says(b"> ")


def test_a_client_that_agreed_to_both_gets_eor() -> None:
    playbook = book().calls("enable_ours", SGA).says("IAC WILL SGA").hears("IAC DO SGA IAC DO 19")
    playbook.calls("send_prompt", "> ").says(b"> \xff\xef")


def test_who_has_not_answered_gets_no_mark() -> None:
    # nc and its kind would show it.
    playbook = book().calls("send_prompt", "> ").says(b"> ").ticks(0.0).ticks(2.0)
    playbook.calls("send_prompt", "> ").says(b"> ")
    playbook.hears("IAC DONT 19").calls("send_prompt", "> ").says(b"> \xff\xf9")


def test_a_late_yes_counts() -> None:
    book().ticks(0.0).ticks(2.0).hears("IAC DO 19").calls("send_prompt", "> ").says(b"> \xff\xef")


def test_a_client_that_takes_eor_back_gets_ga() -> None:
    playbook = book().hears("IAC DO 19 IAC DONT 19").says("IAC WONT 19").calls("send_prompt", "> ").says(b"> \xff\xf9")
    playbook.hears("IAC DO 19").says("IAC WILL 19").calls("send_prompt", "> ").says(b"> \xff\xef")


def test_without_the_option_ga_stands_behind_prompts() -> None:
    Playbook(TelnetEngine(())).calls("send_prompt", "> ").says(b"> \xff\xf9")


@pytest.mark.parametrize("command", ["IAC EOR", "IAC GA"])
def test_the_peers_own_marks_are_ignored(command: str) -> None:
    book().hears("IAC DO 19").hears(command).says(b"")


def test_sga_is_not_agreed_to_by_us_for_it_means_keystroke_mode_to_telnet_and_putty() -> None:
    playbook = book().hears("IAC DO SGA").says("IAC WONT SGA")
    assert not playbook.engine.is_ours(SGA)


def test_the_peer_may_leave_out_its_go_aheads() -> None:
    book().hears("IAC WILL SGA").says("IAC DO SGA")
