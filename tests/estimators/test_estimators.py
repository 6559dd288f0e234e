"""The estimators do what scikit-learn's do, and what they hold can be read."""

import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
from marking import nightly
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wannjax.networks.network import connection_count
from wannjax.sklearn import WannClassifier, WannRegressor, estimator

SMALL = dict(population=64, generations=10, steps=200, random_state=1)
TINY = dict(population=8, generations=4, steps=2, random_state=0)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def iris():
    data = load_iris()
    return data.data, data.target_names[data.target], data.feature_names


@pytest.fixture(scope="module")
def flowers(iris):
    x, y, _ = iris
    return WannClassifier(**SMALL).fit(x, y)


@pytest.fixture(scope="module")
def two_flowers(iris):
    x, y, _ = iris
    return WannClassifier(**SMALL).fit(x[y != "setosa"], y[y != "setosa"])


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return x, y, WannRegressor(population=512, generations=20, random_state=0).fit(x, y)


@pytest.mark.nightly
def test_exclusive_or_is_learned_from_its_four_rows():
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), ["same", "different", "different", "same"]
    model = WannClassifier(random_state=0).fit(x, y)
    assert model.score(x, y) == 1
    assert connection_count(model.network_) > 0


@pytest.mark.nightly
def test_labels_are_those_of_the_table(iris, flowers):
    x, y, _ = iris
    assert flowers.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert flowers.score(x, y) > 0.9
    assert_array_equal(flowers.predict(x), flowers.classes_[flowers.decision_function(x).argmax(1)])


@pytest.mark.nightly
def test_probabilities_are_those_of_the_scores(iris, flowers, two_flowers):
    x = iris[0]
    powers = np.exp(flowers.decision_function(x))
    assert_allclose(flowers.predict_proba(x), powers / powers.sum(1, keepdims=True), rtol=1e-12)
    assert_allclose(two_flowers.predict_proba(x)[:, 1], 1 / (1 + np.exp(-two_flowers.decision_function(x))), rtol=1e-12)


def test_a_regression_is_scored_by_r2_in_the_units_of_its_targets(diabetes):
    x, y, model = diabetes
    assert model.score(x, y) == r2_score(y, model.predict(x)) > 0.3
    assert abs(model.predict(x).mean() - y.mean()) < 10


@pytest.mark.nightly
def test_several_numbers_are_predicted_in_columns(diabetes):
    x, y, _ = diabetes
    both = np.column_stack([y, 1000 - 3 * y])
    model = WannRegressor(**SMALL).fit(x, both)
    assert model.predict(x).shape == both.shape
    assert model.network_.outputs == 2


@pytest.mark.parametrize("train", ["weights", "shared", None])
@pytest.mark.parametrize("scale", [True, *nightly(False)])
def test_the_formula_is_of_the_tables_own_columns(diabetes, train, scale):
    x, y, _ = diabetes
    x, y = 100 * x + 3, y if scale else y / 100
    model = WannRegressor(**SMALL | dict(train=train, scale=scale)).fit(x, y)
    functions: dict = {}
    exec(model.formula_.python(), functions)
    values = [functions["network"](*row)[0] for row in x[:50]]
    assert_allclose(values, model.predict(x[:50]), rtol=1e-4)


@pytest.mark.nightly
def test_names_of_columns_are_in_the_formula(iris):
    x, y, names = iris
    pandas = pytest.importorskip("pandas")
    model = WannClassifier(**SMALL).fit(pandas.DataFrame(x, columns=names), y)
    assert model.feature_names_in_.tolist() == names
    assert "petal_length_cm" in str(model.formula_)
    assert "score_of_setosa = " in str(model.formula_)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pandas.DataFrame(x, columns=names[::-1]))


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["bias", "hidden 1", "", "d"], ("column bias", "column hidden 1", "column ", "column d")),
        (["a", "b", "c", "log odds of 1"], ("column a", "column b", "column c", "column log odds of 1")),
        (["a", "b", "c", "prediction"], ("a", "b", "c", "prediction")),
    ],
)
@pytest.mark.nightly
def test_columns_may_have_the_names_of_other_nodes(columns, names):
    pandas, x = pytest.importorskip("pandas"), np.random.default_rng(0).normal(size=(30, 4))
    model = WannClassifier(**TINY).fit(pandas.DataFrame(x, columns=columns), np.arange(30) % 2)
    assert model.network_.input_names == names
    assert str(model.formula_)


@pytest.mark.nightly
def test_ctrl_c_ends_the_search_and_the_fit_goes_on(iris, monkeypatch):
    x, y, _ = iris
    monkeypatch.setattr(estimator, "_patience", lambda _: lambda record: record.generation == 2 and signal.raise_signal(signal.SIGINT))
    model = WannClassifier(**TINY | dict(early_stopping=1)).fit(x, y)
    assert model.result_.interrupted
    assert len(model.result_.history["generation"]) == 2
    assert model.network_.weights is not None
    assert model.predict(x).shape == y.shape


def test_before_fit_there_is_nothing_to_read():
    for name in ("front_", "formula_"):
        with pytest.raises(NotFittedError):
            getattr(WannClassifier(), name)


def test_weights_of_rows_are_repetitions(iris):
    x, y, _ = iris
    times = np.random.default_rng(0).integers(0, 4, len(x))
    weighted = WannClassifier(**SMALL).fit(x, y, sample_weight=times)
    repeated = WannClassifier(**SMALL).fit(np.repeat(x, times, axis=0), np.repeat(y, times))
    assert weighted.network_ == repeated.network_
    assert_array_equal(weighted.predict_proba(x), repeated.predict_proba(x))


@pytest.mark.nightly
def test_a_random_state_says_all(iris, flowers):
    x, y, _ = iris
    assert clone(flowers).fit(x, y).network_ == flowers.network_
    states = [WannClassifier(**SMALL | dict(random_state=np.random.RandomState(0), train=None)).fit(x, y) for _ in range(2)]
    assert states[0].network_ == states[1].network_


def test_it_can_be_kept_and_searched_and_piped(iris, flowers):
    x, y, _ = iris
    assert_array_equal(pickle.loads(pickle.dumps(flowers)).predict_proba(x), flowers.predict_proba(x))
    grid = GridSearchCV(make_pipeline(StandardScaler(), WannClassifier(**SMALL)), {"wannclassifier__train": ["weights", "shared"]}, cv=2)
    assert grid.fit(x, y).best_params_ == {"wannclassifier__train": "weights"}


def test_a_row_is_predicted_alike_alone_and_among_others(iris, flowers):
    x = np.tile(iris[0], (10, 1))
    assert_array_equal(np.concatenate([flowers.predict_proba(row[None]) for row in x[:20]]), flowers.predict_proba(x)[:20])


@pytest.mark.nightly
def test_the_network_may_be_one_of_few_connections(iris, flowers):
    x, y, _ = iris
    for most in (2, 6):
        assert 0 < connection_count(clone(flowers).set_params(max_connections=most).fit(x, y).network_) <= most


def test_a_search_without_progress_stops_early(iris):
    x, y, _ = iris
    model = WannClassifier(**SMALL | dict(generations=60, early_stopping=3, train=None)).fit(x, y)
    scores = model.result_.history["champion_score"]
    assert len(scores) < 60
    assert scores[-4] == scores[-1]
    assert all(scores[i] < scores[i + 3] for i in range(len(scores) - 4))


@pytest.mark.nightly
def test_neat_is_a_parameter(iris):
    x, y, _ = iris
    model = WannClassifier(**SMALL | dict(algorithm="neat")).fit(x, y)
    assert model.result_.config.name == "neat"
    assert model.score(x, y) > 0.9


@pytest.mark.parametrize("make", [WannClassifier, WannRegressor])
@pytest.mark.nightly
def test_of_folds_each_keeps_its_own_rows_and_the_best_there_is_taken(make, iris, monkeypatch):
    x, labels, _ = iris
    y = labels if make is WannClassifier else x[:, 3]
    problems, found = [], []
    real = make._found

    def watched(self, problem, seed):
        problems.append(problem)
        found.append(real(self, problem, seed))
        return found[-1]

    monkeypatch.setattr(make, "_found", watched)
    model = make(**TINY, folds=3).fit(x, y)
    kept = [{row.tobytes() for row in np.asarray(problem.split("validation").examples.inputs)} for problem in problems]
    assert [len(rows) for rows in kept] == [50, 50, 49]  # two of the flowers are equal
    assert len(set.union(*kept)) == 149
    for problem, rows in zip(problems, kept, strict=True):
        assert rows.isdisjoint({row.tobytes() for row in np.asarray(problem.split("train").examples.inputs)})
    best = int(np.argmax(model.fold_scores_))
    assert model.network_ is found[best].network
    kept = problems[best].split("validation").examples
    outputs = [model.network_(row, weight=model.weight_) for row in kept.inputs]
    losses = [float(problems[best].loss(*pair)) for pair in zip(outputs, kept.targets, strict=True)]
    assert model.fold_scores_[best] == pytest.approx(-np.mean(losses), rel=1e-4)
    assert not hasattr(make(**TINY).fit(x, y), "fold_scores_")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(folds=1), "folds: must be None or an integer >= 2, got 1"),
        (dict(folds=150), "folds: must be at most 149, the distinct rows, got 150"),
        (dict(folds=5, validation_fraction=0.2), "validation_fraction: must be None with folds, .* got 0.2"),
        (dict(algorithm="waan"), "algorithm: must be one of wann, neat, got 'waan'"),
        (dict(train="all"), "train: must be 'weights', 'shared' or None, got 'all'"),
        (dict(early_stopping=0), "early_stopping: must be an integer >= 1, got 0"),
        (dict(population=2), "population: must be "),
        (dict(max_connections=0), "max_connections: must be an integer >= 1, got 0"),
        (dict(validation_fraction=2), "validation_fraction: must be None or in .* got 2"),
        (
            dict(validation_fraction=0.001),
            "validation_fraction: must be 0, or a share that keeps some of 149 distinct rows",
        ),
        (dict(scale="a"), "scale: must be True or False, got 'a'"),
        (dict(verbose="a"), "verbose: must be True, False or an integer, got 'a'"),
        (dict(random_state=-1), r"random_state: must be None, an integer from 0 to 2\*\*32 - 1 or a RandomState, got -1"),
        (dict(random_state=True), "random_state: must be None, an integer .* got True"),
    ],
)
def test_parameters_are_checked_when_it_fits(iris, wrong, message):
    x, y, _ = iris
    with pytest.raises(ValueError, match=message):
        WannClassifier().set_params(**wrong).fit(x, y)


def test_labels_of_two_kinds_are_refused():
    with pytest.raises(ValueError, match=r"^y: must be all strings, or all numbers, got 'labels of NoneType, str'"):
        WannClassifier(**TINY).fit([[1.0], [2.0]], ["a", None])


def test_without_scikit_learn_one_line_says_what_to_install():
    program = "import sys; sys.modules['sklearn'] = None\nimport wannjax.sklearn"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stderr.splitlines()[-1] == 'ImportError: wannjax.sklearn: needs scikit-learn: pip install "wannjax[data]"'


def test_the_package_does_not_import_it():
    program = "import sys, wannjax; print([name for name in sys.modules if name.startswith(('sklearn', 'wannjax.sklearn'))])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"
