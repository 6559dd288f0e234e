"""Searches on the real swing-up, for tests of what they depend on; as a program, all that two find, on so many devices."""

import sys

import jax

if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))

import saved_run
from data_support import examples

import wannjax

SWING_UP = wannjax.make("CartPoleSwingUp-v0")
CONFIGS = {  # three candidates are confirmed in every generation: one a device, where there are three
    "neat": wannjax.NeatConfig(population=20, generations=6, episodes=2, confirm_episodes=4, candidates=3, add_node=0.3),
    "wann": wannjax.WannConfig(population=20, generations=6, episodes=1, confirm_episodes=4, candidates=3),
    "raced": wannjax.WannConfig(
        population=24, generations=6, episodes=4, racing=1, confirm_episodes=4, candidates=3, islands=2, recurrent=True
    ),
}

if __name__ == "__main__":
    searches = {name: (SWING_UP, config) for name, config in CONFIGS.items()}
    searches["data"] = wannjax.DataProblem(*examples(900)), CONFIGS["wann"]
    for name, (problem, config) in searches.items():
        found = wannjax.evolve(problem, config, seed=0, progress=False)
        print("\n".join([name, *saved_run.without_costs(saved_run.outcome(found))]))
