"""The public surface: names without an underscore, and old names, which are refused with the new one."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest

import trio_mud
from trio_mud import Client, Connection, Dialog, Hooks, Limits, MasterServer, Session
from trio_mud.errors import ConfigurationError
from trio_mud.program.effective import decode
from trio_mud.renamed import RENAMED

from .docs.generated import members
from .docs.pages import page

ROOT = Path(__file__).parent.parent

# A server's plain attributes are its own, so an instance shows them; the others have slots, which their classes show.
SURFACES: dict[object, str] = {
    Connection: "address after body client dialog ending every gmcp hide_input idle_seconds idle_timeout is_refused "
    "msdp name number prompt quit refuse server session start_dialog start_soon take_lines tap write",
    MasterServer(
        Hooks()
    ): "abort after ban closed connections counters daily every hooks is_closing limits mssp operator_commands post "
    "record reload serve sessions shutdown start_soon texts unban wall_clock world",
    Session: "after body connection connections ending every key leave offer_token resume_token server start_soon "
    "void_tokens write",
    MasterServer(Hooks()).sessions: "enter get new_secret resume",
    MasterServer(Hooks()).connections: "",
    Hooks: "daily every functions_for include is_empty on remove",
    Dialog: "ask ask_hidden choose client_ready confirm connection edit hiding_refused page",
    Client: "charset clear_preference colours is_ready is_secure packages plain_columns prefer program rendering "
    "screen_reader size source_of terminal terminals version",
}


@pytest.mark.parametrize("shown", SURFACES, ids=lambda shown: getattr(shown, "__name__", type(shown).__name__))
def test_completion_shows_a_game_only_what_it_may_use(shown: object) -> None:
    names = [name for name in dir(shown) if not name.startswith("_")]
    if isinstance(shown, type):
        names = [name for name in names if hasattr(shown, name)]  # not the old names, which an instance does not show
    assert names == SURFACES[shown].split()


def test_completion_of_an_instance_shows_no_old_name() -> None:
    shown = dir(Client())
    assert "is_ready" in shown
    assert "is_settled" not in shown


@pytest.mark.parametrize(
    "shown",
    [shown for shown, names in SURFACES.items() if names],
    ids=lambda shown: getattr(shown, "__name__", type(shown).__name__),
)
def test_the_reference_has_a_promise_for_each_of_these_names(shown: object) -> None:
    cls = shown if isinstance(shown, type) else type(shown)
    promises = {re.sub(r"^await |\(.*", "", name): promise for name, promise in members(cls)}
    assert [name for name in SURFACES[shown].split() if not promises.get(name)] == []
    assert re.search(rf"<!-- members: trio_mud[\w.]*:{cls.__name__} -->", page("reference/front-door.md"))


def test_a_class_name_is_used_once_in_the_project() -> None:
    places = defaultdict(list)
    helpers = (path for path in ROOT.glob("tests/**/*.py") if not path.name.startswith("test_"))
    for path in (*ROOT.glob("trio_mud/**/*.py"), *helpers):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


CALLS: dict[str, Callable[[], object]] = {
    "trio_mud.Settled": lambda: trio_mud.Settled,  # type: ignore[attr-defined]
    "trio_mud.Left": lambda: exec("from trio_mud import Left"),
    "limits.connections": lambda: Limits(connections=5),  # type: ignore[call-arg]
    "limits.idle": lambda: Limits().idle,  # type: ignore[attr-defined]
    "limits.quit_flush": lambda: decode({"limits": {"quit_flush": 3}}, "tavern.toml"),
    "Client.prefer_no_more": lambda: Client().prefer_no_more,  # type: ignore[attr-defined]
    "Client.is_settled": lambda: setattr(Client(), "is_settled", True),
}


@pytest.mark.parametrize("old", CALLS)
def test_an_old_name_is_refused_with_the_new_one_in_the_sentence(old: str) -> None:
    with pytest.raises((AttributeError, ImportError, TypeError, ConfigurationError)) as caught:
        CALLS[old]()
    assert f"{old} is called {RENAMED[old]} since 0.2" in str(caught.value)


def test_a_name_that_never_was_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'trio_mud' has no attribute 'Setled'"):
        trio_mud.Setled  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="'Client' object has no attribute 'zebra'"):
        Client().zebra  # type: ignore[attr-defined]  # noqa: B018


def test_every_new_name_exists_and_no_old_one_does() -> None:
    owners = {"Client": Client, "Connection": Connection, "Dialog": Dialog}
    listed = {"trio_mud": dir(trio_mud), "limits": [field.name for field in fields(Limits)]}
    for old, new in RENAMED.items():
        (owner, old_name), new_name = old.split("."), new.split(".")[1]
        exists = listed[owner].__contains__ if owner in listed else partial(hasattr, owners[owner])
        assert exists(new_name), new
        assert not exists(old_name), old
    assert max(Counter(RENAMED.values()).values()) == 1
