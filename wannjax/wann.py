"""The WANN search (Gaier & Ha 2019) as an algorithm: `init`, `ask`, `tell` on an explicit state.

`ask` expresses the population as networks; whoever drives the search scores them over the weight sweep; `tell` ranks the genomes
by mean score and, drawn anew each generation, by either the best score or the number of connections, and breeds the next
population. Every setting is a field of `WannConfig`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int32, Key

from wannjax.activations import NAMES, PUBLISHED, activation_ids
from wannjax.devices import genome_block
from wannjax.expression import express, steps_needed
from wannjax.genome import Genome, connection_count, grow, hidden_count, random_genome
from wannjax.mutation import Operators, mutate
from wannjax.network import Network
from wannjax.ranking import finite_or_worst, rank
from wannjax.validation import require

SMALLEST_CAPACITY = 32
"""Hidden slots, and steps, that a population starts with; both double when the largest genome fills either."""


@dataclass(frozen=True)
class WannConfig:
    """Every setting of a WANN run; the defaults are the recommended run.

    Raises ValueError, naming the field, its value and what is allowed.
    """

    population: int = 512
    """Genomes per generation; at least 4."""
    generations: int = 400
    """Generations of a run; at least 1."""
    weights: tuple[float, ...] = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
    """The weight sweep: finite shared weights, each once."""
    episodes: int = 4
    """Episodes per shared weight and generation; at least 1."""
    confirm_episodes: int = 32
    """Fresh episodes per shared weight on which candidates for the champion are confirmed; at least 1."""
    candidates: int = 8
    """Networks of a generation that may become champion; 1 to `population`."""
    tournament: int = 4
    """Genomes per tournament; a parent is the better of two tournaments' winners, as in the published code; at least 1."""
    elite_ratio: float = 0.05
    """Share of the survivors that is kept unchanged; in [0, 1]."""
    cull_ratio: float = 0.2
    """Share of the population, the worst, that cannot become parents; in [0, 1)."""
    complexity_probability: float = 0.2
    """How often a generation ranks by (mean score, few connections) rather than (mean score, best score); in [0, 1]."""
    initial_density: float = 0.5
    """Probability that a connection from bias or input to an output starts enabled; in [0, 1]."""
    initial_fan_in: int = 64
    """Expected enabled connections per output at the start, at most: lowers `initial_density` for large observations; at least 1."""
    add_node: float = 0.25
    """Weight of the operator that splits a connection; at least 0."""
    add_connection: float = 0.20
    """Weight of the operator that adds a connection; at least 0."""
    enable: float = 0.05
    """Weight of the operator that enables a disabled connection; at least 0."""
    change_activation: float = 0.50
    """Weight of the operator that changes a hidden node's activation; at least 0."""
    activations: tuple[str, ...] = PUBLISHED
    """Activations of hidden nodes; names from `wannjax.activations.NAMES`."""
    output_activation: str = "linear"
    """Activation of the outputs, which never changes."""

    def __post_init__(self):
        require("population", self.population, "an integer >= 4", isinstance(self.population, int) and self.population >= 4)
        for name in ("generations", "episodes", "confirm_episodes", "tournament", "initial_fan_in"):
            value = getattr(self, name)
            require(name, value, "an integer >= 1", isinstance(value, int) and value >= 1)
        require(
            "candidates",
            self.candidates,
            f"an integer from 1 to population = {self.population}",
            isinstance(self.candidates, int) and 1 <= self.candidates <= self.population,
        )
        for name in ("elite_ratio", "complexity_probability", "initial_density"):
            require(name, getattr(self, name), "in [0, 1]", 0 <= getattr(self, name) <= 1)
        require("cull_ratio", self.cull_ratio, "in [0, 1)", 0 <= self.cull_ratio < 1)
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        finite = all(abs(weight) < float("inf") for weight in self.weights)
        require(
            "weights",
            self.weights,
            "a non-empty sweep of finite values, each once",
            0 < len(self.weights) == len(set(self.weights)) and finite,
        )
        operators = [self.add_node, self.add_connection, self.enable, self.change_activation]
        for name in ("add_node", "add_connection", "enable", "change_activation"):
            require(name, getattr(self, name), "finite and >= 0", 0 <= getattr(self, name) < float("inf"))
        require("add_node + add_connection + enable + change_activation", sum(operators), "positive", sum(operators) > 0)
        object.__setattr__(self, "activations", tuple(self.activations))
        activation_ids(self.activations)
        require("output_activation", self.output_activation, f"one of {NAMES[1:]}", self.output_activation in NAMES[1:])

    @classmethod
    def preset(cls, name: str, **changes) -> "WannConfig":
        """The settings called `name`, one of `PRESETS`, with `changes` applied. Raises ValueError for an unknown name."""
        require("preset", name, f"one of {', '.join(PRESETS)}", name in PRESETS)
        return cls(**{**PRESETS[name], **changes})

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

    genomes: Genome
    key: Key[Array, ""]
    generation: Int32[Array, ""]
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

    >>> algorithm = wann(WannConfig(population=8), inputs=2, outputs=1)
    >>> state = algorithm.init(jax.random.key(0))
    >>> networks = algorithm.ask(state)
    >>> scores = jnp.zeros((8, 6))  # any function of the networks, one score per network and shared weight
    >>> state = algorithm.grow(algorithm.tell(state, scores))
    """
    require("inputs", inputs, "an integer >= 1", inputs >= 1)
    require("outputs", outputs, "an integer >= 1", outputs >= 1)
    hidden_activations = activation_ids(config.activations)
    operators = Operators(
        config.add_node, config.add_connection, config.enable, config.change_activation, hidden_activations
    )
    density = min(config.initial_density, config.initial_fan_in / (1 + inputs))
    survivors = config.population - int(config.cull_ratio * config.population)
    elites = int(config.elite_ratio * survivors)
    output_activation = NAMES.index(config.output_activation)

    def init(key):
        draw, key = jax.random.split(key)
        population = jax.vmap(
            lambda k: random_genome(
                k,
                inputs=inputs,
                outputs=outputs,
                hidden=SMALLEST_CAPACITY,
                density=density,
                output_activation=output_activation,
            )
        )(jax.random.split(draw, config.population))
        return enlarge(WannState(population, key, jnp.int32(0), SMALLEST_CAPACITY))

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
        born = _in_blocks(
            lambda pair: mutate(*pair, operators), (jax.tree.map(lambda leaf: leaf[parents], state.genomes), draws)
        )
        genomes = jax.tree.map(lambda old, new: jnp.concatenate([old[order[:elites]], new]), state.genomes, born)
        return WannState(genomes, key, state.generation + 1, state.steps)

    def enlarge(state):
        hidden, steps = (int(largest) for largest in _largest(state.genomes))
        capacity, room = state.genomes.hidden, state.steps
        while hidden >= capacity or steps >= room:  # a generation adds at most one node and one step
            capacity, room = 2 * capacity, 2 * room
        return WannState(grow(state.genomes, capacity), state.key, state.generation, room)

    among = tuple(sorted({0, output_activation, *hidden_activations}))
    return Algorithm(init, ask, tell, enlarge, among)


@jax.jit
def _largest(genomes: Genome):
    return jnp.max(hidden_count(genomes)), jnp.max(jax.vmap(steps_needed)(genomes))


def _rank(genomes: Genome, scores: Float[Array, "P W"], by_complexity) -> Int32[Array, " P"]:
    """The ranking of one generation: mean score with either the best score or the number of connections."""
    valid = jnp.all(jnp.isfinite(scores), axis=1)
    mean = finite_or_worst(jnp.mean(scores, axis=1), valid)
    best = finite_or_worst(jnp.max(scores, axis=1), valid)
    simplicity = finite_or_worst(1.0 / jnp.maximum(connection_count(genomes), 1), valid)
    return rank(mean, jnp.where(by_complexity, simplicity, best))


def _in_blocks(function, population):
    """vmap of `function` over the leading axis, in blocks that fit a CPU's cache."""
    leaves = jax.tree.leaves(population)
    count = leaves[0].shape[0]
    block = genome_block(sum(leaf.nbytes for leaf in leaves) // count)
    return jax.vmap(function)(population) if block >= count else lax.map(function, population, batch_size=block)
