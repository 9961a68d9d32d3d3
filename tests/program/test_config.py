"""The configuration file: one promise for each kind of key, and the message for each kind of mistake."""

from __future__ import annotations

import re
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.limits import Limits, Rate, may_be_switched_off
from trio_mud.program.config import Configuration
from trio_mud.program.effective import find_configuration
from trio_mud.texts import Texts


def read(path: Path) -> Configuration:
    """Return the configuration in a file, alone."""
    return find_configuration(path, (), {}).configuration


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tavern.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(tmp_path: Path, text: str) -> str:
    """Return the message about a file with this text, after the file and the line, which always come first."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    return re.sub(r"^:\d+", "", said.removeprefix(str(path)))


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read(written(tmp_path, "")) == Configuration()


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    """As editors on Windows write it."""
    path = tmp_path / "tavern.toml"
    path.write_bytes(b"\xef\xbb\xbfport = 2323")
    assert read(path).port == 2323


@pytest.mark.parametrize("host", ["", "\\u0000", "exa mple", "a,b", "a..b", "http://example.org", "x" * 64])
def test_a_host_that_can_be_none_is_refused_before_anything_opens(tmp_path: Path, host: str) -> None:
    assert complaint(tmp_path, f'host = "{host}"').startswith(": host = ")


@pytest.mark.parametrize(
    "host", ["localhost", "0.0.0.0", "::1", "fe80::1%eth0", "mud.example.org.", "m\u00fcd.example"]
)
def test_names_and_addresses_are_hosts(tmp_path: Path, host: str) -> None:
    assert read(written(tmp_path, f'host = "{host}"')).host == host


def test_game_host_and_port_stand_at_the_top(tmp_path: Path) -> None:
    path = written(tmp_path, 'game = "tavern:hooks"\nhost = "0.0.0.0"\nport = 2323')

    assert read(path) == Configuration(game="tavern:hooks", host="0.0.0.0", port=2323)


def test_tls_and_proxies_stand_at_the_top_too(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'tls_port = 4443\ntls_certificate = "c.pem"\ntls_key = "k.pem"\nproxy_from = ["10.0.0.0/8", "::1"]',
    )

    assert read(path) == Configuration(
        tls_port=4443,
        tls_certificate=str(tmp_path / "c.pem"),
        tls_key=str(tmp_path / "k.pem"),
        proxy_from=("10.0.0.0/8", "::1"),
    )
    assert read(path).proxy_networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def test_web_ports_stand_at_the_top_too(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        'web_port = 4080\nweb_tls_port = 4443\nweb_origins = ["https://mud.example"]\nforwarded_from = ["127.0.0.1"]',
    )

    assert read(path) == Configuration(
        web_port=4080, web_tls_port=4443, web_origins=("https://mud.example",), forwarded_from=("127.0.0.1",)
    )
    assert read(path).forwarding_networks == (ip_network("127.0.0.1/32"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web_port = 65536", ": web_port = 65536: write a number from 1 to 65535"),
        ('web_origins = ["mud.example"]', ": web_origins = 'mud.example': write an origin such as https://mud.example"),
        ('forwarded_from = ["proxy"]', ": forwarded_from = 'proxy': write networks such as 10.0.0.0/8, or addresses"),
        ("tls_port = 65536", ": tls_port = 65536: write a number from 1 to 65535"),
        ("tls_port = true", ': tls_port = true: write a whole number, or "none"'),
        ("tls_certificate = 1", ": tls_certificate = 1: write a path in quotes"),
        ('tls_certificat = "c.pem"', ": there is no 'tls_certificat'; did you mean 'tls_certificate'?"),
        ('proxy_from = "10.0.0.0/8"', ': proxy_from = "10.0.0.0/8": write a list of texts, such as ["10.0.0.0/8"]'),
        ('proxy_from = ["everywhere"]', ": proxy_from = 'everywhere': write networks such as 10.0.0.0/8, or addresses"),
        ('proxy_from = ["10.0.0.1/8"]', ": proxy_from = '10.0.0.1/8': write 10.0.0.0/8, or the address alone"),
    ],
)
def test_a_mistake_about_tls_or_proxies_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_a_count_is_a_whole_number(tmp_path: Path) -> None:
    assert read(written(tmp_path, "[limits]\nmax_typeahead = 32")).limits == Limits(max_typeahead=32)


def test_seconds_may_be_whole_or_not(tmp_path: Path) -> None:
    path = written(tmp_path, "[limits]\nfirst_input_timeout = 30\nhook_timeout = 2.5")

    assert read(path).limits == Limits(first_input_timeout=30.0, hook_timeout=2.5)


def test_a_rate_is_a_table_of_its_two_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "[limits]\ncommand_rate = { per_second = 5, burst = 10 }")

    assert read(path).limits == Limits(command_rate=Rate(5, burst=10))


@pytest.mark.parametrize("name", [field.name for field in fields(Limits) if may_be_switched_off(field.name)])
def test_the_word_none_switches_a_limit_off(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, f'[limits]\n{name} = "none"')

    assert getattr(read(path).limits, name) is None


@pytest.mark.parametrize("name", [field.name for field in fields(Texts)])
def test_each_text_can_be_replaced(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, f'[texts]\n{name} = "Grüß dich!"')

    assert getattr(read(path).texts, name) == "Grüß dich!"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # an unknown key
        ("prot = 4000", ": there is no 'prot'; did you mean 'port'?"),
        ("[limits]\ngrce = 5", ": there is no 'grce' in limits; did you mean 'grace'?"),
        ("[texts]\nshutdwn = ''", ": there is no 'shutdwn' in texts; did you mean 'shutdown'?"),
        ("[limits]\nzebra = 5", ": there is no 'zebra' in limits"),
        ("max_line = 5", ": there is no 'max_line'; write it below [limits]"),
        ("[limits]\nshutdown = 'Bye.'", ": there is no 'shutdown' in limits; write it below [texts]"),
        ("[limits]\nport = 4000", ": there is no 'port' in limits; write it above the first [table]"),
        (
            "[limits.accept_rate]\nper_secnd = 5\nburst = 5",
            ": there is no 'per_secnd' in limits.accept_rate; did you mean 'per_second'?",
        ),
        # a wrong kind of value
        ('port = "4000"', ': port = "4000": write a whole number, such as 4000, without quotes'),
        ("port = true", ": port = true: write a whole number, such as 4000"),
        ("limits = 5", ": limits is a table: write its keys below a line [limits]"),
        ("limits = [5]", ": limits is a table: write its keys below a line [limits]"),
        ("[limits]\nmax_line = 5.5", ": limits.max_line = 5.5: write a whole number, such as 4096"),
        (
            '[limits]\nfirst_input_timeout = "never"',
            ': limits.first_input_timeout = "never": write a number, such as 60.0, or "none"',
        ),
        (
            "[limits]\ncommand_rate = 20",
            ': limits.command_rate = 20: write a rate, such as { per_second = 20, burst = 60 }, or "none"',
        ),
        (
            "[limits]\ncommand_rate = {burst = 5}",
            ': limits.command_rate = { burst = 5 }: write a rate, such as { per_second = 20, burst = 60 }, or "none"',
        ),
        ("[texts]\nshutdown = 5", ": texts.shutdown = 5: write a text in quotes"),
        # a value that makes no sense
        ("port = 70000", ": port = 70000: write a number from 1 to 65535, or 0 for any free one"),
        ("[limits]\nmax_line = 0", ": limits.max_line = 0: write a whole number of at least 1"),
        (
            "[limits]\nwrite_stall_timeout = inf",
            ": limits.write_stall_timeout = inf: write a positive number of seconds, such as 5.0, "
            'or "none" for no limit',
        ),
        (
            "[limits]\ncommand_rate = {per_second = 5, burst = 0}",
            ": limits.command_rate.burst = 0: write a whole number of at least 1",
        ),
        (
            '[limits]\nmax_line = "none"',
            ': limits.max_line = "none": write a whole number, such as 4096; '
            "it cannot be switched off, but may be larger",
        ),
        # not TOML at all
        ("port: 4000", " is not TOML: Expected '=' after a key in a key/value pair (at line 1, column 5)"),
        ("host = localhost", " is not TOML: Invalid value (at line 1, column 8); write texts in quotes"),
    ],
)
def test_a_mistake_is_told_in_one_line_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    assert said == complaint(tmp_path, text)


def test_a_number_far_too_large_is_refused(tmp_path: Path) -> None:
    """K11: it would pass the check, and limit nothing."""
    said = complaint(tmp_path, "[limits]\nmax_line = 100000000000000000000000")
    assert said == ": limits.max_line = 100000000000000000000000: write 1073741824 at most"


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000])
def test_what_tomllib_itself_fails_at_is_no_toml(tmp_path: Path, value: str) -> None:
    assert complaint(tmp_path, f"port = {value}").startswith(" is not TOML: ")


def test_a_file_without_end_is_not_read_to_it() -> None:
    with pytest.raises(ConfigurationError, match=r"^/dev/zero holds more than 1048576 bytes: name a TOML file"):
        read(Path("/dev/zero"))


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"tavern\.toml cannot be read: No such file or directory"):
        read(tmp_path / "tavern.toml")


def test_a_file_in_another_encoding_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "tavern.toml"
    path.write_bytes("# Gr\u00fc\u00dfe".encode("latin-1"))

    with pytest.raises(ConfigurationError, match=r"tavern\.toml is not UTF-8 \(byte 4\)"):
        read(path)
