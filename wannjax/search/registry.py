"""The searches by their names.

To add a search, write its settings (see `common/settings.py`) with a method `algorithm`, and put
them into `ALGORITHMS`. What a run reads of any search's settings are `population`, `generations`,
`episodes`, `confirm_episodes`, `candidates`, `weights`, `output_activation`.
"""

from wannjax.common.validation import require_type
from wannjax.search.neat.config import NeatConfig
from wannjax.search.wann.config import WannConfig

Config = WannConfig | NeatConfig


ALGORITHMS: dict[str, type[WannConfig] | type[NeatConfig]] = {config.name: config for config in (WannConfig, NeatConfig)}
"""The settings of every search, by its name."""


def as_config(config: Config | None) -> Config:
    """`config` itself, or the recommended settings for None. Raises TypeError, which says how to
    get some, for anything else.
    """
    if config is None:
        return WannConfig()
    fits = hasattr(config, "algorithm") and not isinstance(config, type)
    require_type("config", config, 'settings, such as WannConfig(population=96) or WannConfig.preset("thorough")', fits)
    return config
