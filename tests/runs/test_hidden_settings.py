"""Settings of JAX that change what is drawn: pinned, or kept in the checkpoint and asked for when the run is resumed."""

import re
from pathlib import Path

import jax
import pytest
import saved_run

import wannjax
from wannjax.cli import main
from wannjax.common.keys import Purpose, hidden_settings, key_of

pytestmark = pytest.mark.usefixtures("without_report")


def ended_after(generation, directory):
    assert saved_run.quick(directory, callbacks=[lambda record: record.generation == generation]).interrupted


@pytest.mark.slow
def test_the_default_implementation_of_keys_has_no_say(tmp_path):
    whole = saved_run.outcome(saved_run.quick(None))
    ended_after(5, tmp_path)
    with jax.default_prng_impl("rbg"):
        assert saved_run.outcome(saved_run.quick(None)) == whole
        assert saved_run.outcome(saved_run.quick(tmp_path, resume=True)) == whole


def test_keys_are_those_that_jax_makes_by_default():
    assert key_of(7, Purpose.SEARCH) == jax.random.fold_in(jax.random.key(7), Purpose.SEARCH)


def test_no_key_is_made_of_a_seed_alone():
    """But in examples, which are of a user."""
    package = Path(wannjax.__file__).parent
    making = re.compile(r"^(?!\s*>>>).*\b(random\.key|PRNGKey)\(", re.M)
    assert [path.name for path in package.rglob("*.py") if making.search(path.read_text("utf-8"))] == []


def test_a_run_does_not_go_on_with_other_draws(tmp_path):
    ended_after(2, tmp_path)
    message = "jax_threefry_partitionable: must be True, as it was in the run that is resumed, got False"
    with jax.threefry_partitionable(False), pytest.raises(ValueError, match=message):
        saved_run.quick(tmp_path, resume=True)


@pytest.mark.slow
def test_a_run_goes_on_with_the_settings_that_it_had(tmp_path):
    with jax.threefry_partitionable(False):
        whole = saved_run.outcome(saved_run.quick(None))
        ended_after(5, tmp_path)
        assert saved_run.outcome(saved_run.quick(tmp_path, resume=True)) == whole


def test_every_setting_is_asked_for_by_its_name(tmp_path, monkeypatch):
    ended_after(2, tmp_path)
    for name, value in hidden_settings().items():
        monkeypatch.setattr("wannjax.runs.resuming.hidden_settings", lambda name=name: {**hidden_settings(), name: "another"})
        with pytest.raises(ValueError, match=f"{name}: must be {value!r}, as it was in the run that is resumed, got 'another'"):
            saved_run.quick(tmp_path, resume=True)


@pytest.mark.slow
def test_the_command_line_refuses_in_one_line(tmp_path, capsys):
    config = wannjax.WannConfig(population=8, episodes=1, confirm_episodes=1)
    problem = wannjax.make("CartPole-v1")
    wannjax.evolve(problem, config, generations=3, progress=False, run_dir=tmp_path, callbacks=[lambda record: True], finish=None)
    with jax.threefry_partitionable(False):
        assert main(["resume", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "jax_threefry_partitionable: must be True" in line
