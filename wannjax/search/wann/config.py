"""The settings of the WANN search, each with its meaning, its default and what is allowed: one line
a setting.

Command line options, validation and error messages are all made from these lines. To add a setting,
add a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp

from wannjax.common.settings import Settings, choice, count, rate, setting, share, switch
from wannjax.common.validation import require
from wannjax.genomes.blocks import MOST, Block, block_of, load_blocks
from wannjax.genomes.operators import Operators
from wannjax.networks.activations import NAMES, PUBLISHED, activation_ids
from wannjax.networks.network import Network
from wannjax.search.activation_settings import AUTO, activation_names, output_activation_id
from wannjax.search.algorithm import Algorithm
from wannjax.search.islands import Held, on_islands, require_islands
from wannjax.search.wann.algorithm import Rates, Rules, wann

LEXICASE, TOURNAMENT = "lexicase", "tournament"
WEIGHTS, EPISODES = "weights", "episodes"


APERIODIC = tuple(name for name in PUBLISHED if name not in ("sin", "cos"))
"""The published activations but for the periodic ones, without which searches do as well or better
and run faster.
"""


SWEEP = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
"""The paper's sweep of shared weights."""


_PAPER = dict(
    generations=1024,
    episodes=3,
    confirm_episodes=20,
    candidates=1,
    activations=PUBLISHED,
    selection=TOURNAMENT,
    delete_connection=0.0,
    delete_node=0.0,
    complexity_probability=0.8,
    output_activation="linear",
    initial_fan_in=10**9,
)


PRESETS: dict[str, dict] = {
    "default": {},
    "thorough": dict(population=8192, islands=8, generations=200),
    "paper-swingup": dict(_PAPER, population=192, tournament=8, elite_ratio=0.2),
    "paper-laptop": dict(_PAPER, population=64, tournament=4, elite_ratio=0.05),
}
"""Named settings of WANN: the recommended ones, for three to four minutes and for half an hour on
two cores, and those that the paper used (facts from its published hyperparameter files).
"""


def _is_library(blocks) -> bool:
    return all(isinstance(block, Block) for block in blocks) and len(set(blocks)) == len(blocks) <= MOST


def _is_sweep(weights) -> bool:
    return 0 < len(weights) == len(set(weights)) and all(abs(weight) < float("inf") for weight in weights)


@dataclass(frozen=True)
class WannConfig(Settings):
    """Every setting of a WANN run; the defaults are the recommended run.

    Raises ValueError, naming the field, its value and what is allowed.
    """

    name = "wann"
    presets = PRESETS

    population: int = count(1024, "genomes per generation", least=4)
    generations: int = count(160, "generations of a run")
    weights: tuple[float, ...] = setting(SWEEP, "the sweep of shared weights", "finite values, each once, at least one", _is_sweep)
    episodes: int = count(8, "episodes per shared weight and generation")
    racing: int = count(
        0, "episodes after which only the half that is ahead gets the others, and has children; 0: all networks get all", least=0
    )
    confirm_episodes: int = count(32, "fresh episodes per shared weight that confirm a champion")
    candidates: int = count(8, "networks of a generation that may become champion; at most `population`")
    selection: str = choice(LEXICASE, "how parents are selected: by every one of `cases` in turn, or by rank", (LEXICASE, TOURNAMENT))
    cases: str = choice(
        AUTO,
        "what lexicase selection takes in turn: the mean score at every weight, or the score of every episode at every weight; "
        f"{AUTO} is {WEIGHTS} for data and {EPISODES} where episodes differ",
        (AUTO, WEIGHTS, EPISODES),
    )
    islands: int = count(1, "equal parts of the population that select and breed each by itself")
    migrate_every: int = count(0, "generations after which the best networks of every island go to the next one as well; 0: never", least=0)
    migrants: int = count(2, "networks of every island that go")
    tolerance: float = rate(0.5, "how near to the best lexicase selection keeps genomes, in median absolute deviations")
    tournament: int = count(2, "genomes per tournament of tournament selection; a parent is the better of two winners")
    elite_ratio: float = share(0.05, "share of the survivors that is kept unchanged")
    cull_ratio: float = setting(0.2, "share of the population that no tournament draws", "in [0, 1)", lambda v: 0 <= v < 1)
    complexity_probability: float = share(0.0, "how often few connections rank in place of the best score")
    initial_density: float = share(0.5, "probability that a connection from bias or input to output starts enabled")
    initial_fan_in: int = count(4, "expected connections per output at the start, at most: lowers `initial_density`")
    max_connections: int = count(
        10**6,
        "connections that a genome may get, at the most, those that no output depends on included; "
        "a search begins with a twentieth of them, or one per output, at the most",
    )
    add_node: float = rate(0.25, "relative rate of splitting a connection")
    add_connection: float = rate(0.20, "relative rate of adding a connection")
    enable: float = rate(0.05, "relative rate of enabling a disabled connection")
    delete_connection: float = rate(0.25, "relative rate of deleting a connection")
    delete_node: float = rate(0.15, "relative rate of deleting a hidden node with its connections")
    change_activation: float = rate(0.50, "relative rate of changing a hidden node's activation")
    insert_block: float = rate(0.0, "relative rate of inserting one of `blocks`")
    blocks: tuple[Block, ...] = setting(
        (), "building blocks that may be inserted whole", f"at most {MOST} blocks, each once", _is_library, load=load_blocks
    )
    recurrent: bool = switch("whether connections may also carry what their source was in the last time step, so that networks have memory")
    activations: tuple[str, ...] = activation_names(APERIODIC, "activations of hidden nodes")
    output_activation: str = choice(
        AUTO, f"activation of the outputs, which never changes; {AUTO} is what suits the problem", (AUTO, *NAMES[1:])
    )

    def __post_init__(self):
        if isinstance(self.blocks, list) and len(self.blocks) <= MOST:  # as JSON gives them back
            blocks = tuple(block_of(block) if isinstance(block, dict) else block for block in self.blocks)
            object.__setattr__(self, "blocks", blocks)
        super().__post_init__()
        require_islands(self, self.population // self.islands - self._elites)
        require("racing", self.racing, f"0, or less than episodes={self.episodes}", self.racing < self.episodes)
        allowed = "> 0 where there are blocks, such as 0.1, and 0 where there are none"
        require("insert_block", self.insert_block, allowed, (self.insert_block > 0) == bool(self.blocks))
        rates = self.operators.rates
        require(", ".join(rates), tuple(rates.values()), "not all zero", sum(rates.values()) > 0)

    @property
    def operators(self) -> Operators:
        """The rates of the structural operators, with the activations that hidden nodes take and
        the blocks.
        """
        return Operators(
            add_node=self.add_node,
            add_connection=self.add_connection,
            enable=self.enable,
            delete_connection=self.delete_connection,
            delete_node=self.delete_node,
            change_activation=self.change_activation,
            activations=activation_ids(self.activations),
            insert_block=self.insert_block,
            blocks=self.blocks,
        )

    @property
    def _survivors(self) -> int:
        """Of an island."""
        size = self.population // self.islands
        survivors = size - int(self.cull_ratio * size)
        return min(survivors, size - size // 2) if self.racing else survivors

    @property
    def _elites(self) -> int:
        return int(self.elite_ratio * self._survivors)

    def algorithm(self, *, inputs: int, outputs: int, start: Sequence[Network] = (), held: Held | None = None) -> Algorithm:
        """The search with these settings, for networks of so many inputs and outputs, linear ones
        where `output_activation` is `AUTO`, and by weights where `cases` is. Where it has a
        `start`, it begins with those networks, whose weights have no say, and whose outputs keep
        their activations. Of the islands it holds all, or those that are `held`.
        """
        rules = Rules(
            population=self.population // self.islands,
            survivors=self._survivors,
            elites=self._elites,
            lexicase=self.selection == LEXICASE,
            by_episode=self.selection == LEXICASE and self.cases == EPISODES,
            tolerance=self.tolerance,
            tournament=self.tournament,
            output_activation=output_activation_id(self.output_activation),
            activations=activation_ids(self.activations),
            blocks=self.blocks,
            recurrent=self.recurrent,
        )
        fan_in = min(self.initial_fan_in, max(1, self.max_connections // max(1, 20 * outputs)))
        density = min(self.initial_density, fan_in / (1 + inputs))
        rates = Rates(
            density=jnp.float32(density),
            by_complexity=jnp.float32(self.complexity_probability),
            ends=jnp.asarray(self.operators.ends),
            connections=jnp.int32(self.max_connections),
        )
        return on_islands(self, wann(rules, rates, inputs=inputs, outputs=outputs, start=start), held, self.racing)
