"""Links: the action of clicking a piece of text, and its encoding for clients.

The encodings are OSC 8, supported by terminals and newer MUD clients, and MXP's <send> and <a>. `markup.link` creates
links; this module holds their targets.

Source: the OSC 8 hyperlinks of VTE and iTerm2; Mudlet 4.20 for the schemes send: and prompt: and the limit of 4096
bytes; MXP 1.0, where | separates the commands of a menu
"""

from typing import Final, NamedTuple
from urllib.parse import quote

from .cleaning import break_triggers, clean_line

LONGEST_URI: Final = 4096  # bytes
SCHEMES: Final = ("http://", "https://")

_AS_IT_IS: Final = ":/?#[]@!$&'()*+,;=%"  # allowed in a URI besides letters, digits and -._~
_END: Final = "\x1b\\"
_SECURE: Final = "\x1b[4z"  # only the next tag is accepted as sent by the server


class LinkTarget(NamedTuple):
    """The target of a link. Create it with `to_command` or `to_web`, which make it safe in escapes and tags."""

    uri: str  # printable ASCII, percent-encoded
    command: str = ""  # the command; empty for a web address
    sends: bool = True  # True: the command is sent at once; False: it is put into the input line

    @property
    def address(self) -> str:
        """The web address, shown to users who cannot click; empty for a command."""
        return "" if self.command else self.uri

    @property
    def osc8(self) -> tuple[str, str]:
        """The escapes before and after the text, for clients with OSC 8."""
        return f"\x1b]8;;{self.uri}{_END}", f"\x1b]8;;{_END}"

    @property
    def mxp(self) -> tuple[str, str]:
        """The tags before and after the text, for clients with MXP; empty if MXP cannot express the link."""
        if not self.command:
            return f'{_SECURE}<a href="{escape_mxp(self.uri)}">', f"{_SECURE}</a>"
        if "|" in self.command:
            return "", ""
        flag = "" if self.sends else " prompt"
        return f'{_SECURE}<send href="{escape_mxp(self.command)}"{flag}>', f"{_SECURE}</send>"


def to_command(command: str, *, sends: bool) -> LinkTarget:
    """Create a link to a command, with any characters.

    Raises:
        ValueError: The command is empty or too long for a link.
    """
    command = clean_line(command)
    if not command:
        raise ValueError("a link has no command: give it the command to send")
    scheme = "send" if sends else "prompt"
    return LinkTarget(_checked(f"{scheme}:{quote(command, safe='')}"), command, sends)


def to_web(address: str) -> LinkTarget:
    """Create a link to a web page.

    Raises:
        ValueError: The address is not a web address, or too long for a link.
    """
    uri = quote(clean_line(address), safe=_AS_IT_IS)
    if not uri.lower().startswith(SCHEMES):
        raise ValueError(f"{address!r} is not an address for a link: begin it with http:// or https://")
    return LinkTarget(_checked(break_triggers(uri).replace(" ", "%20")))


def escape_mxp(text: str) -> str:
    """Escape a text so that a client with MXP shows it and finds no tag in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _checked(uri: str) -> str:
    if len(uri) > LONGEST_URI:
        raise ValueError(f"{uri[:40]!r}... is too long for a link: {len(uri)} bytes, and the maximum is {LONGEST_URI}")
    return uri
