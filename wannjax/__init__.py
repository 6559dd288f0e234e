"""wannjax: weight agnostic neural networks, evolved and trained on accelerators with JAX."""

from wannjax.analysis.canonical import Canonical, canonical
from wannjax.analysis.explanation import Explanation, explain
from wannjax.analysis.formula import Formulas, formula
from wannjax.analysis.pruning import Pruned, prune
from wannjax.analysis.sensitivity import WeightCurve, weight_curve
from wannjax.config import PRESETS, WannConfig
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
from wannjax.wann import Algorithm

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Algorithm",
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
    "ensemble",
    "environment_names",
    "evaluate",
    "evolve",
    "evolve_many",
    "explain",
    "finetune",
    "formula",
    "load",
    "load_ensemble",
    "load_front",
    "make",
    "prune",
    "save",
    "use_all_cores",
    "weight_curve",
]
