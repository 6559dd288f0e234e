"""The second stage: training the individual weights of one network."""

from wannjax.finetuning.evolution_strategy import EvolutionStrategy
from wannjax.finetuning.finetune import METHODS, Tuned, finetune, method_for
from wannjax.finetuning.gradient import Gradient
from wannjax.finetuning.loop import Callback, TrainingRecord
from wannjax.finetuning.method import Method, Trainer
from wannjax.finetuning.policy_gradient import PolicyGradient

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
