"""What the policy gradient makes of a wiring: `python -m benchmarks.policy_gradient [--environments
ENV …]`.

The champion of a short search is trained from its best shared weight, with inputs as they are and
normalised, three seeds each; beside it a perceptron of 16 tanh nodes by the same settings, from
usual initial weights, which tells what is the method's and what the wiring's. Scores are means of
100 fresh episodes; CPU-seconds include compiling. envpool:LunarLander-v3, which needs
`pip install "wannjax[envpool]"`, runs where it is named. Finished runs are kept in the JSON file; a
second call does only what is missing.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import wannjax
from benchmarks.common import Results, perceptron, print_table, whole
from wannjax.networks.files import network_text, parse_network
from wannjax.networks.graph import graph_of, network_of

TASKS: dict[str, tuple[dict[str, Any], int]] = {
    "CartPole-v1": (dict(generations=5), 100),
    "Acrobot-v1": (dict(generations=30), 100),
    "Pendulum-v1": (dict(generations=50), 200),
    "envpool:LunarLander-v3": (dict(generations=40, population=64, episodes=1, confirm_episodes=8, candidates=4), 300),
}
"""Environment: settings of the search, and steps of training."""
HIDDEN, SEEDS = (16,), 3


def champion(seed: int, environment: str, config: wannjax.WannConfig) -> dict[str, Any]:
    """A search, and its champion's best shared weight."""
    problem = wannjax.make(environment)
    found = whole(wannjax.evolve(problem, config, seed=seed, progress=False)).champion
    report = wannjax.evaluate(found, problem, seed=seed)
    return {"network": json.loads(network_text(graph_of(found))), "weight": report.tuned_weight, "mean": report.tuned_shared.mean}


def trained(seed: int, environment: str, network: str, found: dict[str, Any], normalise: bool, steps: int) -> dict[str, Any]:
    """A training of the champion that was `found`, or of a perceptron."""
    problem = wannjax.make(environment)
    if network == "champion":
        one, starts = network_of(parse_network(found["network"])), np.array([found["weight"]])
    else:
        one = perceptron(problem, HIDDEN, seed)
        starts = np.array([graph_of(one).weights], np.float32)
    method, begun = wannjax.PolicyGradient(normalise=normalise), time.process_time()
    tuned = wannjax.finetune(one, problem, method=method, starts=starts, steps=steps, seed=seed, progress=False)
    seconds = time.process_time() - begun
    report = wannjax.evaluate(tuned.network, problem, seed=seed)
    assert report.tuned_weights is not None
    return {"mean": report.tuned_weights.mean, "connections": report.connections, "cpu seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    needing_nothing = [name for name in TASKS if ":" not in name]
    parser.add_argument("--environments", nargs="+", default=needing_nothing, choices=list(TASKS), metavar="ENV")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/policy_gradient.json"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    results, rows = Results(options.json), []
    for environment in options.environments:
        settings, steps = TASKS[environment]
        (best,) = results.of(champion, 1, environment=environment, config=wannjax.WannConfig(**settings))
        for network, found, before in (("champion", best, f"{best['mean']:.0f}"), ("perceptron", {}, "")):
            for normalise in (False, True):
                given = dict(environment=environment, network=network, found=found, normalise=normalise, steps=steps)
                runs = results.of(trained, SEEDS, **given)
                each, seconds = " ".join(f"{run['mean']:.0f}" for run in runs), np.median([run["cpu seconds"] for run in runs])
                inputs = "normalised" if normalise else "as they are"
                rows.append([environment, network, inputs, str(runs[0]["connections"]), str(steps), before, each, f"{seconds:.0f}"])
    columns = ["", "network", "inputs", "weights", "steps", "best shared weight", "tuned weights, by seed", "CPU-seconds"]
    print_table("Trained by the policy gradient", columns, rows)


if __name__ == "__main__":
    main()
