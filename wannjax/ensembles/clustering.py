"""Regions of an input space, by k-means."""

import numpy as np
from jaxtyping import Float, Int


def clusters(points: Float[np.ndarray, "n features"], count: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Which of `count` clusters each point belongs to. Raises ValueError where scikit-learn is not
    installed.
    """
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise ValueError('regions need scikit-learn: pip install "wannjax[data]"') from None
    return KMeans(count, n_init=4, random_state=int(rng.integers(2**32))).fit_predict(points)
