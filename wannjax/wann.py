"""The WANN search (Gaier & Ha 2019) as an algorithm: `init`, `ask`, `tell` on an explicit state.

`ask` expresses the population as networks; whoever drives the search scores them over the weight sweep; `tell` ranks the genomes
by mean score and, drawn anew each generation, by either the best score or the number of connections, and breeds the next
population. Every setting is a field of `WannConfig`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int32, Key

from wannjax.activations import NAMES, PUBLISHED, SUM, activation_ids
from wannjax.devices import genome_block
from wannjax.expression import express, steps_needed
from wannjax.genome import Genome, Placeholder, connection_count, grow, hidden_count, random_genome
from wannjax.mutation import Operators, mutate
from wannjax.network import Network
from wannjax.ranking import finite_or_worst, rank
from wannjax.validation import require

SMALLEST_CAPACITY = 32
"""Hidden slots, and steps, that a population starts with; both double when the largest genome fills either."""


def _setting(default, meaning: str, allowed: str, check: Callable[[Any], bool]):
    """A field of `WannConfig`: its meaning, and what is allowed, in words and as a check."""
    return field(default=default, metadata={"meaning": meaning, "allowed": allowed, "check": check})


def _count(default: int, meaning: str, least: int = 1):
    def check(value):
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return _setting(default, meaning, f"an integer >= {least}", check)


def _share(default: float, meaning: str):
    return _setting(default, meaning, "in [0, 1]", lambda value: 0 <= value <= 1)


def _rate(default: float, meaning: str):
    return _setting(default, meaning, "finite and >= 0", lambda value: 0 <= value < float("inf"))


def _is_sweep(weights) -> bool:
    return 0 < len(weights) == len(set(weights)) and all(abs(weight) < float("inf") for weight in weights)


def _are_activations(names) -> bool:
    return 0 < len(names) == len(set(names)) and set(names) <= set(NAMES[1:])


@dataclass(frozen=True)
class WannConfig:
    """Every setting of a WANN run; the defaults are the recommended run.

    Raises ValueError, naming the field, its value and what is allowed.
    """

    population: int = _count(512, "genomes per generation", least=4)
    generations: int = _count(400, "generations of a run")
    weights: tuple[float, ...] = _setting(
        (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0), "the sweep of shared weights", "finite values, each once, at least one", _is_sweep
    )
    episodes: int = _count(4, "episodes per shared weight and generation")
    confirm_episodes: int = _count(32, "fresh episodes per shared weight that confirm a champion")
    candidates: int = _count(8, "networks of a generation that may become champion; at most `population`")
    tournament: int = _count(4, "genomes per tournament; a parent is the better of two tournaments' winners")
    elite_ratio: float = _share(0.05, "share of the survivors that is kept unchanged")
    cull_ratio: float = _setting(0.2, "share of the population that cannot become parents", "in [0, 1)", lambda v: 0 <= v < 1)
    complexity_probability: float = _share(0.2, "how often few connections rank in place of the best score")
    initial_density: float = _share(0.5, "probability that a connection from bias or input to output starts enabled")
    initial_fan_in: int = _count(64, "expected connections per output at the start, at most: lowers `initial_density`")
    add_node: float = _rate(0.25, "relative rate of splitting a connection")
    add_connection: float = _rate(0.20, "relative rate of adding a connection")
    enable: float = _rate(0.05, "relative rate of enabling a disabled connection")
    change_activation: float = _rate(0.50, "relative rate of changing a hidden node's activation")
    activations: tuple[str, ...] = _setting(
        PUBLISHED, "activations of hidden nodes", f"different names from {', '.join(NAMES[1:])}", _are_activations
    )
    output_activation: str = _setting(
        "linear", "activation of the outputs, which never changes", f"one of {', '.join(NAMES[1:])}", NAMES[1:].__contains__
    )

    def __post_init__(self):
        for name in ("weights", "activations"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
        for setting in fields(self):
            value = getattr(self, setting.name)
            try:
                fine = setting.metadata["check"](value)
            except TypeError:
                fine = False
            require(setting.name, value, setting.metadata["allowed"], fine)
        rates = (self.add_node, self.add_connection, self.enable, self.change_activation)
        require("add_node, add_connection, enable, change_activation", rates, "not all zero", sum(rates) > 0)

    @classmethod
    def preset(cls, name: str, **changes) -> "WannConfig":
        """The settings called `name`, one of `PRESETS`, with `changes` applied. Raises ValueError for an unknown name."""
        require("preset", name, f"one of {', '.join(PRESETS)}", name in PRESETS)
        return cls(**{**PRESETS[name], **changes})

    def algorithm(self, *, inputs: int, outputs: int) -> "Algorithm":
        """The search with these settings, for networks of `inputs` inputs and `outputs` outputs: see `wann`."""
        return wann(self, inputs=inputs, outputs=outputs)

    def replace(self, **changes) -> "WannConfig":
        """This configuration with some fields changed; raises as the constructor does, also for an unknown field."""
        known = [f.name for f in fields(self)]
        for name in changes:
            require("field", name, f"one of {', '.join(known)}", name in known)
        return replace(self, **changes)


_PAPER = dict(generations=1024, episodes=3, confirm_episodes=20, candidates=1, complexity_probability=0.8, initial_fan_in=10**9)

PRESETS: dict[str, dict] = {
    "default": {},
    "paper-swingup": dict(_PAPER, population=192, tournament=8, elite_ratio=0.2),
    "paper-laptop": dict(_PAPER, population=64, tournament=4, elite_ratio=0.05),
}
"""Named settings: the recommended ones, and those the paper used (facts from its published hyperparameter files)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WannState:
    """What a search carries from one generation to the next.

    Attributes:
        genomes: the population, P genomes.
        key: drives everything random that is still to come.
        generation: generations told so far.
        steps: the steps that expressed networks have room for, outputs not counted.
    """

    genomes: Genome | Placeholder
    key: Key[Array, ""] | Placeholder
    generation: Int32[Array, ""] | Placeholder
    steps: int = field(metadata={"static": True})


class Algorithm(NamedTuple):
    """A search, as pure functions on its state.

    Attributes:
        init: key → state.
        ask: state → networks [P] to be scored.
        tell: (state, scores [P, W], higher is better) → the next generation's state. Non-finite scores rank last.
        grow: state → the same state with room for the next generation; between generations, outside of jit, since shapes change.
        activations: the activation ids that its networks can contain.
    """

    init: Callable[[Array], WannState]
    ask: Callable[[WannState], Network]
    tell: Callable[[WannState, Array], WannState]
    grow: Callable[[WannState], WannState]
    activations: tuple[int, ...]


def wann(config: WannConfig, *, inputs: int, outputs: int) -> Algorithm:
    """The WANN search for networks of `inputs` inputs and `outputs` outputs.

    >>> algorithm = WannConfig(population=8).algorithm(inputs=2, outputs=1)
    >>> state = algorithm.init(jax.random.key(0))
    >>> networks = algorithm.ask(state)
    >>> scores = jnp.zeros((8, 6))  # any function of the networks, one score per network and shared weight
    >>> state = algorithm.grow(algorithm.tell(state, scores))
    """
    require("inputs", inputs, "an integer >= 1", inputs >= 1)
    require("outputs", outputs, "an integer >= 1", outputs >= 1)
    hidden_activations = activation_ids(config.activations)
    operators = Operators(config.add_node, config.add_connection, config.enable, config.change_activation, hidden_activations)
    density = min(config.initial_density, config.initial_fan_in / (1 + inputs))
    survivors = config.population - int(config.cull_ratio * config.population)
    elites = int(config.elite_ratio * survivors)
    output_activation = NAMES.index(config.output_activation)

    @jax.jit
    def populate(key):
        draw, key = jax.random.split(key)
        genome = partial(
            random_genome,
            inputs=inputs,
            outputs=outputs,
            hidden=SMALLEST_CAPACITY,
            density=density,
            output_activation=output_activation,
        )
        return WannState(jax.vmap(genome)(jax.random.split(draw, config.population)), key, jnp.int32(0), SMALLEST_CAPACITY)

    @jax.jit
    def ask(state):
        return _in_blocks(lambda genome: express(genome, state.steps), state.genomes)

    @jax.jit
    def tell(state, scores):
        which, draw_parents, draw_moves, key = jax.random.split(state.key, 4)
        by_complexity = jax.random.bernoulli(which, config.complexity_probability)
        order = jnp.argsort(_rank(state.genomes, scores, by_complexity))

        children = config.population - elites
        contestants = jax.random.randint(draw_parents, (children, 2 * config.tournament), 0, survivors)
        parents = order[jnp.min(contestants, axis=1)]
        draws = jax.random.uniform(draw_moves, (children, 4))
        born = _in_blocks(lambda pair: mutate(*pair, operators), (jax.tree.map(lambda leaf: leaf[parents], state.genomes), draws))
        genomes = jax.tree.map(lambda old, new: jnp.concatenate([old[order[:elites]], new]), state.genomes, born)
        return WannState(genomes, key, state.generation + 1, state.steps)

    def enlarge(state):
        sizes = population_sizes(state.genomes)
        hidden, steps = int(np.max(sizes.hidden)), int(np.max(sizes.steps))
        capacity, room = state.genomes.hidden, state.steps
        while hidden >= capacity or steps >= room:  # a generation adds at most one node and one step
            capacity, room = 2 * capacity, 2 * room
        if capacity == state.genomes.hidden:
            return state
        return WannState(_grow(state.genomes, capacity), state.key, state.generation, room)

    among = tuple(sorted({SUM, output_activation, *hidden_activations}))
    return Algorithm(lambda key: enlarge(populate(key)), ask, tell, enlarge, among)


_grow = jax.jit(grow, static_argnums=1)


class Sizes(NamedTuple):
    """How large each genome is: hidden nodes, enabled connections, steps of its tape at the most; each int32[P]."""

    hidden: Int32[Array, " P"]
    connections: Int32[Array, " P"]
    steps: Int32[Array, " P"]


@jax.jit
def population_sizes(genomes: Genome) -> Sizes:
    """The sizes of P genomes."""
    return Sizes(hidden_count(genomes), connection_count(genomes), jax.vmap(steps_needed)(genomes))


def _rank(genomes: Genome, scores: Float[Array, "P W"], by_complexity) -> Int32[Array, " P"]:
    """The ranking of one generation: mean score with either the best score or the number of connections."""
    valid = jnp.all(jnp.isfinite(scores), axis=1)
    mean = finite_or_worst(jnp.mean(scores, axis=1), valid)
    best = finite_or_worst(jnp.max(scores, axis=1), valid)
    simplicity = finite_or_worst(1.0 / jnp.maximum(connection_count(genomes), 1), valid)
    return rank(mean, jnp.where(by_complexity, simplicity, best))


def _in_blocks(function, population):
    """vmap of `function` over the leading axis, in equal blocks that suit the device; the last one is filled up with the first."""
    leaves = jax.tree.leaves(population)
    count = leaves[0].shape[0]
    blocks = -(-count // genome_block(sum(leaf.nbytes for leaf in leaves) // count))
    if blocks == 1:
        return jax.vmap(function)(population)
    block = -(-count // blocks)
    filled = jnp.arange(blocks * block) % count
    split = jax.tree.map(lambda leaf: leaf[filled].reshape(blocks, block, *leaf.shape[1:]), population)
    results = lax.map(jax.vmap(function), split)
    return jax.tree.map(lambda leaf: leaf.reshape(blocks * block, *leaf.shape[2:])[:count], results)
