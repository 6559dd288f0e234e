"""A network taken into other hands: a flax module to train, an ONNX model to serve, plain Python or
C source to embed.

Not imported by `wannjax` itself, because flax's modules take half a second to import. To add a
format, give it a file here that starts from `weighted_graph`, and let `tests/export/` hold
it to the oracle.
"""

from wannjax.export.flax_module import NetworkModule, from_flax, to_flax
from wannjax.export.onnx_model import from_onnx, to_onnx
from wannjax.export.source_text import to_c, to_python

__all__ = ["NetworkModule", "from_flax", "from_onnx", "to_c", "to_flax", "to_onnx", "to_python"]
