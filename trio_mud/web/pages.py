"""The pages of a web port: the client that runs in a browser, its manifest and its icon.

The client is one file, `page.html`, without a build step and without a request to any other site. Its policy allows
exactly its own script and style, by their hashes, so that nothing that players write can ever run.

Used by `ports`.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Final

from trio_mud.transports.http import HttpAnswer

ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#16171b"/>'
    '<path d="M1.5 2.5l1.5 1.5-1.5 1.5M4 5.5h2.5" fill="none" stroke="#ffb757" stroke-width=".8"/></svg>'
)


class Pages(Mapping[str, HttpAnswer]):
    """The answers of a web port, by path.

    Args:
        name: Returns the name of the game, which may be known only after its start.
        more: Further answers.
    """

    def __init__(self, name: Callable[[], str], more: Mapping[str, HttpAnswer]) -> None:
        self._name = name
        self._more = more
        self._page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
        self._headers = (
            ("Content-Security-Policy", policy_of(self._page)),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-cache"),
        )
        self._answers: dict[str, Callable[[], HttpAnswer]] = {
            "/": self._client,
            "/manifest.webmanifest": self._manifest,
            "/icon.svg": lambda: HttpAnswer(ICON.encode(), "image/svg+xml"),
        }

    def __getitem__(self, path: str) -> HttpAnswer:
        return self._more[path] if path in self._more else self._answers[path]()

    def __iter__(self) -> Iterator[str]:
        yield from self._answers
        yield from self._more

    def __len__(self) -> int:
        return len(self._answers) + len(self._more)

    def _client(self) -> HttpAnswer:
        name = html.escape(self._name(), quote=False)
        page = self._page.replace("<title>MUD<", f"<title>{name}<", 1).replace(
            'id="name">MUD<', f'id="name">{name}<', 1
        )
        return HttpAnswer(page.encode(), "text/html; charset=utf-8", headers=self._headers)

    def _manifest(self) -> HttpAnswer:
        icon = {"src": "/icon.svg", "sizes": "any", "type": "image/svg+xml"}
        colours = {"background_color": "#16171b", "theme_color": "#16171b"}
        manifest = {"name": self._name(), "start_url": "/", "display": "standalone", "icons": [icon], **colours}
        return HttpAnswer(json.dumps(manifest).encode(), "application/manifest+json")


def policy_of(page: str) -> str:
    """Return the content security policy that allows only the script and the style of this page."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash_of('script', page)}",
            f"style-src {_hash_of('style', page)}",
            "connect-src 'self'",
            "img-src 'self'",
            "manifest-src 'self'",
            "media-src https:",  # sounds of the game, which the player has to allow
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash_of(element: str, page: str) -> str:
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'"
