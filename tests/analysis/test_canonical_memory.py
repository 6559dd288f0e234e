"""The normal form of networks with memory: it computes the same at all times, and its digest is that of every equivalent network."""

import random
from dataclasses import replace

import numpy as np
import oracle
import pytest

from wannjax.analysis.canonical import canonical
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

IDS = {name: number for number, name in enumerate(NAMES)}
OBSERVATIONS = np.random.default_rng(0).normal(size=(8, 3, 2))


def random_graph(rng, *, weighted):
    """Few nodes, activations and weights, so that equal nodes, and what is 0 at all times, occur."""
    first, hidden, outputs = 3, 6, 2
    connections = [
        Connection(source, target, rng.choice([1.0, -0.5, 0.0]) if weighted else None)
        for target in range(first, first + hidden + outputs)
        for source in range(first + hidden)
        if rng.random() < (0.25 if source < target else 0.15) and (source < target or target < first + hidden)
    ]
    activations = tuple(rng.choice([IDS["tanh"], IDS["abs"], IDS["gaussian"], IDS["sigmoid"]]) for _ in range(hidden + outputs))
    return Graph(("a", "b"), ("c", "d"), activations, tuple(connections))


def values(graph: Graph, weight: float) -> np.ndarray:
    """Every node's values [T, N, B] in float64."""
    last, found = np.zeros((graph.size, OBSERVATIONS.shape[1])), []
    for seen in OBSERVATIONS:
        now = np.zeros_like(last)
        now[0], now[1 : graph.first_hidden] = 1, seen.T
        for node in range(graph.first_hidden, graph.size):
            total = np.zeros(OBSERVATIONS.shape[1])
            for each in graph.connections:
                if each.target == node:
                    total += weight * (1.0 if each.weight is None else each.weight) * (last if each.is_recurrent else now)[each.source]
            now[node] = oracle.ACTIVATIONS[graph.activations[node - graph.first_hidden]](total)
        last = now
        found.append(now)
    return np.array(found)


def shuffled(graph: Graph, rng: random.Random) -> Graph:
    """Two neighbours in another order wherever that leaves every connection's kind; connections in any order."""
    order = list(range(graph.size))
    for _ in range(40):
        place = rng.randrange(graph.first_hidden, graph.size - graph.outputs - 1)
        one, other = order[place : place + 2]
        if not any({each.source, each.target} == {one, other} for each in graph.connections):
            order[place : place + 2] = other, one
    number = {node: place for place, node in enumerate(order)}
    connections = [replace(each, source=number[each.source], target=number[each.target]) for each in graph.connections]
    rng.shuffle(connections)
    activations = tuple(graph.activations[node - graph.first_hidden] for node in order[graph.first_hidden :])
    return replace(graph, activations=activations, connections=tuple(connections))


def with_twin(graph: Graph, rng: random.Random) -> Graph:
    """One more node, which reads what a node that does not read itself reads; some of those that read the one now read the other."""
    own = {each.target for each in graph.connections if each.source == each.target}
    able = sorted(set(range(graph.first_hidden, graph.size - graph.outputs)) - own)
    if not able:
        return graph
    node = rng.choice(able)

    def moved(place):
        return place + (place > node)

    connections = [replace(each, source=moved(each.source), target=moved(each.target)) for each in graph.connections]
    connections = [replace(each, source=node + rng.randrange(2)) if each.source == node else each for each in connections]
    connections += [replace(each, target=node + 1) for each in connections if each.target == node]
    at = node - graph.first_hidden
    return replace(
        graph, activations=graph.activations[: at + 1] + graph.activations[at:], connections=tuple(connections), input_names=("e", "f")
    )


@pytest.fixture(scope="module")
def graphs():
    rng = random.Random(0)
    return [random_graph(rng, weighted=weighted) for weighted in (False, True) for _ in range(60)]


def test_the_form_computes_the_same_at_all_times(graphs):
    smaller = 0
    for graph in graphs:
        form = graph_of(canonical(network_of(graph)).network)
        for weight in (1.0, -0.6):
            want, got = (values(each, weight)[:, -2:] for each in (graph, form))
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
        smaller += form.size < graph.size
    assert smaller > 20


def test_order_and_names_and_twins_do_not_matter(graphs):
    rng = random.Random(1)
    for graph in graphs:
        want = canonical(network_of(graph))
        for other in (shuffled(graph, rng), with_twin(graph, rng), shuffled(with_twin(graph, rng), rng)):
            assert canonical(network_of(other)).digest == want.digest


def test_networks_that_compute_something_else_have_another_digest(graphs):
    """Of all pairs, equal digests mean equal values of the outputs."""
    by_digest = {}
    for graph in graphs:
        outputs = values(graph, 0.8)[:, -2:]
        earlier = by_digest.setdefault(canonical(network_of(graph)).digest, outputs)
        np.testing.assert_allclose(outputs, earlier, rtol=1e-9, atol=1e-9)
    assert len(by_digest) > 60


def test_memory_that_no_output_depends_on_leaves_the_normal_form_of_a_feed_forward_network():
    plain = Graph(("x",), ("y",), (IDS["tanh"], IDS["linear"]), (Connection(1, 2), Connection(2, 3)))
    idle = Graph(
        ("x",),
        ("y",),
        (IDS["abs"], IDS["tanh"], IDS["tanh"], IDS["linear"]),
        # Node 2 reads itself alone, and is 0 at all times; node 4 reads itself and nobody reads it.
        (Connection(2, 2), Connection(1, 3), Connection(2, 3), Connection(4, 4), Connection(1, 4), Connection(3, 5)),
    )
    assert canonical(network_of(idle)).digest == canonical(network_of(plain)).digest


def test_the_present_and_the_last_value_are_told_apart():
    now, last = (
        Graph(
            ("x",),
            ("y",),
            (IDS["tanh"], IDS["tanh"], IDS["linear"]),
            (Connection(1, source), Connection(source, target), Connection(target, 4)),
        )
        for source, target in ((2, 3), (3, 2))
    )
    assert canonical(network_of(now)).digest != canonical(network_of(last)).digest
