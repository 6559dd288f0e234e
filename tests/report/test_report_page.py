"""The report of a run: commands work as pasted, scores say what they rest on, and a phone can show it."""

import re
import shlex
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import wannjax
from wannjax.report.report import write


class Counted(wannjax.Problem):
    """Small scores, by numpy: of connections and the shared weight."""

    name, inputs, outputs, output_activation = "CartPoleSwingUp-v0", 5, 1, "tanh"
    input_names, output_names = ("x", "dx", "cos θ", "sin θ", "dθ"), ("force",)

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        counts = (np.asarray(networks.sources) > 0).sum(axis=(1, 2)).astype(np.float32)
        scores = 1e-4 * (counts[:, None] - 0.25 * np.abs(np.asarray(weights, np.float32))) / 3
        return wannjax.Evaluation(scores, np.ones(scores.shape, np.int32), np.float32(scores.size))

    def measure(self, keys, networks, gain, *, activation_ids=()):
        return (0.012 + 0.003 * (-1.0) ** np.arange(len(gain)))[None].astype(np.float32)


SMALL = wannjax.WannConfig(population=16, generations=4, episodes=1, confirm_episodes=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in `runs/a run` of a directory, as `evolve` is given it there."""
    start = tmp_path_factory.mktemp("start")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(start)
        result = wannjax.evolve(Counted(), SMALL, seed=5, progress=False, run_dir=Path("runs") / "a run")
    return start, result


@pytest.fixture(scope="module")
def html(run):
    return (run[0] / "runs" / "a run" / "report.html").read_text()


@pytest.fixture(scope="module")
def text(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def test_its_commands_find_the_run_from_where_it_was_started(run, text, monkeypatch):
    monkeypatch.chdir(run[0])
    commands = [
        shlex.split(line) for line in re.findall(r"^wannjax (?:evaluate|explain|finetune|watch|report|resume) .*$", text, re.MULTILINE)
    ]
    assert len(commands) >= 5
    assert all((Path(command[2]) / "champion.json").exists() for command in commands)


def test_what_was_left_to_the_problem_is_no_change(text):
    assert "tanh (not the default)" not in text
    assert "16 (not the default)" in text
    assert all(f"{name}=" not in text for name in ("output_activation", "cases"))


def test_what_was_given_is_one(tmp_path):
    wannjax.evolve(Counted(), SMALL.replace(output_activation="linear"), progress=False, run_dir=tmp_path / "one", finish=None)
    write(tmp_path / "one", Counted())
    page = (tmp_path / "one" / "report.html").read_text()
    assert "linear (not the default)" in page
    assert "--output-activation linear" in page


def test_each_score_says_what_it_rests_on(text):
    assert "on 4 fresh episodes a weight of the final comparison, which it won" in text
    assert "Measured on episodes of their own, on which no network was chosen" in text
    assert "of many rounds the luckiest: they are optimistic" in text
    assert "champion, when confirmed: optimistic" in text


def test_its_size_is_there_in_normal_form_too(text):
    assert re.search(
        r"The champion has \d+ connections? and \d+ hidden nodes? \(\d+ connections? and \d+ hidden nodes? in normal form", text
    )


def test_small_scores_have_their_digits_on_it_and_in_its_files(run, text):
    directory, result = run[0] / "runs" / "a run", run[1]
    assert "0.012 ± 0.003" in text
    mean = float(result.champion_scores.mean())
    assert f"a mean score of {mean:.4g}" in text or f"a mean score of {mean:.7f}".rstrip("0") in text
    for file, value in (("config.json", mean), ("front.json", result.front_scores[0].mean()), ("growth.json", result.growth[0].score)):
        found = re.search(r'"mean score": ([^,]+),', (directory / file).read_text())
        assert float(found[1]) == pytest.approx(value, rel=5e-6)


def test_settings_are_stacked_on_a_phone_and_still_a_table(html):
    table = re.search(r'<table class="stacked" role="table">.*?</table>', html, re.DOTALL)[0]
    assert "population" in table
    assert 'role="rowheader"' in table
    assert "@media (max-width: 40rem)" in html


def test_every_picture_says_how_wide_its_frame_is(html):
    pictures = re.findall(r'<div class="picture"[^>]*><svg[^>]*>', html)
    assert len(pictures) >= 5
    assert all(re.search(r"--width: \d+px; --ratio: [\d.]+", picture) for picture in pictures)
