"""No-edit mode: ``import one_logger`` and ``import one_logger_utils`` give the shim, if nothing else provides them.

What they give are two small packages of their own, in the folder ``_v1_packages``: the import system, finders of other
libraries, ``python -m`` and ``importlib.resources`` see packages with these names and with files, as v1's were. Their
submodules put the shim's own module in their place (:func:`show`), so that there is one class under all names, whoever
has loaded them.

The folder is not on ``sys.path``: a package that appears there later, and a finder that is added later, have to win.

This module is imported before the program starts. It imports nothing that a Python without it has not imported: a
``random.py`` beside the program has to be found by the program as without us.
"""

import os
import sys
from _frozen_importlib_external import PathFinder
from _thread import get_ident

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, DistributionFinder
    from typing import Any, Optional

_TARGETS = {"one_logger": "one_logger_v1_shim", "one_logger_utils": "one_logger_v1_shim.utils"}

#: the folder of the two packages and of their metadata
PACKAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_v1_packages")

_DEPTH = 3  # of folders in which code of a package without __init__.py is looked for


class AliasFinder:
    """Finds v1's two packages. Stands first, asks the others first: a real ``one_logger`` wins."""

    def __init__(self) -> None:
        self._asking: set[tuple[str, int]] = set()

    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[str]]" = None,
        target: "Any" = None,
    ) -> "Optional[ModuleSpec]":
        """Our package for ``fullname``, or None: then the import goes on as if we were not here."""
        if fullname not in _TARGETS and fullname != "pkg_resources":
            return None
        asked = (fullname, get_ident())
        if asked in self._asking:  # one of those whom we ask asks us
            return None
        self._asking.add(asked)
        try:
            other = self._other(fullname, path, target)
        except Exception:
            return None  # whoever raises is asked again by the import system, and raises there
        finally:
            self._asking.discard(asked)
        if fullname == "pkg_resources":
            return _with_our_metadata(other, self)
        return None if _is_package(other) else PathFinder.find_spec(fullname, [PACKAGES], target)

    def find_distributions(self, context: "Optional[DistributionFinder.Context]" = None) -> "Iterable[Distribution]":
        """The metadata of our packages, for ``importlib.metadata``; not if it is asked for certain folders."""
        from importlib.metadata import DistributionFinder, MetadataPathFinder

        asked = context or DistributionFinder.Context()
        if list(asked.path) != sys.path:
            return []
        ours = MetadataPathFinder.find_distributions(DistributionFinder.Context(name=asked.name, path=[PACKAGES]))
        return [one for one in ours if self._speaks_for(one.metadata["Name"])]

    def _speaks_for(self, distribution: str) -> bool:
        """Is the package of this distribution ours, and is no real one installed?"""
        from importlib.metadata import DistributionFinder, MetadataPathFinder

        real = MetadataPathFinder.find_distributions(DistributionFinder.Context(name=distribution, path=sys.path))
        return not any(True for _ in real) and self.find_spec(distribution.replace("-", "_")) is not None

    def _other(self, fullname: str, path: "Optional[Sequence[str]]", target: "Any") -> "Optional[ModuleSpec]":
        """What the import would find without us. Finders that stand before us have had their turn."""
        finders = list(sys.meta_path)
        after = finders.index(self) + 1 if self in finders else 0
        for finder in finders[after:]:
            find = getattr(finder, "find_spec", None)
            if find is not None:
                spec = find(fullname, path, target)
            elif sys.version_info < (3, 12) and hasattr(finder, "find_module"):  # of old; such a loader is enough
                loader = finder.find_module(fullname, path)
                spec = loader and type(sys.__spec__)(fullname, loader)
            else:
                continue
            if spec is not None:
                return spec  # type: ignore[no-any-return]
        return None


def _is_package(spec: "Optional[ModuleSpec]") -> bool:
    """Does it provide anything? A folder of that name without code in it (a log folder, say) does not."""
    if spec is None or spec.loader is not None:
        return spec is not None
    return any(_has_code(folder, _DEPTH) for folder in spec.submodule_search_locations or ())


def _has_code(folder: str, depth: int) -> bool:
    from importlib.machinery import all_suffixes

    try:
        with os.scandir(folder) as entries:
            listed = [(entry.name, entry.path, entry.is_dir()) for entry in entries]
    except NotADirectoryError:
        return True  # in a zip file
    except OSError:
        return False
    suffixes = tuple(all_suffixes())
    if any(name.endswith(suffixes) and not is_folder for name, _, is_folder in listed):
        return True
    folders = [path for name, path, is_folder in listed if is_folder and name.isidentifier() and name != "__pycache__"]
    return depth > 1 and any(_has_code(path, depth - 1) for path in folders)


def _with_our_metadata(spec: "Optional[ModuleSpec]", finder: AliasFinder) -> "Optional[ModuleSpec]":
    """``pkg_resources`` reads ``sys.path`` once, when it is imported; our metadata is added to what it has found."""
    if spec is not None and hasattr(spec.loader, "exec_module"):
        spec.loader = _Adding(spec.loader, finder)  # type: ignore[assignment, arg-type]
    return spec


class _Adding:
    """The loader of ``pkg_resources``; nothing of it is left when the module has been loaded."""

    def __init__(self, loader: "Loader", finder: AliasFinder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)

    def exec_module(self, module: "Any") -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        found = module.working_set
        listening, found.callbacks = found.callbacks, []  # who hears of a distribution puts its folder on sys.path
        for distribution in module.find_distributions(PACKAGES):
            if self._finder._speaks_for(distribution.project_name):
                found.add(distribution)
        found.callbacks = listening


class _Shown(type(sys)):  # type: ignore[misc]
    """What stands for a module of the shim's while it is imported: another thread, a hook, may hold it longer."""

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.__dict__["__shim__"], name)

    def __setattr__(self, name: str, value: "Any") -> None:
        setattr(self.__dict__["__shim__"], name, value)


def show(name: str) -> None:
    """Called by the module ``name`` of ``_v1_packages``: from now on it is the shim's module, the same object.

    Raises:
        ImportError: the shim's module cannot be imported (its framework is not installed).
    """
    top, _, rest = name.partition(".")
    target = f"{_TARGETS[top]}.{rest}"
    __import__(target)
    stand_in = sys.modules.get(name)
    if stand_in is not None:  # None: `python -m one_logger.core`
        vars(stand_in)["__shim__"] = sys.modules[target]
        stand_in.__class__ = _Shown
        sys.modules[name] = sys.modules[target]


def install() -> None:
    """Turn the no-edit mode on in this process. Doing it twice is doing it once."""
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder())


def uninstall() -> None:
    """Turn it off again; modules that were imported stay."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, AliasFinder)]
