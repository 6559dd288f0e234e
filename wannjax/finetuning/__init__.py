"""The second stage: training the individual weights of one network."""

from wannjax.finetuning.evolution_strategy import EvolutionStrategy
from wannjax.finetuning.finetune import METHODS, finetune, method_for
from wannjax.finetuning.gradient import Gradient
from wannjax.finetuning.method import Method, Trainer
from wannjax.finetuning.policy_gradient import PolicyGradient
from wannjax.finetuning.tuned import Tuned
from wannjax.runs.loop import Callback
from wannjax.runs.records import TrainingRecord

__all__ = [
    "METHODS",
    "Callback",
    "EvolutionStrategy",
    "Gradient",
    "Method",
    "PolicyGradient",
    "Trainer",
    "TrainingRecord",
    "Tuned",
    "finetune",
    "method_for",
]
