"""`python -m trio_mud`: the same as the command `trio-mud`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its status."""
    from trio_mud.program.cli import main as run  # a third of a second, which only the command line shall pay

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
