"""The report of a run: all parts are there, it says what the files say, reads nothing else, and strangers' names stay text."""

import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

import wannjax
from wannjax.analysis.score_table import PAPER
from wannjax.cli import main
from wannjax.common.digits import kept
from wannjax.networks.files import load
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.report.report import write
from wannjax.runs import run_directory
from wannjax.runs.past_champions import KEPT, Stage, load_growth, remembered, save_growth

SECTIONS = ["scores", "champion", "formulas", "weight", "search", "front", "growth", "settings", "again"]
HOSTILE = '</text><script>alert("x")</script>'


class Counted(wannjax.Problem):
    """Scores networks by their connections and the shared weight, in numpy, so that nothing is compiled."""

    name, inputs, outputs, output_activation = "CartPoleSwingUp-v0", 5, 1, "linear"
    input_names, output_names = ("x", "dx", HOSTILE, "sin θ", "a & b"), ("force",)

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        counts = (np.asarray(networks.sources) > 0).sum(axis=(1, 2)).astype(np.float32)
        scores = counts[:, None] - 0.5 * np.abs(np.asarray(weights, np.float32))
        return wannjax.Evaluation(scores, np.ones(scores.shape, np.int32), np.float32(scores.size))

    def measure(self, keys, networks, gain, *, activation_ids=()):
        return (100.0 + 3.0 * np.abs(np.asarray(gain)) + np.arange(len(gain)) % 2)[None].astype(np.float32)


class Unmeasured(Counted):
    name = "a problem of one's own"
    measure = wannjax.Problem.measure


class Page(HTMLParser):
    """What a page holds. Raises for elements that are closed in another order than they were opened."""

    VOID = ("meta", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.references, self.ids, self.headings, self.text, self.images = [], [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.references += [(tag, found[name]) for name in ("src", "href", "xlink:href", "data", "action") if name in found]
        if tag == "svg":
            self.images.append(found.get("role"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append((self.open[-1], data))


def evolved(directory, problem, **settings):
    config = wannjax.WannConfig(population=16, generations=6, episodes=1, confirm_episodes=1, **settings)
    return wannjax.evolve(problem, config, seed=5, progress=False, run_dir=directory)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "one"
    return directory, evolved(directory, Counted())


@pytest.fixture(scope="module")
def page(run):
    return Page((run[0] / "report.html").read_text())


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run[0], tmp_path / "one")


def test_all_sections_are_there_and_linked(page):
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    links = [reference for tag, reference in page.references if tag == "a"]
    assert links[: len(SECTIONS)] == [f"#{name}" for name in SECTIONS]
    assert [level for level, _ in page.headings][:2] == ["h1", "h2"]


def test_the_page_reads_nothing_else(page):
    outside = [(tag, reference) for tag, reference in page.references if not reference.startswith("#")]
    assert outside == [("a", "https://arxiv.org/abs/1906.04358")]
    assert not {"link", "img", "iframe", "object", "image"} & set(page.tags)
    assert page.tags.count("script") == 1


def test_ids_are_unique_and_what_is_referred_to_exists(page):
    assert len(page.ids) == len(set(page.ids))
    assert {reference[1:] for _, reference in page.references if reference.startswith("#")} <= set(page.ids)


def test_the_table_is_the_results_beside_the_papers(run, page):
    _, result = run
    text = "\n".join(page.text)
    for score in (*result.report.per_weight.values(), result.report.random_shared, result.report.tuned_shared):
        assert str(score) in text
    assert all(figure in text for figure in PAPER["CartPoleSwingUp-v0"][:3])


def test_every_picture_says_what_it_is(page):
    assert set(page.images) == {"img"}
    assert page.tags.count("title") >= len(page.images) + 1
    assert page.tags.count("button") == 7


def test_growth_is_a_drawing_for_each_champion(run, page):
    growth = run[1].growth
    text = "\n".join(page.text)
    assert len(growth) > 1
    assert all(f"Generation {stage.generation}:" in text for stage in growth)
    assert page.tags.count("svg") >= 5 + len(growth)


def test_names_stay_text(run, page):
    assert "<script>alert" not in (run[0] / "report.html").read_text()
    assert not any("alert" in text for text in page.text if "explore" in text)


def test_how_to_run_it_again_is_exact(run, page):
    text = "".join(page.text)
    assert "wannjax evolve CartPoleSwingUp-v0 --seed 5 --population 16 --generations 6 --episodes 1 --confirm-episodes 1" in text
    assert "wannjax.WannConfig(population=16, generations=6, episodes=1, confirm_episodes=1" in text
    assert f"wannjax resume {run[0]}" in text


def test_written_again_from_the_files_it_is_the_same_but_for_the_path(run, copy):
    before = (copy / "report.html").read_text()
    write(copy, Counted())
    assert (copy / "report.html").read_text() == before.replace(str(run[0]), str(copy))


def test_a_problem_without_measure_has_a_report_without_scores(tmp_path):
    result = evolved(tmp_path / "own", Unmeasured())
    text = "".join(Page((tmp_path / "own" / "report.html").read_text()).text)
    assert result.report is None
    assert text.count("has no `measure`") == 2
    assert "your own problem" in text


@pytest.mark.slow
@pytest.mark.nightly
def test_a_data_problem_with_many_inputs_has_one(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    x = rng.normal(size=(60, 300)) + labels[:, None]
    problem = wannjax.DataProblem(x, labels, name="blobs")
    result = evolved(tmp_path / "data", problem)
    text = "".join(Page((tmp_path / "data" / "report.html").read_text()).text)
    assert problem.metric in text
    assert str(result.report.random_weights) in text


@pytest.mark.nightly
def test_a_large_champion_makes_a_small_file(copy):
    rng = np.random.default_rng(0)
    pairs = sorted({(int(rng.integers(0, target)), target) for target in [*range(6, 46)] * 3}, key=lambda pair: pair[::-1])
    pairs = [pair for pair in pairs if pair[0] < 45]
    graph = Graph(("a", "b", "c", "d", "e"), ("y",), tuple(int(a) for a in rng.integers(1, 11, 40)), tuple(Connection(*p) for p in pairs))
    assert len(graph.connections) > 100
    wannjax.save(copy / "champion.json", network_of(graph))
    save_growth(copy / "growth.json", [Stage(1 + i, network_of(graph), 1.0) for i in range(KEPT)])
    write(copy, Counted())
    assert (copy / "report.html").stat().st_size < 2e6


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{}", "config.json: not the settings of a run: 'problem' is missing"),
        ("history.csv", "a,b\n1,2\n", "history.csv: not the history of a run: columns: must be"),
        ("growth.json", "[]", 'growth.json: not a wannjax growth: its "format" is not "wannjax growth"'),
        ("front.json", "{", "front.json: not a wannjax front"),
    ],
)
def test_a_damaged_file_is_one_line(copy, capsys, name, text, message):
    (copy / name).write_text(text)
    assert main(["report", str(copy), "CartPoleSwingUp-v0"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_growth_is_thinned_evenly_and_keeps_both_ends():
    network = network_of(Graph(("a",), ("y",), (1,), (Connection(1, 2),)))
    growth = []
    for generation in range(1, 301):
        growth = remembered(growth, Stage(generation, network, 0.0))
    at = np.array([stage.generation for stage in growth])
    assert (len(at), at[0], at[-1]) == (KEPT, 1, 300)
    assert np.diff(at).max() <= 3 * 300 / KEPT


def test_growth_survives_its_file(run, tmp_path):
    growth = run[1].growth
    save_growth(tmp_path / "growth.json", growth)
    read = load_growth(tmp_path / "growth.json")
    assert [(stage.generation, stage.score) for stage in read] == [(stage.generation, kept(stage.score)) for stage in growth]
    wannjax.save(tmp_path / "first.json", growth[0].network)
    wannjax.save(tmp_path / "second.json", read[0].network)
    assert (tmp_path / "first.json").read_text() == (tmp_path / "second.json").read_text()


@pytest.mark.parametrize(("key", "value"), [("generation", 0), ("generation", True), ("mean score", "1"), ("mean score", 1e999)])
def test_growth_that_makes_no_sense_is_refused(run, tmp_path, key, value):
    document = json.loads((run[0] / "growth.json").read_text())
    document["members"][0][key] = value
    (tmp_path / "growth.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="not a wannjax growth"):
        load_growth(tmp_path / "growth.json")


def test_the_champion_of_the_files_is_the_reports(run):
    saved = run_directory.read(run[0])
    assert saved.mean == pytest.approx(float(run[1].champion_scores.mean()), abs=1e-3)
    assert load(run[0] / "champion.json").input_names == saved.champion.input_names == Counted.input_names
