"""Names of charsets, as IANA registers them, and the codecs of Python that they mean.

A peer's word never goes to `codecs.lookup` as it is: that imports modules by name, and some codecs are no charsets.
Functions and tables without state; the option CHARSET uses them.

Source: IANA's registry of character sets (RFC 2978); UTS #22 1.4 for how names are compared
"""

import re
from encodings.aliases import aliases
from typing import Final

# The names by which we speak of them.  All of these charsets are supersets of ASCII.
CODECS: Final = {
    "UTF-8": "utf-8",
    "US-ASCII": "ascii",
    "ASCII": "ascii",
    **{f"ISO-8859-{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    "LATIN1": "iso8859-1",
    **{f"WINDOWS-{page}": f"cp{page}" for page in range(1250, 1259)},
    **{f"{prefix}{page}": f"cp{page}" for prefix in ("CP", "IBM") for page in (437, 850, 852, 866)},
    "KOI8-R": "koi8-r",
    "KOI8-U": "koi8-u",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "BIG5": "big5",
    "EUC-KR": "euc_kr",
    "EUC-JP": "euc_jp",
    "SHIFT_JIS": "shift_jis",
    "WINDOWS-31J": "cp932",
}

# Registered aliases that Python's own table does not have, or has for another charset.
_MORE_ALIASES: Final = {
    "ANSI_X3.4-1986": "US-ASCII",
    "ISO_646.irv:1991": "US-ASCII",
    "TIS-620": "ISO-8859-11",
    "Latin-9": "ISO-8859-15",
    "windows-936": "GBK",
    "MS_Kanji": "SHIFT_JIS",
    "Extended_UNIX_Code_Packed_Format_for_Japanese": "EUC-JP",
    "EUCPkdFmtJapanese": "EUC-JP",
}


def codec_of(name: str) -> str | None:
    """Return the codec that a registered name or alias of a charset means; None if it is not one of `CODECS`.

    Upper and lower case are the same, and whatever is neither letter nor digit does not count: TinTin++ before 2022
    accepts " UTF-8", Mudlet writes "ISO 8859-1", a player "utf8".
    """
    if not name.isascii():
        return None
    key = _key(name)
    return _BY_KEY.get(key) or _BY_KEY.get(key.removeprefix("cs"))  # cs: the alias of each name for MIBs (RFC 3808)


def _key(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


_BY_KEY: Final = {_key(spelling): codec for name, codec in CODECS.items() for spelling in (name, codec)}
_BY_KEY.update({_key(alias): _BY_KEY[_key(codec)] for alias, codec in aliases.items() if _key(codec) in _BY_KEY})
_BY_KEY.update({_key(alias): _BY_KEY[_key(name)] for alias, name in _MORE_ALIASES.items()})
