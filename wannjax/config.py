"""The settings of a WANN search, each with its meaning, its default and what is allowed: one line a setting.

Command line options, validation and error messages are all made from these lines. To add a setting, add a line.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from wannjax.activations import NAMES, PUBLISHED, activation_ids
from wannjax.blocks import MOST, Block, block_of
from wannjax.mutation import Operators
from wannjax.validation import require

if TYPE_CHECKING:
    from wannjax.wann import Algorithm


AUTO = "auto"
LEXICASE, TOURNAMENT = "lexicase", "tournament"
APERIODIC = tuple(name for name in PUBLISHED if name not in ("sin", "cos"))
"""The published activations but for the periodic ones, without which searches do as well or better and run faster."""
SWEEP = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
"""The paper's sweep of shared weights."""


def setting(default, meaning: str, allowed: str, check: Callable[[Any], bool]):
    """A field of `WannConfig`: its meaning, and what is allowed, in words and as a check."""
    return field(default=default, metadata={"meaning": meaning, "allowed": allowed, "check": check})


def count(default: int, meaning: str, least: int = 1):
    def check(value):
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return setting(default, meaning, f"an integer >= {least}", check)


def share(default: float, meaning: str):
    return setting(default, meaning, "in [0, 1]", lambda value: 0 <= value <= 1)


def rate(default: float, meaning: str):
    return setting(default, meaning, "finite and >= 0", lambda value: 0 <= value < float("inf"))


def choice(default: str, meaning: str, names: tuple[str, ...]):
    return setting(default, meaning, f"one of {', '.join(names)}", names.__contains__)


def _is_sweep(weights) -> bool:
    return 0 < len(weights) == len(set(weights)) and all(abs(weight) < float("inf") for weight in weights)


def _are_activations(names) -> bool:
    return 0 < len(names) == len(set(names)) and set(names) <= set(NAMES[1:])


def _is_library(blocks) -> bool:
    return all(isinstance(block, Block) for block in blocks) and len(set(blocks)) == len(blocks) <= MOST


@dataclass(frozen=True)
class WannConfig:
    """Every setting of a WANN run; the defaults are the recommended run.

    Raises ValueError, naming the field, its value and what is allowed.
    """

    population: int = count(1024, "genomes per generation", least=4)
    generations: int = count(340, "generations of a run")
    weights: tuple[float, ...] = setting(SWEEP, "the sweep of shared weights", "finite values, each once, at least one", _is_sweep)
    episodes: int = count(4, "episodes per shared weight and generation")
    confirm_episodes: int = count(32, "fresh episodes per shared weight that confirm a champion")
    candidates: int = count(8, "networks of a generation that may become champion; at most `population`")
    selection: str = choice(LEXICASE, "how parents are selected: by every shared weight in turn, or by rank", (LEXICASE, TOURNAMENT))
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
    insert_block: float = rate(0.10, "relative rate of inserting a building block, where `blocks` are given")
    blocks: tuple[Block, ...] = setting((), "building blocks that may be inserted whole", f"at most {MOST} blocks, each once", _is_library)
    activations: tuple[str, ...] = setting(
        APERIODIC, "activations of hidden nodes", f"different names from {', '.join(NAMES[1:])}", _are_activations
    )
    output_activation: str = choice(
        AUTO, f"activation of the outputs, which never changes; {AUTO} is what suits the problem", (AUTO, *NAMES[1:])
    )

    def __post_init__(self):
        for name in ("weights", "activations", "blocks"):
            value = getattr(self, name)
            if isinstance(value, list):
                # as JSON gives them back
                object.__setattr__(self, name, tuple(block_of(each) if isinstance(each, dict) else each for each in value))
        for each in fields(self):
            value = getattr(self, each.name)
            try:
                fine = each.metadata["check"](value)
            except TypeError:
                fine = False
            require(each.name, value, each.metadata["allowed"], fine)
            if isinstance(each.default, float):
                object.__setattr__(self, each.name, float(value))
        rates = self.operators.rates
        require(", ".join(rates), tuple(rates.values()), "not all zero", sum(rates.values()) > 0)

    @property
    def operators(self) -> Operators:
        """The rates of the structural operators, with the activations that hidden nodes take."""
        return Operators(
            add_node=self.add_node,
            add_connection=self.add_connection,
            enable=self.enable,
            delete_connection=self.delete_connection,
            delete_node=self.delete_node,
            change_activation=self.change_activation,
            activations=activation_ids(self.activations),
            insert_block=self.insert_block,
            blocks=self.blocks if self.insert_block > 0 else (),
        )

    @classmethod
    def preset(cls, name: str, **changes) -> "WannConfig":
        """The settings called `name`, one of `PRESETS`, with `changes` applied. Raises ValueError for an unknown name."""
        require("preset", name, f"one of {', '.join(PRESETS)}", name in PRESETS)
        return cls(**{**PRESETS[name], **changes})

    def algorithm(self, *, inputs: int, outputs: int) -> "Algorithm":
        """The search with these settings, for networks of `inputs` inputs and `outputs` outputs: see `wannjax.wann`."""
        from wannjax.wann import wann

        return wann(self, inputs=inputs, outputs=outputs)

    def replace(self, **changes) -> "WannConfig":
        """This configuration with some fields changed; raises as the constructor does, also for an unknown field."""
        known = [f.name for f in fields(self)]
        for name in changes:
            require("field", name, f"one of {', '.join(known)}", name in known)
        return replace(self, **changes)


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
    "thorough": dict(population=4096, generations=900),
    "paper-swingup": dict(_PAPER, population=192, tournament=8, elite_ratio=0.2),
    "paper-laptop": dict(_PAPER, population=64, tournament=4, elite_ratio=0.05),
}
"""Named settings: the recommended ones, for three minutes and for half an hour on two cores, and those that the paper used (facts from its
published hyperparameter files)."""
