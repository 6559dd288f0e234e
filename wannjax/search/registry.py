"""The searches by their names.

To add a search, write its settings (see `common/settings.py`) with a method `algorithm`, and put
them into `ALGORITHMS`. What a run reads of any search's settings are `population`, `generations`,
`episodes`, `confirm_episodes`, `candidates`, `weights`, `output_activation`.
"""

from wannjax.search.neat.config import NeatConfig
from wannjax.search.wann.config import WannConfig

Config = WannConfig | NeatConfig


ALGORITHMS: dict[str, type[WannConfig] | type[NeatConfig]] = {config.name: config for config in (WannConfig, NeatConfig)}
"""The settings of every search, by its name."""
