"""Storage: records in memory, and a database that is what they were at some moment between two events.

    class Account(Record, family="account", unique=("email",)):
        name: str
        email: str = ""

    async with open_store(Sqlite("data/inn.db"), Account) as store:
        account = store.add(Account(name="Ann"), "ann")
        account.email = "ann@example.org"
        await store.saved()                     # on disk: no crash takes it back

It knows nothing of connections and sessions. A game with storage opens the store around `serve`, so that the store
outlives the server.
"""

from .executor import Executor, inline
from .memory import Memory, Stored
from .opening import backend_of, open_store
from .postgres import Postgres
from .record import Fields, Record, live
from .rows import Backend, Changes, Entry, Lookup, Row
from .sqlite import Sqlite
from .store import Store
from .sweep import InPlaceChange
from .transaction import Transaction

__all__ = [
    "Backend",
    "Changes",
    "Entry",
    "Executor",
    "Fields",
    "InPlaceChange",
    "Lookup",
    "Memory",
    "Postgres",
    "Record",
    "Row",
    "Sqlite",
    "Store",
    "Stored",
    "Transaction",
    "backend_of",
    "inline",
    "live",
    "open_store",
]
