"""Which cells there are, as data: the axes of ``matrix.toml`` and the consumers' environments. Nothing runs here."""
