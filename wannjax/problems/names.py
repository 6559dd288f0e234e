"""What the observations and actions of known environments mean, for drawings, formulas and files."""

_NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "CartPoleSwingUp-v0": (("x", "dx", "cos θ", "sin θ", "dθ"), ("force",)),
    "DoublePole-v0": (("x", "dx", "θ1", "dθ1", "θ2", "dθ2"), ("force",)),
    "CartPole-v1": (("x", "dx", "θ", "dθ"), ("left", "right")),
    "Pendulum-v1": (("cos θ", "sin θ", "dθ"), ("torque",)),
    "Acrobot-v1": (("cos θ1", "sin θ1", "cos θ2", "sin θ2", "dθ1", "dθ2"), ("torque -1", "torque 0", "torque +1")),
    "MountainCar-v0": (("x", "dx"), ("left", "coast", "right")),
    "MountainCarContinuous-v0": (("x", "dx"), ("force",)),
}


def names_for(environment: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the observation's and of the action's (or outputs') parts; empty where unknown."""
    return _NAMES.get(environment, ((), ()))
