"""wannjax: weight agnostic neural networks, evolved and trained on accelerators with JAX."""

import wannjax.common.starting  # noqa: F401  # before what takes long

# isort: split

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wannjax.analysis.canonical import Canonical, canonical
from wannjax.analysis.evaluation import Report, Score, evaluate
from wannjax.analysis.explanation import Explanation, explain
from wannjax.analysis.formula import Formulas, formula
from wannjax.analysis.motifs import Motif, Motifs, mine_motifs
from wannjax.analysis.predictions import ClassPredictions, NumberPredictions, predictions
from wannjax.analysis.pruning import Pruned, prune
from wannjax.analysis.sensitivity import WeightCurve, weight_curve
from wannjax.common.devices import use_all_cores
from wannjax.common.hosts import distributed
from wannjax.ensembles import Ensemble, ensemble, load_ensemble
from wannjax.finetuning import EvolutionStrategy, Gradient, PolicyGradient, Tuned, finetune
from wannjax.genomes.blocks import Block, load_blocks, save_blocks
from wannjax.networks.files import load, load_front, save
from wannjax.networks.network import Network
from wannjax.problems.adapters.gymnax import GymnaxProblem
from wannjax.problems.data import DataProblem
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.function import FunctionProblem
from wannjax.problems.host_environment import HostEnvironment
from wannjax.problems.host_problem import HostProblem
from wannjax.problems.problem import Evaluation, Problem
from wannjax.problems.registry import environment_names, make
from wannjax.problems.side_by_side import SideBySide
from wannjax.problems.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from wannjax.report import finishing
from wannjax.runs.evolution import evolve
from wannjax.runs.loggers import Csv, JsonLines, TensorBoard
from wannjax.runs.many import ManyResults, evolve_many
from wannjax.runs.records import Record
from wannjax.runs.result import Result
from wannjax.search.algorithm import Algorithm, Info
from wannjax.search.neat.config import NeatConfig
from wannjax.search.wann.config import PRESETS, WannConfig

if TYPE_CHECKING:
    from wannjax import export
    from wannjax.pictures.animation import watch
    from wannjax.pictures.drawing import draw

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Algorithm",
    "Block",
    "Box",
    "Canonical",
    "ClassPredictions",
    "Csv",
    "DataProblem",
    "Discrete",
    "Ensemble",
    "Environment",
    "EnvironmentProblem",
    "Evaluation",
    "EvolutionStrategy",
    "Explanation",
    "Formulas",
    "FunctionProblem",
    "Gradient",
    "GymnaxProblem",
    "HostEnvironment",
    "HostProblem",
    "Info",
    "JsonLines",
    "ManyResults",
    "Motif",
    "Motifs",
    "MultiBinary",
    "MultiDiscrete",
    "NeatConfig",
    "Network",
    "NumberPredictions",
    "PolicyGradient",
    "Problem",
    "Pruned",
    "Record",
    "Report",
    "Result",
    "Score",
    "SideBySide",
    "TensorBoard",
    "Transition",
    "Tuned",
    "WannConfig",
    "WeightCurve",
    "canonical",
    "distributed",
    "draw",
    "ensemble",
    "environment_names",
    "evaluate",
    "evolve",
    "evolve_many",
    "explain",
    "export",
    "finetune",
    "formula",
    "load",
    "load_blocks",
    "load_ensemble",
    "load_front",
    "make",
    "mine_motifs",
    "predictions",
    "prune",
    "save",
    "save_blocks",
    "use_all_cores",
    "watch",
    "weight_curve",
]

_LATER = {"draw": "wannjax.pictures.drawing", "watch": "wannjax.pictures.animation", "export": "wannjax.export"}
"""Imported when first used, since matplotlib and flax take a second to import; so is what draws
below.
"""


if not TYPE_CHECKING:  # where it would give every misspelt name a type

    def __getattr__(name: str):
        if name not in _LATER:
            raise AttributeError(f"module 'wannjax' has no attribute {name!r}")
        module = import_module(_LATER[name])
        return getattr(module, name, module)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


def _write_report(run_dir: Path, problem: Problem) -> Report | None:
    from wannjax.report.report import write

    return write(run_dir, problem)


def _draw_training(run_dir: Path) -> None:
    from wannjax.report.training import draw_training

    draw_training(run_dir)


def _svg_of(network: Network) -> str | None:
    """What a notebook shows of a network: the drawing of one; None for a population."""
    from wannjax.pictures.drawing import drawing_svg

    return drawing_svg(network) if network.activations.ndim == 1 else None


def _tabulate(kind: type, table: str) -> None:
    """Makes `print` and notebooks show what is of this kind as the command line does, by that
    function of its tables.
    """

    def shown(thing: Any) -> Any:
        return getattr(import_module("wannjax.cli.tables"), table)(thing)

    def text(thing: Any) -> str:
        return import_module("wannjax.cli.plain").text_of(shown(thing))

    def html(thing: Any) -> str:
        return import_module("wannjax.cli.plain").html_of(shown(thing))

    setattr(kind, "__str__", text)  # noqa: B010, since the class does not declare it
    setattr(kind, "_repr_html_", html)  # noqa: B010


# The rooms that these functions and classes are in know nothing of reports, pictures and tables.
evolve, finetune = finishing(_write_report)(evolve), finishing(_draw_training)(finetune)
setattr(Network, "_repr_svg_", _svg_of)  # noqa: B010, since the class does not declare it
_TABLES = {
    Ensemble: "ensemble_table",
    Explanation: "explanation_tables",
    ManyResults: "many_table",
    Motifs: "motifs_table",
    Pruned: "pruned_table",
    Report: "report_table",
    Result: "result_table",
    Tuned: "tuned_table",
    WeightCurve: "curve_table",
}
for _kind, _table in _TABLES.items():
    _tabulate(_kind, _table)
