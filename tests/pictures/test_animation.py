"""Films of episodes: that what is shown is what is scored, and what a film holds."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import network_of
from marking import nightly
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import wannjax
from wannjax.analysis.episodes import episodes_of
from wannjax.common.keys import Purpose, key_of
from wannjax.networks.graph import graph_of
from wannjax.networks.graph import network_of as network_of_graph
from wannjax.pictures.animation import _arrange, _bounded, watch
from wannjax.pictures.rendering import RENDERERS, Film, render
from wannjax.problems.host_environment import FRAMES

WEIGHTS = (-2.0, -0.5, 1.0)


def network_for(problem):
    rng = np.random.default_rng(0)
    genes = oracle.random_genes(rng, inputs=problem.inputs, outputs=problem.outputs, nodes=4, slots=6, density=0.6, defects=0.0)
    return network_of(genes, steps=40)


@cache
def problem_of(name, max_steps):
    """One for all tests, so that its programs are compiled once."""
    return wannjax.make(name, max_steps=max_steps)


def lanes(count=3, seed=5):
    return jnp.stack([key_of(seed, Purpose.FILM)] * count)


@pytest.mark.parametrize(
    "name",
    [
        "CartPoleSwingUp-v0",
        *nightly("CartPole-v1", "Pendulum-v1", "Breakout-MinAtar"),
    ],
)
def test_the_rewards_of_an_episode_add_up_to_the_return_that_is_scored(name):
    problem = problem_of(name, 150)
    network = network_for(problem)
    gain = jnp.array(WEIGHTS)
    episodes = episodes_of(network, problem, lanes(), gain)
    scored = problem.rollout(lanes(), jax.tree.map(lambda leaf: leaf[None], network), gain)
    np.testing.assert_allclose(episodes.rewards.sum(axis=0), scored.returns[0], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(episodes.steps, scored.steps[0])


def test_the_values_of_an_episode_are_those_of_the_oracle():
    problem = problem_of("CartPoleSwingUp-v0", 150)
    network = network_for(problem)
    graph = graph_of(network)
    episodes = episodes_of(network, problem, lanes(), jnp.array(WEIGHTS))
    assert episodes.values.shape == (len(episodes.alive), graph.size, 3)
    assert len(episodes.alive) > 60
    for lane, weight in enumerate(WEIGHTS):
        for values in episodes.values[::15, :, lane].astype(np.float64):
            expected = values.copy()
            for node in range(graph.first_hidden, graph.size):
                total = sum(expected[c.source] for c in graph.connections if c.target == node)
                expected[node] = oracle.ACTIVATIONS[graph.activations[node - graph.first_hidden]](weight * total)
            np.testing.assert_allclose(values, expected, atol=2e-5)
    np.testing.assert_array_equal(episodes.values[:, 0], 1.0)
    np.testing.assert_array_equal(episodes.values[:, 1], episodes.states.x)


def test_the_longest_episode_gives_the_length_and_rewards_end_with_their_episode():
    problem = problem_of("CartPole-v1", 500)
    episodes = episodes_of(network_for(problem), problem, jax.random.split(jax.random.key(0), 3), jnp.array(WEIGHTS))
    assert len(episodes.alive) == episodes.steps.max()
    assert np.all(episodes.rewards[~episodes.alive] == 0)


def test_a_film_has_a_frame_per_step_and_says_the_return(tmp_path):
    problem = problem_of("Pendulum-v1", 6)
    network = network_for(problem)
    episodes = watch(network, problem, tmp_path / "film.gif", weights=WEIGHTS, seed=2)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 6
        assert film.info["duration"] == 80
    figure, _, move = _arrange(graph_of(network), problem, episodes, WEIGHTS)
    move(5)
    words = [text.get_text() for text in figure.texts]
    for weight, score, text in zip(WEIGHTS, episodes.rewards.sum(axis=0), words, strict=True):
        *said, shown = text.split()
        assert said == ["weight", f"{weight:g}", "step", "6", "return"]
        np.testing.assert_allclose(float(shown), score, atol=0.05)


def test_long_episodes_skip_frames_and_end_with_the_last_step(tmp_path):
    problem = problem_of("Pendulum-v1", 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wannjax.pictures.animation._LONGEST", 3)
        watch(network_for(problem), problem, tmp_path / "film.gif", weights=WEIGHTS)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4  # steps 1, 3, 5 and 6


def test_the_same_seed_gives_the_same_film(tmp_path):
    problem = problem_of("Pendulum-v1", 6)
    for name in ("first.gif", "second.gif"):
        watch(network_for(problem), problem, tmp_path / name, weights=WEIGHTS, seed=3)
    assert (tmp_path / "first.gif").read_bytes() == (tmp_path / "second.gif").read_bytes()


def test_individual_weights_are_shown_as_they_are(tmp_path):
    problem = problem_of("Pendulum-v1", 6)
    network = network_for(problem)
    graph = graph_of(network)
    weighted = network_of_graph(graph.with_weights([0.5] * len(graph.connections)))
    episodes = watch(weighted, problem, tmp_path / "film.gif")
    shared = episodes_of(network, problem, lanes(seed=0), jnp.array([0.5, 1.0, 2.0]))
    np.testing.assert_allclose(episodes.values[:, :, 0], shared.values[:, :, 0], rtol=1e-4, atol=1e-5)
    assert episodes.rewards.shape == (6, 1)


WITHOUT_RENDERER = ("Breakout-MinAtar", "Catch-bsuite", "FrozenLake-misc", "MemoryChain-bsuite")


def film_of(problem, moments=3):
    """Starts of different episodes in place of steps, which takes no compilation, and random outputs."""
    reset = jax.jit(problem.reset, static_argnums=1)
    observations, states = reset(jax.random.split(jax.random.key(0), moments), 1, problem.params)
    outputs = np.random.default_rng(0).uniform(-1, 1, (moments, problem.outputs))
    environment, states, params = problem.environment.drawn_as(jax.tree.map(lambda leaf: np.asarray(leaf[0]), states), problem.params)
    return Film(environment, params, states, np.asarray(observations[:, 0].T), outputs, problem.input_names)


@pytest.mark.parametrize("name", sorted({*RENDERERS, *WITHOUT_RENDERER} - {FRAMES}))
def test_every_environment_has_a_picture_of_its_state(name):
    film = film_of(wannjax.make(name))
    canvas = FigureCanvasAgg(Figure(figsize=(2, 2)))
    moving, move = render(canvas.figure.add_subplot(), film)

    def picture():
        canvas.draw()
        return np.asarray(canvas.buffer_rgba()).copy()

    move(2)
    whole = picture()
    for artist in moving:
        artist.set_visible(False)
    assert (whole != picture()).any()


def test_a_pole_is_drawn_where_the_state_has_it():
    """A positive angle leans left: a force to the right makes the angle grow, and the pole fall back."""
    film = film_of(wannjax.make("CartPoleSwingUp-v0"))
    moving, move = render(Figure().add_subplot(), film)
    for time in range(3):
        move(time)
        x, y = moving[1].get_data()
        np.testing.assert_allclose(x[0], film.states.x[time], atol=1e-5)
        np.testing.assert_allclose(x[1] - x[0], -0.6 * film.states.sin_theta[time], atol=1e-5)
        np.testing.assert_allclose(y[1], 0.6 * film.states.cos_theta[time], atol=1e-5)


def test_a_varied_environment_is_drawn_with_what_its_episode_drew():
    problem = wannjax.make("CartPoleSwingUp-v0", vary={"pole_length": (0.3, 0.9)})
    (length,) = problem.contexts(jax.random.split(jax.random.key(0), 3), problem.params)[0]
    moving, move = render(Figure().add_subplot(), film_of(problem))
    move(0)
    x, y = moving[1].get_data()
    assert np.hypot(x[1] - x[0], y[1]) == pytest.approx(float(length), rel=1e-4)


def test_values_become_shades_that_keep_sign_and_order():
    shades = _bounded(np.array([-np.inf, -9.0, -1.0, 0.0, 1.0, 9.0, np.inf, np.nan]))
    np.testing.assert_allclose(shades, [-1, -0.875, -0.5, 0, 0.5, 0.875, 1, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "film.avi"}, r"path: must be a file name that ends in \.gif or \.mp4, got 'film\.avi'"),
        ({"weights": ()}, r"weights: must be finite and not empty, got \(\)"),
        ({"weights": (float("nan"),)}, "weights: must be finite and not empty, got"),
        ({"seed": -1}, "seed: must be an integer from 0"),
        ({"problem": "digits"}, "problem: must be an environment, got digits, which has no episodes to watch"),
        ({"problem": "Pendulum-v1"}, "4 inputs and 2 outputs"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, arguments, message):
    problem = wannjax.make("CartPole-v1")
    given = {"path": str(tmp_path / "film.gif"), **arguments, "problem": wannjax.make(arguments.get("problem", "CartPole-v1"))}
    with pytest.raises(ValueError, match=message):
        watch(network_for(problem), **given)


def test_mp4_without_ffmpeg_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr("wannjax.pictures.animation.FFMpegWriter.isAvailable", lambda: False)
    problem = wannjax.make("CartPole-v1")
    with pytest.raises(ValueError, match=r"path: must be a \.gif: for \.mp4, ffmpeg must be installed"):
        watch(network_for(problem), problem, tmp_path / "film.mp4")
