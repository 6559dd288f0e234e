"""Feed-forward networks in PyTorch, with one trainable weight per connection. Needs torch only.

wannjax's `to_torch_source` copies this file and adds the class of one network at its end.
"""

from collections import Counter
from typing import Any

import torch
from torch import nn


def _step(x: torch.Tensor) -> torch.Tensor:
    """1 above 0, else 0. Its gradient would be 0 everywhere, and is 1 / (1 + 2|x|)², that of
    `soft`.
    """
    soft = x / (1 + 2 * x.abs())
    return (x > 0).to(x.dtype) + (soft - soft.detach()).nan_to_num()


def _half_turns(x: torch.Tensor) -> torch.Tensor:
    """The angle πx, in [-π, π]: the remainder is exact."""
    return torch.pi * (x - 2 * torch.round(0.5 * x))


ACTIVATIONS = {
    "linear": lambda x: x,
    "step": _step,
    "sin": lambda x: torch.sin(_half_turns(x)),
    "gaussian": lambda x: torch.exp(-0.5 * x * x),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "inverse": torch.neg,
    "abs": torch.abs,
    "relu": torch.relu,
    "cos": lambda x: torch.cos(_half_turns(x)),
    "square": torch.square,
}


class TorchNetwork(nn.Module):
    """A network of I inputs and O outputs. Node 0 is the bias, which is 1; then come the inputs,
    the hidden nodes and the outputs.

    A level is the nodes whose longest path from the inputs is equally long. The nodes of a level
    are summed together, and activated together where they have the same activation.

    Attributes:
        input_names, output_names: in order.
        activations: the name of each hidden node's and output's activation.
        connections: (source, target) of each connection, by number of node.
        weights: nn.Parameter of float32[connections], in their order; all of the state.
    """

    _order: torch.Tensor  # connections, level by level; next, the rows they read and the places they lead to in their level
    _sources: torch.Tensor
    _targets: torch.Tensor
    _outputs: torch.Tensor  # rows

    def __init__(self, inputs: list[str], outputs: list[str], nodes: list[tuple[str, dict[int, float]]]):
        """The activation and {source: weight} of each hidden node and output are its `nodes`."""
        super().__init__()
        first = 1 + len(inputs)
        self.input_names, self.output_names = tuple(inputs), tuple(outputs)
        self.activations = tuple(activation for activation, _ in nodes)
        self.connections = tuple((source, first + i) for i, (_, sources) in enumerate(nodes) for source in sources)
        self.weights = nn.Parameter(torch.tensor([weight for _, sources in nodes for weight in sources.values()], dtype=torch.float32))

        level = [0] * first
        for _, sources in nodes:
            level.append(1 + max((level[source] for source in sources), default=0))
        groups: list[dict[str, int]] = [{} for _ in range(max(level))]  # of each level, activation → nodes
        place: dict[int, int] = {}  # in its level
        row = {node: node for node in range(first)}  # in the table of all values
        for node in sorted(range(first, len(level)), key=lambda node: (level[node], self.activations[node - first])):
            group, activation = groups[level[node] - 1], self.activations[node - first]
            place[node], row[node] = sum(group.values()), len(row)
            group[activation] = group.get(activation, 0) + 1
        order = sorted(range(len(self.connections)), key=lambda i: level[self.connections[i][1]])
        pairs = [self.connections[i] for i in order]
        sizes = Counter(level[target] for _, target in pairs)  # connections into each level
        self._levels = tuple((sizes[depth], group) for depth, group in enumerate(groups, 1))
        for name, indices in {
            "_order": order,
            "_sources": [row[source] for source, _ in pairs],
            "_targets": [place[target] for _, target in pairs],
            "_outputs": [row[node] for node in range(len(level) - len(outputs), len(level))],
        }.items():
            self.register_buffer(name, torch.tensor(indices, dtype=torch.int64), persistent=False)

    def forward(self, observation: Any) -> torch.Tensor:
        """The raw outputs [..., O] for one observation [I] or a batch [..., I], a tensor, array or
        list, in the type and on the device of the weights. Raises ValueError for other shapes.
        """
        observation = torch.as_tensor(observation, dtype=self.weights.dtype, device=self.weights.device)
        if observation.shape[-1:] != (len(self.input_names),):
            raise ValueError(f"observation: expected shape [..., {len(self.input_names)}], got {list(observation.shape)}")
        inputs = observation.reshape(-1, len(self.input_names)).T
        values = torch.cat([torch.ones_like(inputs[:1]), inputs])  # [nodes so far, examples]
        weights = self.weights.index_select(0, self._order)
        start = 0
        for size, group in self._levels:
            level = slice(start, start := start + size)
            terms = values.index_select(0, self._sources[level]) * weights[level, None]
            sums = values.new_zeros(sum(group.values()), values.shape[1]).index_add(0, self._targets[level], terms)
            parts = sums.split(list(group.values()))
            values = torch.cat([values, *(ACTIVATIONS[name](part) for name, part in zip(group, parts, strict=True))])
        return values.index_select(0, self._outputs).T.reshape(*observation.shape[:-1], len(self.output_names))

    def extra_repr(self) -> str:
        return f"inputs={len(self.input_names)}, outputs={len(self.output_names)}, connections={len(self.connections)}"
