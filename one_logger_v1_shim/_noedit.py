"""No-edit mode: ``import one_logger`` and ``import one_logger_utils`` give the shim, if nothing else provides them.

The alias is the *same module object*: a second execution of the source under another name would make two classes of
everything, and ``isinstance`` would fail between them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional

_TARGETS = {"one_logger": "one_logger_v1_shim", "one_logger_utils": "one_logger_v1_shim.utils"}


class _Alias(Loader):
    """Gives an existing module under another name, as it is."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._spec: Optional[ModuleSpec] = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just put the alias's spec on the module; its own goes back.
        module.__spec__ = self._spec


class AliasFinder(MetaPathFinder):
    """Finds v1's names in the shim. Stands first, asks the others first: a real ``one_logger`` wins."""

    def find_spec(
        self,
        fullname: str,
        path: Optional[Sequence[str]] = None,
        target: Optional[ModuleType] = None,
    ) -> Optional[ModuleSpec]:
        """The alias for ``fullname``, or None: then the import goes on as if we were not here."""
        top, _, rest = fullname.partition(".")
        home = _TARGETS.get(top)
        if home is None:
            return None
        if not rest:
            return None if self._provided(fullname) else self._alias(fullname, home)
        if sys.modules.get(top) is not sys.modules.get(home):
            return None  # a submodule of the real thing
        return self._alias(fullname, f"{home}.{rest}")

    def _provided(self, fullname: str) -> bool:
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(fullname, None)
            # A folder of that name without code (a log folder, say) provides nothing.
            if spec is not None and spec.loader is not None and spec.origin is not None:
                return True
        return False

    @staticmethod
    def _alias(fullname: str, target: str) -> Optional[ModuleSpec]:
        try:
            found = importlib.util.find_spec(target)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return None
        package = found.submodule_search_locations is not None
        return ModuleSpec(fullname, _Alias(target), origin=found.origin, is_package=package)


def install() -> None:
    """Turn the no-edit mode on in this process. Doing it twice is doing it once."""
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder())


def uninstall() -> None:
    """Turn it off again; modules that were imported stay."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, AliasFinder)]
