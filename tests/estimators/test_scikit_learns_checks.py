"""scikit-learn's own checks of an estimator: some hundred, each of which fits a few times."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from wannjax.sklearn import WannClassifier, WannRegressor

SMALL = dict(population=64, generations=20, steps=200, random_state=0)


@pytest.mark.nightly
@pytest.mark.filterwarnings("default")
@parametrize_with_checks([WannClassifier(**SMALL), WannRegressor(**SMALL)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)
