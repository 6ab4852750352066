"""Hooks on a fresh subclass: the user's class is untouched; copies, pickles and signatures survive."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim.utils._hooks import around, fresh_subclass
from tests.support import run_python


@pytest.fixture(autouse=True, params=["wrapt", "no wrapt"])
def _with_or_without_wrapt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose worker has an environment of its own may have no wrapt."""
    if request.param == "no wrapt":
        monkeypatch.setitem(sys.modules, "wrapt", None)


class Users:
    """The user's."""

    made: list[type] = []

    def __init__(self, name: str = "n") -> None:
        self.name = name

    def __init_subclass__(cls) -> None:
        Users.made.append(cls)

    def work(self, times: int, *, loud: bool = False) -> str:
        if loud:
            raise ValueError("too loud")
        return self.name * times

    @classmethod
    def create(cls, name: str) -> Users:
        return cls(name)

    @staticmethod
    def helper(value: int) -> int:
        return value + 1


def hook(log: list[str], *names: str) -> Any:
    wrapper = around(lambda: log.append("start"), lambda: log.append("end"))
    return fresh_subclass(Users, dict.fromkeys(names, wrapper))


def test_the_method_runs_between_the_hooks() -> None:
    log: list[str] = []
    assert hook(log, "work")("x").work(2) == "xx"
    assert log == ["start", "end"]
    Users("x").work(1)
    assert log == ["start", "end"], "the user's class is not hooked"


def test_the_users_error_passes_and_the_end_is_reported() -> None:
    log: list[str] = []
    with pytest.raises(ValueError, match="too loud"):
        hook(log, "work")().work(1, loud=True)
    assert log == ["start", "end"]


def test_class_and_static_methods_stay_what_they_are() -> None:
    log: list[str] = []
    hooked = hook(log, "create", "helper")
    assert type(hooked.create("a")) is hooked
    assert hooked("b").helper(1) == hooked.helper(1) == 2
    assert log == ["start", "end"] * 3


def test_identity_and_signatures() -> None:
    hooked = hook([], "__init__", "work", "create", "helper")
    assert issubclass(hooked, Users)
    assert (hooked.__module__, hooked.__qualname__, hooked.__doc__) == (__name__, "Users", "The user's.")
    assert inspect.signature(hooked) == inspect.signature(Users)
    for name in ("work", "create", "helper"):
        assert inspect.signature(getattr(hooked, name)) == inspect.signature(getattr(Users, name))


def test_copies_and_pickles() -> None:
    hooked = hook([], "work")
    one = hooked("x")
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert type(other) is hooked
        assert other.work(2) == "xx"


def test_in_another_process_a_pickle_is_the_users_plain_object(tmp_path: Path) -> None:
    (tmp_path / "one.pickle").write_bytes(pickle.dumps(hook([], "work")("x")))
    run_python(
        "import pickle; from tests.frameworks.test_hooks import Users\n"
        "one = pickle.load(open('one.pickle', 'rb')); assert type(one) is Users and one.work(2) == 'xx'",
        tmp_path,
    )
