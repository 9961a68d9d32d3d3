"""The world's service, as far as the parts of a remote link need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..driver.link.base import LinkHost
from ..driver.link.tail import Tail
from ..text import Text
from .wire import Down, Item, PromptSent, TextSent

if TYPE_CHECKING:
    from .remote_link import RemoteLink


class Port(Protocol):
    """The world's service, to a remote link.

    Attributes:
        holds_input: True while sessions of an earlier world are restored. Input waits until all of them are.
    """

    holds_input: bool

    @property
    def has_room(self) -> bool:
        """False while so much is not committed that links must keep their output."""
        ...

    def attach_host(self, host: LinkHost) -> None:
        """Take note of the server's parts. Called for each link; all belong to one server."""
        ...

    def send(self, gateway: str, message: Down) -> None:
        """Queue a message for the next commit."""
        ...

    def item_of(self, kind: type[TextSent | PromptSent], text: Text) -> TextSent | PromptSent:
        """Return the item of a text: the same for equal ones of one flush, so that a gateway receives them once."""
        ...

    def send_output(self, link: RemoteLink, items: tuple[Item, ...], size: int) -> None:
        """Queue output for the next commit."""
        ...

    def wait_for_room(self, link: RemoteLink) -> None:
        """Mark the link dirty as soon as there is room."""
        ...

    def discard_input(self, link: RemoteLink) -> None:
        """Ask the gateway to drop input, with the next commit; several requests of one commit are one."""
        ...

    def bring_tail(self, link: RemoteLink, tail: Tail) -> bool:
        """Return False if the link's gateway has the tail; else call `take_tail` once that of another one has come."""
        ...

    def note_input(self, link: RemoteLink) -> None:
        """Take note that input was received, which is to be acknowledged once it was taken."""
        ...

    def forget(self, link: RemoteLink) -> None:
        """Take note that the link is closed."""
        ...
