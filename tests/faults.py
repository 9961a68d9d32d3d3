"""The page of faults, made from faults.toml: `python tests/faults.py --write` writes it anew.

Who uses it: whoever changed a row or a test's name, and test_faults.py, which compares.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "reference" / "faults.md"
SOURCE = Path(__file__).with_suffix(".toml")

CHAPTERS = {
    "N": "The network",
    "P": "Abuse of protocols",
    "A": "The game's own code",
    "U": "Who somebody is",
    "S": "What is stored",
    "O": "Operating it",
    "D": "Several processes",
    "K": "Kinds of attacks and of mistakes",
}

HEAD = """\
# Faults

What a server may meet, what you may rely on then, and the tests that prove it.
What is called deterministic runs in memory and in virtual time.
What is called real talks over sockets of this machine, or to a process of its own.
Tests of `tests/interop` need the programs of others: `nox -s interop` runs them.
Tests that take seconds or start other programs are marked as slow: `nox -s slow` runs them, and `nox` all others.
A row that is not proved, or not wholly, says so.

Of {rows} faults {proved} are met, {partly} of these in part.
For {deterministic} of them there are deterministic tests, for {real} real ones.
The other {missing} are waiting for what they are about.
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
        """Whether it is proved, at least in part."""
        return not self.note.startswith("not yet")

    @property
    def is_met_in_part(self) -> bool:
        """Whether the note tells what is missing."""
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
    """Write the page, or say whether it is the one of the rows."""
    parser = argparse.ArgumentParser(description="The page of faults.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(CHECKOUT)} anew")
    page = render(read())
    if parser.parse_args().write:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE.relative_to(CHECKOUT)} is not what {SOURCE.name} says: --write makes it anew")


if __name__ == "__main__":
    main()
