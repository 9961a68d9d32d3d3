"""The supported telnet options, one in each file.

`DEFAULT_OPTIONS` is the one place to edit when an option is added. Its order is the order of the offers: first the
client's identity, then its abilities, compression last. MSSP is not included, because only the game knows its figures:
insert `Mssp(…)` at the front. MXP and MSP are not included either, because a game that sends no tags and no sounds is
better off without them: append `Mxp()` and `Msp()`.
"""

from typing import Final

from .base import Engine, Option, Policy
from .charset import Charset
from .echo import Echo
from .gmcp import Gmcp
from .mccp import Mccp2, Mccp3
from .msdp import Msdp
from .msp import Msp
from .mssp import Mssp
from .mxp import Mxp
from .naws import Naws
from .new_environ import NewEnviron
from .prompts import Eor, Sga
from .ttype import Ttype

DEFAULT_OPTIONS: Final[tuple[Option, ...]] = (
    Ttype(),
    Naws(),
    NewEnviron(),
    Charset(),
    Gmcp(),
    Msdp(),
    Eor(),
    Sga(),
    Echo(),
    Mccp2(),
    Mccp3(),
)

__all__ = [
    "DEFAULT_OPTIONS",
    "Charset",
    "Echo",
    "Engine",
    "Eor",
    "Gmcp",
    "Mccp2",
    "Mccp3",
    "Msdp",
    "Msp",
    "Mssp",
    "Mxp",
    "Naws",
    "NewEnviron",
    "Option",
    "Policy",
    "Sga",
    "Ttype",
]
