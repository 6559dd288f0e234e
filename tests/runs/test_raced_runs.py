"""A race in a run: what is scored twice, what goes on record, and that a run with one is made again and resumed to the last bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from host_support import Boats
from marking import nightly, slow
from runs_support import Larger
from saved_run import outcome

import wannjax
from wannjax.networks.network import signature, take
from wannjax.runs.run import Run

CONFIG = wannjax.WannConfig(population=13, generations=5, episodes=4, racing=1, confirm_episodes=4)


def noisy(key, network):
    return jnp.sum(network(jax.random.normal(key, (4, 2))))


PROBLEMS = {
    "device": lambda: wannjax.make("CartPoleSwingUp-v0", max_steps=60),
    "host": lambda: wannjax.HostProblem(Boats()),
    "function": lambda: wannjax.FunctionProblem(noisy, inputs=2, outputs=1),
    "of one's own": Larger,
}


@pytest.fixture(
    scope="module",
    params=[*nightly("device", "host"), "function", "of one's own"],
)
def problem(request):
    return PROBLEMS[request.param]()


@pytest.mark.parametrize("cases", ["weights", "episodes"])
def test_those_ahead_score_as_without_a_race_and_the_others_on_the_first_episodes(problem, cases):
    run = Run(problem, CONFIG.replace(cases=cases), seed=0)
    key, networks = jax.random.key(1), run.algorithm.ask(run.first)
    scores, told, ahead, work = run._score_all(key, networks)
    none = np.zeros((13, 6, 0), np.float32)
    first = problem.evaluate_after(key, networks, run.sweep, none, episodes=1)
    full = problem.evaluate(key, networks, run.sweep, episodes=4)
    assert ahead.tolist() == run.algorithm.race.ahead(np.asarray(first.scores)).tolist()
    behind = np.setdiff1d(np.arange(13), ahead)
    assert len(ahead) == 7
    np.testing.assert_array_equal(scores[ahead], np.asarray(full.scores)[ahead])
    np.testing.assert_array_equal(scores[behind], np.asarray(first.scores)[behind])
    assert np.isnan(told[behind]).all()
    each = full.scores if cases == "weights" or full.by_episode is None else full.by_episode
    np.testing.assert_array_equal(told[ahead], np.asarray(each)[ahead])
    if full.by_episode is not None:  # else those ahead begin anew
        np.testing.assert_array_equal(first.by_episode[ahead], full.by_episode[ahead][:, :, :1])
        assert work.alive_steps == np.sum(full.steps[ahead]) + np.sum(first.steps[behind])
    assert work.alive_steps <= work.computed_steps


def test_steps_of_a_problem_that_begins_anew_count_each_time():
    run = Run(Larger(), CONFIG, seed=0)
    run.advance()
    assert run.problem.calls == 3  # the last confirms
    assert run.records[0].alive_steps == 8 * 6 * (13 * 1 + 7 * 4 + 7 * 4)


def test_a_network_that_is_behind_is_no_champion_though_those_ahead_turn_bad():
    run = Run(Larger(lambda call, scores: scores - 100 * (call == 2)), CONFIG, seed=0)
    networks = run.algorithm.ask(run.first)
    ahead = run.algorithm.race.ahead(np.asarray(run.problem.evaluate(run_key(run, 1), networks, run.sweep, episodes=1).scores))
    run.problem.calls = 0
    run.advance()
    assert run.records[0].mean_score < -50
    allowed = {signature(take(networks, i)) for i in ahead}
    assert {signature(member.network) for member in run.champions.archive} <= allowed


def run_key(run, generation):
    return jax.random.fold_in(run.episode_key, generation)


@pytest.mark.parametrize(
    ("make", "cases"),
    [(Larger, "weights"), *slow((PROBLEMS["host"], "episodes"))],
    ids=["weights", "episodes"],
)
def test_a_run_with_races_is_resumed_to_the_same_result(make, cases, tmp_path):
    problem, config = make(), CONFIG.replace(cases=cases)
    whole = wannjax.evolve(problem, config, progress=False)
    options = {"progress": False, "run_dir": tmp_path, "finish": None, "save_every": 0.0}
    assert wannjax.evolve(problem, config, callbacks=[lambda record: record.generation == 2], **options).interrupted
    resumed = wannjax.evolve(problem, config, resume=True, **options)
    assert outcome(resumed) == outcome(whole)
    with pytest.raises(ValueError, match="racing"):
        wannjax.evolve(problem, config.replace(racing=2), resume=True, **options)


@pytest.mark.parametrize(
    "problem",
    [
        wannjax.DataProblem(np.eye(40, 3), np.eye(2)[np.arange(40) % 2]),
        wannjax.FunctionProblem(noisy, inputs=2, outputs=1, stochastic=False),
    ],
)
def test_what_has_no_episodes_has_no_race(problem):
    with pytest.raises(ValueError, match=f"^racing: must be 0 for {problem.name}, whose scores are of no episodes, got 1$"):
        wannjax.evolve(problem, CONFIG, progress=False)
