"""Estimators for tables, with scikit-learn's interface. Not imported by `wannjax`."""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError('wannjax.sklearn: needs scikit-learn: pip install "wannjax[data]"') from error

from wannjax.sklearn.estimators import WannClassifier, WannRegressor

__all__ = ["WannClassifier", "WannRegressor"]
