"""The searches by their names."""

from wannjax.search.neat.config import NeatConfig
from wannjax.search.wann.config import WannConfig

Config = WannConfig | NeatConfig


ALGORITHMS: dict[str, type[WannConfig] | type[NeatConfig]] = {config.name: config for config in (WannConfig, NeatConfig)}
"""The settings of every search, by its name."""
