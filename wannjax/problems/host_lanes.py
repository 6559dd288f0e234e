"""Networks that act on lanes which end one by one, each lane with a network of its own.

Every lane has a tape to itself, so that lanes which have ended are dropped whichever network they
belong to, and the cost follows those that are alive. Arrays are padded to few sizes, powers of
`SHRINK`, since each is compiled: once a quarter of the lanes is left, they move into the next one.
Measured on a CPU core (`python -m benchmarks.host_environments`): about 1 µs a lane and step for
networks of 100 to 200 nodes, and 80 µs for every step of all lanes, where an environment such as
BipedalWalker takes 65 µs a lane.
"""

from functools import cache

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from wannjax.common import devices
from wannjax.networks.network import Network, take, tape_of
from wannjax.networks.tape import Tape, forward, initial_values
from wannjax.problems.spaces import ActionSpace

SHRINK = 4
"""How much smaller each size is than the one before."""
SMALLEST = 16
"""Lanes that arrays are made for at the least."""


class Lanes:
    """Networks [n], on the host, that act on one lane each, at the shared weights `gain`.

    Attributes:
        values: float32[rows, size], after the last `act`: what every lane's network computed.
        outputs: float32[size, O], likewise.
        place: int[n], which column and row of these is each lane's, while it is alive.
    """

    def __init__(self, networks: Network, gain: Float[np.ndarray, " n"], actions: ActionSpace, activation_ids: tuple[int, ...]):
        self.networks, self.gain = networks, np.asarray(gain, np.float32)
        self._settings = {"sizes": (networks.inputs, networks.outputs), "actions": actions, "activation_ids": activation_ids}
        self.place = np.zeros(len(gain), np.int64)
        self.values: Array | np.ndarray | None = None
        self._move(np.arange(len(gain)))

    def _move(self, alive: Int[np.ndarray, " n"]) -> None:
        """Into arrays of the smallest size that holds the lanes that are alive."""
        self.size = SMALLEST
        while self.size < len(alive):
            self.size *= SHRINK
        own = np.concatenate([alive, np.repeat(alive[:1], self.size - len(alive))])
        before, places = self.values, self.place[own]
        self.place[alive] = np.arange(len(alive))
        tape = _tape_of(take(self.networks, own))
        self._tape, self._gain = tape[:4], self.gain[own, None]
        if before is None:
            self.values = initial_values(tape._replace(inputs=self.networks.inputs, outputs=self.networks.outputs), 1)
        else:  # what the lanes that are alive remember
            self.values = np.asarray(before)[:, places]
        self._seen = np.zeros((self.size, self.networks.inputs), np.float32)

    def act(self, alive: Int[np.ndarray, " n"], observations: Float[np.ndarray, "n I"]) -> Shaped[np.ndarray, "n ..."]:
        """The actions of the lanes that are alive, all others having ended for good."""
        if self.size > SMALLEST and len(alive) * SHRINK <= self.size:
            self._move(alive)
        rows = self.place[alive]
        self._seen[rows] = observations
        self.values, self.outputs, actions = _program()(self._tape, self.values, self._seen, self._gain, **self._settings)
        return np.asarray(actions)[rows]


_tape_of = jax.jit(tape_of)


@cache
def _program():
    """Compiled once per size of lanes, of networks and action space."""
    static = ("sizes", "actions", "activation_ids")
    return jax.jit(_act, static_argnames=static, donate_argnames="values", compiler_options=devices.compiler_options())


def _act(tape, values, observations, gain, *, sizes, actions, activation_ids):
    seen = observations.T[:, :, None]
    settings = {"activation_ids": activation_ids, "dynamic_length": devices.on_cpu()}
    values, outputs = forward(Tape(*tape, *sizes), values, seen, gain, **settings)
    outputs = outputs[:, :, 0].T
    return values, outputs, jax.vmap(actions.action)(outputs)
