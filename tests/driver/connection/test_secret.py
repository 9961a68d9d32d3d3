"""Secrets: what was typed hidden does not show by accident."""

from __future__ import annotations

import logging

import pytest

from trio_mud import Admitted, Dialog, Hooks, Secret
from trio_mud.testing import OpenMud

CANARY = "canary"


def test_a_secret_is_its_text_and_its_repr_is_dots() -> None:
    secret = Secret(CANARY)
    assert secret == CANARY
    assert hash(secret) == hash(CANARY)
    assert secret.encode() == CANARY.encode()
    assert type(secret[1:]) is str
    assert repr(secret) == "'•••'"


@pytest.mark.parametrize("holder", [list, tuple, lambda values: {"password": next(iter(values))}, set])
def test_a_container_does_not_show_it(holder: type[list[str]]) -> None:
    assert CANARY not in repr(holder([Secret(CANARY)]))


def test_an_error_about_it_does_not_show_it() -> None:
    with pytest.raises(KeyError) as caught:
        dict[str, int]()[Secret(CANARY)]
    assert CANARY not in str(caught.value)


def test_a_log_line_that_quotes_it_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("game").warning("typed %r", Secret(CANARY))
    assert CANARY not in caplog.text


async def test_a_hidden_answer_is_a_secret_and_another_is_not(mud: OpenMud) -> None:
    hooks, answers = Hooks(), list[str]()

    async def script(dialog: Dialog) -> None:
        answers.extend([await dialog.ask_hidden("Word? "), await dialog.ask("Colour? ")])

    @hooks.on(Admitted)
    def ask(event: Admitted) -> None:
        event.connection.start_dialog(script)

    async with mud(hooks) as place:
        ann = await place.player()
        await ann.sees("Word? ")
        await ann.type(CANARY)
        await ann.sees("Colour? ")
        await ann.type("red")
        await ann.catches_up()
    assert answers == [CANARY, "red"]
    assert [type(answer) for answer in answers] == [Secret, str]
