"""Collections: copies of one network, trained individually and used together."""

from wannjax.ensembles.ensemble import Ensemble, Gate, load_ensemble
from wannjax.ensembles.training import KINDS, ensemble

__all__ = ["KINDS", "Ensemble", "Gate", "ensemble", "load_ensemble"]
