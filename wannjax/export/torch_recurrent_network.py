"""Recurrent networks in PyTorch, one time step a call.

wannjax's `to_torch_source` copies the class below to behind those of `torch_network`.
"""

from typing import Any

import torch
from torch import nn

from wannjax.export.torch_network import TorchNetwork


class RecurrentTorchNetwork(nn.Module):
    """A network as `TorchNetwork` has it, in which a connection may also lead to its source, or to
    a node before it: it carries what its source was in the last time step. The V nodes that are
    remembered so are the state.

    Attributes:
        input_names, output_names, activations, connections: as in a `TorchNetwork`.
        remembered: the numbers of the V nodes.
        cell: one time step as a `TorchNetwork`. The state is its last inputs; its outputs are all
            nodes from the first of the V on.
    """

    _state: torch.Tensor  # the V nodes' places in the outputs of the cell

    def __init__(self, inputs: list[str], outputs: list[str], nodes: list[tuple[str, dict[int, float]]]):
        super().__init__()
        first = 1 + len(inputs)
        self.input_names, self.output_names = tuple(inputs), tuple(outputs)
        self.activations = tuple(activation for activation, _ in nodes)
        self.connections = tuple((source, node) for node, (_, sources) in enumerate(nodes, first) for source in sources)
        self.remembered = tuple(sorted({source for source, node in self.connections if source >= node}))
        last = {source: first + i for i, source in enumerate(self.remembered)}

        def place(source: int, node: int) -> int:
            return last[source] if source >= node else source if source < first else source + len(last)

        step = [
            (activation, {place(source, node): weight for source, weight in sources.items()})
            for node, (activation, sources) in enumerate(nodes, first)
        ]
        ends = range(self.remembered[0], first + len(nodes))
        self.cell = TorchNetwork([*inputs, *("" for _ in last)], ["" for _ in ends], step)
        places = torch.tensor([ends.index(node) for node in self.remembered], dtype=torch.int64)
        self.register_buffer("_state", places, persistent=False)

    @property
    def weights(self) -> nn.Parameter:
        """float32[connections], in their order; all that is trained."""
        return self.cell.weights

    def initial_state(self, *batch: int) -> torch.Tensor:
        """The state before the first time step: V zeros for each observation of a batch."""
        return self.weights.new_zeros(*batch, len(self.remembered))

    def forward(self, state: torch.Tensor, observation: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The raw outputs [..., O] for the next observation [I] or batch [..., I], and the state
        [..., V] after it, given that before it. Raises ValueError for other shapes.
        """
        observation = torch.as_tensor(observation, dtype=self.weights.dtype, device=self.weights.device)
        if observation.shape[-1:] != (len(self.input_names),):
            raise ValueError(f"observation: expected shape [..., {len(self.input_names)}], got {list(observation.shape)}")
        if state.shape != (*observation.shape[:-1], len(self.remembered)):
            raise ValueError(f"state: expected shape {[*observation.shape[:-1], len(self.remembered)]}, got {list(state.shape)}")
        values = self.cell(torch.cat([observation, state], -1))
        return values[..., -len(self.output_names) :], values.index_select(-1, self._state)
