"""The picture in the README shows what a player sees now."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from trio_mud.testing import OpenMud

from . import terminal


async def test_the_picture_is_up_to_date(mud: OpenMud) -> None:
    """Bring it up to date by `python -m tests.docs.terminal --write`."""
    assert terminal.PICTURE.read_text(encoding="utf-8") == terminal.draw(await terminal.play())


def test_text_is_escaped_and_colours_end_where_they_should() -> None:
    root = ET.fromstring(terminal.draw("a \x1b[1m<b>\x1b[0m\n\x1b[32mgreen\nstill\x1b[0m plain"))
    spans = {span.text: span.attrib for span in root.iter("{http://www.w3.org/2000/svg}tspan")}
    assert spans["<b>"] == {"font-weight": "bold"}
    assert spans["green"] == spans["still"] == {"fill": terminal.COLOURS[32]}
    assert spans[" plain"] == {}
