"""hatchling's hooks: ``_version.py`` has the number, which stands in ``pyproject.toml`` only; the README's links."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

_MODULE = '''"""The version of the package, written when the wheel was built."""

VERSION = {version!r}
'''


_LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """The README and the project's addresses as the index shows them: there a link to a file of the tree leads nowhere.

    Whose repository that is says the workflow that builds a release (``GITHUB_REPOSITORY``); elsewhere links stay.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["urls"] = {"Homepage": "https://pypi.org/project/one-logger-v1-shim/"}
        name = os.environ.get("GITHUB_REPOSITORY")
        if name:
            server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
            reference = os.environ.get("GITHUB_REF_NAME") or "main"
            place = f"{server}/{name}"
            text = _LINK.sub(
                lambda link: f"]({place}/{'raw' if link[1].endswith('.png') else 'blob'}/{reference}/{link[1]})", text
            )
            metadata["urls"] |= {
                "Source": place,
                "Changelog": f"{place}/blob/{reference}/CHANGELOG.md",
                "Issues": f"{place}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


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
