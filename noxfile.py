"""The checks of this project: `nox` runs lint, types and tests; the others run by name.

nox                    what has to pass before anything is merged
nox -s tests -- -k quit   the tests of that name
nox -s tests -- -n auto --hypothesis-profile nightly   twenty times as many examples of each property
nox -s tests-3.12      the tests on another Python, skipped where it is missing
nox -s coverage        the tests again, and how much of the package they reach; takes twice as long
nox -s compiled        all tests on the compiled build, which needs a C compiler, its seeds beside pure Python's, a soak
nox -s split           the tests of the driver and the world, each server split into a gateway and a world
nox -s cluster         gateways and worlds over a real redis-server, of which some are killed
nox -s slow            the tests that take seconds, start other programs or measure
nox -s package         the sdist and the wheel; a new game is made and tested with the wheel alone
nox -s docs            the documentation into docs/_build/html, every warning an error
nox -s pyright         a second opinion on the types
nox -s browser         the page of the web port in Debian's chromium; SCREENSHOTS names a folder for pictures
nox -s interop         real clients and proxies against the server; what is not installed is skipped by name
nox -s bench           the driver beside other servers; `-- --with-peers` for more of them, `-- --growth` for curves,
                       `-- --bounds` for the figures that must hold
nox -s proof           planted defects, a cut at every step, a thousand seeds; `-- --seeds 100000` for more
nox -s fuzz            a million executions of the parsers; `-- --runs N` or `-- --seconds N` for fewer
nox -s crash           a process that saves is killed 200 times; `-- --kills 40` for fewer
nox -s soak            a server process against hostile crowds, three minutes; `-- --tier night` or `release` for longer
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

import nox

nox.options.default_venv_backend = "virtualenv"  # uv knows nothing of pip's settings
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
# As many workers as cores, up to eight; one that has nothing left takes tests from another.
WORKERS = ("-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")


def install(session: nox.Session, *groups: str) -> None:
    """Install the package as it lies here, and the dependencies of `groups`."""
    session.install("--editable", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes; `nox -s lint -- --fix` repairs what can be repaired."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]))


@nox.session
def types(session: nox.Session) -> None:
    """Strict types of the package, and the types of its tests."""
    install(session, "typing", "test", "postgres", "browser", "cluster")
    session.run("mypy", *session.posargs)


@nox.session
def pyright(session: nox.Session) -> None:
    """Strict types of the package once more, by another program."""
    install(session, "pyright", "test", "postgres", "browser", "cluster")
    session.run("pyright", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but the slow ones; arguments after `--` go to pytest."""
    install(session, "test")
    session.run("pytest", *(session.posargs or WORKERS))


@nox.session
def coverage(session: nox.Session) -> None:
    """The same tests, and how much of the package they reach: at least the `fail_under` of pyproject.toml."""
    install(session, "test")
    # The package's own pytest plugin is imported before any pytest plugin could measure it; so coverage starts first.
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *WORKERS)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


for version in nox.project.python_versions(PROJECT):
    nox.session(python=version, name=f"tests-{version}")(tests)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take seconds, start other programs or measure; arguments after `--` go to pytest."""
    install(session, "test", "postgres", "lint", "typing")  # the latter two check a new game
    session.run("pytest", "-m", "slow", "-rs", *WORKERS, *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """The sdist and the wheel, checked; with the wheel alone, a new game is made, and its tests pass."""
    session.install("build", "twine")
    folder = pathlib.Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)  # of an earlier build
    folder.mkdir()
    session.run("python", "-m", "build", "--outdir", str(folder))
    session.run("twine", "check", "--strict", *map(str, folder.iterdir()))
    (wheel,) = folder.glob("*.whl")
    session.install(f"{wheel}[testing]")
    session.install("--force-reinstall", "--no-deps", str(wheel))  # an older build may have the same version
    with session.chdir(folder):
        session.run("trio-mud", "new", "inn")
    with session.chdir(folder / "inn"):
        session.run("pytest")
        session.run("trio-mud", "run", "--config", "mud.toml", "--check-config")


@nox.session
def compiled(session: nox.Session) -> None:
    """All tests on the compiled build: a wheel is compiled, and unpacked over a copy of this tree.

    The parts are tests, slow, interop, cluster, seeds, proof and soak; names of some after `--` choose them, and other
    arguments go to these. `seeds` plays seeds on this build and in pure Python: `-- seeds --seeds 2000 --split 200` for
    more, and `-- soak --tier night` for a longer soak.
    """
    parts = {
        "tests": ("pytest", *WORKERS),
        "slow": ("pytest", "-m", "slow", "-rs", *WORKERS),
        "interop": ("pytest", "tests/interop", "-rs"),
        "cluster": ("pytest", "tests/cluster/redis", "-rs", *WORKERS),
        "seeds": ("python", "-m", "tests.builds"),
        "proof": ("pytest", "-m", "proof", "-o", "faulthandler_timeout=600", *WORKERS),
        "soak": ("python", "-m", "tests.soak.run"),
    }
    chosen = [part for part in parts if part in session.posargs] or (["tests"] if session.posargs else list(parts))
    arguments = [argument for argument in session.posargs if argument not in parts]
    folder = pathlib.Path(session.create_tmp()).resolve()
    session.env.pop("TMPDIR")  # set by `create_tmp`, and too long a path for the Unix sockets of tests
    shutil.rmtree(folder)  # of an earlier build
    copy = folder / "copy"
    shutil.copytree(".", copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "_build"))
    session.run("pip", "wheel", "--no-deps", "--wheel-dir", str(folder), ".", env={"TRIO_MUD_COMPILED": "1"})
    (wheel,) = folder.glob("*.whl")
    session.run("python", "-m", "zipfile", "-e", str(wheel), str(copy))
    with session.chdir(copy):
        # The latter groups are for programs that the slow tests and those of `interop` and `cluster` start.
        install(session, "test", "postgres", "lint", "typing", "interop", "browser", "cluster")
        for part in chosen:
            session.run(*parts[part], *arguments)


@nox.session
def split(session: nox.Session) -> None:
    """The tests of the driver and the world with a gateway and a world in place of each server of `mud`.

    Those about a server in one process are skipped: `docs/project/cluster.md` lists them with their reasons.
    """
    install(session, "test")
    parts = ("driver", "world", "mudlib", "cluster", "commands", "accounts", "operations", "web")
    folders = [f"tests/{part}" for part in parts]
    session.run("pytest", "--split", *WORKERS, *(session.posargs or folders))


@nox.session
def cluster(session: nox.Session) -> None:
    """Gateways and worlds over a real redis-server, which the tests start and end; skipped without one.

    Arguments after `--` go to pytest.
    """
    install(session, "test", "cluster")
    session.run("pytest", "tests/cluster/redis", "-rs", *WORKERS, *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Real clients, and real proxies before the web port; arguments after `--` go to pytest."""
    install(session, "test", "interop", "browser")
    # telix needs older releases of two libraries, so it has an environment of its own.
    apart = pathlib.Path(session.virtualenv.location).resolve() / "telix"
    if not (apart / "bin/telix").exists():
        session.run(sys.executable, "-m", "virtualenv", "--quiet", str(apart), external=True)
        try:
            session.run(
                str(apart / "bin/pip"), "install", "--quiet", *PROJECT["dependency-groups"]["telix"], external=True
            )
        except nox.command.CommandFailed:
            session.warn("telix cannot be installed here")
    path = os.pathsep.join((os.environ["PATH"], str(apart / "bin")))
    session.run("pytest", "tests/interop", "-rs", *session.posargs, env={"PATH": path})


@nox.session
def browser(session: nox.Session) -> None:
    """The page of the web port in a browser; skipped without chromium. Arguments after `--` go to pytest."""
    install(session, "test", "browser")
    session.run("pytest", "tests/browser", "-rs", *session.posargs)


@nox.session
def proof(session: nox.Session) -> None:
    """What the tests try a sample of, whole: planted defects, a cut at every step of every scene, a thousand seeds.

    Arguments after `--` go to the simulator, such as `--seeds 100000`.
    """
    install(session, "test")
    # A defect that is rare takes hundreds of seeds, and some minutes on a busy machine.
    session.run("pytest", "-m", "proof", "-o", "faulthandler_timeout=600", *WORKERS)
    session.run("pytest", "--whole", *WORKERS, "tests/test_cancel_anywhere.py")
    simulate = ("python", "-m", "trio_mud.testing.simulate", "--jobs", str(min(os.cpu_count() or 1, 8)))
    session.run(*simulate, *(session.posargs or ("--seeds", "1000")))
    if not session.posargs:
        for game in ("stored", "world"):
            session.run(*simulate, "--play", game, "--seeds", "300")
        session.run(*simulate, "--split", "--seeds", "120")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Inputs nobody thought of, for all that reads what peers send; arguments after `--` go to tests/fuzz/run.py."""
    install(session, "test")
    try:
        session.install(*nox.project.dependency_groups(PROJECT, "fuzz"))
    except nox.command.CommandFailed:
        session.warn("atheris cannot be installed here: the mutator of tests/fuzz takes its place")
    session.run("python", "tests/fuzz/run.py", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Mistakes planted in a copy of the driver, one at a time: which does no quick test find?

    Arguments after `--` go to `mutmut run`, such as names of mutants; without any it takes most of a day.
    """
    copy = f"{session.create_tmp()}/copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(".", copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "_build"))
    install(session, "test", "mutation")
    session.run("python", "tests/mutation/undecorate.py", f"{copy}/trio_mud/driver")
    session.chdir(copy)
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")


@nox.session
def soak(session: nox.Session) -> None:
    """A true server process against hostile crowds on loopback; arguments after `--` go to tests/soak/run.py."""
    install(session, "test")
    session.run("python", "-m", "tests.soak.run", *session.posargs)


@nox.session
def crash(session: nox.Session) -> None:
    """`kill -9` of a process that saves under load, 200 times; arguments after `--` go to tests/crash/run.py."""
    install(session, "test")
    session.run("python", "-m", "tests.crash.run", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, every warning an error."""
    install(session, "docs", "test")  # the test kit's reference page imports pytest
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", *session.posargs, "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """What a command, a delivery and a connection cost; arguments after `--` go to tests/bench/run.py.

    `-- --with-peers` installs uvloop, Twisted and telnetlib3 first, and measures them too.
    """
    arguments = [argument for argument in session.posargs if argument != "--with-peers"]
    session.install("--editable", ".")
    if arguments != session.posargs:
        session.install(*nox.project.dependency_groups(PROJECT, "bench"))
    if "--bounds" in arguments:
        session.install(*nox.project.dependency_groups(PROJECT, "cluster"))  # for the figures of a split server
    if "--bounds" in arguments and shutil.which("chromium"):
        session.install(*nox.project.dependency_groups(PROJECT, "browser"))  # for the figures of the page
    session.run("python", "tests/bench/run.py", *arguments)
