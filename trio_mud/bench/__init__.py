"""`trio-mud bench`: a crowd of scripted players for your own game, and what they measured.

    command ──► script          what each of them types, from a TOML file
       └──────► load ──bytes──► player ──► ear     one player, without I/O
                  └──► tally ──► histogram          what came of it all
                         └──► report                in words, or JSON

It knows nothing of the driver, and talks to any line-based server over telnet.
"""
