"""Recurrent searches as whole runs: resumed to the same bits, with all that a run leaves. On several devices: see `test_same_bits`."""

import jax
import numpy as np
import pytest
from saved_run import outcome

import wannjax
from wannjax.cli import main
from wannjax.export import to_c
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import is_recurrent

SMALL = dict(population=48, generations=6, confirm_episodes=2, candidates=2, episodes=2, recurrent=True)
CONFIGS = {
    "wann": wannjax.WannConfig(**SMALL, add_connection=2.0, initial_density=0.8),
    "neat": wannjax.NeatConfig(**SMALL, add_node=0.3, add_connection=0.5),
}


def searched(problem, name, directory=None, **options):
    return wannjax.evolve(problem, CONFIGS[name], seed=3, progress=False, finish=None, run_dir=directory, save_every=0.0, **options)


@pytest.fixture(scope="module")
def problem():
    return wannjax.make("CartPoleSwingUp-v0", max_steps=50)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.nightly
def test_a_run_that_was_ended_goes_on_to_the_same_bits(name, problem, tmp_path):
    whole = searched(problem, name)
    searched(problem, name, tmp_path, generations=3)
    assert outcome(searched(problem, name, tmp_path, generations=6, resume=True)) == outcome(whole)
    assert name == "neat" or any(is_recurrent(network) for network in [*whole.front, *(stage.network for stage in whole.growth)])
    with pytest.raises(ValueError, match=r"config.recurrent False"):
        wannjax.evolve(problem, CONFIGS[name].replace(recurrent=False), seed=3, progress=False, run_dir=tmp_path, resume=True)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_champion_with_memory_is_saved_measured_trained_filmed_and_reported(problem, tmp_path):
    start = network_of(
        Graph(
            problem.input_names,
            problem.output_names,
            (5, 5),
            (Connection(1, 6), Connection(2, 6), Connection(6, 6), Connection(6, 7), Connection(3, 7)),
        )
    )
    config = CONFIGS["wann"].replace(generations=1, output_activation="tanh")
    result = wannjax.evolve(problem, config, start=start, seed=1, progress=False, run_dir=tmp_path / "run")
    assert "--recurrent" in (tmp_path / "run" / "report.html").read_text(), "in the command to run it again"
    saved = wannjax.load(tmp_path / "run" / "champion.json")
    assert graph_of(saved) == graph_of(result.champion)
    assert wannjax.evaluate(start, problem, episodes=2).connections == 5
    tuned = wannjax.finetune(
        start,
        problem,
        method=wannjax.EvolutionStrategy(population=4, episodes=2),
        steps=2,
        starts=[1.0],
        progress=False,
        run_dir=tmp_path / "run",
    )
    assert is_recurrent(tuned.network)
    seen = wannjax.watch(start, problem, tmp_path / "film.gif", weights=(1.0,))
    np.testing.assert_array_equal(seen.values[:, 0], 1.0)
    assert wannjax.draw(start, tmp_path / "net.svg").axes
    assert "from the last time step" in (tmp_path / "net.svg").read_text()
    assert "h1[t-1]" in str(wannjax.formula(start))
    assert "network_state" in to_c(start)


def test_the_command_line_has_a_switch(tmp_path, capsys):
    assert main(["evolve", "digits", "--recurrent", "--out", str(tmp_path / "run")]) != 0
    assert "recurrent: must be False for digits, which has no time steps" in capsys.readouterr().err


@pytest.mark.slow
def test_a_feed_forward_search_starts_from_no_network_with_memory():
    loop = network_of(Graph(("x",), ("y",), (5, 1), (Connection(1, 2), Connection(2, 2), Connection(2, 3))))
    for name, config in CONFIGS.items():
        algorithm = config.replace(recurrent=False).algorithm
        with pytest.raises(ValueError, match=r"^start: must be feed-forward, or recurrent=True, got Network\(.*recurrent\)"):
            algorithm(inputs=1, outputs=1, start=[loop])
        state = config.algorithm(inputs=1, outputs=1, start=[loop]).init(jax.random.key(0))
        assert int(state.sizes.connections[0]) == 3, name
