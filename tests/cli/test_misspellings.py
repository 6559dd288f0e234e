"""What is misspelt or missing on the command line is named in one line, with what is near it."""

import json
import re

import pytest

import wannjax
from wannjax.cli import main
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.problems import registry
from wannjax.problems.libraries import LIBRARIES

SMALL = network_of(Graph(("x", "dx", "θ", "dθ"), ("left", "right"), (5, 5), (Connection(1, 5),)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a network, a run of a problem that was made in Python, and a folder that is no run."""
    monkeypatch.chdir(tmp_path)
    wannjax.save("network.json", SMALL)
    (tmp_path / "own").mkdir()
    wannjax.save("own/champion.json", SMALL)
    (tmp_path / "own/config.json").write_text(json.dumps({"problem": "my [bold] problem"}))
    (tmp_path / "empty").mkdir()
    return tmp_path


def error_of(arguments, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("wannjax: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("evolve CartPole-v1 --popultion 16", "--popultion: is no option of evolve; did you mean --population?"),
        ("evolve CartPole-v1 --popultion=16", "--popultion: is no option of evolve; did you mean --population?"),
        ("evaluate network.json CartPole-v1 --episods 3", "--episods: is no option of evaluate; did you mean --episodes?"),
        ("draw network.json -o x.png --zzzzzz", "--zzzzzz: is no option of draw; see `wannjax draw --help`"),
        ("evolv CartPole-v1", "command: 'evolv' is unknown; did you mean evolve"),
        ("evolve CartPole-v1 --population many", "argument --population: invalid int value: 'many' (see `wannjax evolve --help`)"),
        ("evolve", "the following arguments are required: ENV"),
        ("evolve CartPole-v1 --activations tanh swish", "got 'swish' (did you mean sin?)"),
        (
            "evolve CartPole-v1 --selection lexicaze",
            "got 'lexicaze' (did you mean lexicase?)",
        ),
        ("evolve CartPole-v1 --preset thorogh", "got 'thorogh' (did you mean thorough?)"),
        ("evolve CartPole-v1 --algorithm neet", "algorithm: must be one of wann, neat, got 'neet' (did you mean neat?)"),
        ("evolve mnist", "--data: must be given for mnist, and for nothing else: PATH of its files, got 'nothing'"),
        ("evaluate nothere", "nothere: no such run or file"),
        ("draw nothere -o x.png", "nothere: no such run or file"),
        ("finetune nothere", "nothere: no such run or file"),
        ("resume nothere", "nothere: no such run or file"),
        ("evolve CartPole-v1 --start nothere", "nothere: no such run or file"),
        ("report nothere", "nothere: no such run or file"),
        ("blocks nothere", "nothere: no such run or file"),
        ("evaluate empty CartPole-v1", "empty: is no run directory with a champion.json"),
        ("report empty", "empty: is no run directory with a config.json"),
        ("evaluate own", "own: its problem was made in Python: 'my [bold] problem' is no name that this command knows; give ENV"),
        ("report own", "own: its problem was made in Python"),
        ("draw network.json -o no/dir/x.png", "No such directory: 'no/dir'"),
        ("draw network.json -o network.json/x.png", "Not a directory: 'network.json'"),
        ("watch network.json CartPole-v1 -o no/x.gif", "No such directory: 'no'"),
        ("prune network.json CartPole-v1 --tolerance 1 -o no/x.json", "No such directory: 'no'"),
        ("blocks network.json -o no/x.json", "No such directory: 'no'"),
        ("blocks network.json --picture no/x.png", "No such directory: 'no'"),
    ],
)
def test_it_is_named_in_one_line(arguments, message, here, capsys):
    before = sorted(here.rglob("*"))
    assert message in error_of(arguments.split(), capsys)
    assert sorted(here.rglob("*")) == before


def test_a_run_of_a_problem_made_in_python_is_not_resumed_here(here, capsys, monkeypatch):
    monkeypatch.setattr("wannjax.runs.run_directory.saved_search", lambda directory: ("mine", wannjax.WannConfig(), 0))
    assert "own: its problem was made in Python: 'mine' is no name that this command knows; go on there" in error_of(
        ["resume", "own"], capsys
    )


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"wannjax {wannjax.__version__}\n"


@pytest.mark.slow
def test_environments_are_listed_with_their_sizes_and_needs(capsys, monkeypatch):
    made = []
    whole = registry._gymnax
    monkeypatch.setattr(registry, "_gymnax", lambda name: made.append(name) or whole(name))
    assert main(["environments"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert re.split("  +", head.strip()) == ["name", "inputs", "outputs", "steps at most", "needs", "an episode on a GPU runs"]
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["CartPoleSwingUp-v0"] == ["5", "1", "1000", "as", "one", "kernel"]
    assert rows["Pong-misc"][3:6] == ["step", "by", "step:"]
    assert rows["MNISTBandit-bsuite"] == ["downloads", "its", "data", "when", "it", "is", "made"]
    assert rows["mnist"][:3] == ["256", "10", "its"]
    assert set(rows) == {*wannjax.environment_names(), *(f"{library}:…" for library in LIBRARIES), "digits", "mnist"}
    assert "MNISTBandit-bsuite" not in made


@pytest.mark.slow
@pytest.mark.nightly
def test_the_sizes_of_data_sets_are_theirs():
    digits = next(entry for entry in registry.entries() if entry.name == "digits")
    problem = wannjax.make("digits")
    assert (digits.inputs, digits.outputs) == (problem.inputs, problem.outputs)


def test_an_error_of_writing_names_the_file_and_not_the_name_beside_it(tmp_path):
    (tmp_path / "taken.json").mkdir()
    with pytest.raises(OSError, match=r"taken\.json'$") as caught:
        wannjax.save(tmp_path / "taken.json", SMALL)
    assert ".tmp" not in str(caught.value)
