"""A program that tests run in several of JAX's modes: what it finds is the same in all of them."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from wannjax.networks.graph import Connection, Graph, network_of


class Own(wannjax.Environment):
    """Names no types, so that its observations and rewards are of 64 bits where JAX has them."""

    name, inputs, actions, max_steps, differentiable = "own", 1, wannjax.Box(-1, 1), 3, True

    def reset(self, key, params):
        start = jnp.array([0.25])
        return start, start

    def step(self, key, state, action, params):
        state = state + 0.5 * action
        return wannjax.Transition(state, state, -jnp.abs(state[0]), jnp.any(state > 2), jnp.any(state < -2))


def distance(outputs, target):
    """A loss that names no types."""
    return jnp.abs(outputs[0] - jnp.array([0.25, 0.75])[target])


def quick():
    """Small searches."""
    config = wannjax.WannConfig(population=8)
    return [wannjax.evolve(problem, config, generations=2, progress=False).champion_scores for problem in _own_problems()]


def own():
    """What is done with a network in an environment and with a loss of one's own."""
    environment, data = _own_problems()
    network = network_of(Graph(("x",), ("y",), (5, 9), (Connection(1, 2), Connection(2, 3), Connection(0, 3))))
    pairs = [(environment, method) for method in ("gradient", "evolution", "policy_gradient")]
    pairs += [(data, method) for method in ("gradient", "evolution")]
    return [
        *(wannjax.finetune(network, problem, method=method, steps=2, progress=False).member_scores for problem, method in pairs),
        *(_scores(wannjax.evaluate(network, problem, episodes=5)) for problem in (environment, data)),
        wannjax.explain(network, environment, episodes=1).connection_effects,
        wannjax.ensemble(network, data, members=2, steps=2, kind="regions", progress=False).evaluate(data).mean,
    ]


def search():
    """WANN in an environment."""
    config = wannjax.WannConfig(population=16, generations=3, blocks=(_BLOCK,), insert_block=0.3)
    result = wannjax.evolve(_swing_up(), config, progress=False)
    return [result.champion_scores, *result.history["best_score"], repr(result.champion)]


def neat():
    """NEAT in an environment."""
    result = wannjax.evolve(_swing_up(), wannjax.NeatConfig(population=16, generations=3), progress=False)
    return [result.champion_scores, *result.history["best_score"], *result.history["threshold"]]


def data():
    """A search on data, with islands and by tournaments; then what is done with a network on data."""
    x = np.random.default_rng(0).normal(size=(100, 3))
    problem = wannjax.DataProblem(x, x[:, 0] > 0, batch=16)
    config = wannjax.WannConfig(population=16, generations=2, islands=2, selection="tournament")
    champion = wannjax.evolve(problem, config, progress=False).champion
    together = wannjax.ensemble(champion, problem, members=2, steps=2, kind="regions", progress=False)
    return [
        *_scores(wannjax.evaluate(champion, problem, episodes=5)),
        *(
            wannjax.finetune(champion, problem, method=method, steps=2, progress=False).member_scores
            for method in ("gradient", "evolution")
        ),
        wannjax.explain(champion, problem, episodes=1).connection_effects,
        wannjax.prune(champion, problem, tolerance=0.1, episodes=1).score_after,
        together(np.zeros((2, 3))),
        together.evaluate(problem).mean,
    ]


def network(directory: Path):
    """What is done with a network in an environment."""
    problem, network = _swing_up(), _network()
    varied = wannjax.make("CartPoleSwingUp-v0", max_steps=20, vary={"pole_length": (0.3, 0.7)})
    together = wannjax.ensemble(network, varied, members=2, steps=1, progress=False)
    wannjax.watch(network, problem, directory / "film.gif", weights=[1.0])
    return [
        network(np.linspace(-1, 1, 5), 0.5),
        *_scores(wannjax.evaluate(network, problem, episodes=5)),
        *(
            wannjax.finetune(network, problem, method=method, steps=2, progress=False).member_scores
            for method in ("gradient", "evolution", "policy_gradient")
        ),
        wannjax.explain(network, problem, episodes=1).connection_effects,
        wannjax.prune(network, problem, tolerance=10, episodes=1).score_after,
        together(np.zeros(5), [0.5]),
        wannjax.export.to_flax(network)(np.ones(5)),
    ]


def gymnax(directory: Path):
    """The command line on an environment of gymnax's, whose own code does not know the modes."""
    from wannjax.cli import main

    command = ["evolve", "CartPole-v1", "--population", "16", "--generations", "2", "--out", str(directory / "run")]
    code = main(command)
    return [code, *wannjax.load(directory / "run" / "champion.json")(np.ones(4))]


def _own_problems():
    data = wannjax.DataProblem([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1], loss=distance, outputs=1, validation=0.5)
    return wannjax.EnvironmentProblem(Own()), data


_BLOCK = wannjax.Block(("tanh", "sin"), ((0, 1),))


def _swing_up():
    return wannjax.make("CartPoleSwingUp-v0", max_steps=20)


def _network():
    ends = (1, 6), (2, 6), (6, 7), (7, 8), (3, 8), (4, 8), (5, 8), (0, 8)
    problem = _swing_up()
    return network_of(Graph(problem.input_names, problem.output_names, (5, 9, 1), tuple(Connection(*pair) for pair in ends)))


def _scores(report):
    return [*report.per_weight.values(), report.random_weights, report.random_shared, report.tuned_shared, report.tuned_weight]


def main(names: list[str], directory: Path) -> None:
    found = {}
    for name in names:
        part = globals()[name]
        found[name] = part(directory) if part in (network, gymnax) else part()
    plain = jax.tree.map(lambda leaf: leaf if isinstance(leaf, str) else np.asarray(leaf, np.float64).tolist(), found)
    (directory / "found.json").write_text(json.dumps(plain))


if __name__ == "__main__":
    main(sys.argv[2:], Path(sys.argv[1]))
