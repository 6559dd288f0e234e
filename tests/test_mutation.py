"""The structural operators: a child is its parent with exactly one change, or a copy; and every choice is as likely as it should be."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from oracle import Genes
from support import genes_of, genome_of, population_of

from wannjax.genome import Genome
from wannjax.mutation import Operators, mutate

TABLE = (1, 3, 5, 9, 10)
ALL = Operators(0.25, 0.2, 0.05, 0.5, TABLE)
ADD_NODE = Operators(1.0, 0.0, 0.0, 0.0, (11,))
ADD_CONNECTION = Operators(0.0, 1.0, 0.0, 0.0, TABLE)
ENABLE = Operators(0.0, 0.0, 1.0, 0.0, TABLE)
CHANGE_ACTIVATION = Operators(0.0, 0.0, 0.0, 1.0, TABLE)


def move(parent: Genes, child: Genes, table=TABLE) -> str:
    """Which operator leads from parent to child; fails where it is none, or more than one."""
    if child.nodes == parent.nodes:
        return _move_without_insertion(parent, child, table)
    assert child.nodes == parent.nodes + 1
    found = [slot for slot in range(child.nodes) if _is_split(parent, child, slot, table)]
    assert found, "no slot of the child explains it as a split connection"
    return "add node"


def _move_without_insertion(parent, child, table):
    cells = np.argwhere(parent.connections != child.connections)
    genes = np.flatnonzero(parent.activations != child.activations)
    assert len(cells) + len(genes) <= 1, "more than one change"
    if len(genes):
        assert genes[0] < parent.nodes, "an output or an empty slot changed"
        assert child.activations[genes[0]] in table
        return "change activation"
    if not len(cells):
        return "copy"
    (row, column) = cells[0]
    assert child.connections[row, column] == 1
    return "add connection" if parent.connections[row, column] == 0 else "enable"


def _is_split(parent, child, slot, table) -> bool:
    """Whether the child's node in `slot` splits one of the parent's connections, and nothing else differs."""
    row = 1 + child.inputs + slot
    rest = without_slot(child, slot)
    if not np.array_equal(rest.activations, parent.activations) or child.activations[slot] not in table:
        return False
    cells = np.argwhere(rest.connections != parent.connections)
    if len(cells) != 1:
        return False
    ((source, target),) = cells
    into, out = np.flatnonzero(child.connections[:, slot]), np.flatnonzero(child.connections[row])
    new_target = target + (slot <= target < parent.slots)
    return (
        parent.connections[source, target] == 1
        and rest.connections[source, target] == -1
        and into.tolist() == [source]
        and out.tolist() == [new_target]
        and child.connections[source, slot] == child.connections[row, new_target] == 1
    )


def without_slot(child: Genes, slot: int) -> Genes:
    """The child's genes with a hidden slot taken out and an empty one put behind the last."""
    row, slots = 1 + child.inputs + slot, child.slots
    connections = np.pad(np.delete(child.connections, row, axis=0), ((0, 1), (0, 0)))
    connections = np.insert(np.delete(connections, slot, axis=1), slots - 1, 0, axis=1)
    activations = np.insert(np.delete(child.activations, slot), slots - 1, 0)
    return Genes(connections, activations, child.inputs, child.outputs)


def assert_well_formed(genes: Genes):
    first = 1 + genes.inputs
    used = genes.activations[: genes.slots] != 0
    assert np.all(used[: genes.nodes]), "an empty slot before a used one"
    assert np.all(genes.connections[:, : genes.slots][:, ~used] == 0), "a connection into an empty slot"
    assert np.all(genes.connections[first:][~used] == 0), "a connection out of an empty slot"
    assert not np.any(np.tril(genes.connections[first:, : genes.slots])), "a connection against the order of the slots"
    assert np.all(np.abs(genes.connections) <= 1)


@partial(jax.jit, static_argnames="operators")
def children(genome: Genome, draws, operators) -> Genome:
    """The children of one genome, one for each row of draws."""
    return jax.vmap(lambda draw: mutate(genome, draw, operators))(draws)


@partial(jax.jit, static_argnames=("operators", "generations"))
def lineages(population: Genome, key, operators, generations) -> Genome:
    """Genomes [generations, P]: every genome's child, its child's child and so on."""

    def breed(population, key):
        draws = jax.random.uniform(key, (population.activations.shape[0], 4))
        population = jax.vmap(lambda genome, draw: mutate(genome, draw, operators))(population, draws)
        return population, population

    return jax.lax.scan(breed, population, jax.random.split(key, generations))[1]


def uniform(seed, count=8000):
    return jax.random.uniform(jax.random.key(seed), (count, 4))


def assert_about_uniform(counts):
    """Within five standard deviations of equal shares."""
    expected = np.sum(counts) / len(counts)
    assert np.all(np.abs(np.asarray(counts) - expected) < 5 * np.sqrt(expected)), counts


@pytest.fixture(scope="module")
def chains():
    """10,000 mutations as (parent, child, its operator): 100 lineages of 100 generations, which fill their 24 slots."""
    rng = np.random.default_rng(0)
    first = [oracle.random_genes(rng, nodes=int(rng.integers(0, 12)), slots=24, ids=TABLE) for _ in range(100)]
    born = genes_of(lineages(population_of(first), jax.random.key(0), ALL, 100))
    pairs = []
    for index, parent in enumerate(first):
        for connections, activations in zip(born.connections[:, index], born.activations[:, index], strict=True):
            child = Genes(connections, activations, born.inputs, born.outputs)
            pairs.append((parent, child, move(parent, child)))
            parent = child
    return pairs


def test_every_child_differs_by_exactly_one_operator_or_is_a_copy(chains):
    assert len(chains) == 10_000
    assert {found for *_, found in chains} == {"add node", "add connection", "enable", "change activation", "copy"}


def test_every_child_is_well_formed(chains):
    for _, child, _ in chains:
        assert_well_formed(child)


def test_chains_fill_their_slots_and_stay_valid(chains):
    assert sum(child.nodes == child.slots for _, child, _ in chains) > 1000


def test_outputs_keep_their_activation(chains):
    for parent, child, _ in chains:
        np.testing.assert_array_equal(child.activations[child.slots :], parent.activations[parent.slots :])


ROOMY = oracle.random_genes(np.random.default_rng(8), inputs=3, outputs=2, nodes=5, slots=9, ids=TABLE, defects=0.0)


def test_operators_are_drawn_by_their_weights():
    born = children(genome_of(ROOMY), uniform(1, 20_000), ALL)
    connections, activations = np.asarray(born.connections), np.asarray(born.activations)
    new_nodes = np.sum(activations[:, :9] != 0, axis=1) > ROOMY.nodes
    new_activations = ~new_nodes & np.any(activations != ROOMY.activations, axis=1)
    changed = np.where(new_nodes[:, None, None], False, connections != ROOMY.connections)
    enabled = np.any(changed & (ROOMY.connections == -1), axis=(1, 2))
    added = np.any(changed & (ROOMY.connections == 0), axis=(1, 2))
    for which, share in zip((new_nodes, added, enabled, new_activations), (0.25, 0.2, 0.05, 0.5), strict=True):
        assert abs(np.mean(which) - share) < 5 * np.sqrt(share * (1 - share) / 20_000)


def test_operator_weights_are_relative():
    draws = uniform(2, 200)
    doubled = Operators(*(2 * weight for weight in ALL[:4]), TABLE)
    left, right = children(genome_of(ROOMY), draws, ALL), children(genome_of(ROOMY), draws, doubled)
    np.testing.assert_array_equal(left.connections, right.connections)
    np.testing.assert_array_equal(left.activations, right.activations)


@pytest.mark.parametrize(("operators", "wanted"), [(ADD_CONNECTION, 0), (ENABLE, -1)], ids=["add connection", "enable"])
def test_every_candidate_cell_is_equally_likely(operators, wanted):
    born = np.asarray(children(genome_of(ROOMY), uniform(3), operators).connections)
    chosen = np.sum(born != ROOMY.connections, axis=0)
    candidates = (ROOMY.connections == wanted) & allowed_cells(ROOMY)
    assert np.all(chosen[~candidates] == 0)
    assert_about_uniform(chosen[candidates])


def allowed_cells(genes: Genes):
    source, target = np.indices(genes.connections.shape)
    node = source - 1 - genes.inputs
    return (node < genes.nodes) & (node < target) & ((target < genes.nodes) | (target >= genes.slots))


@pytest.fixture(scope="module")
def splits():
    """Of 4,000 add-node children, the split cell of the parent and the new node's slot."""
    born = genes_of(children(genome_of(ROOMY), uniform(4, 4000), ADD_NODE))
    found = []
    for connections, activations in zip(born.connections, born.activations, strict=True):
        slot = int(np.flatnonzero(activations == 11)[0])
        rest = without_slot(Genes(connections, activations, born.inputs, born.outputs), slot)
        ((source, target),) = np.argwhere(rest.connections != ROOMY.connections)
        found.append((int(source), int(target), slot))
    return np.array(found)


def test_every_enabled_connection_is_split_equally_often(splits):
    counts = np.zeros(ROOMY.connections.shape, int)
    np.add.at(counts, (splits[:, 0], splits[:, 1]), 1)
    assert np.all(counts[ROOMY.connections != 1] == 0)
    assert_about_uniform(counts[ROOMY.connections == 1])


def test_a_new_node_takes_every_place_between_its_source_and_its_target(splits):
    first = 1 + ROOMY.inputs
    for source, target in np.argwhere(ROOMY.connections == 1):
        slots = splits[(splits[:, 0] == source) & (splits[:, 1] == target), 2]
        places = range(max(source - first + 1, 0), min(target, ROOMY.nodes) + 1)
        assert set(slots) == set(places)
        assert_about_uniform(np.bincount(slots - places[0], minlength=len(places)))


def test_a_new_node_takes_every_activation_of_the_table():
    operators = Operators(1.0, 0.0, 0.0, 0.0, (4, 6, 7, 11))
    empty = oracle.random_genes(np.random.default_rng(9), nodes=0, slots=2, density=0.7, defects=0.0)
    born = np.asarray(children(genome_of(empty), uniform(5), operators).activations)
    assert_about_uniform([np.sum(born[:, 0] == activation) for activation in (4, 6, 7, 11)])


def test_a_changed_activation_is_another_of_the_table_and_every_node_is_as_likely():
    born = np.asarray(children(genome_of(ROOMY), uniform(6), CHANGE_ACTIVATION).activations)
    counts = {
        (node, activation): int(np.sum(born[:, node] == activation))
        for node in range(ROOMY.nodes)
        for activation in TABLE
        if activation != ROOMY.activations[node]
    }
    assert sum(counts.values()) == len(born)
    assert_about_uniform(list(counts.values()))


NO_NODES = oracle.random_genes(np.random.default_rng(10), nodes=0, slots=4, defects=0.0)
FULL = oracle.random_genes(np.random.default_rng(11), nodes=6, slots=6, defects=0.0)
COMPLETE = FULL._replace(connections=allowed_cells(FULL).astype(np.int8))
NOTHING_ENABLED = FULL._replace(connections=-np.abs(FULL.connections))


@pytest.mark.parametrize(
    ("genes", "operators"),
    [
        pytest.param(FULL, ADD_NODE, id="no empty slot for a node"),
        pytest.param(
            oracle.random_genes(np.random.default_rng(0), nodes=0, density=0.0, defects=0.0), ADD_NODE, id="nothing to split"
        ),
        pytest.param(COMPLETE, ADD_CONNECTION, id="no absent connection"),
        pytest.param(NOTHING_ENABLED._replace(connections=np.maximum(FULL.connections, 0)), ENABLE, id="no disabled connection"),
        pytest.param(NO_NODES, CHANGE_ACTIVATION, id="no hidden node"),
        pytest.param(
            FULL._replace(activations=np.full(8, 5, np.int8)),
            CHANGE_ACTIVATION._replace(activations=(5,)),
            id="no other activation",
        ),
    ],
)
def test_without_a_place_to_act_the_child_is_a_copy(genes, operators):
    born = children(genome_of(genes), uniform(7, 64), operators)
    np.testing.assert_array_equal(born.connections, np.broadcast_to(genes.connections, born.connections.shape))
    np.testing.assert_array_equal(born.activations, np.broadcast_to(genes.activations, born.activations.shape))


def test_every_draw_in_the_unit_interval_has_a_child():
    """The ends of the interval, 0 and the greatest float32 below 1, choose the first and the last candidate."""
    ends = np.array([0.0, np.nextafter(np.float32(1), np.float32(0))], np.float32)
    draws = jnp.array(np.stack(np.meshgrid(ends, ends, ends, ends), -1).reshape(-1, 4))
    for operators in (ALL, ADD_NODE, ADD_CONNECTION, ENABLE, CHANGE_ACTIVATION):
        for index in range(len(draws)):
            child = jax.tree.map(lambda leaf, index=index: leaf[index], children(genome_of(ROOMY), draws, operators))
            assert move(ROOMY, genes_of(child), operators.activations) != "copy"
