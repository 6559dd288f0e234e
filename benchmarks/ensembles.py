"""Does a collection of trained copies beat one network? `python -m benchmarks.ensembles [--network
FILE] [--members 3] [--steps 75] [--seeds 5]`.

Swing-up with a pole whose length and mass are drawn anew in every episode, ±80 %. Copies of one
network are trained on a region of these each, and a gate says how much each of them counts: one
that is told length and mass, or one that sees what the members see. Beside them stand the same
network with as much training as all copies and the gate together, and a perceptron with as many
weights as the copies, trained as long. All of a seed are scored on the same 500 fresh episodes.
Finished runs are kept in the JSON file; a second call does only what is missing.

Digits: see `python -m benchmarks.classification digits --collections`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import Results, hidden_layers, perceptron, print_table, whole
from wannjax.common.digits import number
from wannjax.networks.files import network_text, parse_network
from wannjax.networks.graph import graph_of, network_of
from wannjax.problems.registry import make_environment

SWING_UP, SHARE = "CartPoleSwingUp-v0", 0.8
CENTRES = {"pole_length": 0.6, "pole_mass": 0.5}
EPISODES = 500
ONE, PERCEPTRON, TOLD, UNTOLD = "one network", "perceptron", "collection, gate told", "collection, gate not told"


def champion(seed: int) -> dict[str, Any]:
    """What a default run finds."""
    return {"network": _document(whole(wannjax.evolve(SWING_UP, seed=seed, progress=False)).champion)}


def _document(network: wannjax.Network) -> dict[str, Any]:
    return json.loads(network_text(graph_of(network)))


def trained(seed: int, what: str, network: dict[str, Any], members: int, steps: int) -> dict[str, Any]:
    """Trains one of the four, and scores it: the mean over the episodes, and over those of which
    length and mass are below (-) or above (+) the middle.
    """
    problem = make_environment(SWING_UP, vary={name: ((1 - SHARE) * centre, (1 + SHARE) * centre) for name, centre in CENTRES.items()})
    original, begun = network_of(parse_network(network)), time.process_time()
    keys = jax.random.split(jax.random.key(seed + 1000), EPISODES)
    if what in (TOLD, UNTOLD):
        flock = wannjax.ensemble(original, problem, members=members, steps=steps, told=what == TOLD, seed=seed, progress=False)
        weights, returns = flock.weights.size, np.asarray(flock.returns(problem, keys))
    else:
        one, starts = original, None
        if what == PERCEPTRON:
            hidden = hidden_layers(problem, 1, members * len(graph_of(original).connections))
            drawn = [perceptron(problem, hidden, 100 * seed + i) for i in range(4)]
            one, starts = drawn[0], np.array([graph_of(each).weights for each in drawn], np.float32)
        tuned = wannjax.finetune(
            one, problem, method="evolution", steps=(members + 1) * steps, starts=starts, seed=seed, progress=False
        ).network
        weights = len(graph_of(tuned).connections)
        alone = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], tuned)
        returns = np.asarray(problem.rollout(keys, alone, jnp.ones(len(keys))).returns)[0]
    above = np.asarray(problem.contexts(keys, problem.params)) > np.array(list(CENTRES.values()))
    parts = {f"{'-+'[i]}{'-+'[j]}": float(returns[(above == (bool(i), bool(j))).all(axis=1)].mean()) for i in (0, 1) for j in (0, 1)}
    seconds = time.process_time() - begun
    return {"mean": float(returns.mean()), "weights": weights, "cpu seconds": seconds, "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=None, help="a champion's file; a default run with seed 0 when left out")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--steps", type=int, default=75, help="of each member, and of the gate")
    parser.add_argument("--seeds", type=int, default=5, help="seeds from 0 on, of the training")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/ensembles.json"))
    options = parser.parse_args()
    wannjax.use_all_cores()
    results = Results(options.json)
    network = _document(wannjax.load(options.network)) if options.network else results.of(champion, 1)[0]["network"]
    settings = {"network": network, "members": options.members, "steps": options.steps}
    found = {what: results.of(trained, options.seeds, what=what, **settings) for what in (ONE, PERCEPTRON, TOLD, UNTOLD)}
    alone, rows = np.array([run["mean"] for run in found[ONE]]), []
    for what, runs in found.items():
        means = np.array([run["mean"] for run in runs])
        gain = means - alone
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        parts = [number(float(np.mean([run["parts"][part] for run in runs]))) for part in runs[0]["parts"]]
        by_seed = " ".join(f"{mean:.0f}" for mean in means)
        shown = "" if what == ONE else f"{gain.mean():+.0f} ± {error:.0f}"
        seconds = f"{np.median([run['cpu seconds'] for run in runs]):.0f}"
        rows.append([what, str(runs[0]["weights"]), by_seed, f"{means.mean():.0f}", shown, *parts, seconds])
    halves = ("short, light", "short, heavy", "long, light", "long, heavy")
    columns = ["", "weights", "mean, by seed", "mean", "to one network, paired", *halves, "CPU-seconds"]
    print_table(f"{SWING_UP}, pole length and mass ±{SHARE:.0%}, {EPISODES} episodes", columns, rows)


if __name__ == "__main__":
    main()
