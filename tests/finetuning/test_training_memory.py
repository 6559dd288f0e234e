"""The policy gradient of networks with memory: what is remembered in rollouts, and how it is run again to learn from."""

from functools import partial
from itertools import pairwise

import bridge
import jax
import jax.numpy as jnp
import numpy as np
import optax
import oracle
import pytest

import wannjax
from wannjax import PolicyGradient
from wannjax.finetuning.policy_gradient import replayed
from wannjax.networks import gradients
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.spaces import Discrete

TIME, LANES = 7, 5
RNG = np.random.default_rng(4)
GENES = oracle.random_genes(RNG, nodes=6, ids=(1, 4, 5, 6), density=0.3, defects=0.0, recurrent=True)
MATRICES = RNG.normal(size=(2, *GENES.connections.shape)).astype(np.float32) * 0.5
NETWORKS = [bridge.network_of(GENES, 40, matrix, recurrent=True) for matrix in MATRICES]
TOPOLOGY = gradients.topology_of(NETWORKS[0])
WEIGHTS = jnp.asarray([graph_of(network).weights for network in NETWORKS], jnp.float32)
SEEN = RNG.normal(size=(2, LANES, TIME, 3)).astype(np.float32)
ENDED = RNG.random((2, LANES, TIME)) < 0.3


def run(weights, memory, observations):
    """(memory [M, B, V], observations [M, B, I]) → the memory after a time step, and outputs."""
    after = gradients.step(TOPOLOGY, weights, *(jnp.moveaxis(each, -1, 0) for each in (memory, observations)), surrogate=0.0)
    return tuple(jnp.moveaxis(each, 0, -1) for each in after)


def outputs_of(matrix, member):
    """What the genome gives [B, T, O], episode by episode, in float64."""
    found = np.zeros((LANES, TIME, 2))
    for lane in range(LANES):
        starts = [0, *(np.flatnonzero(ENDED[member, lane]) + 1), TIME]
        for start, end in pairwise(starts):
            if start < end:
                found[lane, start:end] = oracle.run_over_time(GENES, matrix, SEEN[member, lane, start:end, None])[0][:, 0]
    return found


def test_sequences_are_run_again_as_the_genome_runs_and_begin_anew_after_an_end():
    nothing = jnp.zeros((2, LANES, TOPOLOGY.remembered.shape[0]))
    assert nothing.shape[-1] > 1
    got = jax.jit(partial(replayed, partial(run, WEIGHTS)))(nothing, SEEN, ENDED)
    for member in range(2):
        np.testing.assert_allclose(got[member], outputs_of(MATRICES[member], member), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_sequences_begin_with_what_was_remembered():
    memory = nothing = jnp.zeros((2, LANES, TOPOLOGY.remembered.shape[0]))
    for time in range(3):
        memory = jnp.where(ENDED[:, :, time, None], 0.0, run(WEIGHTS, memory, SEEN[:, :, time])[0])
    whole = replayed(partial(run, WEIGHTS), nothing, jnp.asarray(SEEN), jnp.asarray(ENDED))
    rest = replayed(partial(run, WEIGHTS), memory, jnp.asarray(SEEN[:, :, 3:]), jnp.asarray(ENDED[:, :, 3:]))
    np.testing.assert_allclose(rest, whole[:, :, 3:], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_gradients_flow_through_the_memory_of_a_sequence_up_to_its_ends():
    pull = RNG.normal(size=(2, LANES, TIME, 2)) * 1e-2  # so small that no bound holds it
    nothing = jnp.zeros((2, LANES, TOPOLOGY.remembered.shape[0]))
    got = jax.grad(lambda weights: jnp.sum(pull * replayed(partial(run, weights), nothing, jnp.asarray(SEEN), jnp.asarray(ENDED))))(WEIGHTS)
    for member, network in enumerate(NETWORKS):
        own = graph_of(network).weights
        for place in range(len(own)):
            (cell,) = np.argwhere(np.isclose(MATRICES[member], own[place], rtol=1e-6, atol=0) & (GENES.connections == 1))
            ahead, behind = (MATRICES[member].astype(np.float64) for _ in range(2))
            ahead[tuple(cell)] += 1e-5
            behind[tuple(cell)] -= 1e-5
            slope = np.sum(pull[member] * (outputs_of(ahead, member) - outputs_of(behind, member))) / 2e-5
            np.testing.assert_allclose(got[member, place], slope, rtol=1e-3, atol=1e-5)


class Counting(Environment):
    """Episodes of at most five steps, whose observation is their number from 1 on; step `ends` is the last."""

    name, inputs, actions, max_steps = "counting", 1, Discrete(2), 5

    def __init__(self, ends=3):
        self.params = jnp.int32(ends)

    def reset(self, key, params):
        return jnp.ones(1), jnp.int32(1)

    def step(self, key, state, action, params):
        after = state + 1
        return Transition(jnp.full(1, after, jnp.float32), after, jnp.float32(1.0), state == params, jnp.bool_(False))


SUMS = network_of(Graph(("x",), ("a", "b"), (1, 1, 1), (Connection(1, 2), Connection(2, 2), Connection(2, 3), Connection(2, 4))))
"""Its hidden node sums what is seen."""


@pytest.mark.slow
def test_memory_goes_on_in_an_episode_and_begins_anew_in_the_next():
    method = PolicyGradient(episodes=2, horizon=4, epochs=1, minibatches=1)
    trainer = method.trainer(wannjax.EnvironmentProblem(Counting()), gradients.topology_of(SUMS), optax.sgd(0.0))
    state = trainer.init(jax.random.key(0), jnp.ones((3, 4)))
    np.testing.assert_array_equal(state.lanes.memory, np.zeros((3, 2, 1)))
    for call in range(1, 6):
        state, _ = trainer.step(jax.random.key(call), state)
        age = 4 * call % 3
        np.testing.assert_array_equal(state.lanes.age, np.full((3, 2), age))
        np.testing.assert_allclose(state.lanes.memory, np.full((3, 2, 1), sum(range(1, age + 1))), rtol=1e-6)


class Recall(Environment):
    """A reward for saying which of two numbers was seen in the last time step."""

    name, inputs, actions, max_steps, params = "recall", 1, Discrete(2), 20, None

    def _drawn(self, key):
        return jnp.where(jax.random.bernoulli(key), 1.0, -1.0)

    def reset(self, key, params):
        now = self._drawn(key)
        return now[None], (now, jnp.float32(0.0))

    def step(self, key, state, action, params):
        now, last = state
        seen = self._drawn(key)
        right = (last != 0) & ((action == 1) == (last > 0))
        return Transition(seen[None], (seen, now), right.astype(jnp.float32), jnp.bool_(False), jnp.bool_(False))


@pytest.mark.slow
@pytest.mark.nightly
def test_a_policy_gradient_learns_to_use_memory():
    """Of 20 rewards 19 can be had; without memory, half of them."""
    recalls = network_of(
        Graph(("x",), ("no", "yes"), (1, 5, 1, 1), tuple(Connection(*each) for each in ((3, 2), (1, 3), (2, 4), (2, 5), (3, 4), (3, 5))))
    )
    method = PolicyGradient(horizon=40, learning_rate=0.05)
    tuned = wannjax.finetune(recalls, wannjax.EnvironmentProblem(Recall()), method=method, starts=[0.3], steps=60, progress=False)
    assert tuned.history["held_out_score"][0] < 13
    assert tuned.score > 18.5


def test_minibatches_of_sequences_divide_the_episodes():
    method = PolicyGradient(episodes=6, horizon=4, minibatches=4)
    with pytest.raises(ValueError, match=r"^minibatches: must be a divisor of episodes = 6, for a recurrent network, got 4"):
        method.trainer(wannjax.EnvironmentProblem(Counting()), gradients.topology_of(SUMS), optax.sgd(0.1))
