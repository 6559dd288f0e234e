"""Drawings: where nodes stand."""

import numpy as np
import oracle
import pytest
from support import network_of

from wannjax.analysis.drawing import _layout
from wannjax.graph import graph_of


@pytest.mark.parametrize("seed", range(20))
def test_every_connection_leads_to_the_right_and_no_two_nodes_share_a_place(seed):
    """Also of hidden nodes without sources, which random genes have."""
    graph = graph_of(network_of(oracle.random_genes(np.random.default_rng(seed), nodes=8, slots=12, defects=0.3), steps=40))
    positions = _layout(graph)
    for connection in graph.connections:
        assert positions[connection.source, 0] < positions[connection.target, 0]
    assert len({tuple(place) for place in positions}) == graph.size
