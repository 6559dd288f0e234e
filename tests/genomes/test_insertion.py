"""The operator that inserts a block: exactly the block, where it is acyclic, and nothing else changed; a search has room for it."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import genes_of, genome_of
from genomes_support import assert_about_uniform, assert_well_formed, shaped, without_slot
from hypothesis import given
from hypothesis import strategies as st
from oracle import Genes

from wannjax import Block, WannConfig
from wannjax.genomes.genome import hidden_count
from wannjax.genomes.operators import Operators, draws_of, most_nodes, most_steps, mutate
from wannjax.networks.activations import NAMES

CLIQUE = tuple((source, target) for target in range(5) for source in range(target))
LIBRARY = (
    Block(("cos", "sin"), ((0, 1),)),
    Block(("sin", "cos", "sin"), ((0, 2), (1, 2))),
    Block(("cos", "square", "sin", "cos"), ((0, 1), (0, 2), (0, 3))),
    Block(("cos",) * 5, CLIQUE),
)
"""Of activations that `shaped` genomes have not: chain, fan-in, fan-out and all connections."""
ONLY_BLOCKS = Operators(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (1,), 1.0, LIBRARY)
TABLE = (1, 5, 9)
DRAWS, BATCH = 3000, 20


@jax.jit
def _children(population, draws):
    return jax.vmap(lambda genome, draw: mutate(genome, draw, ONLY_BLOCKS.ends, (1,), LIBRARY))(population, draws)


def children(parents: list[Genes], draws) -> list[Genes]:
    """One child of each parent, in batches of one shape: compiled once."""
    born = []
    for start in range(0, len(parents), BATCH):
        family = parents[start : start + BATCH]
        connections, activations = (np.stack(genes) for genes in list(zip(*family, strict=True))[:2])
        population = genome_of(Genes(connections, activations, family[0].inputs, family[0].outputs))
        both = genes_of(_children(population, jnp.asarray(draws[start : start + BATCH])))
        born += [Genes(*genes, both.inputs, both.outputs) for genes in zip(both.connections, both.activations, strict=True)]
    return born


def some_draws(seed, count):
    return np.random.default_rng(seed).random((count, draws_of(LIBRARY)), np.float32)


def families(seed, most=9):
    """Parents of up to `most` nodes in 9 slots, with their draws and children."""
    parents = [shaped(seed + i, nodes=(seed + i) % (most + 1), ids=TABLE) for i in range(BATCH)]
    draws = some_draws(seed, BATCH)
    return zip(parents, draws, children(parents, draws), strict=True)


def insertion(parent: Genes, draws) -> tuple[Genes, int, int] | None:
    """What should come of `draws` node by node and connection by connection; with the number of the block, and its first slot."""

    def index(draw, count):
        return min(int(np.float32(draw) * np.float32(count)), count - 1)

    number = index(draws[1], len(LIBRARY))
    block, slot, first = LIBRARY[number], index(draws[2], parent.nodes + 1), 1 + parent.inputs
    if parent.nodes + block.size > parent.slots:
        return None

    def moved(node):
        return node if node < slot or node >= parent.slots else node + block.size

    connections, activations = np.zeros_like(parent.connections), np.zeros_like(parent.activations)
    for target in [*range(parent.nodes), *range(parent.slots, len(activations))]:
        activations[moved(target)] = parent.activations[target]
        for source in range(first + parent.nodes):
            row = source if source < first else first + moved(source - first)
            connections[row, moved(target)] = parent.connections[source, target]
    behind = [*range(slot + block.size, parent.nodes + block.size), *range(parent.slots, len(activations))]
    for node in range(block.size):
        activations[slot + node] = NAMES.index(block.activations[node])
        if node in block.roots:
            connections[index(draws[3 + node], first + slot), slot + node] = 1
        if node in block.sinks:
            connections[first + slot + node, behind[index(draws[3 + node], len(behind))]] = 1
    for source, target in block.connections:
        connections[first + slot + source, slot + target] = 1
    return Genes(connections, activations, parent.inputs, parent.outputs), number, slot


@given(st.integers(0, 2**31))
def test_a_child_is_its_parent_with_the_block_that_was_drawn_or_a_copy_without_room(seed):
    for parent, draws, child in families(seed):
        expected = insertion(parent, draws)
        wanted = parent if expected is None else expected[0]
        np.testing.assert_array_equal(child.connections, wanted.connections)
        np.testing.assert_array_equal(child.activations, wanted.activations)
        assert_well_formed(child)


@given(st.integers(0, 2**31))
def test_outputs_that_no_sink_leads_to_compute_the_same(seed):
    for parent, draws, child in families(seed, most=4):
        _, number, slot = insertion(parent, draws)
        observations = np.random.default_rng(seed).normal(size=(5, parent.inputs))
        before, after = (oracle.run(genes, 0.7, observations)[0] for genes in (parent, child))
        new = set(range(slot, slot + LIBRARY[number].size))
        for output in range(parent.outputs):
            alone = child.connections.copy()
            alone[:, [child.slots + other for other in range(parent.outputs) if other != output]] = 0
            if not new & oracle.live_nodes(child._replace(connections=alone)):
                np.testing.assert_array_equal(after[:, output], before[:, output])


@given(st.integers(0, 2**31))
def test_without_the_new_slots_a_child_is_its_parent(seed):
    for parent, draws, child in families(seed):
        expected = insertion(parent, draws)
        if expected is not None:
            for _ in range(LIBRARY[expected[1]].size):
                child = without_slot(child, expected[2])
        np.testing.assert_array_equal(child.connections, parent.connections)
        np.testing.assert_array_equal(child.activations, parent.activations)


@given(st.integers(0, 2**31))
def test_a_child_grows_by_no_more_than_the_operators_say(seed):
    for parent, _, child in families(seed):
        assert child.nodes <= parent.nodes + most_nodes(LIBRARY)
        assert oracle.tape_steps(child) <= oracle.tape_steps(parent) + most_steps(LIBRARY)


@pytest.mark.slow
@pytest.mark.nightly
def test_blocks_places_sources_and_targets_are_equally_likely():
    parent = shaped(8, nodes=4, ids=TABLE)
    first, pair = 1 + parent.inputs, LIBRARY[0]
    blocks, slots = np.zeros(len(LIBRARY), int), np.zeros(parent.nodes + 1, int)
    sources, targets = np.zeros(first + 2, int), np.zeros(2 + parent.outputs, int)
    draws = some_draws(1, DRAWS)
    for row, child in zip(draws, children([parent] * DRAWS, draws), strict=True):
        _, number, slot = insertion(parent, row)
        blocks[number] += 1
        slots[slot] += 1
        if number == 0 and slot == 2:
            sources[np.flatnonzero(child.connections[:, slot])] += 1
            column = int(np.flatnonzero(child.connections[first + slot + 1])[0])
            targets[column - slot - pair.size if column < child.slots else column - child.slots + 2] += 1
    for counts in (blocks, slots, sources, targets):
        assert_about_uniform(counts)


def test_insertion_is_drawn_by_its_rate_beside_the_others():
    parent = shaped(8, nodes=4, ids=TABLE)
    operators = Operators(0.2, 0.2, 0.1, 0.1, 0.1, 0.3, TABLE, 0.5, LIBRARY)
    draws = jax.random.uniform(jax.random.key(0), (DRAWS, draws_of(LIBRARY)))
    born = jax.jit(jax.vmap(lambda draw: hidden_count(mutate(genome_of(parent), draw, operators.ends, TABLE, LIBRARY))))(draws)
    share = float(np.mean(np.asarray(born) > parent.nodes + 1))
    assert abs(share - 0.5 / 1.5) < 5 * np.sqrt(share * (1 - share) / DRAWS)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_search_always_has_room_for_the_next_generation():
    config = WannConfig(population=8, add_node=0.0, delete_connection=0.0, delete_node=0.0, insert_block=20.0, blocks=LIBRARY)
    algorithm = config.algorithm(inputs=3, outputs=2)
    state = algorithm.init(jax.random.key(0))
    for _ in range(8):
        assert np.max(state.sizes.hidden) + most_nodes(LIBRARY) <= state.genomes.hidden
        assert np.max(state.sizes.steps) + most_steps(LIBRARY) <= state.steps
        largest = np.asarray(state.sizes.hidden, np.float32)[:, None] * np.ones((1, 6), np.float32)
        state = algorithm.enlarge(algorithm.tell(state, largest)[0])
    assert np.max(state.sizes.hidden) > 32
