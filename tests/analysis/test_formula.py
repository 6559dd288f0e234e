"""Formulas compute what networks compute: the text, the expressions and the oracle agree, whatever the activations and names."""

import math
import re
import time

import bridge
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.common import express_all, random_genomes
from wannjax.analysis.formula import formula
from wannjax.analysis.notation import latex_name, symbol_names
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.networks.network import take

STEPS = 40
WEIGHTS = (1.0, -0.7, 2.0)


def random_case(seed):
    """Random genes with every activation, their networks with a shared and with individual weights, and observations."""
    rng = np.random.default_rng(seed)
    genes = oracle.random_genes(rng, nodes=int(rng.integers(0, 13)), ids=tuple(range(1, 12)), defects=0.2)
    matrix = rng.normal(size=genes.connections.shape).astype(np.float32)
    shared, own = bridge.network_of(genes, STEPS), bridge.network_of(genes, STEPS, jnp.asarray(matrix))
    return genes, [(shared, np.float64(1.0)), (own, matrix.astype(np.float64))], rng.normal(size=(6, 3)).astype(np.float32)


def function_of(text, name="network"):
    scope = {}
    exec(text, scope)
    return scope[name]


def graph(activations, connections, inputs=("x", "y"), outputs=("z",)):
    return Graph(tuple(inputs), tuple(outputs), tuple(activations), tuple(Connection(*each) for each in connections))


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_the_python_text_gives_the_oracles_values_and_the_networks(seed):
    genes, networks, observations = random_case(seed)
    for network, matrix in networks:
        function = function_of(formula(network).python())
        for weight in WEIGHTS:
            expected, uncertain = oracle.run(genes, weight * matrix, observations)
            values = np.array([function(*row, w=weight) for row in observations.astype(float).tolist()], float)
            sure = uncertain < 1e-6 * (1 + np.abs(expected))
            np.testing.assert_allclose(values[sure], expected[sure], rtol=1e-8, atol=1e-8)
            own = np.asarray(network(observations, weight))
            assert np.all(np.abs(own - values) <= 1e-5 * (1 + np.abs(values)) + uncertain)


def test_the_expressions_give_what_the_text_gives():
    for seed in range(8):
        _, networks, observations = random_case(seed)
        for network, _ in networks:
            formulas = formula(network)
            function = function_of(formulas.python())
            at = dict(zip(formulas.inputs.values(), observations[0].astype(float).tolist(), strict=True)) | {formulas.weight: 0.9}
            for symbol, expression in formulas.definitions.items():
                at[symbol] = float(expression.xreplace(at))
            values = [float(expression.xreplace(at)) for expression in formulas.outputs.values()]
            np.testing.assert_allclose(values, function(*observations[0].astype(float).tolist(), w=0.9), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", range(1, 12))
def test_every_activation_alone_also_at_0_and_far_away(activation):
    function = function_of(formula(network_of(graph([activation], [(1, 3)]))).python())
    for x in (-1000.25, -1.0, -0.5, 0.0, 1e-9, 0.5, 1.0, 1000.25):
        assert function(x, 0.0)[0] == pytest.approx(float(oracle.ACTIVATIONS[activation](np.float64(x))), abs=1e-12)


@pytest.mark.slow
def test_a_network_of_200_connections_takes_seconds():
    genomes = random_genomes(0, 1, nodes=100, connections=200, inputs=5, outputs=2)
    network = take(express_all(genomes), 0)
    start = time.perf_counter()
    formulas = formula(network)
    text, latex = formulas.python(), formulas.latex()
    assert time.perf_counter() - start < 10
    assert len(text) < 200 * 50
    assert latex.count("&=") == 2 + len(formulas.definitions)
    observations = np.random.default_rng(0).normal(size=5)
    expected, uncertain = oracle.run(
        oracle.Genes(*(np.asarray(leaf)[0] for leaf in genomes_leaves(genomes)), 5, 2), 0.8, observations[None]
    )
    values = function_of(text)(*observations.tolist(), w=0.8)
    assert np.all(np.abs(values - expected[0]) <= 1e-8 + uncertain[0])


def genomes_leaves(genomes):
    return genomes.connections, genomes.activations


def test_shared_nodes_are_named_as_in_drawings_and_others_are_written_in_place():
    network = network_of(graph([5, 8, 9, 1], [(1, 3), (0, 3), (2, 4), (3, 5), (4, 5), (3, 6), (5, 6)]))
    formulas = formula(network)
    x, y, w, h1 = *formulas.inputs.values(), formulas.weight, next(iter(formulas.definitions))
    assert str(h1) == "h1"
    assert formulas.definitions == {h1: sympy.tanh(w * (x + 1))}
    assert formulas.outputs == {"z": w * (h1 + sympy.Max(0, w * (h1 + sympy.Abs(w * y))))}
    assert str(formulas) == "h1 = tanh(w*(x + 1))\nz = w*(h1 + Max(0, w*(h1 + |w*y|)))"


def test_equal_nodes_have_one_name_and_cancelled_ones_none():
    equal = [(1, 3), (0, 3), (1, 4), (0, 4), (3, 5), (4, 5), (3, 6), (4, 6)]
    formulas = formula(network_of(graph([5, 5, 4, 10], equal, outputs=("a", "b"))))
    assert list(map(str, formulas.definitions)) == ["h1"]
    assert str(formulas).splitlines()[1:] == ["a = exp(-2*h1**2*w**2)", "b = cos(2*pi*h1*w)"]
    cancelled = [(*pair, weight) for pair, weight in zip(equal, [1.5, 1.0, 1.5, 1.0, 1.0, -1.0, 2.0, -2.0], strict=True)]
    formulas = formula(network_of(graph([5, 5, 1, 10], cancelled, outputs=("a", "b"))))
    assert formulas.definitions == {}
    assert list(formulas.outputs.values()) == [0, 1]


def test_a_weight_that_is_given_stands_in_the_formulas():
    own = network_of(graph([1], [(0, 3, 0.5), (1, 3, -2.0)]))
    assert str(formula(own)) == "z = w*(0.5 - 2*x)"
    assert str(formula(own, weight=3.0)) == "z = 1.5 - 6*x"
    assert "w" not in formula(own, weight=3.0).python().replace("network", "")


def test_names_that_are_no_identifiers_are_readable_and_never_clash():
    names = ("cos θ", "w", "h1", "lambda", "2nd", "math", "cos_θ", "x;import os")
    connections = [*((i, 9) for i in range(1, 9)), (9, 10), (9, 11), (1, 10)]
    formulas = formula(network_of(graph([5, 5, 1], connections, inputs=names, outputs=("h1_2", "z #1"))))
    assert [*map(str, formulas.inputs.values())] == ["cos_θ", "w_2", "h1", "lambda_", "x2nd", "math_", "cos_θ_2", "x_import_os"]
    assert [*formulas.outputs] == ["h1_2", "z #1"]
    assert [*map(str, formulas.definitions)] == ["h1_3"]
    function = function_of(formulas.python(name="policy"), "policy")
    total = math.tanh(0.5 * sum(range(8)) / 10)
    first, second = function(*(i / 10 for i in range(8)), w=0.5)
    assert first == pytest.approx(math.tanh(0.5 * total))
    assert second == pytest.approx(0.5 * total)


@given(st.lists(st.text(max_size=6), max_size=6))
@example(["𐩀", "x𐩀", "²", "a𐩀b"])
def test_any_names_become_different_identifiers(names):
    symbols = symbol_names(names)
    assert len(set(symbols)) == len(names)
    assert all(symbol.isidentifier() for symbol in symbols)
    compile("".join(f"{symbol} = 0\n" for symbol in symbols), "", "exec")


@given(st.text(max_size=8))
def test_any_name_is_balanced_latex(name):
    plain = re.sub(r"\\[{}]", "", latex_name(name))
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"(?<!\\)[#$%&]", plain)


def test_latex_reads_as_mathematics():
    network = network_of(graph([2, 6, 5], [(1, 3), (3, 4), (2, 4), (4, 5)], inputs=("cos θ", "dx"), outputs=("force",)))
    assert formula(network).latex() == (
        "\\begin{aligned}\n\\mathrm{force} &= \\tanh{\\left(\\frac{w}{1 + e^{- w \\cdot \\left(\\mathrm{dx} + "
        "\\left[\\mathrm{cos}\\,\\theta \\cdot w > 0\\right]\\right)}} \\right)}\n\\end{aligned}"
    )
    square = network_of(graph([11], [(1, 2)], inputs=("cos θ",)))
    assert formula(square)._repr_latex_() == (
        "$$\n\\begin{aligned}\nz &= \\left(\\mathrm{cos}\\,\\theta\\right)^{2} \\cdot w^{2}\n\\end{aligned}\n$$"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda network: formula(network, weight=float("nan")), "weight: must be None or a finite float32, got nan"),
        (lambda network: formula(network, weight=1e39), "weight: must be None or a finite float32, got 1e+39"),
        (lambda network: formula(network).python(name="a b"), "name: must be a Python identifier that the text does not use, got 'a b'"),
        (lambda network: formula(network).python(name="x"), "name: must be a Python identifier that the text does not use, got 'x'"),
    ],
)
def test_wrong_arguments_are_one_line(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(network_of(graph([5], [(1, 3)])))
