"""What speed is compared with: the loop in numba plays the episodes that the one in numpy plays."""

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.baselines import in_numba, matrices_of, published
from benchmarks.common import random_genomes


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is no dependency")
@pytest.mark.parametrize(("environment", "inputs", "outputs"), [("CartPoleSwingUp-v0", 5, 1), ("CartPole-v1", 4, 2)])
def test_numba_plays_the_episodes_that_numpy_plays(environment, inputs, outputs):
    networks = matrices_of(random_genomes(0, 8, nodes=20, connections=36, inputs=inputs, outputs=outputs))
    expected = published(environment, networks, (-1.0, 0.5), 60)
    found = in_numba(environment, networks, (-1.0, 0.5), 60)
    assert found.steps == expected.steps > 8 * 2 * 5
    np.testing.assert_allclose(found.returns, expected.returns, rtol=1e-6)
