"""What the parts of an observation and the outputs are called in environments that several
libraries have.
"""

_HIP_AND_KNEE = ("hip {0}", "d hip {0}", "knee {0}", "d knee {0}", "contact {0}")
_BIPED = (
    ("tilt", "d tilt", "dx", "dy", *(part.format(leg) for leg in (1, 2) for part in _HIP_AND_KNEE), *(f"lidar {i}" for i in range(10))),
    ("push hip 1", "push knee 1", "push hip 2", "push knee 2"),
)
_LANDER = "x", "y", "dx", "dy", "tilt", "d tilt", "left leg", "right leg"

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "CartPole-v1": (("x", "dx", "θ", "dθ"), ("left", "right")),
    "Pendulum-v1": (("cos θ", "sin θ", "dθ"), ("torque",)),
    "Acrobot-v1": (("cos θ1", "sin θ1", "cos θ2", "sin θ2", "dθ1", "dθ2"), ("torque -1", "torque 0", "torque +1")),
    "MountainCar-v0": (("x", "dx"), ("left", "coast", "right")),
    "MountainCarContinuous-v0": (("x", "dx"), ("force",)),
    "BipedalWalker-v3": _BIPED,
    "BipedalWalkerHardcore-v3": _BIPED,
    "LunarLander-v3": (_LANDER, ("coast", "left engine", "main engine", "right engine")),
    "LunarLanderContinuous-v3": (_LANDER, ("main engine", "sideways")),
}
"""By environment, for a network's inputs and outputs."""
