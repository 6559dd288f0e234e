"""Small tables, with the default settings of `wannjax.sklearn`, beside what else fits them: `python
-m benchmarks.tables [--seeds 0 1 2 3 4]`.

The tables are those that scikit-learn ships. A seed splits a table, three quarters to fit to and a
quarter to score on, and is the random state of every model. Scores are the accuracy, or R² of
diabetes: means and standard deviations over the seeds. The size of a linear model is its
coefficients, without intercepts; that of a tree, or of boosted ones, its leaves.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks.common import machine, print_table
from wannjax.networks.network import connection_count
from wannjax.sklearn import WannClassifier, WannRegressor

TABLES = {"breast cancer": load_breast_cancer, "wine": load_wine, "diabetes": load_diabetes}
Model = Callable[[int], Any]
CLASSIFIERS: dict[str, Model] = {
    "WannClassifier": lambda seed: WannClassifier(random_state=seed),
    "WannClassifier, folds=5": lambda seed: WannClassifier(random_state=seed, folds=5),
    "logistic regression": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(random_state=seed)),
    "tree of depth 3": lambda seed: DecisionTreeClassifier(max_depth=3, random_state=seed),
    "gradient boosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
}
REGRESSORS: dict[str, Model] = {
    "WannRegressor": lambda seed: WannRegressor(random_state=seed),
    "WannRegressor, folds=5": lambda seed: WannRegressor(random_state=seed, folds=5),
    "linear regression": lambda seed: LinearRegression(),
    "tree of depth 3": lambda seed: DecisionTreeRegressor(max_depth=3, random_state=seed),
    "gradient boosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
}


def size_of(model: Any) -> int:
    """How many connections, coefficients or leaves a fitted model has."""
    if hasattr(model, "network_"):
        return connection_count(model.network_)
    if hasattr(model, "get_n_leaves"):
        return int(model.get_n_leaves())
    if hasattr(model, "n_iter_") and hasattr(model, "_predictors"):
        return sum(predictor.get_n_leaf_nodes() for stage in model._predictors for predictor in stage)
    return int(np.size(getattr(model, "steps", [(None, model)])[-1][1].coef_))


def run(table: str, make: Model, seed: int) -> tuple[float, int, float]:
    """The score on the rows for testing, the size, and the seconds of the fit."""
    x, y = TABLES[table](return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=seed)
    begun = time.perf_counter()
    model = make(seed).fit(x_train, y_train)
    return model.score(x_test, y_test), size_of(model), time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    rows = []
    for table in TABLES:
        for name, make in (REGRESSORS if table == "diabetes" else CLASSIFIERS).items():
            scores, sizes, seconds = np.transpose([run(table, make, seed) for seed in options.seeds])
            each = " ".join(f"{score:.3f}" for score in scores)
            rows.append(
                [table, name, f"{scores.mean():.3f} ± {scores.std():.3f}", each, f"{np.median(sizes):.0f}", f"{np.median(seconds):.2g}"]
            )
            print(f"{table}, {name}: {each}", flush=True)
    columns = ["table", "model", "accuracy or R²", "by seed", "size", "seconds"]
    print_table(f"Small tables, seeds {options.seeds}: test scores, median sizes and seconds", columns, rows, str(machine()))


if __name__ == "__main__":
    main()
