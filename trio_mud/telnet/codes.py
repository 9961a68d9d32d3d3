"""The byte values that have a meaning in telnet, and their names.

Constants only. The scanner, the options and the playbook use them.

Source: RFC 854 (commands), RFC 885 (EOR), RFC 1184 (EOF, SUSP, ABORT)
"""

from typing import Final

EOF: Final = 0xEC
SUSP: Final = 0xED
ABORT: Final = 0xEE
EOR: Final = 0xEF
SE: Final = 0xF0
NOP: Final = 0xF1
DM: Final = 0xF2
BRK: Final = 0xF3
IP: Final = 0xF4
AO: Final = 0xF5
AYT: Final = 0xF6
EC: Final = 0xF7
EL: Final = 0xF8
GA: Final = 0xF9
SB: Final = 0xFA
WILL: Final = 0xFB
WONT: Final = 0xFC
DO: Final = 0xFD
DONT: Final = 0xFE
IAC: Final = 0xFF

ECHO: Final = 1
SGA: Final = 3
TIMING_MARK: Final = 6
TTYPE: Final = 24
END_OF_RECORD: Final = 25  # the option; EOR is the command it permits
NAWS: Final = 31
LINEMODE: Final = 34
NEW_ENVIRON: Final = 39
CHARSET: Final = 42
MSDP: Final = 69
MSSP: Final = 70
MCCP2: Final = 86
MCCP3: Final = 87
MSP: Final = 90
MXP: Final = 91
GMCP: Final = 201

# Length of the payload in bytes, for options whose payload has a fixed length (RFC 1073).
PAYLOAD_LENGTHS: Final = {NAWS: 4}

COMMAND_NAMES: Final = {
    EOF: "EOF",
    SUSP: "SUSP",
    ABORT: "ABORT",
    EOR: "EOR",
    SE: "SE",
    NOP: "NOP",
    DM: "DM",
    BRK: "BRK",
    IP: "IP",
    AO: "AO",
    AYT: "AYT",
    EC: "EC",
    EL: "EL",
    GA: "GA",
    SB: "SB",
    WILL: "WILL",
    WONT: "WONT",
    DO: "DO",
    DONT: "DONT",
    IAC: "IAC",
}

# Includes options that are not implemented here: logs and playbooks name everything a client sent.
OPTION_NAMES: Final = {
    0: "BINARY",
    ECHO: "ECHO",
    SGA: "SGA",
    5: "STATUS",
    TIMING_MARK: "TIMING-MARK",
    18: "LOGOUT",
    TTYPE: "TTYPE",
    END_OF_RECORD: "EOR",
    NAWS: "NAWS",
    32: "TSPEED",
    33: "LFLOW",
    LINEMODE: "LINEMODE",
    35: "XDISPLOC",
    36: "ENVIRON",
    37: "AUTH",
    38: "ENCRYPT",
    NEW_ENVIRON: "NEW-ENVIRON",
    CHARSET: "CHARSET",
    MSDP: "MSDP",
    MSSP: "MSSP",
    85: "MCCP1",
    MCCP2: "MCCP2",
    MCCP3: "MCCP3",
    88: "MCCPX",
    MSP: "MSP",
    MXP: "MXP",
    93: "ZMP",
    200: "ATCP",
    GMCP: "GMCP",
}


def command_name(code: int) -> str:
    """Return the name of a command byte as in the RFCs, or its value in hex if they have none."""
    return COMMAND_NAMES.get(code, f"{code:02x}")


def option_name(code: int) -> str:
    """Return the name of an option as in its specification, or its number as text."""
    return OPTION_NAMES.get(code, str(code))
