"""Files from strangers: whatever they hold, loading them is one clear error or something that works, at a cost in proportion to their size.

A corrupted file is made from valid files and a seed. When one fails, the note under the error says which: `corrupted(kind, seed)` makes
it again.
"""

import json

import numpy as np
import pytest
from corruptions import VALUES, pick
from file_kinds import IDX_FILES, KINDS, RAW, as_in_production, check, idx
from hypothesis import example, given
from hypothesis import strategies as st

QUICK, SLOW = 900, 10_000
"""Mutants of all kinds together."""

_as_in_production = pytest.fixture(as_in_production, autouse=True, scope="module")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def directory(tmp_path_factory, kind):
    """With the files that the kind needs beside it."""
    directory = tmp_path_factory.mktemp("stranger")
    if kind.file.startswith("train-"):
        for name, array in zip(IDX_FILES, RAW.values(), strict=True):
            if not kind.file.startswith(name):
                (directory / name).write_bytes(idx(array))
    return directory


def corrupted(kind, seed):
    generator = np.random.default_rng(seed)
    return pick(generator, kind.corruptions)(generator, kind.contents)


def check_corrupted(kind, directory, seeds):
    for seed in seeds:
        try:
            check(kind, corrupted(kind, seed), directory)
        except BaseException as error:
            error.add_note(f"corruption {seed} of {kind.file}")
            raise


def test_valid_files_load(kind, directory):
    for content in kind.contents[:1]:
        assert check(kind, content, directory) is not None


def test_corrupted_files_are_one_clear_error_or_work(kind, directory):
    check_corrupted(kind, directory, range(QUICK // len(KINDS)))


@pytest.mark.nightly
def test_many_corrupted_files_are_one_clear_error_or_work(kind, directory):
    check_corrupted(kind, directory, range(-(-SLOW // len(KINDS))))


# Anything at all, and what is nearly a file


@given(content=st.binary(max_size=200))
def test_any_bytes_are_one_clear_error_or_work(kind, directory, content):
    check(kind, content, directory)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "kind", "from", "to", "network"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.file.endswith(".json")], indirect=True)
@given(data=st.data())
def test_any_values_under_the_right_keys_are_one_clear_error_or_work(kind, directory, data):
    document = json.loads(kind.contents[0])
    for key in data.draw(st.sets(st.sampled_from([key for key in document if key not in ("format", "version")]), min_size=1)):
        document[key] = data.draw(JSON_VALUES)
    check(kind, json.dumps(document).encode(), directory)


LABELS = st.sampled_from(["bias", "a", "b", "hidden 1", "hidden 2", "y", "", "θ\n", "\x00", 7])
ACTIVATED = st.fixed_dictionaries({"name": LABELS, "activation": st.sampled_from(["tanh", "step", "square", "linear"])})
WEIGHTS = st.none() | st.floats() | st.integers() | st.floats(-3, 3)


@given(
    inputs=st.lists(LABELS, max_size=3),
    hidden=st.lists(ACTIVATED, max_size=4),
    outputs=st.lists(ACTIVATED, max_size=2),
    ends=st.lists(st.tuples(LABELS, LABELS), max_size=9),
    weight=WEIGHTS,
)
@example(inputs=["a"], hidden=[], outputs=[{"name": "y", "activation": "tanh"}], ends=[("a", "y"), ("bias", "y")], weight=1e-320)
@example(inputs=["a"], hidden=[], outputs=[{"name": "y", "activation": "tanh"}], ends=[], weight=None)
def test_any_graph_is_one_clear_error_or_works(tmp_path_factory, inputs, hidden, outputs, ends, weight):
    nodes = [{"name": "bias", "kind": "bias"}, *({"name": name, "kind": "input"} for name in inputs)]
    nodes += [{"kind": "hidden", **node} for node in hidden] + [{"kind": "output", **node} for node in outputs]
    connections = [{"from": source, "to": target, "weight": weight} for source, target in ends]
    document = {"format": "wannjax network", "version": 1, "nodes": nodes, "connections": connections}
    check(KINDS["network.json"], json.dumps(document).encode(), tmp_path_factory.getbasetemp())
