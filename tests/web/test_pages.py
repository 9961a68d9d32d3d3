"""The pages of a web port: one file, which runs nothing but itself and asks no other site for anything."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256

import pytest

from trio_mud.transports.http import HttpAnswer
from trio_mud.web.pages import Pages

PAGES = Pages(lambda: "Rock & <Roll>", {"/healthz": HttpAnswer(b"ok\n")})
PAGE = PAGES["/"].body.decode()


def test_the_page_is_small() -> None:
    assert len(PAGE.encode()) <= 30_100  # 30 KB, and the name of the game


def test_the_page_has_the_name_of_the_game_as_text() -> None:
    assert "<title>Rock &amp; &lt;Roll&gt;</title>" in PAGE
    assert '<h1 id="name">Rock &amp; &lt;Roll&gt;</h1>' in PAGE


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else() -> None:
    headers = dict(PAGES["/"].headers)
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    for element in ("script", "style"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", PAGE, re.DOTALL)
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert policy[f"{element}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_page_has_no_handlers_in_its_markup_and_writes_no_markup() -> None:
    assert re.findall(r"<[^>]* on\w+=", PAGE) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", PAGE) == []


def test_the_page_names_no_other_site() -> None:
    assert re.findall(r"https?://[\w.]+", PAGE) == []
    assert set(re.findall(r'(?:href|src)="([^"]*)"', PAGE)) == {"/icon.svg", "/manifest.webmanifest"}


def test_the_manifest_lets_a_phone_install_the_page() -> None:
    manifest = json.loads(PAGES["/manifest.webmanifest"].body)
    assert manifest["name"] == "Rock & <Roll>"
    assert manifest["display"] == "standalone"
    assert PAGES[manifest["start_url"]].content_type.startswith("text/html")
    assert PAGES[manifest["icons"][0]["src"]].content_type == "image/svg+xml"


def test_other_paths_have_their_answers_or_none() -> None:
    assert PAGES["/healthz"].body == b"ok\n"
    assert set(PAGES) == {"/", "/manifest.webmanifest", "/icon.svg", "/healthz"}
    assert len(PAGES) == 4
    with pytest.raises(KeyError):
        PAGES["/other"]
