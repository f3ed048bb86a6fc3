"""The settings: one typed tree out of one TOML file, `MONITOR_*` environment variables and flags, the later winning.

Every setting has its default here or beside its signal, so an empty file is a sound one. What is wrong is said with
the file's line and the setting's name.
"""

from monitor.config.loading import ConfigError, load
from monitor.config.settings import Settings

__all__ = ["ConfigError", "Settings", "load"]
