"""wannjax: weight agnostic neural networks, evolved and trained on accelerators with JAX."""

from importlib import import_module
from typing import TYPE_CHECKING

from wannjax.algorithm import Algorithm
from wannjax.analysis.canonical import Canonical, canonical
from wannjax.analysis.explanation import Explanation, explain
from wannjax.analysis.formula import Formulas, formula
from wannjax.analysis.motifs import Motif, Motifs, mine_motifs
from wannjax.analysis.pruning import Pruned, prune
from wannjax.analysis.sensitivity import WeightCurve, weight_curve
from wannjax.blocks import Block, load_blocks, save_blocks
from wannjax.config import PRESETS, NeatConfig, WannConfig
from wannjax.devices import use_all_cores
from wannjax.ensembles import Ensemble, ensemble, load_ensemble
from wannjax.evaluation import Report, Score, evaluate
from wannjax.evolution import Record, Result, evolve
from wannjax.finetuning import EvolutionStrategy, Gradient, PolicyGradient, Tuned, finetune
from wannjax.hosts import distributed
from wannjax.loggers import Csv, JsonLines, TensorBoard
from wannjax.many import ManyResults, evolve_many
from wannjax.network import Network
from wannjax.problems import DataProblem, Evaluation, GymnaxProblem, Problem, environment_names, make
from wannjax.storage import load, load_front, save

if TYPE_CHECKING:
    from wannjax import export
    from wannjax.analysis.animation import watch
    from wannjax.analysis.drawing import draw

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Algorithm",
    "Block",
    "Canonical",
    "Csv",
    "DataProblem",
    "Ensemble",
    "Evaluation",
    "EvolutionStrategy",
    "Explanation",
    "Formulas",
    "Gradient",
    "GymnaxProblem",
    "JsonLines",
    "ManyResults",
    "Motif",
    "Motifs",
    "NeatConfig",
    "Network",
    "PolicyGradient",
    "Problem",
    "Pruned",
    "Record",
    "Report",
    "Result",
    "Score",
    "TensorBoard",
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
    "prune",
    "save",
    "save_blocks",
    "use_all_cores",
    "watch",
    "weight_curve",
]

_LATER = {"draw": "wannjax.analysis.drawing", "watch": "wannjax.analysis.animation", "export": "wannjax.export"}
"""Imported when first used, since matplotlib and flax take a second to import."""


if not TYPE_CHECKING:  # where it would give every misspelt name a type

    def __getattr__(name: str):
        if name not in _LATER:
            raise AttributeError(f"module 'wannjax' has no attribute {name!r}")
        module = import_module(_LATER[name])
        return getattr(module, name, module)
