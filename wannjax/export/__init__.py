"""A network taken into other hands: a flax or PyTorch module to train, an ONNX model to serve,
plain Python or C source to embed.

Not imported by `wannjax` itself, because flax's modules take half a second to import. To add a
format, give it a file here that starts from `weighted_graph`, and let `tests/export/` hold
it to the oracle.
"""

from wannjax.export.flax_module import NetworkModule, from_flax, to_flax
from wannjax.export.onnx_model import from_onnx, to_onnx
from wannjax.export.source_text import to_c, to_python
from wannjax.export.torch_module import from_torch, to_torch, to_torch_source

__all__ = [
    "NetworkModule",
    "from_flax",
    "from_onnx",
    "from_torch",
    "to_c",
    "to_flax",
    "to_onnx",
    "to_python",
    "to_torch",
    "to_torch_source",
]
