"""Copies of the loggers: in this process a copy is the same object, in another process it is silent.

Trainers deep-copy and pickle what they hold. A second object would log a second time.
"""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable
from typing import Any

_living: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def reduce(one: Any, silent: Callable[[], Any]) -> tuple[Any, ...]:
    """What ``__reduce__`` of a logger returns; ``silent`` makes the object that another process gets."""
    token = next((key for key, value in list(_living.items()) if value is one), None)
    if token is None:
        token = uuid.uuid4().hex
        _living[token] = one
    return (recall, (token, silent))


def recall(token: str, silent: Callable[[], Any]) -> Any:
    """The object that was pickled, if this is its process, else a silent one."""
    found = _living.get(token)
    return found if found is not None else silent()
