"""Values for settings, made from their types: valid ones other than the default, and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args, get_origin

from trio_mud.program.config import PathKind
from trio_mud.program.settings import ConfigSetting

STRANGE = 'a "b" \\ #c\n\x7f\x1b\té 龍'


def kind_of(setting: ConfigSetting) -> str:
    kind = next(kind for kind in get_args(setting.hint) or (setting.hint,))
    if get_origin(setting.hint) is tuple:
        return "tuple"
    return kind.__name__ if isinstance(kind, type) else "Literal"


def other_value(setting: ConfigSetting) -> object:
    """Return a valid value as TOML has it that is not the default."""
    default = setting.default
    if setting.path is PathKind.SECRET:
        return "a-token-of-the-tests"
    if setting.path is not None:
        return "some where/x"
    match kind_of(setting):
        case "tuple":
            lists = {"web_origins": ["https://mud.example"], "watch.names": ["mud.internal", "mud"]}
            return lists.get(setting.key, ["10.0.0.0/8", "::1"])
        case "bool":
            return not default
        case "int":
            assert default is None or isinstance(default, int)
            return 4443 if default is None else default + 1
        case "float":
            assert default is None or isinstance(default, float)
            return 30.5 if default is None else default * 1.5
        case "Rate":
            return {"per_second": 2.5, "burst": 7}
        case "str":
            known = {"game": "tavern:hooks", "host": "127.0.0.1", "watch.host": "127.0.0.1", "cluster.name": "g-1"}
            return known.get(setting.key, STRANGE)
    return next(word for word in get_args(setting.hint) if word != default)


def wrong_values(setting: ConfigSetting) -> Sequence[object]:
    """Return values as TOML has them that do not fit."""
    numbers: list[object] = ["x", True, [1], -1, 10**18]
    match kind_of(setting):
        case "tuple":
            return [5, "10.0.0.0/8", [5], ["every/where"]]
        case "bool":
            return [5, "true"]
        case "int":
            return [*numbers, 1.5, *([] if setting.can_be_none else ["none"])]
        case "float":
            return [*numbers, float("inf"), float("nan"), *([] if setting.can_be_none else ["none"])]
        case "Rate":
            return [5, "x", {"per_second": 5}, {"per_second": 0, "burst": 5}, {"per_second": 5, "burst": 5, "more": 5}]
        case "str":
            return [5, True, ["x"], *(["", "a\0b"] if setting.path is not None else [])]
    return [5, "x"]


def wrong_texts(setting: ConfigSetting) -> Sequence[str]:
    """Return wrong values as the environment or the command line has them; any text is a `str`."""
    match kind_of(setting):
        case "tuple":
            return ["[5]", "every/where"]
        case "bool":
            return ["maybe", "5"]
        case "int":
            return ["x", "1.5", "-1", "5\nport = 6"]
        case "float":
            return ["x", "inf", "-0.5"]
        case "Rate":
            return ["x", "5", "{ per_second = 5 }"]
        case "Literal":
            return ["x"]
    return []
