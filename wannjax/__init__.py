"""wannjax: weight agnostic neural networks, evolved and trained on accelerators with JAX."""

from wannjax.algorithm import Algorithm
from wannjax.config import PRESETS, NeatConfig, WannConfig
from wannjax.devices import use_all_cores
from wannjax.ensembles import Ensemble, ensemble, load_ensemble
from wannjax.evaluation import Report, Score, evaluate
from wannjax.evolution import Record, Result, evolve
from wannjax.finetuning import EvolutionStrategy, Gradient, PolicyGradient, Tuned, finetune
from wannjax.network import Network
from wannjax.problems import DataProblem, Evaluation, GymnaxProblem, Problem, environment_names, make
from wannjax.storage import load, load_front, save

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Algorithm",
    "DataProblem",
    "Ensemble",
    "Evaluation",
    "EvolutionStrategy",
    "Gradient",
    "GymnaxProblem",
    "NeatConfig",
    "Network",
    "PolicyGradient",
    "Problem",
    "Record",
    "Report",
    "Result",
    "Score",
    "Tuned",
    "WannConfig",
    "ensemble",
    "environment_names",
    "evaluate",
    "evolve",
    "finetune",
    "load",
    "load_ensemble",
    "load_front",
    "make",
    "save",
    "use_all_cores",
]
