"""The page of faults, made from faults.toml: `python tests/faults.py --write` brings it up to date.

Run it after changing a row or the name of a test; `test_faults.py` compares.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "project" / "faults.md"
SOURCE = Path(__file__).with_suffix(".toml")

CHAPTERS = {
    "N": "The network",
    "P": "Abuse of protocols",
    "A": "The game's own code",
    "U": "Identity",
    "S": "Storage",
    "O": "Operation",
    "D": "Several processes",
    "K": "Kinds of attacks and mistakes",
    "W": "Worlds of things",
}

HEAD = """\
# Faults

This page lists the faults that a server may meet, the behaviour you may rely on, and the tests that prove it.
Deterministic tests run in memory and in virtual time.
Real tests use sockets of this machine, or start a process.
Tests in `tests/interop` and `tests/browser` need other programs: `nox -s interop` and `nox -s browser` run them.
Tests that take seconds or start programs are marked as slow: `nox -s slow` runs them, and `nox` all others.
A row that is not proved, or only in part, says so.

Of {rows} faults {proved} are handled, {partly} of these in part.
For {deterministic} of them there are deterministic tests, for {real} real ones.
The other {missing} concern features that do not exist yet.
"""


@dataclass(frozen=True)
class Fault:
    """One row. `tests` are deterministic, `real` are over sockets or in processes; both are pytest's node ids."""

    row: str
    title: str
    expected: str
    tests: Sequence[str] = ()
    real: Sequence[str] = ()
    note: str = ""

    @property
    def is_met(self) -> bool:
        """True if it is proved, at least in part."""
        return not self.note.startswith("not yet")

    @property
    def is_met_in_part(self) -> bool:
        """True if the note names a missing part."""
        return self.note.startswith("partly")


def read() -> list[Fault]:
    """Every row, in the order of the file."""
    table = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return [Fault(row, **columns) for row, columns in table.items()]


def render(faults: Sequence[Fault]) -> str:
    """The page."""
    met = [fault for fault in faults if fault.is_met]
    parts = [
        HEAD.format(
            rows=len(faults),
            proved=len(met),
            deterministic=sum(bool(fault.tests) for fault in met),
            real=sum(bool(fault.real) for fault in met),
            partly=sum(fault.is_met_in_part for fault in met),
            missing=len(faults) - len(met),
        )
    ]
    for letter, chapter in CHAPTERS.items():
        parts.append(f"\n## {chapter}\n")
        parts += [_render_one(fault) for fault in faults if fault.row.startswith(letter)]
    return "".join(parts)


def _render_one(fault: Fault) -> str:
    lines = [f"\n### {fault.row}: {fault.title}\n", fault.expected]
    if fault.note:
        lines.append(f"{fault.note[0].upper()}{fault.note[1:]}.")
    for kind, tests in (("Deterministic", fault.tests), ("Real", fault.real)):
        if tests:
            lines += ["", f"{kind}:", "", *(f"- `{test}`" for test in tests)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or fail if it differs from the rows."""
    parser = argparse.ArgumentParser(description="The page of faults.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(CHECKOUT)}")
    page = render(read())
    if parser.parse_args().write:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE.relative_to(CHECKOUT)} differs from {SOURCE.name}: --write brings it up to date")


if __name__ == "__main__":
    main()
