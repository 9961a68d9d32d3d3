"""The build hook of the compiled build: `TRIO_MUD_COMPILED=1 pip install .` compiles the hot modules with mypyc.

Used by hatchling, when it makes a wheel, and not part of one. Without the variable it does nothing and needs nothing.
The modules are listed in pyproject.toml; docs/project/design.md gives the reasons.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "TRIO_MUD_COMPILED"
COMPILERS = ("mypy>=1.18,<3", "setuptools>=77")


class CompilingHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is installed only where wheels are made
    """Adds a compiled form of each hot module to the wheel, beside its source."""

    def dependencies(self) -> list[str]:
        """Return what a compiled build needs: mypyc, and the package's dependencies, whose types it reads."""
        return [*COMPILERS, *self.metadata.core.dependencies] if _is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the modules, unless a pure Python wheel is wanted."""
        if not _is_wanted():
            return
        if version == "editable":
            self.app.abort(f"{VARIABLE}=1 makes no editable install: changes of a source would have no effect")
        if missing := _missing():
            self.app.abort(f"{VARIABLE}=1 needs {missing}; or install without it, which needs no compiler")
        folder = Path(tempfile.mkdtemp(prefix="trio-mud-compiled-"))
        self._folder = folder
        for path in _compile(Path(self.root), self.config["modules"], folder):
            build_data["force_include"][str(path)] = path.relative_to(folder / "lib").as_posix()
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the intermediate files."""
        if (folder := getattr(self, "_folder", None)) is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _is_wanted() -> bool:
    return os.environ.get(VARIABLE, "") not in ("", "0")


def _missing() -> str:
    """Return the tool or header that this machine lacks; "" if it can compile."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"a C compiler, and {compiler!r} is not installed (on Debian: apt install gcc)"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "the headers of Python, and Python.h is not installed (on Debian: apt install python3-dev)"
    return ""


def _compile(root: Path, modules: list[str], folder: Path) -> list[Path]:
    """Compile modules of the package, given as paths without suffix; return the files, below `folder`/lib."""
    from mypyc.build import mypycify  # only here, since a pure Python wheel is made without it
    from setuptools import Distribution

    before = Path.cwd()
    os.chdir(root)
    try:
        files = [f"trio_mud/{module}.py" for module in modules]
        # Its own settings: those of pyproject.toml would also make it an error that mypy knows more than its version.
        config = folder / "mypy.ini"
        config.write_text("[mypy]\nignore_missing_imports = True\nexplicit_package_bases = True\n", encoding="utf-8")
        options = [f"--config-file={config}", f"--cache-dir={folder / 'cache'}"]
        extensions = mypycify(
            [*options, *files], opt_level="3", group_name="trio_mud", target_dir=str(folder / "c"), debug_level="0"
        )
        command = Distribution({"name": "trio-mud", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    return [path for path in (folder / "lib").rglob("*") if path.is_file()]
