"""A plan: everything that a seed determines before the run. Shrinking removes steps from it.

A step contains its action, its player and a random seed of its own, so that it does the same in the full plan and in a
shorter one.

Used by `harness`, which plays it, by `shrinking`, and by the command, which prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, Final, NamedTuple

from ...limits import Limits, Rate
from .actions import ACTIONS
from .network import Quality
from .operators import OPERATORS
from .players import PROGRAMS
from .split_actions import SPLIT_ACTIONS

KNOWN: Final = ("hostile", "careless", "stored", "staffed", "world", "reloaded")  # games that write only numbered lines
STORED: Final = ("stored", "staffed", "world", "reloaded", "mudlib")  # games with records
KILLS: Final = 20.0  # the weight of the operator "kill" where records may be stored
LOGINS: Final = 15.0  # added to the weight of "secret" in the game with records, whose players log in so
VALLEY: Final = {"pass": 20, "type": 6, "enter": 10, "post": 14}  # further weights
MIXED: Final = 0.6  # of all plans
LIVES: Final = 3  # times that a game with records is started, at most
SPLIT: Final = ("hostile", "hostile", "hostile", "careless")  # games of a split server, beside the one with records
SPLIT_STORED: Final = 0.15  # of all plans of a split server
SPLIT_GAMES: Final = ("hostile", "careless", "stored")
SPLIT_OPERATORS: Final = (*("nobody",) * 5, "shutdown", "shutdown at once", "abort", "cancel")
USUAL: Final = Limits()  # a well-meaning game may rely on some of them
JOINERS: Final = (*("mute",) * (len(PROGRAMS) // 2), *PROGRAMS)  # the telnet programs of the players


class PlanStep(NamedTuple):
    """One action of the script."""

    action: str
    player: int  # modulo the number of players that have connected
    chance: int  # the seed of the action's own choices

    def __str__(self) -> str:
        return f"{self.action}({self.player}, {self.chance})"


@dataclass(frozen=True)
class RunPlan:
    """The plan of one run.

    Attributes:
        seed: The seed of the schedule, from which the rest was derived.
        game: The name of the game.
        limits: The server's limits.
        steps: The script.
        operator: The operator that ends the run; by default it ends quietly.
        ends_at: The step before which the operator acts; a step of any task, for an operator that counts those.
        faults: True if the game's own code may fail; False for the second run of a comparison.
        life: How often the game was started before, in the same run.
        is_mixed: True if the players come by all doors, and not only by telnet; clients then return in more ways.
        is_split: True if the server is split into gateways and worlds.
    """

    seed: int
    game: str
    limits: Limits
    steps: tuple[PlanStep, ...]
    operator: str
    ends_at: int
    faults: bool = True
    life: int = 0
    is_mixed: bool = False
    is_split: bool = False

    def only(self, kept: Iterable[int]) -> RunPlan:
        """Return the plan with only these steps of the script."""
        numbers = sorted(set(kept))
        before = sum(number < self.ends_at for number in numbers)
        by_script = not OPERATORS[self.operator].counts_task_steps
        return replace(
            self,
            steps=tuple(self.steps[number] for number in numbers),
            ends_at=before if by_script else self.ends_at,
        )

    def after_restart(self, done: int, players: int, task_steps: int) -> RunPlan | None:
        """Return the plan of the next life of a game with records: the rest of the script, and an end of its own.

        Args:
            done: Steps of the script that were done before.
            players: Players that were there, some of whom connect again.
            task_steps: Steps of all tasks so far.
        """
        if self.life + 1 >= LIVES or (self.life and self.operator == "nobody"):
            return None
        random = Random(f"life {self.seed} {self.life}")
        joins = [PlanStep("join", 0, random.getrandbits(30)) for _ in range(max(1, min(players, 3)))]
        steps = (*joins, *self.steps[done:])
        operator, ends_at = _end(random, self.game, len(steps))
        if self.life + 2 >= LIVES or done >= len(self.steps):
            operator, ends_at = "nobody", len(steps)
        elif OPERATORS[operator].counts_task_steps:
            ends_at += task_steps
        return replace(self, steps=steps, operator=operator, ends_at=ends_at, life=self.life + 1)

    def as_text(self) -> str:
        """Return every derived option as text for the report of a failure."""
        usual = Limits()
        limits = ", ".join(
            f"{field.name}={getattr(self.limits, field.name)!r}"
            for field in fields(Limits)
            if getattr(self.limits, field.name) != getattr(usual, field.name)
        )
        lines = [
            f"game: {self.game}",
            f"limits: {limits}",
            f"doors: {'all' if self.is_mixed else 'telnet'}{', split' if self.is_split else ''}",
            f"operator: {self.operator}, before step {self.ends_at}",
            f"script of {len(self.steps)} steps:",
            *(f"  {number:3} {step}" for number, step in enumerate(self.steps)),
        ]
        return "\n".join(lines)


def plan(seed: int, game: str = "", *, length: int = 0) -> RunPlan:
    """Derive a plan from a seed.

    Args:
        game: The game to play; if empty, the seed chooses a bundled one.
        length: Steps of the script; if 0, the seed chooses.
    """
    random = Random(f"plan {seed}")
    if not game:
        game = "mudlib" if random.random() < 0.15 else "hostile"
        if Random(f"stored {seed}").random() < 0.15:  # of its own, so that other seeds stay as they were
            game = "stored"
        elif game == "hostile" and Random(f"world {seed}").random() < 0.1:
            game = "world"
        elif game == "hostile" and Random(f"reloaded {seed}").random() < 0.1:
            game = "reloaded"
        elif game == "hostile" and Random(f"staff {seed}").random() < 0.1:
            game = "staffed"
    steps = length or random.choice((8, 20, 30, 45))
    weights = _mood(random)
    if game in ("stored", "staffed", "mudlib"):
        weights = {**weights, "secret": weights.get("secret", 0) + LOGINS}
    if game == "mudlib":  # its players have to come in, and to meet
        weights = {name: weight + VALLEY.get(name, 0) for name, weight in weights.items()}
    names = list(weights)
    script = [PlanStep("join", 0, random.getrandbits(30))]
    guests = random.randint(1, 5)
    for _ in range(steps):
        if guests and random.random() < 0.25:
            name, guests = "join", guests - 1
        else:
            name = random.choices(names, [weights[name] for name in names])[0]
        script.append(PlanStep(name, random.randrange(6), random.getrandbits(30)))
    limits = replace(_limits(random), **_bounds(Random(f"bounds {seed}")))
    if game == "mudlib":
        limits = replace(limits, max_connections=100, max_per_address=10)
    operator, ends_at = _end(random, game, len(script))
    return RunPlan(
        seed=seed,
        game=game,
        limits=limits if game in KNOWN else replace(limits, hook_timeout=USUAL.hook_timeout, max_posts=USUAL.max_posts),
        steps=tuple(script),
        operator=operator,
        ends_at=ends_at,
        is_mixed=Random(f"doors {seed}").random() < MIXED,
    )


def split_plan(seed: int, game: str = "") -> RunPlan:
    """Derive a plan for a split server: that of `plan` for one of its games, with faults of the cluster link."""
    random = Random(f"split {seed}")
    if not game:
        game = random.choice(SPLIT)
        if Random(f"split stored {seed}").random() < SPLIT_STORED:  # of its own, so that other seeds stay as they were
            game = "stored"
    whole = plan(seed, game)
    steps = list(whole.steps)
    weights = {name: action.weight * random.choice((0, 1, 1, 3)) for name, action in SPLIT_ACTIONS.items()}
    if any(weights.values()):
        for _ in range(random.choice((1, 2, 3, 6))):
            name = random.choices(list(weights), list(weights.values()))[0]
            steps.insert(random.randint(1, len(steps)), PlanStep(name, random.randrange(6), random.getrandbits(30)))
    operator = random.choice(SPLIT_OPERATORS)
    return replace(
        whole,
        limits=replace(whole.limits, world_timeout=random.choice((2.0, 5.0, 20.0))),
        steps=tuple(steps),
        operator=operator,
        ends_at=random.randint(1, len(steps)),
        is_split=True,
    )


def _end(random: Random, game: str, steps: int) -> tuple[str, int]:
    """Choose an operator, and the step before which it acts."""
    operators = {name: known.weight for name, known in OPERATORS.items()}
    if game in STORED or ":" in game:  # an author's game may have records
        operators["kill"] = KILLS
    operator = random.choices(list(operators), list(operators.values()))[0]
    latest = {
        "cancel anywhere": 1200,
        "kill": {"stored": 600, "staffed": 600, "mudlib": 5000}.get(game, 2000),
    }  # steps of all tasks
    return operator, random.randint(1, latest.get(operator, steps))


def quality(random: Random) -> Quality:
    """Return the quality of one player's network."""
    return Quality(
        capacity=random.choice((7, 64, 512, 65536, 65536, 65536)),
        latency=random.choice((0.0, 0.0, 0.0, 0.05, 0.3)),
        pieces=random.choice((0, 0, 0, 1, 5, 40)),
    )


def _mood(random: Random) -> Mapping[str, float]:
    """Return weights of actions for one run: some are raised and some are zero, so that rare actions meet."""
    return {
        name: action.weight * random.choice((0, 1, 1, 1, 4)) if name not in ("type", "pass") else action.weight
        for name, action in ACTIONS.items()
        if action.weight
    }


def _bounds(random: Random) -> dict[str, Any]:
    """Return limits with a random source of their own, so that the rest of a seed's plan does not depend on them."""
    return {
        "accept_rate_per_address": random.choice((None, None, Rate(0.5, burst=2), Rate(2, burst=5))),
        "max_link_dead": random.choice((1, 100, 100)),
        "max_link_dead_per_address": random.choice((1, 2, None)),
        "max_typeahead_bytes": random.choice((300, 300, 16 * 1024)),
        "protocol_rate": random.choice((USUAL.protocol_rate, Rate(50, burst=60), Rate(200, burst=60))),
        "max_tail": random.choice((300, USUAL.max_tail, USUAL.max_tail)),
    }


def _limits(random: Random) -> Limits:
    """Return small limits, so that they are reached."""
    return Limits(
        max_connections=random.choice((3, 100, 100, 100)),
        max_per_address=random.choice((2, 10)),
        accept_rate=random.choice((None, None, Rate(1, burst=2))),
        command_rate=random.choice((None, None, Rate(2, burst=4))),
        max_typeahead=random.choice((1, 3, 8)),
        max_line=random.choice((80, 4096)),
        max_subnegotiation=200,
        max_output=random.choice((300, 2000)),
        max_replay=random.choice((60, 1000)),
        max_posts=3,
        batch_size=random.choice((1, 2, 64)),
        first_input_timeout=random.choice((8.0, 30.0)),
        idle_timeout=random.choice((None, None, 12.0)),
        keepalive_interval=random.choice((None, None, 3.0)),
        hook_timeout=random.choice((0.5, 3.0)),
        write_stall_timeout=random.choice((1.5, 6.0)),
        grace=random.choice((0.5, 5.0, 20.0)),
        quit_timeout=2.0,
        linger_timeout=1.0,
        shutdown_timeout=random.choice((1.0, 4.0)),
        cleanup_timeout=2.0,
    )
