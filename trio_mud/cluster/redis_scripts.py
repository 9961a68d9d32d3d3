"""The keys of a world in Redis, and the scripts that change several of them in one step.

All keys of a world have the same hash tag, so that a script is legal in Redis Cluster.

| key | type | written by | content |
|---|---|---|---|
| `tm:{W}:in:G` | stream | gateway G | its frames `m`, numbered `n`; trimmed by the commit |
| `tm:{W}:out:G` | stream | the commit | frames `m`, numbered `s` by world `w`; trimmed by gateway G each second |
| `tm:{W}:state` | hash | the scripts | the `epoch`, and the number `n` of its last commit |
| `tm:{W}:lease` | string | the scripts | the holder; it expires unless commits renew it |
| `tm:{W}:held` | hash | the commit | what is held for the next world |
| `tm:{W}:waiting` | string | a standby | its name, while one waits; it expires |
| `tm:{W}:wanted` | string | `trio-mud handover` | the epoch that is to end by a hand-over; it expires |
| `tm:{W}:alive:G` | string | gateway G | its sign of life, which names the last frame that it has; it expires |
| `tm:{W}:gateways` | set | gateways | their names |
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coredis import Redis

SEEN: Final = 0  # a commit of this number, or of a greater one
FENCED: Final = -1
FORGOTTEN: Final = -2
HELD_BY_ANOTHER: Final = -3
NOT_FOUNDED: Final = -4


class Keys:
    """The keys of one world.

    Args:
        world: The name of the world.
    """

    def __init__(self, world: str) -> None:
        self._prefix = f"tm:{{{world}}}:"
        self.state = self._prefix + "state"
        self.lease = self._prefix + "lease"
        self.held = self._prefix + "held"
        self.gateways = self._prefix + "gateways"
        self.waiting = self._prefix + "waiting"
        self.wanted = self._prefix + "wanted"

    def input_of(self, gateway: str) -> str:
        """Return the stream that a gateway writes."""
        return f"{self._prefix}in:{gateway}"

    def output_for(self, gateway: str) -> str:
        """Return the stream that a gateway reads."""
        return f"{self._prefix}out:{gateway}"

    def alive(self, gateway: str) -> str:
        """Return the key that exists while a gateway is alive."""
        return f"{self._prefix}alive:{gateway}"


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the server, sent once and called by its hash from then on."""

    text: str

    async def run(self, client: Redis[bytes], keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        """Run it."""
        import coredis

        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        try:
            return await client.evalsha(digest, list(keys), list(arguments))
        except coredis.exceptions.NoScriptError:
            return await client.eval(self.text, list(keys), list(arguments))


# KEYS: state, lease, and the input of each gateway, which earlier worlds have not read and no later one will.
# ARGV: holder, the lease in ms, "1" to take it from another, own epoch or 0, "1" to begin where nothing is stored.
# The epoch is at least the server's time, so that it grows although the data is lost. A server that has lost its last
# writes, as one that has taken the place of another, may name an earlier world: the later one claims at once.
CLAIM: Final = Script("""
local holder = redis.call('GET', KEYS[2])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local own = tonumber(ARGV[4])
if own > 0 and epoch and tonumber(epoch) > own and holder ~= ARGV[1] then return -1 end
local is_later = own > 0 and epoch and tonumber(epoch) < own
if holder and holder ~= ARGV[1] and ARGV[3] ~= '1' and not is_later then return -3 end
if not epoch and ARGV[5] ~= '1' then return -4 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local next = string.format('%d', math.max(tonumber(epoch or '0') + 1, now))
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[1], 'epoch', next, 'n', 0)
for i = 3, #KEYS do redis.call('XTRIM', KEYS[i], 'MAXLEN', 0) end
return tonumber(next)
""")

# KEYS: state, lease, held, the input of each gateway to trim, the output of each gateway.
# ARGV: epoch, number, holder, the lease in ms, the count of trims, keys to drop and values; then an id for each trim,
# each key to drop, key and value for each value, and for each output the count of frames, and each with its number.
# The numbers have no gap, so a lesser one shows that commits were lost: the next world would be given old values.
# What frees memory comes first: a server that has reached `maxmemory` refuses a script only at its first command, and
# would refuse those that store.
# An output expires an hour after its last frame: its gateway is gone.
COMMIT: Final = Script("""
local state = redis.call('HMGET', KEYS[1], 'epoch', 'n')
if not state[1] then return -2 end
if tonumber(state[1]) > tonumber(ARGV[1]) then return -1 end
local number = tonumber(ARGV[2])
if state[1] ~= ARGV[1] or tonumber(state[2]) < number - 1 then return -2 end
if tonumber(state[2]) >= number then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
  return 0
end
local key, at = 4, 8
for i = 1, tonumber(ARGV[5]) do
  redis.call('XTRIM', KEYS[key], 'MINID', ARGV[at])
  key, at = key + 1, at + 1
end
for i = 1, tonumber(ARGV[6]) do
  redis.call('HDEL', KEYS[3], ARGV[at])
  at = at + 1
end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('HSET', KEYS[1], 'n', ARGV[2])
for i = 1, tonumber(ARGV[7]) do
  redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
  at = at + 2
end
while key <= #KEYS do
  local last = at + 2 * tonumber(ARGV[at])
  for i = at + 1, last, 2 do
    redis.call('XADD', KEYS[key], 'MAXLEN', '~', 100000, '*', 'w', ARGV[3], 's', ARGV[i], 'm', ARGV[i + 1])
  end
  redis.call('PEXPIRE', KEYS[key], 3600000)
  at, key = last + 1, key + 1
end
return 1
""")

# KEYS: lease; ARGV: holder.
RELEASE: Final = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
""")

# KEYS: the gateway's alive, in, out; the set of gateways. ARGV: its name. Returns 0 if it is alive after all.
GIVE_UP: Final = Script("""
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('SREM', KEYS[4], ARGV[1])
return 1
""")
