"""Islands: equal parts of a population that select and breed each by itself, and now and then send
their best to the next one in the ring.

What an island draws depends on the key of the search, on its number and on the generation. So the
same comes of it whichever islands are held beside it, and by whom: several processes may each hold
some (see `Held`). All islands have the same capacities, those that the largest genome of any needs,
so that one compiled program serves all of them, wherever they are.

A search is written as one `Island`; `on_islands` makes of it the search of all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from wannjax.common.validation import require
from wannjax.search.algorithm import Algorithm, Ask, Info, Tell, require_scores
from wannjax.search.racing import Race
from wannjax.search.ranking import means

LEAST = 4
"""Genomes of an island, at the least: what XLA compiles for one network alone rounds otherwise, and
half of them may be left by a race.
"""


class Island(NamedTuple):
    """One population, and what it takes to hold several of them side by side.

    Attributes:
        populate: (key, number of the island) → the first state, as yet without room for the next.
        ask, tell: as of `Algorithm`.
        needs: state → how large its largest genomes are, in several measures.
        enlarge: (state, needs) → the same state, with room for what comes of genomes with these
            needs; itself where there is enough.
        emigrants: (state, index [k]) → these genomes with all that belongs to them, a pytree.
        settle: (state, emigrants) → the state with these in place of some children.
        activation_ids, by_episode: as of `Algorithm`.
    """

    populate: Callable[[Any, int], Any]
    ask: Ask
    tell: Tell
    needs: Callable[[Any], tuple[int, ...]]
    enlarge: Callable[[Any, tuple[int, ...]], Any]
    emigrants: Callable[[Any, Any], Any]
    settle: Callable[[Any, Any], Any]
    activation_ids: tuple[int, ...]
    by_episode: bool = False


class Held(NamedTuple):
    """Which of all islands are held here.

    Attributes:
        numbers: of the islands, from 0, in a row.
        gather: a pytree of arrays with leading axis `numbers` → the same with that of all islands,
            where others hold the others, all of which must ask for it.
    """

    numbers: range
    gather: Callable[[Any], Any]


@runtime_checkable
class Settled(Protocol):
    """The settings of a search on islands."""

    @property
    def population(self) -> int: ...

    @property
    def islands(self) -> int: ...

    @property
    def migrate_every(self) -> int: ...

    @property
    def migrants(self) -> int: ...


def require_islands(config: Settled, children: int) -> None:
    """Raises ValueError for islands that make no sense, each of which has so many `children` that
    migrants may replace.
    """
    size = config.population // config.islands
    allowed = f"a divisor of population={config.population} that leaves islands of at least {LEAST} genomes"
    require("islands", config.islands, allowed, config.islands == 1 or (config.population % config.islands == 0 and size >= LEAST))
    require("migrate_every", config.migrate_every, "0 where there is one island", config.migrate_every == 0 or config.islands > 1)
    fits = config.migrate_every == 0 or config.migrants <= children
    require("migrants", config.migrants, f"at most {children}, for which an island has places", fits)


def on_islands(config: Settled, island: Island, held: Held | None, racing: int = 0) -> Algorithm:
    """The search with these settings: `island` alone, or several side by side, all of them or those
    that are `held`. `racing` is the episodes after which the half that is ahead gets the others.
    """
    here = held or Held(range(config.islands), lambda tree: tree)
    race = Race(racing, len(here.numbers)) if racing else None
    if config.islands > 1:
        return _side_by_side(island, here, config.population // config.islands, config, race)

    def enlarge(state):
        return island.enlarge(state, island.needs(state))

    return Algorithm(
        lambda key: enlarge(island.populate(key, 0)), island.ask, island.tell, enlarge, island.activation_ids, island.by_episode, race
    )


def _side_by_side(island: Island, held: Held, size: int, config: Settled, race: Race | None) -> Algorithm:
    """The search on several islands of `size` genomes, as far as they are `held` here: the state is
    a dict of those of the islands, by number; networks, scores and infos are island by island.
    """

    def enlarge(states):
        needs = held.gather(np.array([island.needs(state) for state in states.values()], np.int64))
        most = tuple(needs.max(axis=0).tolist())
        enlarged = {number: island.enlarge(state, most) for number, state in states.items()}
        return states if all(enlarged[number] is state for number, state in states.items()) else enlarged

    def init(key):
        return enlarge({number: island.populate(jax.random.fold_in(key, number), number) for number in held.numbers})

    def ask(states):
        return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *map(island.ask, states.values()))

    def tell(states, scores):
        require_scores(scores, size * len(states), by_episode=island.by_episode)
        parts = [scores[start : start + size] for start in range(0, len(scores), size)]
        told = [island.tell(state, part) for state, part in zip(states.values(), parts, strict=True)]
        following = dict(zip(states, (state for state, _ in told), strict=True))
        if migrates(states):
            best = [island.emigrants(state, leading(part, config.migrants)) for state, part in zip(states.values(), parts, strict=True)]
            following = _arrived(following, best)
        infos = [info for _, info in told]
        figures = jax.tree.map(lambda *each: jnp.stack(each), *(info.figures for info in infos))
        hidden, connections = (jnp.concatenate([getattr(info, name) for info in infos]) for name in ("hidden", "connections"))
        return following, Info(hidden, connections, figures)

    def migrates(states) -> bool:
        """Whether the generation that is told is one after which networks move."""
        return config.migrate_every > 0 and (int(next(iter(states.values())).generation) + 1) % config.migrate_every == 0

    def _arrived(following, best):
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(best))
        everywhere = held.gather(stacked)
        count = len(jax.tree.leaves(everywhere)[0])

        def from_before(number):
            return jax.tree.map(lambda leaf: leaf[(number - 1) % count], everywhere)

        return {number: island.settle(state, from_before(number)) for number, state in following.items()}

    return Algorithm(init, ask, tell, enlarge, island.activation_ids, island.by_episode, race)


def leading(scores: Any, count: int) -> Int[np.ndarray, " count"]:
    """The `count` networks with the best mean `scores` [P, W] or [P, W, R], the best first; of
    equals the first.
    """
    each = np.asarray(scores, np.float32)
    mean: Float[np.ndarray, " P"] = means(each.reshape(len(each), -1))
    return np.argsort(-mean, kind="stable")[:count]


def with_last(tree: Any, last: Any) -> Any:
    """A pytree of arrays with leading axis P, and those of `last` in its last places."""
    return jax.tree.map(lambda leaf, new: jnp.concatenate([leaf[: len(leaf) - len(new)], new]), tree, last)
