"""The driver: the server, its connections, the dispatcher and the hooks. Games import its names from `trio_mud`."""
