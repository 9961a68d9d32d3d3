"""The lines of keys in TOML."""

from __future__ import annotations

from trio_mud.program.toml_lines import MOST_LINES, lines_of

TEXT = '''# a comment
port = 5
"host" = "[limits]"  # no header

texts.shutdown = """
max_line = 7
"""
proxy_from = [
    # max_line = 8
    "10.0.0.0/8",
]
[limits]  # a header
max_line = 9
command_rate = { per_second = 5, burst = 7 }

  [ limits . accept_rate ]
per_second = 1
[log]
form = \'\'\'
level = 1\'\'\'
'''


def test_each_key_has_the_line_at_which_its_statement_begins() -> None:
    assert lines_of(TEXT) == {
        "port": 2,
        "host": 3,
        "texts": 5,
        "texts.shutdown": 5,
        "proxy_from": 8,
        "limits": 12,
        "limits.max_line": 13,
        "limits.command_rate": 14,
        "limits.command_rate.per_second": 14,
        "limits.command_rate.burst": 14,
        "limits.accept_rate": 16,
        "limits.accept_rate.per_second": 17,
        "log": 18,
        "log.form": 19,
    }


def test_windows_line_ends_are_line_ends() -> None:
    assert lines_of(TEXT.replace("\n", "\r\n")) == lines_of(TEXT)


def test_keys_after_a_very_long_value_have_no_line() -> None:
    long = "\n" * (MOST_LINES + 1)

    assert lines_of(f'port = 5\nhost = """{long}"""\ndata = "x"') == {"port": 1}
