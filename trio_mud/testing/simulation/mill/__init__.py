"""A mill whose code is exchanged while it is played: the modules of its first version.

`reloading` copies them for each run, and edits them for each version. Nothing imports them from here.
"""
