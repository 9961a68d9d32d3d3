"""A new game: it is written whole, passes its own tests and checks, and is played; and names that cannot be used."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from trio_mud import __version__
from trio_mud.errors import ConfigurationError
from trio_mud.program.new import create

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60  # seconds for a process; a busy machine needs some
FILES = [
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "deploy/old_inn-web.socket",
    "deploy/old_inn.service",
    "deploy/old_inn.socket",
    "mud.toml",
    "old_inn/__init__.py",
    "old_inn/map.toml",
    "old_inn/things.py",
    "old_inn/verbs.py",
    "pyproject.toml",
    "tests/test_old_inn.py",
]


@pytest.fixture
def game(tmp_path: Path) -> Path:
    """The folder of a new game."""
    return create("old_inn", tmp_path)


def run(game: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in the folder of a game."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "MYPYPATH": str(CHECKOUT)}
    program = [sys.executable, "-m", *command]
    return subprocess.run(
        program, cwd=game, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


# What is written


def test_a_game_has_all_that_its_service_needs(game: Path) -> None:
    assert FILES == sorted(path.relative_to(game).as_posix() for path in game.rglob("*") if path.is_file())
    for path in FILES:
        assert "{{" not in (game / path).read_text(encoding="utf-8"), path


def test_a_game_asks_for_the_version_that_wrote_it(game: Path) -> None:
    project = tomllib.loads((game / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == [f"trio-mud~={__version__}"]


def test_the_units_are_of_one_service_and_each_socket_has_a_protocol(game: Path) -> None:
    units = {}
    for unit in ("old_inn.service", "old_inn.socket", "old_inn-web.socket"):
        units[unit] = configparser.RawConfigParser(strict=False)
        units[unit].optionxform = str  # type: ignore[assignment,method-assign]
        units[unit].read(game / "deploy" / unit)
    service = units["old_inn.service"]
    assert service["Unit"]["Requires"] == service["Service"]["Sockets"] == "old_inn.socket old_inn-web.socket"
    assert service["Service"]["ExecStart"].endswith("/bin/trio-mud serve --config mud.toml")
    assert units["old_inn-web.socket"]["Socket"]["Service"] == "old_inn.service"
    settings = tomllib.loads((game / "mud.toml").read_text(encoding="utf-8"))
    for unit, name, port in (("old_inn", "telnet", "port"), ("old_inn-web", "web", "web_port")):
        held = units[f"{unit}.socket"]["Socket"]
        assert (held["FileDescriptorName"], held["ListenStream"]) == (name, str(settings[port]))


def test_the_container_offers_the_ports_of_the_configuration(game: Path) -> None:
    settings = tomllib.loads((game / "mud.toml").read_text(encoding="utf-8"))
    ports = [str(settings["port"]), str(settings["web_port"])]
    assert re.search(r"^EXPOSE (.*)$", (game / "Dockerfile").read_text(encoding="utf-8"), re.M)[1].split() == ports  # type: ignore[index]
    assert re.findall(r'"(\d+):(\d+)"', (game / "compose.yaml").read_text(encoding="utf-8")) == [
        (port, port) for port in ports
    ]


def test_a_first_game_stays_small(game: Path) -> None:
    lines = {path: len((game / path).read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert sum(lines[path] for path in FILES if path.startswith("old_inn/")) <= 220
    assert max(lines.values()) <= 75


# What is refused


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My-Game", "a game cannot be called 'My-Game': write small letters, digits and _, such as my_game"),
        ("2inn", "such as inn"),
        ("", "such as inn"),
        ("_", "such as inn"),
        ("inn_", "such as inn"),
        ("inn.py", "such as inn_py"),
        ("games/inn", "such as inn in the folder games"),
        ("../inn", "such as inn in the folder .."),
        ("é" * 60, "such as inn"),
        ("x" * 41, f"such as {'x' * 40}"),
        ("class", "'class' is a keyword of Python, and cannot be imported: choose another name, such as class_mud"),
        ("random", "'random' is a module of Python, which the game would hide"),
        ("trio_mud", "'trio_mud' is another package, which the game would hide"),
        ("msgspec", "'msgspec' is another package"),
        ("mypy", "'mypy' is another package"),
        ("tests", "the folder 'tests' of a game is for something else"),
        ("data", "the folder 'data' of a game is for something else"),
        ("deploy", "the folder 'deploy' of a game is for something else"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_one_that_can(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create(name, tmp_path)
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "inn").mkdir()
    with pytest.raises(ConfigurationError, match="inn exists already: choose another name, or remove it"):
        create("inn", tmp_path)
    assert list((tmp_path / "inn").iterdir()) == []


def test_a_file_and_a_dangling_link_of_that_name_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "inn").write_text("mine", encoding="utf-8")
    (tmp_path / "club").symlink_to("nowhere")
    for name in ("inn", "club"):
        with pytest.raises(ConfigurationError, match="exists already"):
            create(name, tmp_path)
    assert (tmp_path / "inn").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot create .*nowhere/inn: No such file"):
        create("inn", tmp_path / "nowhere")


def test_nothing_is_left_of_a_game_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = Path.write_text, []

    def fill_the_disk(path: Path, text: str, encoding: str) -> int:
        written.append(path)
        if len(written) > 5:
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(ConfigurationError, match="No space left on device; nothing is left of it"):
        create("inn", tmp_path)
    assert list(tmp_path.iterdir()) == []


# As its author uses it


@contextmanager
def serving(game: Path) -> Iterator[tuple[int, int]]:
    """Serve a game as its unit does, and yield its port and its web port."""
    unit = (game / "deploy/old_inn.service").read_text(encoding="utf-8")
    found = re.search(r"^ExecStart=\S+/bin/trio-mud (.*)$", unit, re.M)
    assert found is not None
    program = [sys.executable, "-m", "trio_mud", *found[1].split(), "--host", "127.0.0.1"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "RUNTIME_DIRECTORY": str(game / "run")}
    with subprocess.Popen(
        [*program, "--port", "0", "--web-port", "0"],
        cwd=game,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while (found := re.search(r"telnet \S+ (\d+)\n.*http://[^:]+:(\d+)/", said)) is None:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield int(found[1]), int(found[2])
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.communicate()


def checks_health(game: Path, port: int) -> int:
    """Run the health check of the Dockerfile for this port, and return its exit status."""
    text = (game / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^HEALTHCHECK (?:.|\\\n)*?CMD (\[.*\])$", text, re.M)
    assert found is not None
    program, *arguments = json.loads(found[1])
    assert program == "python"
    command = [sys.executable, *(argument.replace("localhost:4080", f"127.0.0.1:{port}") for argument in arguments)]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False).returncode


def play(port: int, *lines: str) -> str:
    """Type lines that end in `quit`, and return what was read."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as player:
        player.sendall("".join(f"{line}\r\n" for line in lines).encode())
        return b"".join(iter(lambda: player.recv(4096), b"")).decode(errors="replace")


@pytest.mark.slow
def test_a_new_game_is_created_tested_checked_and_played_from_the_shell(tmp_path: Path) -> None:
    made = run(tmp_path, "trio_mud", "new", "old_inn")
    assert (made.returncode, made.stderr) == (0, "")
    commands = [line.strip() for line in made.stdout.splitlines() if line.startswith("    ")]
    assert len(commands) == 3
    assert commands[0].startswith("cd old_inn && ")
    game = tmp_path / "old_inn"

    tested = run(game, "pytest", "-p", "no:cacheprovider", "-p", "no:randomly")
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout
    with serving(game) as (port, web_port):
        lines = ("new", "Ann", "open sesame", "open sesame", "open door", "in", "take lamp", "light lamp", "quit")
        seen = play(port, *lines)
        asked = run(game, "trio_mud", "admin", "role", "ann", "owner")
        assert (asked.returncode, asked.stdout) == (0, "Done.\n")
        with urlopen(f"http://127.0.0.1:{web_port}/", timeout=PATIENCE) as page:
            assert "<title>Old Inn</title>" in page.read().decode()
        assert checks_health(game, web_port) == 0
    assert checks_health(game, web_port) != 0  # nothing is there
    assert "Welcome to Old Inn." in seen
    assert "You light the brass lamp." in seen
    with serving(game) as (port, _):
        seen = play(port, "ann", "open sesame", "inventory", "help", "quit")
    assert "You carry brass lamp." in seen
    assert "shutdown" in seen  # a verb of an owner
    assert "Come back soon." in seen


@pytest.mark.slow
@pytest.mark.parametrize("check", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)], ids=" ".join)
def test_a_new_game_passes_the_checks_of_its_own_project(game: Path, check: tuple[str, ...]) -> None:
    if importlib.util.find_spec(check[0]) is None:
        pytest.skip(f"{check[0]} is not installed")
    done = run(game, *check)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_systemd_accepts_the_units_of_a_new_game(game: Path) -> None:
    if (verifier := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    service = game / "deploy/old_inn.service"
    # It looks for the program, which is not at its place on this machine.
    service.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", service.read_text(encoding="utf-8")))
    units = [str(path) for path in (game / "deploy").iterdir()]
    done = subprocess.run([verifier, "verify", *units], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
