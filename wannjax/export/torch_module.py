"""A network as a PyTorch module whose weights an optimizer of torch's can train, as the source text
of one that needs torch only, and back.

The class of all these modules is in `torch_network`, which imports torch and is itself the text;
that of recurrent networks in `torch_recurrent_network`.
"""

from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from wannjax.common.files import Pathlike
from wannjax.export.source_text import require_python_name, written
from wannjax.export.weights import incoming, weighted_graph
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.networks.network import Network

if TYPE_CHECKING:
    from wannjax.export.torch_network import TorchNetwork
    from wannjax.export.torch_recurrent_network import RecurrentTorchNetwork

_GLOBALS = {"Any", "Counter", "torch", "nn", "ACTIVATIONS", "TorchNetwork", "RecurrentTorchNetwork", "_step", "_half_turns"}
"""Names that the texts give a meaning."""


def to_torch(network: Network, *, weight: float = 1.0) -> "TorchNetwork | RecurrentTorchNetwork":
    """An nn.Module that computes what `network` computes when called with `weight`, and can be
    trained.

    It takes one observation [I] or a batch [..., I] and gives the raw outputs [..., O]. Its only
    parameter, `weights`, is float32[connections] in the order of `graph_of(network).connections`:
    every connection starts at `weight` times its own weight, or at `weight` where the network has
    one shared weight. Gradients are torch's own, except that the step has the surrogate gradient
    1 / (1 + 2|x|)², as in `to_flax`.

    That of a recurrent network takes a state and observations, and gives outputs and the next
    state: `y, state = module(state, x)`, from `module.initial_state()` on, or
    `module.initial_state(B)`.

    Raises ImportError without the extra `torch`; ValueError for a population, for weights that
    differ from lane to lane, and for a weight that is not finite.
    """
    try:
        from wannjax.export.torch_network import TorchNetwork
        from wannjax.export.torch_recurrent_network import RecurrentTorchNetwork
    except ImportError:
        raise ImportError('PyTorch modules need the package torch: pip install "wannjax[torch]"') from None
    graph = weighted_graph(network, weight)
    terms = incoming(graph)
    nodes = [(graph.activation_name(node), dict(terms[node])) for node in range(graph.first_hidden, graph.size)]
    kind = RecurrentTorchNetwork if graph.recurrent else TorchNetwork
    return kind(list(graph.input_names), list(graph.output_names), nodes)


def to_torch_source(network: Network, path: Pathlike | None = None, *, name: str = "Network", weight: float = 1.0) -> str:
    """The text of a Python module that needs torch only, whose class `name` is made without
    arguments and is what `to_torch` gives; also written to `path`. Needs no torch itself.

    Raises ValueError as `to_torch` does, and for a `name` that is not an identifier or means
    something in Python or in the text.

    >>> connections = (Connection(0, 3, 0.25), Connection(2, 3, -1.5))
    >>> network = network_of(Graph(("speed", "angle"), ("force",), (5,), connections))
    >>> text = to_torch_source(network, name="Policy")
    >>> print(text[text.index("class Policy") :], end="")
    class Policy(TorchNetwork):
        def __init__(self):
            inputs = [
                'speed',  # node 1
                'angle',  # node 2
            ]
            nodes = [  # activation, {source: weight}
                ('tanh', {0: 0.25, 2: -1.5}),  # node 3: 'force'
            ]
            super().__init__(inputs, ['force'], nodes)
    """
    require_python_name(name, _GLOBALS)
    graph = weighted_graph(network, weight)
    terms = incoming(graph)

    def row(node: int) -> str:
        weights = ", ".join(f"{source}: {np.float32(weight)!s}" for source, weight in terms[node])
        return f"({graph.activation_name(node)!r}, {{{weights}}}),  # node {node}: {graph.name(node)!r}"

    lines = [
        "inputs = [",
        *(f"    {name!r},  # node {node}" for node, name in enumerate(graph.input_names, 1)),
        "]",
        "nodes = [  # activation, {source: weight}",
        *(f"    {row(node)}" for node in range(graph.first_hidden, graph.size)),
        "]",
        f"super().__init__(inputs, {list(graph.output_names)!r}, nodes)",
    ]
    head, kind = _text_of("torch_network"), "TorchNetwork"
    if graph.recurrent:
        kind = "RecurrentTorchNetwork"
        text = _text_of("torch_recurrent_network")
        head += ["", "", *text[text.index(f"class {kind}(nn.Module):") :]]
    own = [f"class {name}({kind}):", "    def __init__(self):", *(f"        {line}" for line in lines)]
    return written(path, [*head, "", "", *own])


def _text_of(module: str) -> list[str]:
    return resources.files("wannjax.export").joinpath(f"{module}.py").read_text(encoding="utf-8").splitlines()


def from_torch(module: Any) -> Network:
    """The network of a module that `to_torch` or the text of `to_torch_source` made, with the
    weights that the module has now as individual ones.

    Raises ValueError for another module, and for weights that are not finite in float32.
    """
    parts = ("input_names", "output_names", "activations", "connections", "weights")
    if not all(hasattr(module, part) for part in parts) or module.weights.shape != (len(module.connections),):
        raise ValueError(f"module: must be one that to_torch or the text of to_torch_source made, got {type(module).__name__}")
    activations = tuple(NAMES.index(activation) for activation in module.activations)
    connections = tuple(Connection(source, target) for source, target in module.connections)
    graph = Graph(module.input_names, module.output_names, activations, connections)
    return network_of(graph.with_weights(module.weights.detach().cpu().float().tolist()))
