"""Gestures as their file describes them."""

from __future__ import annotations

from importlib.resources import files

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.mudlib.socials import MOST_SOCIALS, read_socials

ALONE = '[bow]\nalone.actor = "You bow."\nalone.others = "{actor} bows."\n'
AIMED = 'aimed.actor = "You bow to {target}."\naimed.target = "{actor} bows to you."\naimed.others = "{actor} bows."\n'


def test_a_file_describes_socials_with_and_without_a_target() -> None:
    socials = read_socials(ALONE + AIMED + ALONE.replace("bow", "snore"), "socials.toml")
    assert socials["bow"].alone.others == "{actor} bows."
    assert socials["bow"].aimed is not None
    assert socials["bow"].aimed.target == "{actor} bows to you."
    assert socials["snore"].aimed is None


def test_the_socials_of_the_valley_are_described_rightly() -> None:
    file = files("trio_mud.mudlib").joinpath("socials.toml")
    socials = read_socials(file.read_text(encoding="utf-8"), file.name)
    assert {"bow", "smile", "wave"} <= socials.keys()
    for word, social in socials.items():
        assert "{actor}" in social.alone.others, word
        if social.aimed is not None:
            assert "{target}" in social.aimed.actor, word
            assert "{actor}" in social.aimed.target, word
            assert "{target}" in social.aimed.others, word


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bow", "s.toml: not valid TOML: "),
        ("[bow]", "s.toml: bow: Object missing required field `alone`"),
        (ALONE.replace('"You bow."', "3"), "s.toml: bow.alone.actor: Expected `str`"),
        (ALONE.replace('"You bow."', '""'), "s.toml: bow.alone.actor: Expected `str` of length >= 1"),
        (ALONE + 'aimed.actor = "You bow."', "s.toml: bow.aimed: Object missing required field `target`"),
        (ALONE + 'all.actor = "You bow."', "s.toml: bow: Object contains unknown field `all`"),
        (ALONE.replace("{actor}", "{target}"), "s.toml: bow.alone.others: "),
        (ALONE + AIMED.replace("{target}", "{whom}"), "s.toml: bow.aimed.actor: "),
        (ALONE + AIMED.replace("{actor} bows to you", "<b>{actor} bows"), "s.toml: bow.aimed.target: "),
        (ALONE.replace("[bow]", "[Bow]"), "s.toml: Bow: name a social by one word"),
        (ALONE.replace("[bow]", "['bow low']"), "s.toml: bow low: name a social by one word"),
    ],
)
def test_a_wrong_social_is_named_with_file_table_and_key(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_socials(text, "s.toml")
    assert str(caught.value).startswith(message)


def test_an_unknown_field_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"known fields: \{actor\} and \{target\}$"):
        read_socials(ALONE + AIMED.replace("{target}", "{whom}"), "s.toml")


def test_a_file_has_a_bounded_number_of_socials() -> None:
    many = "".join(
        ALONE.replace("[bow]", f"[bow{chr(97 + number // 26)}{chr(97 + number % 26)}]")
        for number in range(MOST_SOCIALS + 1)
    )
    with pytest.raises(ConfigurationError, match="501 socials; write at most 500"):
        read_socials(many, "s.toml")
