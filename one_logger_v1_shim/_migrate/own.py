"""Modules of the tree's own that have v1's names: an import beside one of them gives that, and not v1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Optional

from .names import ROOTS


class OwnModules:
    """Knows the folders that a program's imports are found in: the program's own, and the tops of the given trees."""

    def __init__(self, paths: Sequence[Path]) -> None:
        tops = [top for path in paths for top in (path, path / "src")]
        self._tops = [top for top in tops if os.path.isdir(top) and not os.path.exists(top / "__init__.py")]

    def provider(self, file: Path, root: str) -> Optional[Path]:
        """The tree's own module ``root`` that an import in ``file`` would find; None if there is none.

        As Python does it: a folder without code is no module. A file does not import itself.
        """
        if root not in ROOTS:
            return None
        for folder in [file.parent, *self._tops]:
            found = _module(folder, root)
            if found is not None and found != file:
                return found
        return None


@lru_cache(maxsize=4096)
def _module(folder: Path, root: str) -> Optional[Path]:
    for candidate in (folder / f"{root}.py", folder / root / "__init__.py"):
        if os.path.isfile(candidate):  # unlike Path's, no error for a folder that is closed to us
            return candidate
    return None
