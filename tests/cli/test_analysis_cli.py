"""The commands that look into a network: what they print, what they write, and one-line errors."""

import pytest

import wannjax
from wannjax.analysis.canonical import canonical
from wannjax.cli import main
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, network_of


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A network with a dead node and a node that is constant."""
    ids = tuple(NAMES.index(name) for name in ("tanh", "relu", "cos", "linear", "linear"))
    pairs = [(3, 5), (4, 5), (2, 6), (5, 8), (7, 9), (7, 8)]
    graph = Graph(("x", "dx", "θ", "dθ"), ("left", "right"), ids, tuple(Connection(*pair) for pair in pairs))
    path = tmp_path_factory.mktemp("networks") / "network.json"
    wannjax.save(path, network_of(graph))
    return path


@pytest.mark.slow
def test_explain_prints_the_tables_and_writes_pictures(file, tmp_path, capsys):
    assert main(["explain", str(file), "CartPole-v1", "--episodes", "1", "--top", "2", "-o", str(tmp_path / "pictures")]) == 0
    text = capsys.readouterr().out
    assert "connections that matter most, 2 of 6" in text
    assert "return over shared weights from -3 to 3" in text
    for name in ("effects.png", "weights.png"):
        assert (tmp_path / "pictures" / name).read_bytes().startswith(b"\x89PNG")


def test_prune_writes_the_smaller_network_and_says_what_it_cost(file, tmp_path, capsys):
    out = tmp_path / "smaller.json"
    assert main(["prune", str(file), "CartPole-v1", "--tolerance", "1000", "--episodes", "1", "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert "of 1000 allowed" in text
    assert "removed nodes with their connections: h1, h2, h3" in " ".join(text.split())
    nothing = network_of(Graph(("x", "dx", "θ", "dθ"), ("left", "right"), (1, 1), ()))
    assert canonical(wannjax.load(out)) == canonical(nothing)


def test_formula_prints_text_latex_and_python(file, capsys):
    assert main(["formula", str(file)]) == 0
    assert capsys.readouterr().out == "left = w*(tanh(w*(dθ + θ)) + 1)\nright = w\n"
    assert main(["formula", str(file), "--latex"]) == 0
    assert r"\mathrm{right} &= w" in capsys.readouterr().out
    assert main(["formula", str(file), "--python", "--weight", "2"]) == 0
    assert "left = 2*math.tanh(2*(dθ + θ)) + 2" in capsys.readouterr().out


def test_formula_of_a_trained_network_has_its_weights_and_no_w(tmp_path, capsys):
    trained = network_of(Graph(("x",), ("y",), (5,), (Connection(1, 2, 0.25),)))
    wannjax.save(tmp_path / "tuned.json", trained)
    assert main(["formula", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "y = tanh(0.25*x)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "FILE"], "ENV: must be given"),
        (["explain", "FILE", "CartPole-v1", "--top", "0"], "top: must be an integer >= 1, got 0"),
        (["explain", "FILE", "Pendulum-v1"], "networks: must be of 3 inputs and 1 output"),
        (["prune", "FILE", "CartPole-v1", "--tolerance", "-1", "-o", "x.json"], "tolerance: must be finite and >= 0, got -1.0"),
        (["prune", "FILE", "CartPole-v1", "--tolerance", "1", "-o", "x.png"], "-o: must be a name that ends in .json or .out, got 'x.png'"),
        (["formula", "FILE", "--weight", "nan"], "weight: must be None or a finite float32, got nan"),
        (["formula", "nothing.json"], "nothing.json: no such run or file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, file, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([str(file) if argument == "FILE" else argument for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("wannjax: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
