"""A search or a training that keeps checkpoints, for tests that kill and damage it; as a program it resumes and prints the outcome.

Arguments: which search, or training, directory, devices, and for one of several processes its coordinator, how many there are and which one
it is.
"""

import sys
import time
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import jax

if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", int(sys.argv[3]))

import numpy as np
from data_support import examples
from host_support import Boats

import wannjax
from wannjax.networks.graph import graph_of

TIMES = {"seconds", "rollout_seconds"}
CONFIG = wannjax.WannConfig(population=47, generations=12, episodes=2, confirm_episodes=4, cases="episodes")
ISLANDS = CONFIG.replace(population=48, islands=4, migrate_every=3, migrants=2)
SPECIES = wannjax.NeatConfig(
    population=48, generations=12, episodes=2, confirm_episodes=4, species=3, add_node=0.3, islands=4, migrate_every=3
)
METHOD = wannjax.EvolutionStrategy(population=8, episodes=2)


class OfTapes(wannjax.Problem):
    """Scores networks by what their tapes hold, which takes no compilation; it can take `seconds`, so that the search can be killed."""

    name, inputs, outputs, output_activation = "tapes", 3, 1, "linear"
    input_names, output_names = ("a", "b", "c"), ("y",)
    seconds = 0.0

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        time.sleep(self.seconds)
        sources = np.asarray(networks.sources, np.int64)
        mixed = (sources.sum(axis=(1, 2))[:, None] * (1 + np.arange(len(weights)))) % 101
        scores = ((sources > 0).sum(axis=(1, 2))[:, None] + mixed / 50).astype(np.float32)
        return wannjax.Evaluation(scores, np.ones(scores.shape, np.int32), np.float32(scores.size))


def quick(directory: Path | None, **options):
    return search(directory, problem=OfTapes(), **options)


def data(directory: Path | None, **options):
    """On examples enough for distinct nodes to be scored once."""
    return search(directory, problem=wannjax.DataProblem(*examples(900)), **options)


def on_host(directory: Path | None, **options):
    return search(directory, problem=wannjax.HostProblem(Boats()), **options)


def raced(directory: Path | None, **options):
    return on_host(directory, config=CONFIG.replace(racing=1), **options)


def islands(directory: Path | None, **options):
    return search(directory, problem=OfTapes(), config=ISLANDS, **options)


def islands_of_species(directory: Path | None, **options):
    return search(directory, problem=OfTapes(), config=SPECIES, **options)


def islands_on_data(directory: Path | None, **options):
    return search(directory, problem=wannjax.DataProblem(*examples(900)), config=ISLANDS.replace(cases="weights"), **options)


def islands_raced(directory: Path | None, **options):
    return on_host(directory, config=ISLANDS.replace(racing=1), **options)


def islands_of_carts(directory: Path | None, **options):
    return search(directory, config=ISLANDS, **options)


@cache
def environment(name: str = "CartPoleSwingUp-v0") -> wannjax.Problem:
    """One for all runs of a process, which then share what is compiled."""
    return wannjax.make(name, max_steps=200)


def search(
    directory: Path | None,
    *,
    problem: wannjax.Problem | None = None,
    config: wannjax.WannConfig | wannjax.NeatConfig = CONFIG,
    resume: bool = False,
    generations: int = CONFIG.generations,
    callbacks=(),
    save_every: float = 0.0,
):
    problem = problem or environment()
    return wannjax.evolve(
        problem,
        config,
        generations=generations,
        seed=3,
        progress=False,
        run_dir=directory,
        resume=resume,
        callbacks=callbacks,
        save_every=save_every,
    )


def training(
    directory: Path | None, *, resume: bool = False, callbacks=(), method=METHOD, steps: int = 12, name: str = "CartPoleSwingUp-v0"
):
    problem = environment(name)
    network = wannjax.evolve(problem, CONFIG, generations=2, seed=3, progress=False).champion
    return wannjax.finetune(
        network,
        problem,
        method=method,
        steps=steps,
        seed=3,
        progress=False,
        run_dir=directory,
        resume=resume,
        callbacks=callbacks,
        save_every=0.0,
    )


def outcome(result) -> list[str]:
    """All that a run found, to the last bit, but for times."""
    if isinstance(result, wannjax.Result):
        networks = [result.champion, *result.front, *(stage.network for stage in result.growth)]
        growth = np.array([(stage.generation, stage.score) for stage in result.growth])
        scores = [result.champion_scores, result.front_scores, growth]
    else:
        networks, scores = [result.network], [result.member_scores]
    lines = [str(graph_of(network)) for network in networks] + [array.tobytes().hex() for array in scores]
    return lines + [f"{name} {result.history[name].tobytes().hex()}" for name in sorted(set(result.history) - TIMES)]


def without_costs(lines: list[str]) -> list[str]:
    """An outcome but for what differs with the number of devices, and of processes."""
    return [line for line in lines if not line.startswith("computed_steps ")]


KINDS = {
    "search": search,
    "quick": quick,
    "data": data,
    "host": on_host,
    "raced": raced,
    "training": training,
    "islands": islands,
    "islands of species": islands_of_species,
    "islands on data": islands_on_data,
    "islands raced": islands_raced,
    "islands of carts": islands_of_carts,
}


if __name__ == "__main__":
    OfTapes.seconds = 0.1

    def say(record):
        print("at", getattr(record, "generation", None) or record.step, flush=True)

    kind, directory = sys.argv[1], Path(sys.argv[2])
    several = sys.argv[4:]
    with wannjax.distributed(several[0], int(several[1]), int(several[2])) if several else nullcontext():
        found = KINDS[kind](directory, resume=True, callbacks=[say])
        print("\n".join(["found", *outcome(found)]), flush=True)
