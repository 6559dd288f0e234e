"""Does a collection of trained copies beat one network? `python -m benchmarks.ensembles [--network
FILE] [--members 3] [--steps 300]`.

Swing-up with a pole whose length is drawn anew in every episode, ±50 %. One network is trained on
the mixture, with `members` times the steps. Then copies of it are trained on a region of lengths
each, and a gate that is told the length says which of them acts. Both are scored on the same 500
fresh episodes, and on lengths apart. The single network does not see the length, the gate does:
that is what a collection is for, and the last column, the members' own scores, shows what one copy
alone is worth.

Digits: see `python -m benchmarks.classification digits --collections`.
"""

import argparse
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import machine, print_table, whole, write_json
from wannjax.problems.registry import make_environment

SWING_UP, LENGTH = "CartPoleSwingUp-v0", 0.6
EPISODES = 500
BANDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=None, help="a champion's file; a default run with seed 0 when left out")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300, help="of each member")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wannjax.use_all_cores()
    bounds = 0.5 * LENGTH, 1.5 * LENGTH
    mixture = make_environment(SWING_UP, vary={"pole_length": bounds})
    champion = wannjax.load(options.network) if options.network else whole(wannjax.evolve(make_environment(SWING_UP), seed=0)).champion
    single = wannjax.finetune(champion, mixture, steps=options.members * options.steps, seed=options.seed)
    flock = wannjax.ensemble(single.network, mixture, members=options.members, steps=options.steps, seed=options.seed)

    keys = jax.random.split(jax.random.key(options.seed + 1000), EPISODES)
    networks = [single.network, *flock.members]
    alone = [_returns(network, mixture, keys) for network in networks]
    together = np.asarray(flock.returns(mixture, keys))
    lengths = np.asarray(mixture.contexts(keys, mixture.params))[:, 0]
    names = ["one network", *(f"member {i + 1} alone" for i in range(flock.size)), "collection"]
    edges = np.linspace(*bounds, BANDS + 1)
    band = np.clip(np.digitize(lengths, edges) - 1, 0, BANDS - 1)
    rows = []
    for name, returns in zip(names, [*alone, together], strict=True):
        cells = [f"{returns[band == i].mean():.0f}" for i in range(BANDS)]
        rows.append([name, *cells, f"{returns.mean():.0f} ± {returns.std():.0f}"])
    columns = ["", *(f"{low:.2f}-{high:.2f}" for low, high in itertools.pairwise(edges)), "all lengths"]
    print_table(f"{SWING_UP}, pole length {bounds[0]:.1f} to {bounds[1]:.1f}", columns, rows)
    gain = together - alone[0]
    print(f"collection - one network: {gain.mean():.1f} ± {gain.std() / np.sqrt(EPISODES):.1f} (standard error, paired episodes)")
    record = {name: float(returns.mean()) for name, returns in zip(names, [*alone, together], strict=True)}
    write_json(Path("benchmarks/results/ensembles.json"), {"machine": machine(), "seed": options.seed, "means": record, "rows": rows})


def _returns(network: wannjax.Network, problem: wannjax.EnvironmentProblem, keys) -> np.ndarray:
    population = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], network)
    return np.asarray(problem.rollout(keys, population, jnp.ones(len(keys))).returns)[0]


if __name__ == "__main__":
    main()
