"""The options of accounts, in code and in a configuration file."""

import pytest

from trio_mud.accounts import AccountOptions, Accounts, Character
from trio_mud.errors import ConfigurationError
from trio_mud.storage import Memory, inline, open_store


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("max_tries", 0, "write a positive number, such as 3"),
        ("max_tries", 2.5, "write a whole number, such as 3"),
        ("max_tries", True, "write a positive number"),
        ("login_timeout", float("inf"), "write a positive number"),
        ("login_timeout", "long", "write a positive number"),
        ("guests", 1, "write true or false"),
        ("plain", "maybe", 'write "allow", "warn" or "refuse"'),
        ("hash_memory", 4, "at least 8, which argon2 needs"),
        ("tls_port", -1, "write a positive number"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_what_to_write(name: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{name}|{reason}") as caught:
        AccountOptions(**{name: value})  # type: ignore[arg-type]
    assert reason in str(caught.value)


async def test_refusing_plain_links_needs_another_port() -> None:
    async with open_store(Memory(), *Accounts.records, Character, executor=inline) as store:
        with pytest.raises(ConfigurationError, match="set tls_port"):
            Accounts(store, options=AccountOptions(hash_memory=8, plain="refuse"))
        accounts = Accounts(store, options=AccountOptions(hash_memory=8, plain="refuse", tls_port=4443))
        assert accounts.options.tls_port == 4443
