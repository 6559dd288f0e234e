"""wannjax: weight agnostic neural networks, evolved and trained on accelerators with JAX."""

from wannjax.analysis.canonical import Canonical, canonical
from wannjax.analysis.explanation import Explanation, explain
from wannjax.analysis.formula import Formulas, formula
from wannjax.analysis.motifs import Motif, Motifs, mine_motifs
from wannjax.analysis.pruning import Pruned, prune
from wannjax.analysis.sensitivity import WeightCurve, weight_curve
from wannjax.blocks import Block, load_blocks, save_blocks
from wannjax.config import PRESETS, WannConfig
from wannjax.devices import use_all_cores
from wannjax.ensembles import Ensemble, ensemble, load_ensemble
from wannjax.evaluation import Report, Score, evaluate
from wannjax.evolution import Record, Result, evolve
from wannjax.finetuning import EvolutionStrategy, Gradient, PolicyGradient, Tuned, finetune
from wannjax.hosts import distributed
from wannjax.network import Network
from wannjax.problems import DataProblem, Evaluation, GymnaxProblem, Problem, environment_names, make
from wannjax.storage import load, load_front, save
from wannjax.wann import Algorithm

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Algorithm",
    "Block",
    "Canonical",
    "DataProblem",
    "Ensemble",
    "Evaluation",
    "EvolutionStrategy",
    "Explanation",
    "Formulas",
    "Gradient",
    "GymnaxProblem",
    "Motif",
    "Motifs",
    "Network",
    "PolicyGradient",
    "Problem",
    "Pruned",
    "Record",
    "Report",
    "Result",
    "Score",
    "Tuned",
    "WannConfig",
    "WeightCurve",
    "canonical",
    "distributed",
    "ensemble",
    "environment_names",
    "evaluate",
    "evolve",
    "explain",
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
    "weight_curve",
]
