"""What a user's type checker sees: mypy on programs that use the installed package, as strict as it can be."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wannjax

pytestmark = pytest.mark.slow  # mypy reads JAX too, which takes 20 seconds until its cache is filled

PREAMBLE = """
import numpy as np
import wannjax

problem = wannjax.make("CartPole-v1", max_steps=50)
result = wannjax.evolve(problem, wannjax.WannConfig(population=16), generations=2, progress=False)
network = result.champion
tuned = wannjax.finetune(network, problem, method=wannjax.EvolutionStrategy(population=4), steps=2)
report = wannjax.evaluate(network, problem, episodes=5)
digits = wannjax.DataProblem(np.zeros((4, 2)), np.zeros(4, int))
flock = wannjax.ensemble(network, digits, members=2)
"""

REVEALED = {
    "wannjax.__version__": "str",
    "result": "Result",
    "network": "Network",
    "result.front": "list[Network]",
    "result.seconds": "float",
    "network([0.0, 0.0, 0.0, 0.0], weight=-1.5)": "Array",
    "network([[0.0, 0.0, 0.0, 0.0]])": "Array",
    "network(np.zeros(4))": "Array",
    "tuned": "Tuned",
    "tuned.network": "Network",
    "report": "Report",
    "report.per_weight[0.5].mean": "float",
    "flock": "Ensemble",
    "flock([0.0, 0.0])": "Array",
    "wannjax.WannConfig(population=16).replace(population=32)": "WannConfig",
    "wannjax.WannConfig.preset('thorough')": "WannConfig",
    "wannjax.NeatConfig.preset('small')": "NeatConfig",
    "wannjax.WannConfig().algorithm(inputs=2, outputs=1).activation_ids": "tuple[int, ...]",
    "wannjax.evolve_many(problem, seeds=range(2)).results": "list[Result]",
    "wannjax.load('champion.json')": "Network",
    "wannjax.load_front('front.json')": "list[Network]",
    "wannjax.draw(network, 'champion.svg', title='one')": "Figure",
    "wannjax.watch(network, problem, 'episode.gif').alive": "ndarray[tuple[Any, ...], dtype[Any]]",
    "wannjax.export.to_python(network)": "str",
    "wannjax.export.to_c(network)": "str",
    "wannjax.export.to_flax(network)": "NetworkModule",
    "wannjax.export.to_torch(network)": "TorchNetwork | RecurrentTorchNetwork",
    "wannjax.formula(network)": "Formulas",
    "wannjax.explain(network, problem)": "Explanation",
    "wannjax.prune(network, problem, tolerance=1.0).network": "Network",
    "wannjax.canonical(network).digest": "str",
    "wannjax.mine_motifs([result.front])": "Motifs",
}
"""The type of each expression, without the modules that types live in."""

FINE = [
    "wannjax.evolve(problem, wannjax.NeatConfig(), callbacks=[lambda record: record.champion_score > 800, wannjax.Csv('run.csv')])",
    "wannjax.save('champion.json', tuned.network)",
    "print(result.history['champion_score'][-1], tuned.score, report.tuned_shared)",
    "with wannjax.distributed(): pass",
]

WRONG = {
    "wannjax.evolve(3)": "arg-type",
    "wannjax.evolve(problem, generations='two')": "arg-type",
    "wannjax.evolve(problem, generation=2)": "call-arg",
    "wannjax.evaluate(result, problem)": "arg-type",
    "wannjax.finetune(network, problem, method=1)": "arg-type",
    "wannjax.WannConfig(population='many')": "arg-type",
    "wannjax.EvolutionStrategy(population='two')": "arg-type",
    "network(0.0, weight='one')": "arg-type",
    "result.winner": "attr-defined",
    "wannjax.evolv": "attr-defined",
}
"""The code of mypy's error for each statement."""

NOTE = re.compile(r"^user\.py:(\d+): (note|error): (.*)$")


@pytest.fixture(scope="module")
def said(request, tmp_path_factory):
    """What mypy says of each statement."""
    folder = tmp_path_factory.mktemp("user")
    statements = [*(f"reveal_type({expression})" for expression in REVEALED), *FINE, *WRONG]
    first = PREAMBLE.count("\n") + 1
    (folder / "user.py").write_text(PREAMBLE + "\n".join(statements) + "\n")
    cache = request.config.cache.mkdir("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--config-file=", f"--cache-dir={cache}", "user.py"]
    environment = os.environ | {"PYTHONPATH": str(Path(wannjax.__file__).parents[1])}  # which mypy searches as it does site-packages
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert process.returncode in (0, 1), process.stdout + process.stderr
    lines: dict[str, list[str]] = {}
    for number, kind, text in (match.groups() for match in map(NOTE.match, process.stdout.splitlines()) if match):
        statement = statements[int(number) - first] if int(number) >= first else "preamble"
        lines.setdefault(statement, []).append(f"{kind}: {text}")
    return lines


def test_the_way_readme_uses_the_package_is_fine(said):
    assert {statement: said[statement] for statement in ("preamble", *FINE) if statement in said} == {}


@pytest.mark.parametrize(("expression", "expected"), REVEALED.items())
def test_a_type_is_known(said, expression, expected):
    (line,) = said[f"reveal_type({expression})"]
    found = line.removeprefix('note: Revealed type is "').removesuffix('"')
    assert re.sub(r"\b(?:\w+\.)+(?=\w)", "", found) == expected


@pytest.mark.parametrize(("statement", "code"), WRONG.items())
def test_a_mistake_is_found(said, statement, code):
    assert [line.rsplit("  ", 1)[-1] for line in said[statement] if line.startswith("error")] == [f"[{code}]"]
