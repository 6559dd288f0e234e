"""Every registered gymnax environment evolves; the one that downloads says so in one line."""

import jax
import numpy as np
import pytest

import wannjax

SMALL = wannjax.WannConfig(population=6, generations=2, episodes=1, confirm_episodes=1, candidates=1, weights=(-1.0, 1.0))
DOWNLOADS = {"MNISTBandit-bsuite"}


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(set(wannjax.environment_names()) - DOWNLOADS))
def test_evolves_for_two_generations(name):
    problem = wannjax.make(name, max_steps=20)
    with jax.numpy_rank_promotion("allow"):  # some environments rely on it
        result = wannjax.evolve(problem, SMALL, progress=False)
    assert len(result.history["generation"]) == 2
    assert np.isfinite(result.champion_scores).all()
    assert result.champion(np.zeros(problem.inputs)).shape == (problem.outputs,)


def test_pixels_start_with_a_bounded_fan_in():
    problem = wannjax.make("Pong-misc")
    algorithm = wannjax.WannConfig(population=4, initial_fan_in=20).algorithm(inputs=problem.inputs, outputs=problem.outputs)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))
    assert problem.inputs > 1000
    assert int(np.max(networks.steps)) <= problem.outputs * 25


def test_an_environment_that_downloads_fails_with_one_line(monkeypatch):
    def refuse(*_arguments, **_options):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("urllib.request.urlretrieve", refuse)
    with pytest.raises(ValueError, match="MNISTBandit-bsuite downloads data that could not be fetched") as caught:
        wannjax.make("MNISTBandit-bsuite")
    assert "\n" not in str(caught.value)
