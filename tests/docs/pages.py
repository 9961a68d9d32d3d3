"""The location of the documentation, and the import of its programs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

CHECKOUT = Path(__file__).resolve().parent.parent.parent
DOCS = CHECKOUT / "docs"
LESSONS = [DOCS / "tutorial", DOCS / "howto", DOCS / "coming-from"]  # where programs lie beside pages
PROGRAMS = sorted(path for folder in LESSONS for path in folder.glob("*.py"))


def load(program: Path | str) -> ModuleType:
    """Import a program as its reader does, from its own folder; nothing of that folder stays imported."""
    path = DOCS / program
    before = dict(sys.modules)
    sys.path.insert(0, str(path.parent))
    try:
        return importlib.import_module(path.stem)
    finally:
        sys.path.remove(str(path.parent))
        for name in set(sys.modules) - set(before):
            if (Path(getattr(sys.modules[name], "__file__", None) or ".")).parent == path.parent:
                del sys.modules[name]


def page(name: str) -> str:
    """The source of a page."""
    return (DOCS / name).read_text(encoding="utf-8")
