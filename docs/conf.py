"""The configuration of Sphinx, which builds this documentation: `nox -s docs`.

The details in the reference come from the docstrings; all else stands in the pages.
A new page needs no entry in a list: the index of its folder includes it.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from trio_mud import __version__

project = "trio_mud"
author = "The trio_mud authors"
copyright = f"2026, {author}"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"trio_mud {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def setup(app: Sphinx) -> None:
    """Convert `name` in docstrings, as in Markdown, to the double backticks of reStructuredText."""
    app.connect("autodoc-process-docstring", lambda *arguments: _double_backticks(arguments[-1]))


def _double_backticks(lines: list[str]) -> None:
    for number, line in enumerate(lines):
        # The escaped space ends the markup in `Command`s; it is not shown.
        lines[number] = re.sub(
            r"(?<![`:])`([^`]+)`(?=(\w)?)", lambda found: f"``{found[1]}``" + ("\\ " if found[2] else ""), line
        )
