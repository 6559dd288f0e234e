"""As a program: one evaluation, or one generation, of a large population on a large data set; prints the most memory it took, in MiB."""

import resource
import sys

import jax
import jax.numpy as jnp
import numpy as np

import wannjax

POPULATION, EXAMPLES, INPUTS, CLASSES = 4096, 60_000, 256, 10

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(EXAMPLES, INPUTS)).astype(np.float32)
    problem = wannjax.DataProblem(x, rng.integers(0, CLASSES, EXAMPLES), validation=0 if sys.argv[1] == "evaluate" else None)
    config = wannjax.WannConfig(population=POPULATION, generations=1)
    if sys.argv[1] == "evaluate":
        algorithm = config.algorithm(inputs=INPUTS, outputs=CLASSES)
        networks = algorithm.ask(algorithm.init(jax.random.key(0)))
        weights = jnp.array(config.weights, jnp.float32)
        every = -(-EXAMPLES // problem.batch)
        found = problem.evaluate(jax.random.key(1), networks, weights, episodes=every, activation_ids=algorithm.activation_ids)
        assert np.all(np.asarray(found.steps) == EXAMPLES)
        assert np.all(np.isfinite(found.scores))
    else:
        wannjax.evolve(problem, config, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
