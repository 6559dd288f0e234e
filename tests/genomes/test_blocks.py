"""Building blocks: their normal form and names, library files, and how a search is given them."""

import dataclasses
import html
import json
import shutil
from itertools import combinations, permutations

import pytest
import saved_run
from hypothesis import given
from hypothesis import strategies as st

import wannjax
from wannjax import Block, WannConfig, load_blocks, save_blocks
from wannjax.cli import main
from wannjax.genomes.operators import SHARED, draws_of, most_nodes, most_steps
from wannjax.networks.activations import NAMES
from wannjax.runs import run_directory

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
    "half a block": (library(blocks=[{"activations": ["tanh", "abs"]}]), "connections: must be a list of pairs of whole numbers, got None"),
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


WITH_BLOCKS = WannConfig(population=16, generations=6, episodes=1, confirm_episodes=2, blocks=LIBRARY, insert_block=5.0)


def test_settings_with_blocks_come_back_from_json():
    assert WannConfig(**json.loads(json.dumps(dataclasses.asdict(WITH_BLOCKS)))) == WITH_BLOCKS


ENTRY = {"activations": ["tanh", "abs"], "connections": [[0, 1]]}


@pytest.mark.parametrize(
    "entries",
    [[3], [{}], [{"activations": ["tanh", "abs"]}], [ENTRY | {"connections": [[1, 0]]}], [ENTRY, ENTRY], [ENTRY] * 1001, {"a": 1}, "tanh"],
    ids=str,
)
def test_what_a_file_of_settings_calls_blocks_is_checked(entries):
    with pytest.raises(ValueError, match=r"^(blocks|activations|connections): must be .+, got ") as caught:
        WannConfig(blocks=entries, insert_block=0.1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"blocks": LIBRARY}, {"insert_block": 0.1}], ids=["no rate", "no blocks"])
def test_blocks_and_their_rate_go_together(settings):
    with pytest.raises(ValueError, match=r"^insert_block: must be > 0 where there are blocks, .* and 0 where there are none, got"):
        WannConfig(**settings)


def test_blocks_alone_may_be_what_a_search_does():
    assert WITH_BLOCKS.replace(**dict.fromkeys(SHARED, 0.0)).operators.ends.tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_without_blocks_the_operators_are_those_of_before():
    assert (tuple(WannConfig().operators.rates), draws_of(()), most_nodes(()), most_steps(())) == (SHARED, 4, 1, 1)


def test_a_search_can_contain_what_its_blocks_contain():
    foreign = Block(("sin", "square"), ((0, 1),))
    activation_ids = WannConfig(blocks=(foreign,), insert_block=0.1).algorithm(inputs=2, outputs=1).activation_ids
    assert {NAMES.index("sin"), NAMES.index("square")} <= set(activation_ids)


class OfTapes(saved_run.OfTapes):
    """Under the name of an environment, so that the report has a command for it."""

    name = "CartPole-v1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with blocks, and its directory."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    return wannjax.evolve(OfTapes(), WITH_BLOCKS, progress=False, run_dir=directory), directory


@pytest.mark.slow
@pytest.mark.nightly
def test_a_run_with_blocks_is_resumed_from_its_directory_alone(whole, tmp_path):
    expected, directory = whole
    wannjax.evolve(OfTapes(), WITH_BLOCKS, generations=3, progress=False, run_dir=tmp_path / "run")
    for name in (run_directory.LIBRARY, run_directory.CONFIG):
        (tmp_path / "run" / name).unlink()
    shutil.move(tmp_path / "run", tmp_path / "moved")
    _, config, seed = run_directory.saved_search(tmp_path / "moved")
    assert (config.blocks, config.insert_block) == (LIBRARY, 5.0)
    found = wannjax.evolve(OfTapes(), config, generations=6, seed=seed, progress=False, run_dir=tmp_path / "moved", resume=True)
    assert saved_run.outcome(found) == saved_run.outcome(expected)
    assert run_directory.read(tmp_path / "moved").config == run_directory.read(directory).config == expected.config
    assert found.history["largest_hidden"].max() > found.config.generations, "nothing was inserted"
    with pytest.raises(ValueError, match=r"run_dir: must be of a run with config.blocks"):
        wannjax.evolve(OfTapes(), WITH_BLOCKS.replace(blocks=LIBRARY[:1]), progress=False, run_dir=tmp_path / "moved", resume=True)


@pytest.mark.slow
def test_the_report_says_how_to_run_it_again(whole):
    _, directory = whole
    assert load_blocks(directory / run_directory.LIBRARY) == LIBRARY
    page = html.unescape((directory / "report.html").read_text())
    library = directory / run_directory.LIBRARY
    assert f"--insert-block 5.0 --blocks {library}" in page
    assert f"insert_block=5.0, blocks=wannjax.load_blocks({str(library)!r})" in page
    assert "tanh→step, abs+relu→tanh" in page


def test_the_command_line_takes_a_library(tmp_path, monkeypatch, capsys):
    save_blocks(tmp_path / "blocks.json", LIBRARY)
    found = []
    monkeypatch.setattr(wannjax, "evolve", lambda _problem, config, **_: found.append(config))
    monkeypatch.setattr("wannjax.cli.evolve.show", lambda *_: 0)
    command = ["evolve", "CartPole-v1", "--out", str(tmp_path / "run"), "--insert-block", "0.2"]
    assert main([*command, "--blocks", str(tmp_path / "blocks.json")]) == 0
    assert found == [WannConfig(blocks=LIBRARY, insert_block=0.2)]
    for wrong, message in {(): "insert_block: must be > 0", ("--blocks", "none.json"): "No such file or directory: 'none.json'"}.items():
        assert main([*command, *wrong]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
