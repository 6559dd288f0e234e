"""What a training method is: pure functions on a state that carries M members, copies of one
network that train side by side.

To add a method, write its `Settings` with `trainer` beside them, and put them into `METHODS` in
`finetune.py`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float32, Key

from wannjax.common import hosts
from wannjax.networks.gradients import Topology
from wannjax.networks.network import Network, take
from wannjax.problems.problem import Problem


class Trainer(NamedTuple):
    """A method on one problem and topology.

    Attributes:
        init: (key, weights [M, C]) → state.
        step: (key, state) → the state after one step, and an estimate of each member's score before
            it, float32[M].
        weights: state → weights [M, C].
        keep: (state, places int[A]) → the state with these members alone. Where there is one, the
            worse half of the members ends at a quarter of the steps, and again at half of them.
        restart: (key, state, weights [M, C]) → the state of members that begin again from there,
            with a greater effort. Where there is one, a training that stalls is restarted, of
            several members the better half.
    """

    init: Callable[[Array, Array], Any]
    step: Callable[[Array, Any], tuple[Any, Array]]
    weights: Callable[[Any], Array]
    keep: Callable[[Any, np.ndarray], Any] | None = None
    restart: Callable[[Array, Any, Array], Any] | None = None


@runtime_checkable
class Method(Protocol):
    """The settings of a method: a frozen dataclass, unless nothing about them is to be compared
    where a training is resumed, or shared by several processes.
    """

    @property
    def name(self) -> str: ...

    @property
    def learning_rate(self) -> float:
        """The rate of Adam, which is used where no optimizer is given; 0: then there is none."""
        ...

    @property
    def updates(self) -> int:
        """How often one step moves the weights."""
        ...

    def trainer(self, problem: Any, topology: Topology, optimizer: Any) -> Trainer:
        """Raises ValueError for a problem that the method cannot train on."""
        ...


def settings_of(method: Method) -> dict[str, Any]:
    """The settings as files hold them, arrays as lists and what else JSON has no word for as its
    kind; nothing of a method that is no dataclass.
    """

    def plain(value):
        return value.tolist() if hasattr(value, "tolist") else type(value).__qualname__

    own: dict[str, Any] = asdict(method) if is_dataclass(method) and not isinstance(method, type) else {}
    return json.loads(json.dumps(own, default=plain))


class State(NamedTuple):
    """Weights, and what the optimizer keeps; leading axis M on everything."""

    weights: Float32[Array, "M C"]
    optimizer: Any


Climb = Callable[[Key[Array, ""], Float32[Array, "M C"]], tuple[Float32[Array, "M C"], Float32[Array, " M"]]]
"""(key, weights) → the gradient of each member's score, and the score."""


def scores_of_copies(
    problem: Problem, key: Key[Array, ""], networks: Network, *, episodes: int, activation_ids: tuple[int, ...]
) -> Float32[Array | np.ndarray, " N"]:
    """What `Problem.score_copies` gives, of which every process finds its share."""
    score = partial(problem.score_copies, key, episodes=episodes, activation_ids=activation_ids)
    if hosts.count() == 1:
        return jnp.asarray(score(networks), jnp.float32)
    (found,) = hosts.dealt(len(networks.steps), lambda own: [np.asarray(score(take(networks, own)), np.float32)])
    return found


def climber(climb: Climb, optimizer: optax.GradientTransformation) -> Trainer:
    """The trainer that follows `climb` with `optimizer`; every process climbs with its share of the
    members.
    """

    @jax.jit
    def init(_key, weights):
        return State(weights, jax.vmap(optimizer.init)(weights))

    @jax.jit
    def follow(state, gradient):
        weights, optimizer_state = ascend(optimizer, state.weights, gradient, state.optimizer)
        return State(weights, optimizer_state)

    def step(key, state):
        if hosts.count() == 1:
            gradient, score = climb(key, state.weights)
            return follow(state, gradient), score
        found = hosts.dealt(len(state.weights), lambda own: jax.device_get(climb(key, state.weights[own])))
        gradient, score = map(jnp.asarray, found)
        return follow(state, gradient), score

    return Trainer(init, step, lambda state: state.weights)


def ascend(optimizer: optax.GradientTransformation, params: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
    """One step up `gradient` for each of M members. A member whose gradient is not finite stays
    where it is.
    """

    def one(params, gradient, state):
        fine = jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient)]))
        downhill = jax.tree.map(lambda leaf: jnp.where(fine, -leaf, 0.0), gradient)
        moved, new_state = descend(optimizer, params, downhill, state)
        return jax.tree.map(lambda new, old: jnp.where(fine, new, old), (moved, new_state), (params, state))

    return jax.vmap(one)(params, gradient, state)


def descend(optimizer: optax.GradientTransformation, params: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
    """The parameters and the optimizer's state after one step of `optimizer` down `gradient`."""
    with jax.numpy_dtype_promotion("standard"):  # which optax counts on
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state


def where_lanes(mask: Bool[Array, "M L"], new: Array, old: Array) -> Array:
    """`new` where `mask` holds, else `old`, for leaves of a state with leading axes M and L."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (new.ndim - mask.ndim)), new, old)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def bounded(limit: float, tree):
    """The identity on a pytree with leading axes [M, L], whose gradient has at most the norm
    `limit` for each of M × L.
    """
    return tree


def _bounded_backward(limit, _, cotangent):
    def each(function, tree):
        """`function` of every leaf that has a gradient: integers have none."""
        return jax.tree.map(lambda leaf: leaf if leaf.dtype == jax.dtypes.float0 else function(leaf), tree)

    finite = each(lambda leaf: jnp.where(jnp.isfinite(leaf), leaf, 0.0), cotangent)
    real = [leaf for leaf in jax.tree.leaves(finite) if leaf.dtype != jax.dtypes.float0]
    flat = jnp.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in real], axis=-1)
    # Divided by the largest first: squares of great numbers would overflow.
    largest = jnp.maximum(jnp.max(jnp.abs(flat), axis=-1), 1e-30)
    norm = largest * jnp.sqrt(jnp.sum((flat / largest[..., None]) ** 2, axis=-1))
    factor = jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-30))
    return (each(lambda leaf: leaf * factor.reshape(factor.shape + (1,) * (leaf.ndim - 2)), finite),)


bounded.defvjp(lambda limit, tree: (tree, None), _bounded_backward)


def bounded_memory(limit: float, memory: Float32[Array, "V M L"]) -> Float32[Array, "V M L"]:
    """A memory whose gradient is bounded likewise."""
    return jnp.moveaxis(bounded(limit, jnp.moveaxis(memory, 0, -1)), -1, 0) if memory.shape[0] else memory
