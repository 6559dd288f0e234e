"""The normal form: what counts as the same network, held to a float64 oracle, and the digest, held to a second writing of its text."""

import hashlib
import random
from dataclasses import replace

import numpy as np
import oracle
import pytest
from bridge import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st

from wannjax.analysis.canonical import canonical
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

IDS = {name: number for number, name in enumerate(NAMES)}
WEIGHTS = (1.0, -0.6, 1.7)


def graph(activations: str, *pairs, inputs=2, outputs=1, weights=None):
    """A graph of named activations (hidden nodes, then outputs) and connections; hidden nodes are numbered from 1 + inputs."""
    names = tuple(f"in {i}" for i in range(inputs)), tuple(f"out {i}" for i in range(outputs))
    connections = [Connection(*pair, None if weights is None else float(weights[i])) for i, pair in enumerate(pairs)]
    return Graph(*names, tuple(IDS[name] for name in activations.split()), tuple(connections))


def random_graph(rng, *, weighted, hidden=6, inputs=2, outputs=2, density=0.45, ids=range(1, 12)):
    """Few nodes and few different weights, so that equal nodes, constants, zeros and signs that cancel occur."""
    first = 1 + inputs
    connections = [
        Connection(source, target, rng.choice([1.0, -1.0, 0.5, -0.5, 0.0]) if weighted else None)
        for target in range(first, first + hidden + outputs)
        for source in range(min(target, first + hidden))
        if rng.random() < density
    ]
    names = tuple(f"in {i}" for i in range(inputs)), tuple(f"out {i}" for i in range(outputs))
    return Graph(*names, tuple(rng.choice([*ids]) for _ in range(hidden + outputs)), tuple(connections))


def values(graph: Graph, weight: float, observations: np.ndarray) -> np.ndarray:
    """The outputs [B, O] in float64, and where a float64 cannot tell (a step near 0), NaN."""
    known = [np.ones(len(observations)), *observations.T]
    for node in range(graph.first_hidden, graph.size):
        incoming = [(c.source, 1.0 if c.weight is None else c.weight) for c in graph.connections if c.target == node]
        total = weight * sum((own * known[source] for source, own in incoming), np.zeros(len(observations)))
        activation = graph.activations[node - graph.first_hidden]
        unsure = np.isnan(total) | ((activation == IDS["step"]) & (np.abs(total) < 1e-9) & (len(incoming) > 0))
        known.append(np.where(unsure, np.nan, oracle.ACTIVATIONS[activation](total)))
    return np.stack(known[-graph.outputs :], axis=1)


def shuffled(graph: Graph, rng: random.Random) -> Graph:
    """The same graph with hidden nodes in another order of evaluation, and connections in any."""
    hidden, order = set(range(graph.first_hidden, graph.size - graph.outputs)), []
    while hidden:
        node = rng.choice([n for n in sorted(hidden) if not any(c.target == n and c.source in hidden for c in graph.connections)])
        order.append(node)
        hidden.remove(node)
    place = {node: node for node in range(graph.size)} | {node: graph.first_hidden + i for i, node in enumerate(order)}
    activations = tuple(graph.activations[node - graph.first_hidden] for node in order) + graph.activations[len(order) :]
    connections = [replace(c, source=place[c.source], target=place[c.target]) for c in graph.connections]
    return replace(graph, activations=activations, connections=tuple(rng.sample(connections, len(connections))))


def digest(graph: Graph) -> str:
    return canonical(network_of(graph)).digest


seeds, either = st.integers(0, 2**32), st.booleans()


@given(seeds, either)
def test_another_order_of_nodes_and_connections_has_the_same_form_to_the_bit(seed, weighted):
    rng = random.Random(seed)
    one = random_graph(rng, weighted=weighted)
    first, second = canonical(network_of(one)), canonical(network_of(shuffled(one, rng)))
    assert first == second
    assert hash(first) == hash(second)
    assert_same_bits(first.network, second.network)


@given(seeds, either)
def test_the_form_computes_the_same_and_is_its_own_form(seed, weighted):
    rng = random.Random(seed)
    one = random_graph(rng, weighted=weighted)
    form = canonical(network_of(one))
    assert canonical(form.network) == form
    assert_same_bits(canonical(form.network).network, form.network)
    observations = np.random.default_rng(seed).normal(size=(5, 2))
    for weight in WEIGHTS:
        before, after = values(one, weight, observations), values(graph_of(form.network), weight, observations)
        known = ~np.isnan(before) & ~np.isnan(after)
        np.testing.assert_allclose(after[known], before[known], rtol=1e-6, atol=1e-6)
    assert len(form.network.activations) <= len(network_of(one).activations)


@given(seeds, either)
def test_networks_that_give_different_values_have_different_digests(seed, weighted):
    """One activation or one connection is changed."""
    rng = random.Random(seed)
    one = random_graph(rng, weighted=weighted)
    if one.connections and rng.random() < 0.5:
        other = replace(one, connections=tuple(rng.sample(one.connections, len(one.connections) - 1)))
    else:
        place = rng.randrange(len(one.activations))
        other = replace(one, activations=(*one.activations[:place], rng.randint(1, 11), *one.activations[place + 1 :]))
    observations = np.random.default_rng(seed).normal(size=(5, 2))
    differ = any(np.nanmax(np.abs(values(one, w, observations) - values(other, w, observations)), initial=0) > 1e-3 for w in WEIGHTS)
    if differ:
        assert digest(one) != digest(other)


def test_every_single_change_of_a_network_without_slack_changes_the_digest():
    base = graph("tanh relu sigmoid linear", (0, 3), (1, 3), (1, 4), (2, 4), (3, 4), (3, 5), (4, 5), (2, 6), (5, 6), (4, 6))
    variants = [base]
    for place in range(4):
        others = set(range(1, 12)) - {base.activations[place]}
        variants += [replace(base, activations=(*base.activations[:place], a, *base.activations[place + 1 :])) for a in others]
    for connection in base.connections:
        variants.append(replace(base, connections=tuple(c for c in base.connections if c != connection)))
    present = {(c.source, c.target) for c in base.connections}
    for target in range(3, 7):
        missing = [(source, target) for source in range(target) if (source, target) not in present]
        variants += [replace(base, connections=(*base.connections, Connection(*pair))) for pair in missing]
    for place in range(len(base.connections)):
        weights = [2.0 if i == place else 1.0 for i in range(len(base.connections))]
        variants.append(base.with_weights(weights))
    assert len({digest(variant) for variant in variants}) == len(variants)


SAME = {
    "dead nodes": (graph("tanh cos linear", (1, 3), (1, 4), (3, 5)), graph("tanh linear", (1, 3), (3, 4))),
    "weights of 0": (
        graph("tanh linear", (1, 3), (2, 3), (3, 4), weights=(2.0, 0.0, 1.0)),
        graph("tanh linear", (1, 3), (3, 4), weights=(2, 1)),
    ),
    "constants of 0": (graph("tanh relu linear", (3, 4), (4, 5), (1, 5)), graph("linear", (1, 3))),
    "constants of 1": (graph("cos linear", (3, 4), (1, 4)), graph("linear", (0, 3), (1, 3))),
    "equal nodes": (
        graph("tanh tanh relu cos linear", (1, 3), (1, 4), (3, 5), (2, 5), (4, 6), (5, 7), (6, 7)),
        graph("tanh relu cos linear", (1, 3), (3, 4), (2, 4), (3, 5), (4, 6), (5, 6)),
    ),
    "signs before even": (graph("cos linear", (1, 3), (3, 4), weights=(2, 3)), graph("cos linear", (1, 3), (3, 4), weights=(-2, 3))),
    "signs around odd": (graph("tanh linear", (1, 3), (3, 4), weights=(2, 3)), graph("tanh linear", (1, 3), (3, 4), weights=(-2, -3))),
    "inverse by weights": (
        graph("inverse linear", (1, 3), (3, 4), weights=(2, 3)),
        graph("linear linear", (1, 3), (3, 4), weights=(2, -3)),
    ),
}
DIFFERENT = {
    "a node read twice": (graph("tanh tanh linear", (1, 3), (1, 4), (3, 5), (4, 5)), graph("tanh linear", (1, 3), (3, 4))),
    "two inverse nodes are no identity": (graph("inverse inverse linear", (1, 3), (3, 4), (4, 5)), graph("linear", (1, 3))),
    "linear does not dissolve": (graph("linear tanh", (1, 3), (3, 4)), graph("tanh", (1, 3))),
    "inputs": (graph("tanh", (1, 3)), graph("tanh", (2, 3))),
    "outputs": (graph("tanh relu", (1, 3), (2, 4), outputs=2), graph("relu tanh", (2, 3), (1, 4), outputs=2)),
    "sizes": (graph("tanh", (1, 3)), graph("tanh", (1, 4), inputs=3)),
    "signs of the sum before even": (graph("inverse cos", (1, 3), (3, 4), (2, 4)), graph("linear cos", (1, 3), (3, 4), (2, 4))),
    "an output's sign": (graph("tanh", (1, 3), weights=(2,)), graph("tanh", (1, 3), weights=(-2,))),
}


@pytest.mark.parametrize("name", SAME)
def test_equivalent(name):
    one, other = SAME[name]
    assert canonical(network_of(one)) == canonical(network_of(other))


@pytest.mark.parametrize("name", DIFFERENT)
def test_not_equivalent(name):
    one, other = DIFFERENT[name]
    assert canonical(network_of(one)) != canonical(network_of(other))


def test_a_node_that_is_read_twice_keeps_two_copies_and_no_more():
    one = graph("tanh tanh tanh linear", (1, 3), (1, 4), (1, 5), (3, 6), (4, 6), outputs=1)
    assert graph_of(canonical(network_of(one)).network).activations == (IDS["tanh"], IDS["tanh"], IDS["linear"])


def test_a_bias_that_is_read_twice_is_a_bias_and_a_constant():
    one = graph("cos gaussian linear", (0, 5), (3, 5), (4, 5), (1, 5))
    form = graph_of(canonical(network_of(one)).network)
    assert form.activations == (IDS["gaussian"], IDS["gaussian"], IDS["linear"])
    assert {c.source for c in form.connections} == {0, 1, 3, 4}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_is_the_hash_of_the_text_that_is_documented():
    one = graph("relu tanh", (2, 3), (0, 3), (1, 4), (3, 4), weights=(0.5, -1.0, 2.0, 3.0))
    relu = sha("relu(-0x1.0000000000000p+0*bias, 0x1.0000000000000p-1*input 1)")
    inner = ", ".join(f"{weight}*{name}" for name, weight in sorted([("input 0", "0x1.0000000000000p+1"), (relu, "0x1.8000000000000p+1")]))
    assert digest(one) == sha(f"wannjax network 1 2 {sha(f'tanh({inner})')}")
    assert digest(one.with_weights(None)) == sha(
        f"wannjax network 1 2 {sha('tanh(' + ', '.join(sorted(['input 0', sha('relu(bias, input 1)')])) + ')')}"
    )


def test_the_digest_stays_what_it_was():
    fixed = graph("relu tanh", (2, 3), (0, 3), (1, 4), (3, 4))
    assert digest(fixed) == "0624a81a1c1eeba96bac96d432e350769add1008865dc0dd90647da72a7e36e8"


def test_names_have_no_say():
    one = graph("tanh", (1, 3))
    assert digest(one) == digest(replace(one, input_names=("a", "b"), output_names=("c",)))


def test_a_population_is_refused():
    import jax

    with pytest.raises(ValueError, match="network: must be one network"):
        canonical(jax.tree.map(lambda leaf: leaf[None], network_of(graph("tanh", (1, 3)))))
