"""Prints the outcome of a short run on as many CPU devices as the first argument says; run by `test_evolution.py`."""

import sys

import jax

jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))

import wannjax  # noqa: E402

problem = wannjax.make("CartPoleSwingUp-v0", max_steps=120)
config = wannjax.WannConfig(population=37, generations=8, episodes=3, confirm_episodes=5)
result = wannjax.evolve(problem, config, seed=4, progress=False)
print(result.champion)
for values in (result.champion_scores, result.front_scores, result.history["mean_score"], result.history["median_score"]):
    print([float(value).hex() for value in values.ravel()])
