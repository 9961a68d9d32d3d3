"""Settings of a table from environment variables."""

from __future__ import annotations

import pytest

from trio_mud.accounts import AccountOptions
from trio_mud.errors import ConfigurationError
from trio_mud.program.environment import override

PREFIX = "TRIO_MUD_ACCOUNTS_"


def test_each_kind_of_value_is_read_as_in_the_file_and_other_variables_are_left_alone() -> None:
    options = override(
        AccountOptions(max_tries=5, guests=True),
        PREFIX,
        {
            "TRIO_MUD_ACCOUNTS_GUESTS": "False",
            "TRIO_MUD_ACCOUNTS_SHORTEST_PASSWORD": "12",
            "TRIO_MUD_ACCOUNTS_FIRST_PENALTY": " 30 ",
            "TRIO_MUD_ACCOUNTS_GMCP_TIMEOUT": "0.5",
            "TRIO_MUD_ACCOUNTS_PLAIN": "refuse",
            "TRIO_MUD_ACCOUNTS_TLS_PORT": "4443",
            "TRIO_MUD_ACCOUNTS_MAX_CHARACTERS": "",
            "TRIO_MUD_PORT": "4001",
            "PATH": "/bin",
        },
    )
    assert options == AccountOptions(
        max_tries=5,
        guests=False,
        shortest_password=12,
        first_penalty=30,
        gmcp_timeout=0.5,
        plain="refuse",
        tls_port=4443,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GUESTS", "maybe", "TRIO_MUD_ACCOUNTS_GUESTS: guests = 'maybe': write true or false"),
        ("PLAIN", "no", 'TRIO_MUD_ACCOUNTS_PLAIN: plain = \'no\': write "allow", "warn" or "refuse"'),
        ("MAX_TRIES", "2.5", "TRIO_MUD_ACCOUNTS_MAX_TRIES: max_tries = 2.5: write a whole number, such as 3"),
        ("MAX_TRIES", "nan", "TRIO_MUD_ACCOUNTS_MAX_TRIES: max_tries = nan: write a positive number, such as 3"),
        (
            "GUEST",
            "true",
            "TRIO_MUD_ACCOUNTS_GUEST: there is no setting 'guest'; did you mean 'guests'?",
        ),
    ],
)
def test_an_error_names_the_variable_and_what_to_write(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        override(AccountOptions(), PREFIX, {PREFIX + name: value})
    assert str(caught.value) == said
