"""hatchling's hook for the wheel: ``_version.py`` has the number in it, which stands in ``pyproject.toml`` only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MODULE = '''"""The version of the package, written when the wheel was built."""

VERSION = {version!r}
'''


class VersionHook(BuildHookInterface):  # type: ignore[type-arg]
    """A wheel has no ``pyproject.toml``: the module that reads it is replaced by one that has the number."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling; ``version`` is the kind of wheel: of an editable one the modules are the tree's."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory()
        module = Path(self._folder.name) / "_version.py"
        module.write_text(_MODULE.format(version=self.metadata.version), encoding="utf-8")
        build_data["force_include"][str(module)] = "one_logger_v1_shim/_version.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling when the wheel is written."""
        if version != "editable":
            self._folder.cleanup()
