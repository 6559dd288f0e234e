"""Work that is spread over the devices of a process: no CPU device waits for another one within a program."""

import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import loop_beside
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import wannjax
from wannjax.common import devices
from wannjax.common.per_device import PerDevice, on_devices
from wannjax.networks.gradients import copies, topology_of
from wannjax.networks.network import take

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(60, 5))
PROBLEMS = {
    "environment": wannjax.make("CartPoleSwingUp-v0", max_steps=20),
    "data": wannjax.DataProblem(X, X[:, 0], loss="mse", batch=16),
}
ALGORITHM = wannjax.WannConfig(population=7, output_activation="linear").algorithm(inputs=5, outputs=1)
NETWORKS = jax.device_get(ALGORITHM.ask(ALGORITHM.init(KEY)))
TOPOLOGY = topology_of(take(NETWORKS, 0))
IDS = {"activation_ids": ALGORITHM.activation_ids}


def uses(problem):
    """Everything that is asked of a problem, by name: a function that gives arrays."""
    gradient = wannjax.Gradient(episodes=3).trainer(problem, TOPOLOGY, optax.adam(0.1))
    copied = copies(TOPOLOGY, jnp.linspace(-1.0, 1.0, 5)[:, None] * jnp.ones((5, TOPOLOGY.connections)))
    return {
        "evaluate": lambda: problem.evaluate(KEY, NETWORKS, jnp.array([-1.0, 1.0]), episodes=2, **IDS),
        "measure": lambda: problem.measure(jax.random.split(KEY, 2), NETWORKS, jnp.ones(2), **IDS),
        "score_copies": lambda: problem.score_copies(KEY, copied, episodes=2, **IDS),
        "gradient step": lambda: gradient.step(KEY, gradient.init(KEY, jnp.ones((2, TOPOLOGY.connections)))),
    }


def collectives(text: str) -> list[str]:
    return re.findall(r"= \S+ (all-\w+|collective-\w+|reduce-scatter)", text)


@pytest.mark.parametrize("kind", PROBLEMS)
def test_no_program_exchanges_anything_between_cpu_devices(kind, monkeypatch):
    compiled = []

    def called(self, *arguments, **settings):
        program = self.apart.lower(*arguments, **settings, shares=2).compile()
        compiled.append(collectives(program.as_text()))
        return self._finish(jax.device_get(program(*arguments)))

    monkeypatch.setattr(PerDevice, "__call__", called)
    for use in uses(PROBLEMS[kind]).values():
        use()
    assert compiled == [[]] * 4


def sums(argument, *, shares):
    return on_devices(lambda share, argument: share + jnp.sum(argument), shares, argument)


SUMS = PerDevice(sums, lambda parts: parts.sum())


def test_what_is_put_together_within_a_program_would_be_seen():
    assert collectives(SUMS.whole.lower(jnp.ones(4), shares=2).compile().as_text())


@pytest.mark.slow
def test_results_are_those_of_one_device_in_a_program_of_the_callers():
    """Which has no exchange between devices either, and may give none of its own values."""
    problem = PROBLEMS["environment"]

    def evaluate(key):
        return problem.evaluate(key, NETWORKS, jnp.ones(1), episodes=2, **IDS)

    own = jax.jit(evaluate)
    assert not collectives(own.lower(KEY).compile().as_text())
    alone, together = own(KEY), evaluate(KEY)
    np.testing.assert_allclose(alone.scores, together.scores, rtol=1e-6)  # another program may round otherwise
    np.testing.assert_array_equal(alone.steps, together.steps)
    assert float(jax.jit(lambda: SUMS(jnp.ones(4)))()) == 4.0


def test_an_argument_may_be_spread_itself():
    split = NamedSharding(devices.local_mesh("rows"), PartitionSpec("rows"))
    assert float(SUMS(jax.device_put(jnp.arange(4.0), split))) == 13.0


def test_results_go_together_with_whatever_else_there_is():
    """They are bound to no device."""
    found = SUMS(jnp.ones(4))
    other = jax.device_put(jnp.ones(()), jax.devices()[1])
    assert float(found + other) == 10.0


@pytest.mark.slow
@pytest.mark.nightly
def test_a_loop_of_ones_own_ends_beside_other_work():
    command = [sys.executable, loop_beside.__file__, "250", "2"]
    as_users_run = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS")}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, env=as_users_run)
    assert ended.returncode == 0, ended.stderr[-1000:]
    assert ended.stdout == "ended 54 True\n"
