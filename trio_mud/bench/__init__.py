"""`trio-mud bench`: scripted players that measure how fast your own game answers.

    command ──► script          the lines of each player, from a TOML file
       └──────► load ──bytes──► player             one player, without I/O
                  └──► tally ──► histogram          the measurements
                         └──► report                as text or JSON

It is independent of the driver, and works with any line-based server over telnet.
"""
