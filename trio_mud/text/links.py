"""Links: what a piece of text does when it is clicked, and how clients are told.

By OSC 8, which terminals and newer MUD clients understand, or by MXP's <send> and <a>.
A link is made by `markup.link`; here is what it points to.

Source: the OSC 8 hyperlinks of VTE and iTerm2; Mudlet 4.20 for the schemes send: and prompt: and the cap of 4096
bytes; MXP 1.0, where | parts the commands of a menu
"""

from typing import Final, NamedTuple
from urllib.parse import quote

from .cleaning import break_triggers, clean_line

LONGEST_URI: Final = 4096  # bytes
SCHEMES: Final = ("http://", "https://")

_AS_IT_IS: Final = ":/?#[]@!$&'()*+,;=%"  # what a URI is made of beside letters, digits and -._~
_END: Final = "\x1b\\"
_SECURE: Final = "\x1b[4z"  # the next tag, and only that, is ours


class Link(NamedTuple):
    """Where a link leads. Made by `to_command` or `to_web`, and then safe to put into escapes and tags."""

    uri: str  # printable ASCII, percent-encoded
    command: str = ""  # what it stands for, unless it leads to the web
    sends: bool = True  # whether the command is sent at once, or put into the input line

    @property
    def address(self) -> str:
        """What is worth showing to those who cannot click: an address in the web."""
        return "" if self.command else self.uri

    @property
    def osc8(self) -> tuple[str, str]:
        """What stands before and after the text for clients that know OSC 8."""
        return f"\x1b]8;;{self.uri}{_END}", f"\x1b]8;;{_END}"

    @property
    def mxp(self) -> tuple[str, str]:
        """What stands before and after the text for clients that agreed to MXP; nothing if it cannot be said there."""
        if not self.command:
            return f'{_SECURE}<a href="{escape_mxp(self.uri)}">', f"{_SECURE}</a>"
        if "|" in self.command:
            return "", ""
        flag = "" if self.sends else " prompt"
        return f'{_SECURE}<send href="{escape_mxp(self.command)}"{flag}>', f"{_SECURE}</send>"


def to_command(command: str, *, sends: bool) -> Link:
    """Lead to a command, whatever characters it has.

    Raises:
        ValueError: It is empty, or too long for a link.
    """
    command = clean_line(command)
    if not command:
        raise ValueError("a link has no command: say what it sends")
    scheme = "send" if sends else "prompt"
    return Link(_checked(f"{scheme}:{quote(command, safe='')}"), command, sends)


def to_web(address: str) -> Link:
    """Lead to a web page.

    Raises:
        ValueError: It is no address in the web, or too long for a link.
    """
    uri = quote(clean_line(address), safe=_AS_IT_IS)
    if not uri.lower().startswith(SCHEMES):
        raise ValueError(f"{address!r} is no address for a link: begin it with http:// or https://")
    return Link(_checked(break_triggers(uri).replace(" ", "%20")))


def escape_mxp(text: str) -> str:
    """Write a text so that a client with MXP shows it and sees no tag in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _checked(uri: str) -> str:
    if len(uri) > LONGEST_URI:
        raise ValueError(f"{uri[:40]!r}... is too long for a link: {len(uri)} bytes, and {LONGEST_URI} can be sent")
    return uri
