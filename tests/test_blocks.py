"""Building blocks: their normal form and names, library files, and how a search is given them."""

import json
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wannjax import Block, load_blocks, save_blocks

LIBRARY = (Block(("tanh", "step"), ((0, 1),)), Block(("abs", "relu", "tanh"), ((0, 2), (1, 2))))


@st.composite
def wirings(draw):
    """Names and connections of a block: a random tree with further connections, few names so that there are ties."""
    size = draw(st.integers(2, 5))
    names = tuple(draw(st.sampled_from(("tanh", "abs"))) for _ in range(size))
    tree = {(draw(st.integers(0, node - 1)), node) for node in range(1, size)}
    further = draw(st.sets(st.sampled_from(list(combinations(range(size), 2)))))
    return names, tuple(tree | further)


def isomorphic(one: Block, two: Block) -> bool:
    """By trying every assignment of nodes to nodes."""
    for order in permutations(range(one.size)) if one.size == two.size else ():
        names = tuple(one.activations[node] for node in order)
        pairs = {(order.index(source), order.index(target)) for source, target in one.connections}
        if names == two.activations and pairs == set(two.connections):
            return True
    return False


@given(wirings(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_does_not_matter(wiring, random):
    names, pairs = wiring
    order = list(range(len(names)))
    while True:  # until the connections lead forward again
        random.shuffle(order)
        moved = [(order.index(source), order.index(target)) for source, target in pairs]
        if all(source < target for source, target in moved):
            break
    assert Block(tuple(names[node] for node in order), tuple(moved)) == Block(names, pairs)


@given(wirings(), wirings())
def test_blocks_and_names_are_equal_exactly_for_isomorphic_blocks(one, two):
    left, right = Block(*one), Block(*two)
    assert isomorphic(Block(*one), left)
    assert (left == right) == (left.name == right.name) == isomorphic(left, right)


@given(wirings())
def test_the_normal_form_is_the_wiring_it_was_made_from(wiring):
    names, pairs = wiring
    block = Block(names, pairs)
    orders = [order for order in permutations(range(len(names))) if tuple(names[node] for node in order) == block.activations]
    assert any({(order.index(s), order.index(t)) for s, t in pairs} == set(block.connections) for order in orders)


def test_names_tell_layers_and_what_differs_from_full_ones():
    assert [block.name for block in LIBRARY] == ["tanh→step", "abs+relu→tanh"]
    assert Block(("tanh", "abs", "step"), ((0, 1), (0, 2), (1, 2))).name == "tanh→abs→step [1→3]"
    assert Block(("cos", "abs", "step", "tanh"), ((0, 1), (1, 3), (2, 3))).name == "cos→abs+step→tanh [no 1→3]"


def test_roots_and_sinks_are_the_ends():
    block = Block(("cos", "abs", "step", "tanh"), ((0, 1), (1, 3), (2, 3)))
    assert [block.activations[node] for node in block.roots] == ["cos", "step"]
    assert [block.activations[node] for node in block.sinks] == ["tanh"]


@pytest.mark.parametrize(
    ("argument", "activations", "connections"),
    [
        ("activations", ("tanh",), ()),
        ("activations", ("tanh",) * 6, ((0, 1),)),
        ("activations", ("tanh", "softmax"), ((0, 1),)),
        ("activations", ("tanh", "sum"), ((0, 1),)),
        ("activations", ("tanh", 3), ((0, 1),)),
        ("activations", "ab", ((0, 1),)),
        ("connections", ("tanh", "abs"), ()),
        ("connections", ("tanh", "abs"), ((1, 0),)),
        ("connections", ("tanh", "abs"), ((0, 0),)),
        ("connections", ("tanh", "abs"), ((0, 2),)),
        ("connections", ("tanh", "abs"), ((-1, 1),)),
        ("connections", ("tanh", "abs"), ((0, 1), (0, 1))),
        ("connections", ("tanh", "abs"), ((0, True),)),
        ("connections", ("tanh", "abs"), ((0.0, 1.0),)),
        ("connections", ("tanh", "abs", "relu"), ((0, 1),)),
        ("connections", ("tanh", "abs"), "0 1"),
    ],
)
def test_what_is_no_block_is_refused_in_one_line(argument, activations, connections, tmp_path):
    path = tmp_path / "blocks.json"
    entry = {"activations": activations, "connections": connections}
    path.write_text(json.dumps({"format": "wannjax blocks", "version": 1, "blocks": [entry]}))
    with pytest.raises(ValueError, match=rf"blocks.json: not a wannjax block library: {argument}: must be .+, got ") as caught:
        load_blocks(path)
    assert "\n" not in str(caught.value)


def test_a_library_comes_back_and_is_readable(tmp_path):
    path = tmp_path / "blocks.json"
    save_blocks(path, LIBRARY)
    assert load_blocks(path) == LIBRARY
    assert '{"name": "tanh→step", "activations": ["tanh", "step"], "connections": [[0, 1]]}' in path.read_text()


def library(**changes):
    document = {"format": "wannjax blocks", "version": 1, "blocks": [{"activations": ["tanh", "abs"], "connections": [[0, 1]]}]}
    return json.dumps({**document, **changes})


FAULTS = {
    "not JSON": ("{", "Expecting"),
    "a network": (library(format="wannjax network"), '"format" is not "wannjax blocks"'),
    "a later version": (library(version=2), "version is 2"),
    "no blocks": (library(blocks=[]), "blocks: must be 1 to 1000 blocks, got 0"),
    "blocks of no list": (library(blocks={"a": 1}), "blocks: must be a list, got 'dict'"),
    "too many": (library(blocks=[{}] * 1001), "blocks: must be 1 to 1000 blocks, got 1001"),
    "a block of no object": (library(blocks=[3]), "block: must be an object, got 'int'"),
    "half a block": (library(blocks=[{"activations": ["tanh", "abs"]}]), "'connections' is missing"),
    "one twice": (library(blocks=[{"activations": ["tanh", "abs"], "connections": [[0, 1]]}] * 2), "must be blocks, each once"),
    "NaN": (library().replace("[[0, 1]]", "[[0, NaN]]"), "it contains NaN"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "not text": (b"\xff\xfe", "is not text"),
}


@pytest.mark.parametrize(("content", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_damaged_library_is_refused_in_one_line(content, reason, tmp_path):
    path = tmp_path / "blocks.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"blocks\.json: ") as caught:
        load_blocks(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60), st.integers(0, 200))
def test_a_library_with_anything_in_it_loads_or_is_refused(tmp_path_factory, noise, place):
    path = tmp_path_factory.getbasetemp() / "noisy.json"
    text = library().encode()
    path.write_bytes(text[:place] + noise + text[place + len(noise) :])
    try:
        reason = f"{path}: " if load_blocks(path) else "an empty library"
    except ValueError as error:
        reason = str(error)
    assert reason.startswith(f"{path}: ")


def test_only_a_library_is_written(tmp_path):
    for bad in ((), (LIBRARY[0], LIBRARY[0])):
        with pytest.raises(ValueError, match="blocks: must be"):
            save_blocks(tmp_path / "blocks.json", bad)
    assert not list(tmp_path.iterdir())
