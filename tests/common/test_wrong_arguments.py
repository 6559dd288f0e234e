"""What cannot be used is answered in one line that names the argument, its value and what is allowed."""

import math
from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest
from training_support import BALANCING

import wannjax
from wannjax import export

PATH = "path: must be a path: a string, or a pathlib.Path, got the int 3"
QUIET = {"progress": False}


@dataclass(frozen=True)
class Own(wannjax.WannConfig):
    """A search that no file can name."""


class Scored(wannjax.Problem):
    """A problem of one's own, of which each of these is wrong in one attribute."""

    name, inputs, outputs, input_names, output_names, output_activation = "scored", 2, 1, ("a", "b"), ("c",), "tanh"


def scored(**parts):
    return type("Scored", (Scored,), parts)()


def scores_at(problem, weights):
    population = jax.tree.map(lambda leaf: leaf[None], replace(BALANCING, input_names=(), output_names=()))
    return problem.evaluate(jax.random.key(0), population, weights, episodes=1)


@pytest.fixture(scope="module")
def problem():
    return wannjax.make("CartPole-v1", max_steps=5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: wannjax.draw(BALANCING, 3), PATH),
        (lambda _: wannjax.save(3, BALANCING), PATH),
        (lambda _: wannjax.load(3), PATH),
        (lambda _: export.to_onnx(BALANCING, 3), PATH),
        (lambda _: export.to_c(BALANCING, path=3), PATH),
        (lambda problem: wannjax.watch(BALANCING, problem, 3), PATH),
        (lambda problem: wannjax.watch(BALANCING, problem, "a.gif", weights="abc"), "weights: must be finite and not empty, got 'abc'"),
        (
            lambda problem: wannjax.watch(BALANCING, problem, "a.gif", weights=[1] * 7),
            "weights: must be one to 6 finite numbers, got (1.0,",
        ),
        (lambda problem: wannjax.evolve(problem, run_dir=3, **QUIET), PATH.replace("path:", "run_dir:", 1)),
        (lambda problem: wannjax.finetune(BALANCING, problem, run_dir=3, **QUIET), PATH.replace("path:", "run_dir:", 1)),
        (lambda problem: wannjax.evolve(problem, run_dir="x", save_every="y", **QUIET), "save_every: must be seconds >= 0, got 'y'"),
        (lambda problem: wannjax.evolve(problem, Own(), run_dir="x", **QUIET), "config: must be in wannjax.search.registry.ALGORITHMS"),
        (lambda problem: wannjax.finetune(BALANCING, problem, starts=["a"], **QUIET), "or rows of 2 weights, got ['a']"),
        (lambda problem: wannjax.finetune(BALANCING, problem, starts=[[1, 2], [3]], **QUIET), "or rows of 2 weights, got [[1, 2], [3]]"),
        (lambda problem: wannjax.prune(BALANCING, problem, tolerance="a"), "tolerance: must be finite and >= 0, got 'a'"),
        (lambda problem: wannjax.prune(BALANCING, problem, tolerance=-1), "tolerance: must be finite and >= 0, got -1"),
        (
            lambda _: wannjax.mine_motifs(3),
            "fronts: must be a list of fronts, each a list of networks, such as [result.front], got the int 3",
        ),
        (
            lambda _: wannjax.mine_motifs([3]),
            "fronts: must be a list of fronts, each a list of networks, such as [result.front], got a list",
        ),
        (
            lambda _: wannjax.make("CartPole-v1", max_step=3),
            "option: must be one of vary, observe, max_steps, input_names, output_names, network_chunk, polynomials",
        ),
        (lambda _: wannjax.evolve(scored(inputs="2"), **QUIET), "inputs: must be an integer >= 1, got '2'"),
        (lambda _: wannjax.evolve(scored(name=None), **QUIET), "name: must be a string of whole characters that is not empty, got None"),
        (lambda _: wannjax.evolve(scored(output_activation="swish"), **QUIET), "output_activation: must be one of linear,"),
        (lambda problem: wannjax.evolve(problem, run_dir="", **QUIET), "run_dir: must be a path that is not empty, got ''"),
        (lambda problem: wannjax.evolve(problem, callbacks=[wannjax.Csv], **QUIET), "got the class Csv and not an instance"),
        (lambda _: wannjax.DataProblem([[1.0]], [1], input_names=None), "input_names: must be names in a tuple or a list, got None"),
        (lambda _: wannjax.DataProblem([[1.0]], [1], name=3), "name: must be a string of whole characters"),
        (lambda _: wannjax.FunctionProblem(print, inputs=1, outputs=1, metric=3), "metric: must be a string of whole characters"),
        (lambda _: wannjax.save_blocks("b.json", 3), "blocks: must be a list of blocks, got the int 3"),
        (lambda _: wannjax.Discrete(3, dtype="hello"), "dtype: must be a type of numbers, got 'hello'"),
        (lambda _: export.to_c(BALANCING, name=3), "name: must be a C identifier that has no meaning yet, got 3"),
        (lambda _: export.to_python(BALANCING, weight="a"), "weight: must be a finite number, got 'a'"),
        (lambda _: wannjax.formula(BALANCING, weight="a"), "weight: must be None or a finite float32, got 'a'"),
        (lambda problem: wannjax.ensemble(BALANCING, problem, start=-math.inf), "start: must be None or a finite weight, got -inf"),
        (lambda problem: wannjax.ensemble(BALANCING, problem, start=math.nan), "start: must be None or a finite weight, got nan"),
        (lambda problem: wannjax.ensemble(BALANCING, problem, start=10**400), "start: must be None or a finite weight, got 1000"),
        (lambda _: wannjax.make("digits", batches=3), "got 'batches' (did you mean batch?)"),
        (lambda _: wannjax.make("digits", x_test=3), "seed, input_names, output_names, got 'x_test'"),
        (lambda problem: scores_at(problem, []), "weights: must be numbers [W], at least one, got []"),
        (lambda problem: scores_at(problem, ["a"]), "weights: must be numbers [W], at least one, got ['a']"),
        (lambda _: scores_at(wannjax.DataProblem(np.eye(4), [0, 0, 1, 1]), []), "weights: must be numbers [W], at least one, got []"),
        (
            lambda problem: wannjax.finetune(BALANCING, problem, starts=np.ones((2, 99)), **QUIET),
            "got ndarray of shape (2, 99)",
        ),
    ],
)
def test_it_is_named(call, message, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError)) as caught:
        call(problem)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
