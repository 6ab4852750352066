"""One module for each small command: ``record``, ``try``, ``mutations``."""
