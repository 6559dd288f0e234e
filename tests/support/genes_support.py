"""Random lists of NEAT's genes, as plain dictionaries and as the package's."""

import jax
import jax.numpy as jnp
import numpy as np

from wannjax.search.neat.genes import EMPTY, Genes

PLACES = 12


CAPACITY = 10


def random_lists(rng, count, newest=30):
    """Dicts marking → weight, some of them empty, full, or equal to another."""
    found = []
    for _ in range(count):
        size = rng.choice([0, 1, rng.integers(CAPACITY), CAPACITY])
        markings = np.sort(rng.choice(newest, size, replace=False))
        found.append({int(m): float(np.float32(rng.normal())) for m in markings})
    found[-1] = dict(found[0])
    return found


def listed(dicts, capacity=CAPACITY) -> Genes:
    """The gene lists of dicts marking → weight."""
    markings, weights = np.full((len(dicts), capacity), EMPTY), np.zeros((len(dicts), capacity), np.float32)
    for i, genes in enumerate(dicts):
        markings[i, : len(genes)], weights[i, : len(genes)] = list(genes), list(genes.values())
    nowhere = jnp.zeros(markings.shape, jnp.int32)
    return Genes(jax.device_put(markings), nowhere, nowhere, jax.device_put(weights))
