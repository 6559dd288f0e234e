"""Merged populations compute what their networks do, each distinct step once, or say that they do not."""

from functools import partial

import jax
import numpy as np
import oracle
import pytest
from bridge import networks_of
from marking import slow

from wannjax.networks.activations import SUM
from wannjax.networks.merging import merge

MERGE = jax.jit(merge, static_argnames="hash_bits")
STEPS = 96


def population(seed, count=12, *, slots=8, **sizes):
    """Random genes, children that differ from them by one connection, and copies."""
    rng = np.random.default_rng(seed)
    parents = [
        oracle.random_genes(rng, nodes=int(rng.integers(slots + 1)), slots=slots, ids=range(1, 12), **sizes) for _ in range(count // 3)
    ]
    children = []
    for parent in parents:
        connections = parent.connections.copy()
        connections[rng.integers(1 + parent.inputs), rng.integers(parent.slots, parent.slots + parent.outputs)] ^= 1
        children.append(parent._replace(connections=np.abs(connections)))
    return parents + children + parents


def distinct_steps(networks):
    """How many (activation, multiset of what it reads, whether it is an output) there are, by comparing all of them."""
    seen = {}
    length = networks.activations.shape[1]
    for sources, activations, steps in zip(networks.sources, networks.activations, networks.steps, strict=True):
        rows = dict(enumerate(range(2 + networks.inputs)))
        for i in [*range(steps), *range(length - networks.outputs, length)]:
            step = int(activations[i]), tuple(sorted(rows[int(row)] for row in sources[i])), i >= length - networks.outputs
            rows[2 + networks.inputs + i] = seen.setdefault(step, 2 + networks.inputs + len(seen))
    return len(seen)


def run(merged, weight, observations):
    """The outputs [P, B, O] of a merged tape, step by step in float64."""
    values = [np.zeros(len(observations)), np.ones(len(observations)), *observations.T]
    for sources, activation in zip(merged.sources[: merged.ends[2]], merged.activations, strict=False):
        total = sum(values[row] for row in sources)
        values.append(total if activation == SUM else oracle.ACTIVATIONS[int(activation)](weight * total))
    return np.array(values)[merged.outputs].transpose(0, 2, 1)


@pytest.mark.parametrize("seed", range(4))
def test_every_distinct_step_is_there_once_and_outputs_are_those_of_the_networks(seed):
    genes = population(seed, inputs=9, density=0.6)
    networks = networks_of(genes, STEPS)
    merged = jax.device_get(MERGE(networks))
    assert merged.sound
    assert merged.ends[2] == distinct_steps(networks)
    observations = np.random.default_rng(seed).normal(size=(7, 9))
    for weight in (-2.0, 0.7):
        for network, outputs in zip(genes, run(merged, weight, observations), strict=True):
            want, bound = oracle.run(network, weight, observations)
            assert np.all(np.abs(outputs - want) <= bound)


def test_what_is_the_same_at_all_weights_comes_first_and_outputs_last():
    merged = jax.device_get(MERGE(networks_of(population(5, inputs=9, density=0.6), STEPS)))
    first, (still, inner, all_steps) = 11, merged.ends
    assert 0 < still < inner < all_steps
    assert np.all(merged.activations[:still] == SUM)
    assert merged.sources[:still].max() < first + still
    assert np.all(merged.activations[inner:all_steps] != SUM)
    assert np.all(merged.sources[:all_steps] < first + np.minimum(np.arange(all_steps), inner)[:, None])
    assert np.all(merged.outputs >= first + inner)


def test_the_order_in_which_sources_are_added_depends_on_no_other_network():
    networks = networks_of(population(6, inputs=9, density=0.6), STEPS)
    alone, together = (jax.device_get(MERGE(jax.tree.map(lambda leaf, of=of: leaf[of], networks))) for of in ([7, 7], np.arange(12)))

    def spelled(merged, row):
        """What a row computes, sources in order."""
        if row < 11:
            return int(row)
        return int(merged.activations[row - 11]), *(spelled(merged, source) for source in merged.sources[row - 11])

    assert [spelled(alone, row) for row in alone.outputs[0]] == [spelled(together, row) for row in together.outputs[7]]


@pytest.mark.parametrize("bits", [1, *slow(0, 2, 4)])
def test_steps_whose_hashes_collide_are_found_out(bits):
    """With a few bits nearly all populations have collisions; one that is called sound has none that matter."""
    merge_some = partial(MERGE, hash_bits=bits)
    sound = []
    for seed in range(12):
        genes = population(seed, count=3, inputs=3, slots=4, density=0.4)
        networks = networks_of(genes, STEPS)
        merged = jax.device_get(merge_some(networks))
        sound.append(bool(merged.sound))
        assert merged.sound == (merged.ends[2] == distinct_steps(networks))
        if merged.sound:
            observations = np.random.default_rng(seed).normal(size=(5, 3))
            for network, outputs in zip(genes, run(merged, 1.5, observations), strict=True):
                want, bound = oracle.run(network, 1.5, observations)
                assert np.all(np.abs(outputs - want) <= bound)
    assert not all(sound)
