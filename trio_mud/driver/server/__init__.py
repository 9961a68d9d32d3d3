"""Listeners, connections and dispatcher put together, and the tree of tasks."""
