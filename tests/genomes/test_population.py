"""Work on a population in pieces gives what it gives at once."""

import jax
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, population_of
from marking import slow

from wannjax.genomes import population
from wannjax.genomes.population import in_chunks, size_of


@pytest.mark.parametrize("chunk", [1, 3, *slow(2, 6, 7)])
def test_chunks_change_nothing(monkeypatch, chunk):
    rng = np.random.default_rng(0)
    genomes = population_of([oracle.random_genes(rng, nodes=int(rng.integers(0, 12))) for _ in range(7)])
    places = np.array([3, 1, 4, 1, 5, 2, 6], np.int32)

    def sizes(place):
        return size_of(jax.tree.map(lambda leaf: leaf[place], genomes))

    monkeypatch.setattr(population, "genomes_per_chunk", lambda *_, **__: chunk)
    assert_same_bits(in_chunks(sizes, places, of=genomes), jax.vmap(sizes)(places))
