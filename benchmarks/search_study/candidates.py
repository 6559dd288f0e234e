"""What the study compares: every candidate is one change from one of two starting points, which
differ in how they select parents.

To try something, add a line.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.search_study.sweeps import DrawnSweep, LateEpisodes
from benchmarks.search_study.variants import StudyConfig
from wannjax.networks.activations import PUBLISHED
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.problem import Problem
from wannjax.search.wann.config import APERIODIC, SWEEP


class Candidate(NamedTuple):
    """One search.

    Attributes:
        group: the starting point that it changes.
        settings: of a `StudyConfig`.
        problem: (the task, generations, those that are done) → what the search sees of it.
    """

    name: str
    group: str
    settings: dict[str, Any]
    problem: Callable[[EnvironmentProblem, int, int], Problem] = lambda problem, generations, done: problem

    @property
    def config(self) -> StudyConfig:
        return StudyConfig(**self.settings)


LEXICASE = dict(
    population=1024,
    weights=SWEEP,
    episodes=4,
    activations=APERIODIC,
    selection="lexicase",
    cases="weights",
    tolerance=1.0,
    elite_ratio=0.05,
    cull_ratio=0.2,
    complexity_probability=0.0,
    initial_density=0.5,
    initial_fan_in=64,
    add_node=0.25,
    add_connection=0.2,
    enable=0.05,
    delete_connection=0.25,
    delete_node=0.15,
    change_activation=0.5,
)
"""The library's search, written out so that results stay comparable should its defaults change."""
RANKED = dict(LEXICASE, selection="tournament", complexity_probability=0.2)
"""The same with tournaments on non-dominated fronts, of mean and best score or, in one of five
generations, mean score and connections.
"""
EARLIER = dict(RANKED, population=512, activations=PUBLISHED, delete_connection=0.0, delete_node=0.0)
"""The library's search of before the study."""
_WIDER, _DENSER = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0), tuple(round(0.25 * i, 2) for i in range(-8, 9) if abs(i) > 1)


def _changed(start: Candidate, **changes: dict[str, Any]) -> list[Candidate]:
    """Candidates that change settings of `start`, each called by its keyword."""
    return [
        Candidate(f"{start.name}: {name.replace('_', ' ')}", start.name, {**start.settings, **settings})
        for name, settings in changes.items()
    ]


_LEXICASE, _RANKED = Candidate("lexicase", "lexicase", LEXICASE), Candidate("ranked", "ranked", RANKED)

_ALL = [
    _LEXICASE,
    _RANKED,
    Candidate("earlier default", "ranked", EARLIER),
    *_changed(
        _LEXICASE,
        nothing_deleted=dict(delete_connection=0.0, delete_node=0.0),
        fewer_deletions=dict(delete_connection=0.12, delete_node=0.06),
        more_deletions=dict(delete_connection=0.4, delete_node=0.25),
        all_published_activations=dict(activations=PUBLISHED),
        half_the_tolerance=dict(tolerance=0.5),
        a_quarter_of_the_tolerance=dict(tolerance=0.25),
        half_the_tolerance_and_no_elite=dict(tolerance=0.5, elite_ratio=0.0),
        four_islands=dict(islands=4),
        four_islands_that_start_again=dict(islands=4, patience=10),
        population_256=dict(population=256),
        population_512=dict(population=512),
        population_2048=dict(population=2048),
        without_the_mean_as_a_case=dict(beside="nothing"),
        connections_as_a_case=dict(beside="connections"),
        several_operators_a_child=dict(moves=4, further=0.3),
        nodes_duplicated=dict(duplicate_node=0.1),
        episodes_2=dict(episodes=2),
        elites_averaged=dict(memory="averaged"),
        elite_ratio_0=dict(elite_ratio=0.0),
    ),
    *_changed(
        _RANKED,
        nothing_deleted=dict(delete_connection=0.0, delete_node=0.0),
        best_score_not_ranked=dict(second="none", complexity="ties"),
        connections_as_tie_break=dict(complexity="ties"),
        connections_never=dict(complexity="never"),
        connections_in_four_of_five=dict(complexity_probability=0.8),
        three_objectives=dict(complexity="third objective"),
        published_crowding=dict(crowding="published"),
        tournament_1=dict(tournament=1),
        tournament_8=dict(tournament=8),
        elite_ratio_one_fifth=dict(elite_ratio=0.2),
        ageing=dict(newcomers=0.05),
        novelty=dict(second="novelty"),
        map_elites=dict(archive="MAP-Elites"),
        initial_density_1=dict(initial_density=1.0),
        worst_weight=dict(fitness="worst"),
        lower_half_of_weights=dict(fitness="lower half"),
        wider_sweep=dict(weights=_WIDER),
        denser_sweep=dict(weights=_DENSER, episodes=2),
    ),
    Candidate("ranked: drawn sweep", "ranked", RANKED, lambda problem, generations, done: DrawnSweep(problem)),
    Candidate("ranked: more episodes late", "ranked", RANKED, LateEpisodes),
]

CANDIDATES = {candidate.name: candidate for candidate in _ALL}
