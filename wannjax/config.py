"""The settings of the searches, WANN's and NEAT's, each with its meaning, its default and what is allowed: one line a setting.

Command line options, validation and error messages are all made from these lines. To add a setting, add a line. To add a search, add its
settings and put them into `ALGORITHMS`; what `evolve` reads of any search's are `weights`, `population`, `generations`, `episodes`,
`confirm_episodes`, `candidates`, `output_activation` and `algorithm`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wannjax.activations import LINEAR, NAMES, PUBLISHED, activation_ids
from wannjax.blocks import MOST, Block, block_of, load_blocks
from wannjax.mutation import SHARED, Operators
from wannjax.settings import Settings, activation_names, choice, count, positive, rate, setting, share
from wannjax.validation import require

if TYPE_CHECKING:
    from wannjax.algorithm import Algorithm


AUTO = "auto"
LEXICASE, TOURNAMENT = "lexicase", "tournament"
APERIODIC = tuple(name for name in PUBLISHED if name not in ("sin", "cos"))
"""The published activations but for the periodic ones, without which searches do as well or better and run faster."""
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
    "thorough": dict(population=8192, islands=8),
    "paper-swingup": dict(_PAPER, population=192, tournament=8, elite_ratio=0.2),
    "paper-laptop": dict(_PAPER, population=64, tournament=4, elite_ratio=0.05),
}
"""Named settings of WANN: the recommended ones, for three minutes and for half an hour on two cores, and those that the paper used (facts
from its published hyperparameter files)."""


EXACT, REPLACE = "exact", "replace"
_PAPER_NEAT = dict(
    population=150,
    threshold_step=0.0,
    slope=4.9,
    weight_range=2.5,
    perturbation=2.5,
    enable=0.0,
    disable=0.0,
    split=REPLACE,
    activations=("sigmoid",),
)

NEAT_PRESETS: dict[str, dict] = {
    "default": {},
    "small": dict(population=150, weight_range=2.5, perturbation=1.0, add_node=0.02, add_connection=0.1),
    "paper": _PAPER_NEAT,
}
"""Named settings of NEAT: the recommended ones, those for problems that small networks solve, and those that the paper used (its section
4.1; the range of weights and of their perturbation, which it does not give, is that of the authors' published code)."""


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
    generations: int = count(200, "generations of a run")
    weights: tuple[float, ...] = setting(SWEEP, "the sweep of shared weights", "finite values, each once, at least one", _is_sweep)
    episodes: int = count(4, "episodes per shared weight and generation")
    confirm_episodes: int = count(32, "fresh episodes per shared weight that confirm a champion")
    candidates: int = count(8, "networks of a generation that may become champion; at most `population`")
    selection: str = choice(LEXICASE, "how parents are selected: by every shared weight in turn, or by rank", (LEXICASE, TOURNAMENT))
    islands: int = count(1, "equal parts of the population that select and breed each by itself")
    tolerance: float = rate(0.5, "how near to the best lexicase selection keeps genomes, in median absolute deviations")
    tournament: int = count(2, "genomes per tournament of tournament selection; a parent is the better of two winners")
    elite_ratio: float = share(0.05, "share of the survivors that is kept unchanged")
    cull_ratio: float = setting(0.2, "share of the population that no tournament draws", "in [0, 1)", lambda v: 0 <= v < 1)
    complexity_probability: float = share(0.0, "how often few connections rank in place of the best score")
    initial_density: float = share(0.5, "probability that a connection from bias or input to output starts enabled")
    initial_fan_in: int = count(64, "expected connections per output at the start, at most: lowers `initial_density`")
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
    activations: tuple[str, ...] = activation_names(APERIODIC, "activations of hidden nodes")
    output_activation: str = choice(
        AUTO, f"activation of the outputs, which never changes; {AUTO} is what suits the problem", (AUTO, *NAMES[1:])
    )

    def __post_init__(self):
        if isinstance(self.blocks, list) and len(self.blocks) <= MOST:  # as JSON gives them back
            blocks = tuple(block_of(block) if isinstance(block, dict) else block for block in self.blocks)
            object.__setattr__(self, "blocks", blocks)
        super().__post_init__()
        require("islands", self.islands, f"a divisor of population={self.population}", self.population % self.islands == 0)
        allowed = "> 0 where there are blocks, such as 0.1, and 0 where there are none"
        require("insert_block", self.insert_block, allowed, (self.insert_block > 0) == bool(self.blocks))
        rates = self.operators.rates
        require(", ".join(rates), tuple(rates.values()), "not all zero", sum(rates.values()) > 0)

    @property
    def operators(self) -> Operators:
        """The rates of the structural operators, with the activations that hidden nodes take and the blocks."""
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

    def algorithm(self, *, inputs: int, outputs: int) -> "Algorithm":
        """The search with these settings, for networks of `inputs` inputs and `outputs` outputs: see `wannjax.wann`."""
        from wannjax.wann import wann

        return wann(self, inputs=inputs, outputs=outputs)


_NEAT_OPERATORS = (*SHARED, "disable")


@dataclass(frozen=True)
class NeatConfig(Settings):
    """Every setting of a NEAT run. The rates are those of Stanley & Miikkulainen 2002, section 4.1, unless a line says otherwise.

    Raises ValueError, naming the field, its value and what is allowed.
    """

    name = "neat"
    presets = NEAT_PRESETS

    population: int = count(512, "genomes per generation", least=4)
    generations: int = count(200, "generations of a run")
    episodes: int = count(4, "episodes per generation")
    confirm_episodes: int = count(32, "fresh episodes that confirm a champion")
    candidates: int = count(8, "networks of a generation that may become champion; at most `population`")
    species: int = count(12, "species that the compatibility threshold is steered to; twice as many at the most")
    threshold: float = positive(3.0, "compatibility distance from which on a genome is of another species, at the start")
    threshold_step: float = setting(0.1, "share by which a generation moves the threshold; 0 leaves it", "in [0, 1)", lambda v: 0 <= v < 1)
    excess: float = rate(1.0, "weight of excess genes in the compatibility distance")
    disjoint: float = rate(1.0, "weight of disjoint genes in the compatibility distance")
    weight_difference: float = rate(0.4, "weight of the mean weight difference of matching genes in the compatibility distance")
    normalise_from: int = count(20, "genes of the larger genome from which on the distance is divided by their number", least=0)
    survival: float = setting(0.2, "share of every species that has children", "in (0, 1]", lambda v: 0 < v <= 1)
    stagnation: int = count(15, "generations without a better score after which a species has no children")
    population_stagnation: int = count(20, "generations without a better score after which once only the two best species have children")
    elite_size: int = count(6, "members from which on a species' best is kept unchanged")
    crossover: float = share(0.75, "share of children with two parents")
    interspecies: float = share(0.001, "share of these whose parents are of different species")
    keep_disabled: float = share(0.75, "probability that a gene which is disabled in either parent is so in their child")
    mutate_weights: float = share(0.8, "share of children whose weights mutate")
    replace_weight: float = share(0.1, "share of their weights that are drawn anew; the others are perturbed")
    weight_range: float = positive(1.0, "new weights are drawn from [-weight_range, weight_range]")
    perturbation: float = positive(0.5, "weights are perturbed by up to this much in either direction")
    largest_weight: float = positive(8.0, "size of a gene's weight that mutation does not exceed; not in the paper")
    slope: float = positive(1.0, "what a network's weights are the genes' weights times; 4.9 is the slope of the paper's sigmoid")
    initial_density: float = share(1.0, "probability that a connection from bias or input to output starts enabled")
    add_node: float = share(0.03, "probability of splitting a connection")
    add_connection: float = share(0.05, "probability of adding a connection")
    enable: float = share(0.01, "probability of enabling a disabled connection; not in the paper")
    disable: float = share(0.01, "probability of disabling a connection; not in the paper")
    delete_connection: float = share(0.0, "probability of deleting a connection; not in the paper")
    delete_node: float = share(0.0, "probability of deleting a hidden node with its connections; not in the paper")
    change_activation: float = share(0.0, "probability of changing a hidden node's activation; not in the paper")
    split: str = choice(
        EXACT,
        f"what splitting a connection leaves: {EXACT} keeps the function (the connection stays, the node starts with weight 0), "
        f"{REPLACE} disables the connection for one of weight 1 and one of the old weight, as in the paper",
        (EXACT, REPLACE),
    )
    activations: tuple[str, ...] = activation_names(("tanh",), "activations of hidden nodes")
    output_activation: str = choice(
        AUTO, f"activation of the outputs, which never changes; {AUTO} is what suits the problem", (AUTO, *NAMES[1:])
    )

    def __post_init__(self):
        super().__post_init__()
        require(", ".join(_NEAT_OPERATORS), self.rates, "at most 1 together", sum(self.rates) <= 1 + 1e-6)

    @property
    def weights(self) -> tuple[float, ...]:
        """The sweep: one, since networks have weights of their own."""
        return (1.0,)

    @property
    def rates(self) -> tuple[float, ...]:
        """The probability of every structural operator, by its number in `wannjax.mutation`."""
        return tuple(getattr(self, name) for name in _NEAT_OPERATORS)

    def algorithm(self, *, inputs: int, outputs: int) -> "Algorithm":
        """The search with these settings, for networks of `inputs` inputs and `outputs` outputs: see `wannjax.neat`."""
        from wannjax.neat import neat

        return neat(self, inputs=inputs, outputs=outputs)


Config = WannConfig | NeatConfig


def output_activation_id(config: Config) -> int:
    """The activation id of the outputs; linear where `AUTO` was left to no problem."""
    return LINEAR if config.output_activation == AUTO else NAMES.index(config.output_activation)


ALGORITHMS: dict[str, type[WannConfig] | type[NeatConfig]] = {config.name: config for config in (WannConfig, NeatConfig)}
"""The settings of every search, by its name."""
