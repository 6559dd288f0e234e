"""The settings of NEAT, each with its meaning, its default and what is allowed: one line a setting.

Command line options, validation and error messages are all made from these lines. To add a setting,
add a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wannjax.common.settings import Settings, choice, count, positive, rate, setting, share, switch
from wannjax.common.validation import require
from wannjax.genomes.operators import SHARED
from wannjax.networks.activations import NAMES, activation_ids
from wannjax.networks.network import Network
from wannjax.search.activation_settings import AUTO, activation_names, output_activation_id
from wannjax.search.algorithm import Algorithm
from wannjax.search.islands import Held, on_islands, require_islands
from wannjax.search.neat.algorithm import Rules, neat
from wannjax.search.neat.genes import Distance
from wannjax.search.neat.reproduction import WeightMutation
from wannjax.search.neat.species import Mating

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
"""Named settings of NEAT: the recommended ones, those for problems that small networks solve, and
those that the paper used (its section 4.1; the range of weights and of their perturbation, which it
does not give, is that of the authors' published code).
"""


_NEAT_OPERATORS = (*SHARED, "disable")


@dataclass(frozen=True)
class NeatConfig(Settings):
    """Every setting of a NEAT run. The rates are those of Stanley & Miikkulainen 2002, section 4.1,
    unless a line says otherwise.

    There is no `racing`: species share children by the scores of all their members, which networks
    that are told no scores would falsify.

    Raises ValueError, naming the field, its value and what is allowed.
    """

    name = "neat"
    presets = NEAT_PRESETS

    population: int = count(512, "genomes per generation", least=4)
    generations: int = count(200, "generations of a run")
    episodes: int = count(4, "episodes per generation")
    confirm_episodes: int = count(32, "fresh episodes that confirm a champion")
    candidates: int = count(8, "networks of a generation that may become champion; at most `population`")
    islands: int = count(1, "equal parts of the population that have species of their own and breed each by itself")
    migrate_every: int = count(0, "generations after which the best networks of every island go to the next one as well; 0: never", least=0)
    migrants: int = count(2, "networks of every island that go")
    species: int = count(12, "species of an island that the compatibility threshold is steered to; twice as many at the most")
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
    recurrent: bool = switch("whether connections may also carry what their source was in the last time step, so that networks have memory")
    activations: tuple[str, ...] = activation_names(("tanh",), "activations of hidden nodes")
    output_activation: str = choice(
        AUTO, f"activation of the outputs, which never changes; {AUTO} is what suits the problem", (AUTO, *NAMES[1:])
    )

    def __post_init__(self):
        super().__post_init__()
        require_islands(self, self.population // self.islands // 2)
        require(", ".join(_NEAT_OPERATORS), self.rates, "at most 1 together", sum(self.rates) <= 1 + 1e-6)

    @property
    def weights(self) -> tuple[float, ...]:
        """The sweep: one, since networks have weights of their own."""
        return (1.0,)

    @property
    def rates(self) -> tuple[float, ...]:
        """The probability of every structural operator, by its number in
        `wannjax.genomes.operators`.
        """
        return tuple(getattr(self, name) for name in _NEAT_OPERATORS)

    def algorithm(self, *, inputs: int, outputs: int, start: Sequence[Network] = (), held: Held | None = None) -> Algorithm:
        """The search with these settings, for networks of so many inputs and outputs, linear ones
        where `output_activation` is `AUTO`. Where it has a `start`, it begins with those networks,
        with their weights, or with weights of 1, and outputs keep their activations. Of the islands
        it holds all, or those that are `held`.
        """
        rules = Rules(
            population=self.population // self.islands,
            islands=self.islands,
            species=self.species,
            threshold=self.threshold,
            threshold_step=self.threshold_step,
            distance=Distance(self.excess, self.disjoint, self.weight_difference, self.normalise_from),
            stagnation=self.stagnation,
            population_stagnation=self.population_stagnation,
            mating=Mating(self.survival, self.elite_size, self.crossover, self.interspecies),
            keep_disabled=self.keep_disabled,
            mutate_weights=self.mutate_weights,
            weight_mutation=WeightMutation(self.replace_weight, self.weight_range, self.perturbation, self.largest_weight),
            slope=self.slope,
            density=self.initial_density,
            operator_ends=tuple(np.cumsum(self.rates).tolist()),
            deletes=self.delete_connection + self.delete_node > 0,
            keep=self.split == EXACT,
            output_activation=output_activation_id(self.output_activation),
            activations=activation_ids(self.activations),
            recurrent=self.recurrent,
        )
        return on_islands(self, neat(rules, inputs=inputs, outputs=outputs, start=tuple(start)), held)
