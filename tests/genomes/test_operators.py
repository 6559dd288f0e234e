"""The structural operators: a child is its parent with exactly one change, or a copy, and choices are as likely as they should be."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import genes_of, genome_of, population_of
from genomes_support import TABLE, assert_about_uniform, assert_well_formed, shaped, without_slot
from oracle import Genes

from wannjax.genomes.genome import Genome
from wannjax.genomes.operators import Operators, mutate

SHARES = (0.3, 0.2, 0.1, 0.1, 0.05, 0.25)
ALL = Operators(*SHARES, TABLE)
ADD_NODE, ADD_CONNECTION, ENABLE, DELETE_CONNECTION, DELETE_NODE, CHANGE_ACTIVATION = 0.1, 0.4, 0.55, 0.65, 0.72, 0.8
"""First draws that choose each operator under `ALL`."""
OPERATORS = {
    "add node": ADD_NODE,
    "add connection": ADD_CONNECTION,
    "enable": ENABLE,
    "delete connection": DELETE_CONNECTION,
    "delete node": DELETE_NODE,
    "change activation": CHANGE_ACTIVATION,
}
DRAWS = 8000


def move(parent: Genes, child: Genes, table=TABLE) -> str:
    """Which operator leads from parent to child; fails where it is none, or more than one."""
    if child.nodes == parent.nodes:
        return _move_without_insertion(parent, child, table)
    if child.nodes == parent.nodes - 1:
        rest = [without_slot(parent, slot) for slot in range(parent.nodes)]
        same = [np.array_equal(r.connections, child.connections) and np.array_equal(r.activations, child.activations) for r in rest]
        assert any(same), "no slot of the parent explains the child as the rest of it"
        return "delete node"
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
    moves = {(0, 1): "add connection", (-1, 1): "enable", (1, 0): "delete connection"}
    return moves[int(parent.connections[row, column]), int(child.connections[row, column])]


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


@jax.jit
def _children(genome, draws):
    return jax.vmap(lambda draw: mutate(genome, draw, ALL.ends, TABLE))(draws)


def children(parent: Genes, draws) -> Genes:
    """The children of one genome, one for each row of draws. One shape of genome and of draws: compiled once."""
    return genes_of(_children(genome_of(parent), draws))


@jax.jit
def lineages(population: Genome, key) -> Genome:
    """Genomes [100, P]: every genome's child, its child's child and so on."""

    def breed(population, key):
        draws = jax.random.uniform(key, (population.activations.shape[0], 4))
        population = jax.vmap(lambda genome, draw: mutate(genome, draw, ALL.ends, TABLE))(population, draws)
        return population, population

    return jax.lax.scan(breed, population, jax.random.split(key, 100))[1]


def draws_for(operator, seed):
    """Uniform draws, but for the first, which chooses the operator."""
    return jax.random.uniform(jax.random.key(seed), (DRAWS, 4)).at[:, 0].set(operator)


@pytest.fixture(scope="module")
def chains():
    """10,000 mutations as (parent, child, its operator): 100 lineages of 100 generations, which fill their 24 slots."""
    rng = np.random.default_rng(0)
    first = [oracle.random_genes(rng, nodes=int(rng.integers(0, 12)), slots=24, ids=TABLE) for _ in range(100)]
    born = genes_of(lineages(population_of(first), jax.random.key(0)))
    pairs = []
    for index, parent in enumerate(first):
        for connections, activations in zip(born.connections[:, index], born.activations[:, index], strict=True):
            child = Genes(connections, activations, born.inputs, born.outputs)
            pairs.append((parent, child, move(parent, child)))
            parent = child
    return pairs


def test_every_child_differs_by_exactly_one_operator_or_is_a_copy(chains):
    assert len(chains) == 10_000
    assert {found for *_, found in chains} == {*OPERATORS, "copy"}


def test_every_child_is_well_formed(chains):
    for _, child, _ in chains:
        assert_well_formed(child)


def test_chains_fill_their_slots_and_stay_valid(chains):
    assert sum(child.nodes == child.slots for _, child, _ in chains) > 1000


def test_outputs_keep_their_activation(chains):
    for parent, child, _ in chains:
        np.testing.assert_array_equal(child.activations[child.slots :], parent.activations[parent.slots :])


def allowed_cells(genes: Genes):
    source, target = np.indices(genes.connections.shape)
    node = source - 1 - genes.inputs
    return (node < genes.nodes) & (node < target) & ((target < genes.nodes) | (target >= genes.slots))


ROOMY = shaped(8, nodes=5)
FOREIGN = shaped(8, nodes=5, ids=(2, 4, 6, 7, 8))
"""A parent whose activations are not in the table, so that a new node's is unmistakable."""


@pytest.mark.slow
def test_operators_are_drawn_by_their_weights():
    born = children(ROOMY, jax.random.uniform(jax.random.key(1), (DRAWS, 4)))
    found = [move(ROOMY, Genes(*pair, ROOMY.inputs, ROOMY.outputs)) for pair in zip(born.connections, born.activations, strict=True)]
    for operator, share in zip(OPERATORS, SHARES, strict=True):
        assert abs(found.count(operator) / DRAWS - share) < 5 * np.sqrt(share * (1 - share) / DRAWS)


def test_operator_weights_are_relative_and_zero_means_never():
    np.testing.assert_array_equal(
        Operators(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, TABLE).ends, Operators(2.0, 4.0, 6.0, 8.0, 10.0, 12.0, TABLE).ends
    )
    np.testing.assert_array_equal(Operators(0.0, 1.0, 0.0, 0.0, 0.0, 0.0, TABLE).ends, [0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(Operators(0.1, 0.0, 0.7, 0.0, 0.8, 0.0, TABLE).ends, np.float32([0.0625, 0.0625, 0.5, 0.5, 1, 1]))


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [(ADD_CONNECTION, 0), (ENABLE, -1), (DELETE_CONNECTION, 1)],
    ids=["add connection", "enable", "delete connection"],
)
def test_every_candidate_cell_is_equally_likely(operator, wanted):
    born = children(ROOMY, draws_for(operator, 3)).connections
    chosen = np.sum(born != ROOMY.connections, axis=0)
    candidates = (ROOMY.connections == wanted) & allowed_cells(ROOMY)
    assert np.all(chosen[~candidates] == 0)
    assert_about_uniform(chosen[candidates])


def test_every_node_is_deleted_equally_often_with_all_its_connections():
    born = children(FOREIGN, draws_for(DELETE_NODE, 5))
    counts = np.zeros(FOREIGN.nodes, int)
    for slot in range(FOREIGN.nodes):
        rest = without_slot(FOREIGN, slot)
        same = np.all(born.connections == rest.connections, axis=(1, 2)) & np.all(born.activations == rest.activations, axis=1)
        counts[slot] = np.sum(same)
    assert counts.sum() == DRAWS
    assert_about_uniform(counts)


@pytest.fixture(scope="module")
def splits():
    """Of add-node children, the parent's cell that was split, the new node's slot, and its activation."""
    born = children(FOREIGN, draws_for(ADD_NODE, 4))
    found = []
    for connections, activations in zip(born.connections, born.activations, strict=True):
        slot = int(np.flatnonzero(np.isin(activations[:9], TABLE))[0])
        rest = without_slot(Genes(connections, activations, born.inputs, born.outputs), slot)
        ((source, target),) = np.argwhere(rest.connections != FOREIGN.connections)
        found.append((source, target, slot, activations[slot]))
    return np.array(found)


@pytest.mark.slow
def test_every_enabled_connection_is_split_equally_often(splits):
    counts = np.zeros(FOREIGN.connections.shape, int)
    np.add.at(counts, (splits[:, 0], splits[:, 1]), 1)
    assert np.all(counts[FOREIGN.connections != 1] == 0)
    assert_about_uniform(counts[FOREIGN.connections == 1])


def test_a_new_node_takes_every_place_between_its_source_and_its_target(splits):
    first = 1 + FOREIGN.inputs
    for source, target in np.argwhere(FOREIGN.connections == 1):
        slots = splits[(splits[:, 0] == source) & (splits[:, 1] == target), 2]
        places = range(max(source - first + 1, 0), min(target, FOREIGN.nodes) + 1)
        assert set(slots) == set(places)
        assert_about_uniform(np.bincount(slots - places[0], minlength=len(places)))


def test_a_new_node_takes_every_activation_of_the_table(splits):
    assert_about_uniform([np.sum(splits[:, 3] == activation) for activation in TABLE])


@pytest.mark.parametrize("parent", [ROOMY, FOREIGN], ids=["of the table", "foreign"])
def test_every_node_takes_every_other_activation_of_the_table(parent):
    born = children(parent, draws_for(CHANGE_ACTIVATION, 6)).activations
    counts = {
        (node, activation): int(np.sum(born[:, node] == activation))
        for node in range(parent.nodes)
        for activation in TABLE
        if activation != parent.activations[node]
    }
    assert sum(counts.values()) == DRAWS
    assert_about_uniform(list(counts.values()))


FULL = shaped(11, nodes=9)
COPIES = {
    "no empty slot for a node": (FULL, ADD_NODE),
    "nothing to split": (FULL._replace(connections=-np.abs(ROOMY.connections), activations=ROOMY.activations), ADD_NODE),
    "no absent connection": (FULL._replace(connections=allowed_cells(FULL).astype(np.int8)), ADD_CONNECTION),
    "nothing to delete": (FULL._replace(connections=-np.abs(FULL.connections)), DELETE_CONNECTION),
    "no node to delete": (shaped(10, nodes=0), DELETE_NODE),
    "no disabled connection": (FULL._replace(connections=np.maximum(FULL.connections, 0)), ENABLE),
    "no hidden node": (shaped(10, nodes=0), CHANGE_ACTIVATION),
}


@pytest.mark.parametrize(("genes", "operator"), COPIES.values(), ids=COPIES)
def test_without_a_place_to_act_the_child_is_a_copy(genes, operator):
    born = children(genes, draws_for(operator, 7))
    np.testing.assert_array_equal(born.connections, np.broadcast_to(genes.connections, born.connections.shape))
    np.testing.assert_array_equal(born.activations, np.broadcast_to(genes.activations, born.activations.shape))


def test_a_table_of_one_activation_makes_a_change_of_it_a_copy():
    only = ROOMY._replace(activations=np.where(ROOMY.activations != 0, 5, 0).astype(np.int8))
    operators = Operators(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, (5,))
    child = genes_of(
        jax.jit(mutate, static_argnums=3)(genome_of(only), jnp.array([0.5, 0.5, 0.5, 0.5]), operators.ends, operators.activations)
    )
    assert move(only, child, (5,)) == "copy"


def test_the_ends_of_the_unit_interval_choose_a_first_and_a_last_candidate():
    ends = [0.0, np.nextafter(np.float32(1), np.float32(0))]
    names = {draw: operator for operator, draw in OPERATORS.items()}
    rows = np.array(list(product(names, ends, ends, ends)), np.float32)
    born = children(ROOMY, jnp.asarray(np.resize(rows, (DRAWS, 4))))
    for (operator, *_), connections, activations in zip(product(names, ends, ends, ends), born.connections, born.activations, strict=False):
        assert move(ROOMY, Genes(connections, activations, born.inputs, born.outputs)) == names[operator]


@pytest.mark.slow
def test_a_child_has_no_more_connections_than_there_is_room_for():
    """Where there is none, what would have one more is a copy; all other children are the same."""
    parent = oracle.random_genes(np.random.default_rng(2), nodes=6, slots=24, ids=TABLE)
    draws = jax.random.uniform(jax.random.key(3), (DRAWS, 4))
    free = children(parent, draws)
    within = jax.jit(jax.vmap(lambda draw: mutate(genome_of(parent), draw, ALL.ends, TABLE, room=0)))
    full = genes_of(within(draws))
    grows = np.sum(free.connections == 1, axis=(1, 2)) > np.sum(parent.connections == 1)
    assert 0 < grows.sum() < DRAWS
    np.testing.assert_array_equal(full.connections, np.where(grows[:, None, None], parent.connections, free.connections))
    np.testing.assert_array_equal(full.activations, np.where(grows[:, None], parent.activations, free.activations))
