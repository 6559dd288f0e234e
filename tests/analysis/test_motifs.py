"""Motifs: counted as a slow look at every subset counts them, and compared with wirings that keep what they should."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wannjax
from wannjax import Block, mine_motifs
from wannjax.analysis import subgraphs
from wannjax.analysis.subgraphs import Wiring, connected_sets, count_blocks, rewired, wiring_of
from wannjax.cli import main
from wannjax.networks.activations import NAMES
from wannjax.networks.files import save_front
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.pictures.motif_drawing import draw_motifs


def random_wiring(seed, nodes=9, density=0.3) -> Wiring:
    rng = np.random.default_rng(seed)
    return Wiring(rng.choice((2, 5, 8), nodes), np.triu(rng.random((nodes, nodes)) < density, 1))


def subsets(wiring, largest):
    """Every connected set of nodes, found by looking at all sets."""
    neighbours = wiring.adjacency | wiring.adjacency.T
    for size in range(2, largest + 1):
        for nodes in combinations(range(len(neighbours)), size):
            reached, waiting = {nodes[0]}, [nodes[0]]
            while waiting:
                node = waiting.pop()
                new = {other for other in nodes if neighbours[node, other]} - reached
                reached |= new
                waiting += new
            if reached == set(nodes):
                yield nodes


@given(st.integers(0, 2**31), st.integers(0, 9), st.sampled_from((0.15, 0.3, 0.7)))
def test_every_connected_set_is_met_once(seed, nodes, density):
    wiring = random_wiring(seed, nodes, density)
    found = [tuple(row) for sets in connected_sets(wiring.adjacency, 5) for row in sets.tolist()]
    assert sorted(found) == sorted(subsets(wiring, 5))


@given(st.integers(0, 2**31), st.sampled_from((0.15, 0.3, 0.7)))
def test_blocks_are_counted_as_one_by_one(seed, density):
    wiring = random_wiring(seed, 8, density)
    counts: Counter[Block] = Counter()
    for nodes in subsets(wiring, 5):
        pairs = [(i, j) for i, j in combinations(range(len(nodes)), 2) if wiring.adjacency[nodes[i], nodes[j]]]
        counts[Block(tuple(NAMES[wiring.activations[node]] for node in nodes), tuple(pairs))] += 1
    assert count_blocks(wiring, 5) == counts


def test_recurrent_connections_are_no_part_of_a_wiring():
    timeless = (Connection(2, 3), Connection(2, 4), Connection(3, 4))
    memory = (Connection(3, 2), Connection(3, 3))
    wiring, bare = (wiring_of(Graph(("x",), ("y",), (5, 2, 1), each)) for each in (timeless + memory, timeless))
    np.testing.assert_array_equal(wiring.adjacency, bare.adjacency)


def test_bias_and_inputs_are_no_part_of_a_wiring():
    graph = Graph(("x",), ("y",), (5, 2, 1), (Connection(0, 2), Connection(1, 3), Connection(2, 3), Connection(3, 4)))
    assert count_blocks(wiring_of(graph), 5) == Counter(
        {
            Block(("tanh", "step"), ((0, 1),)): 1,
            Block(("step", "linear"), ((0, 1),)): 1,
            Block(("tanh", "step", "linear"), ((0, 1), (1, 2))): 1,
        }
    )


def test_a_network_with_too_many_sets_is_refused(monkeypatch):
    monkeypatch.setattr(subgraphs, "MOST_SETS", 50)
    with pytest.raises(ValueError, match="largest: a network has 120 connected sets of 3 nodes, more than the 50 that are counted"):
        count_blocks(random_wiring(0, 10, 1.0), 5)


@given(st.integers(0, 2**31), st.integers(0, 14), st.sampled_from((0.1, 0.3, 0.9)))
def test_a_rewired_network_keeps_degrees_activations_and_the_order_of_evaluation(seed, nodes, density):
    wiring = random_wiring(seed, nodes, density)
    other = rewired(wiring, np.random.default_rng(seed))
    np.testing.assert_array_equal(other.adjacency.sum(axis=0), wiring.adjacency.sum(axis=0))
    np.testing.assert_array_equal(other.adjacency.sum(axis=1), wiring.adjacency.sum(axis=1))
    np.testing.assert_array_equal(other.activations, wiring.activations)
    assert not np.any(np.tril(other.adjacency))


def test_all_wirings_with_the_same_degrees_are_equally_likely():
    # Three sources of two connections each, and four targets with 2, 2, 1, 1: counted by trying all.
    adjacency = np.zeros((7, 7), bool)
    adjacency[[0, 0, 1, 1, 2, 2], [3, 4, 3, 5, 4, 6]] = True
    targets = list(combinations(range(3, 7), 2))
    possible = [c for c in np.ndindex(6, 6, 6) if Counter(t for i in c for t in targets[i]) == {3: 2, 4: 2, 5: 1, 6: 1}]
    rng = np.random.default_rng(0)
    found = Counter(rewired(Wiring(np.ones(7, int), adjacency), rng).adjacency.tobytes() for _ in range(3000))
    assert len(found) == len(possible)
    expected = 3000 / len(possible)
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in found.values())


def planted(seed, *, hidden=10):
    """A network of random chains to one output, with `abs` always read by `step`, and other activations anywhere."""
    rng = np.random.default_rng(seed)
    ids = [*rng.choice((5, 6, 9), hidden).tolist(), *(NAMES.index(name) for name in ("abs", "step") * 3)]
    first = 3
    connections = {(int(rng.integers(first)), first + node) for node in range(len(ids))}
    connections |= {(first + node, first + int(rng.integers(node + 1, hidden))) for node in range(hidden - 1)}
    output = first + len(ids)
    for pair in range(3):
        low = first + hidden + 2 * pair
        connections |= {(low, low + 1), (low + 1, output)}
    connections.add((first + hidden - 1, output))
    return network_of(Graph(("x", "v"), ("u",), (*ids, 1), tuple(Connection(*ends) for ends in sorted(connections))))


@pytest.fixture(scope="module")
def fronts():
    return [[planted(10 * run + member) for member in range(2)] for run in range(4)]


@pytest.fixture(scope="module")
def motifs(fronts):
    return mine_motifs(fronts, largest=3, draws=100, seed=1)


def test_a_planted_motif_ranks_first_and_is_counted(motifs):
    pair = Block(("abs", "step"), ((0, 1),))
    found = next(motif for motif in motifs.ranked if motif.block == pair)
    assert {"abs", "step"} <= set(motifs.ranked[0].block.activations)
    assert found.z > 4
    assert (found.count, found.networks, found.runs) == (3.0, 8, 4)
    assert 0 <= found.expected < 1.5
    assert list(motifs.ranked) == sorted(motifs.ranked, key=lambda motif: -motif.z)


def test_counts_are_means_over_networks_then_runs(fronts, motifs):
    uneven = [fronts[0], fronts[1][:1]]
    found = mine_motifs(uneven, largest=3, draws=100)
    for motif in found.ranked[:20]:
        counts = [
            [count_blocks(wiring_of(wannjax.networks.graph.graph_of(network)), 3)[motif.block] for network in front] for front in uneven
        ]
        assert motif.count == pytest.approx(np.mean([np.mean(front) for front in counts]))
        assert motif.networks == sum(count > 0 for front in counts for count in front)
        assert motif.runs == sum(any(front) for front in counts)


def test_more_copies_of_the_same_networks_add_no_significance(fronts, motifs):
    repeated = mine_motifs([front * 3 for front in fronts], largest=3, draws=100, seed=1)
    assert [(m.block, m.count, m.z, m.runs) for m in repeated.ranked] == [(m.block, m.count, m.z, m.runs) for m in motifs.ranked]


@pytest.mark.slow
def test_wirings_that_are_random_already_have_no_motifs():
    rng = np.random.default_rng(3)
    pool = [planted(seed) for seed in range(30)]
    graphs = [wannjax.networks.graph.graph_of(network) for network in pool]
    shuffled = []
    for graph in graphs:
        wiring = rewired(wiring_of(graph), rng)
        first = graph.first_hidden
        inner = tuple(Connection(first + int(s), first + int(t)) for s, t in np.argwhere(wiring.adjacency))
        outer = tuple(connection for connection in graph.connections if connection.source < first)
        shuffled.append([network_of(Graph(graph.input_names, graph.output_names, graph.activations, outer + inner))])
    z = np.array([motif.z for motif in mine_motifs(shuffled, largest=3, draws=100).ranked])
    assert abs(z.mean()) < 0.5
    assert np.abs(z).max() < 5


def test_the_seed_decides(fronts, motifs):
    assert mine_motifs(fronts, largest=3, draws=100, seed=1) == motifs
    assert mine_motifs(fronts, largest=3, draws=100, seed=2) != motifs


def test_top_leaves_out_what_is_rarer_than_at_random(motifs):
    assert any(motif.z < 0 for motif in motifs.ranked)
    assert motifs.top(3).ranked == motifs.ranked[:3]
    assert all(motif.z > 0 for motif in motifs.top(10_000).ranked)
    assert len(motifs.top(3).blocks) == 3


@pytest.mark.parametrize(
    ("argument", "settings"),
    [
        ("largest", {"largest": 6}),
        ("largest", {"largest": 1}),
        ("least_runs", {"least_runs": 5}),
        ("least_runs", {"least_runs": 0}),
        ("draws", {"draws": 99}),
        ("seed", {"seed": -1}),
    ],
)
def test_a_bad_argument_is_named(fronts, argument, settings):
    with pytest.raises(ValueError, match=f"^{argument}: must be .+, got "):
        mine_motifs(fronts, **settings)


@pytest.mark.parametrize("empty", [[], [[]]])
def test_no_networks_are_refused(empty):
    with pytest.raises(ValueError, match=r"^fronts: must be one or more fronts, none empty, got "):
        mine_motifs(empty)


def test_every_motif_is_drawn_with_its_name(motifs):
    few = motifs.top(6)
    figure = draw_motifs(few)
    titles = [axes.get_title().replace("\n", " ") for axes in figure.axes]
    for motif, title in zip(few.ranked, titles, strict=False):
        assert motif.block.name in title
        assert f"z {motif.z:.1f}; {motif.runs} of 4 runs" in title
    arrows = [sum(text.arrow_patch is not None for text in axes.texts if hasattr(text, "arrow_patch")) for axes in figure.axes]
    assert arrows[: len(few.ranked)] == [len(motif.block.connections) for motif in few.ranked]
    with pytest.raises(ValueError, match="motifs: must be one or more motifs, got 0"):
        draw_motifs(wannjax.Motifs((), 1, 1, 100))


def test_the_command_prints_the_table_and_writes_library_and_picture(fronts, tmp_path, capsys):
    for run, front in enumerate(fronts):
        (tmp_path / str(run)).mkdir()
        save_front(tmp_path / str(run) / "front.json", front, np.zeros((2, 1)), (1.0,))
    runs = [str(tmp_path / str(run)) for run in range(4)]
    out, picture = tmp_path / "blocks.json", tmp_path / "blocks.png"
    assert main(["blocks", *runs, "--top", "3", "--largest", "3", "-o", str(out), "--picture", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "8 networks in the fronts of 4 runs" in " ".join(text.split())
    for block in wannjax.load_blocks(out):
        assert block.name in text
    assert len(wannjax.load_blocks(out)) == 3
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_runs_that_share_nothing_are_told_so(tmp_path, capsys):
    for place, name in enumerate(("abs", "step")):
        graph = Graph(("x",), ("y",), (NAMES.index(name), 1), (Connection(1, 2), Connection(2, 3)))
        save_front(tmp_path / f"{place}.json", [network_of(graph)], np.zeros((1, 1)), (1.0,))
    assert main(["blocks", str(tmp_path / "0.json"), str(tmp_path / "1.json")]) == 2
    assert "RUN: must be runs that share a block" in capsys.readouterr().err
