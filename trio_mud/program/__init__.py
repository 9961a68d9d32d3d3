"""The program `trio-mud`: its command line and configuration, its log, and finding and reloading a game.

It is no library: a game imports none of it, and no other package does but the test kit.
"""
