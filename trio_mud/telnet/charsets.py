"""Names of charsets as registered with IANA, and the Python codecs for them.

A name sent by a peer is never passed to `codecs.lookup` as it is: that imports modules by name, and some codecs are
not charsets. The module holds functions and tables without state; the CHARSET option uses them.

Source: IANA's registry of character sets (RFC 2978); UTS #22 1.4 for how names are compared
"""

import re
from encodings.aliases import aliases
from typing import Final

# The names used in negotiation. All of these charsets are supersets of ASCII.
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

# Registered aliases that are missing in Python's own table, or stand there for another charset.
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
    """Return the codec for a registered name or alias of a charset; None if it is not one of `CODECS`.

    Case is ignored, and so is every character that is neither a letter nor a digit: TinTin++ before 2022 accepts "
    UTF-8", Mudlet writes "ISO 8859-1", and a player types "utf8".
    """
    if not name.isascii():
        return None
    key = _key(name)
    return _BY_KEY.get(key) or _BY_KEY.get(key.removeprefix("cs"))  # cs: the MIB alias of each name (RFC 3808)


def _key(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


_BY_KEY: Final = {_key(spelling): codec for name, codec in CODECS.items() for spelling in (name, codec)}
_BY_KEY.update({_key(alias): _BY_KEY[_key(codec)] for alias, codec in aliases.items() if _key(codec) in _BY_KEY})
_BY_KEY.update({_key(alias): _BY_KEY[_key(name)] for alias, name in _MORE_ALIASES.items()})
