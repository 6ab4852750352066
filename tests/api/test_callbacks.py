"""The API of ``OneLoggerUtils``: what every callback has in common, and the object itself."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim.utils import OneLoggerUtils
from one_logger_v1_shim.utils.core import VERSION
from tests.api.test_forwarding import LIFE as WHOLE_LIFE
from tests.support import CONFIG, CoreSpy, utils_on, warned
from tests.v1.job import T0_MS, V1Job

# callback -> what it needs, in an order in which each of them is in its place
LIFE = {callback: arguments for callback, arguments, _ in WHOLE_LIFE if callback != "finish"}
#: v1 ignored set_barrier there
NO_BARRIER = {"on_save_checkpoint_success"}


# -- the barrier ----------------------------------------------------------------------------------------------


def test_barrier_is_called_when_asked_for_and_before_the_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    at: list[float] = []
    job = V1Job(monkeypatch, barrier=lambda: at.append(job.clock.now) or job.clock.advance(1.0))
    for callback, arguments in LIFE.items():
        before = job.clock.now
        job.emits(callback, **arguments)
        job.emits(callback, set_barrier=False, **arguments) if callback == "on_test_start" else None
        assert (at, job.clock.now) == ([], before), callback
    job = V1Job(monkeypatch, barrier=lambda: at.append(job.clock.now) or job.clock.advance(1.0))
    for callback, arguments in LIFE.items():
        before = job.clock.now
        job.emits(callback, set_barrier=True, **arguments)
        assert at == ([] if callback in NO_BARRIER else [before]), callback
        at.clear()
    timer = job.utils.timer
    assert timer["app_run"].total == sum(1 for name in LIFE if name not in NO_BARRIER) - 1
    assert timer["train_iterations"].total == timer["validation_iterations"].total == timer["model_init"].total == 1.0


@pytest.mark.parametrize("callback", LIFE)
def test_set_barrier_is_the_only_positional_argument(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    job = V1Job(monkeypatch, barrier=lambda: calls.append(1))
    for name in LIFE:
        if name == callback:
            break
        job.emits(name, **LIFE[name])
    getattr(job.utils, callback)(True, **LIFE[callback])
    assert calls == ([] if callback in NO_BARRIER else [1])
    with pytest.raises(TypeError):
        getattr(job.utils, callback)(True, 1)


@pytest.mark.parametrize("callback", [name for name in LIFE if name not in NO_BARRIER])
def test_barrier_that_is_missing(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    with pytest.raises(RuntimeError, match=r"^No barrier function to call in the _NamedTimer$"):
        job.emits(callback, set_barrier=True, **LIFE[callback])
    assert job.spy.take() == []
    assert job.utils.timer.active_timers == []


# -- quiet ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "callback", ["on_save_checkpoint_start", "on_save_checkpoint_end", "on_save_checkpoint_success"]
)
@pytest.mark.parametrize("barrier", [True, False])
def test_save_while_checkpoints_are_off_calls_no_barrier(
    callback: str, barrier: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v1 asked first whether checkpoints are on: one rank that is refused must not leave the others in a barrier."""
    calls: list[int] = []
    given = {"barrier": lambda: calls.append(1)} if barrier else {}
    job = V1Job(monkeypatch, is_save_checkpoint_enabled=False, **given)
    with pytest.raises(AssertionError, match=r"^Checkpoint saving is not enabled\. "):
        job.emits(callback, set_barrier=True, global_step=1)
    assert calls == []


@pytest.mark.parametrize("callback", [name for name in LIFE if name not in NO_BARRIER])
def test_quiet_logs_the_first_failure_and_stops(
    callback: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = V1Job(monkeypatch, quiet=True)
    assert job.emits(callback, set_barrier=True, **LIFE[callback]) == []
    for name, arguments in LIFE.items():
        assert job.emits(name, **arguments) == []
    error = "RuntimeError('No barrier function to call in the _NamedTimer')"
    assert warned(caplog) == [f"OneLoggerUtils.{callback} failed ({error}); telemetry stops here (quiet=True)"]


def test_quiet_success(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    job = V1Job(monkeypatch, quiet=True)
    assert job.emits("on_save_checkpoint_success") == []
    assert "OneLoggerUtils.on_save_checkpoint_success failed (ValueError(" in warned(caplog)[0]
    assert job.emits("on_app_start") == []


def test_quiet_says_nothing_of_a_sound_job(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    quiet, loud = V1Job(monkeypatch, quiet=True), None
    got = [quiet.emits(name, later=1, **arguments) for name, arguments in LIFE.items()]
    loud = V1Job(monkeypatch)
    assert got == [loud.emits(name, later=1, **arguments) for name, arguments in LIFE.items()]
    assert warned(caplog) == []


class Refusing(CoreSpy):
    """A core whose rows raise, as v1's did with ``no_exception=False``."""

    def log_metrics(self, metrics: dict[str, Any]) -> None:
        if "app_start_time" in metrics:
            raise OSError("no space")
        super().log_metrics(metrics)

    def finish(self) -> None:
        raise OSError("no space")


def test_errors_of_the_core_come_through(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    _log.forget()
    utils = utils_on(Refusing(), CONFIG)
    for call in (utils.on_app_start, utils.finish):
        with pytest.raises(OSError, match="no space"):
            call()
    for callback in ("on_app_start", "finish"):
        _log.forget()
        caplog.clear()
        quiet = utils_on(Refusing(), {**CONFIG, "quiet": True})
        getattr(quiet, callback)()
        assert warned(caplog) == [
            f"OneLoggerUtils.{callback} failed (OSError('no space')); telemetry stops here (quiet=True)"
        ]


# -- a rank that does not log ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [None, {}, {"foreign": 1}, {"enable_for_current_rank": False, "app_tag": 3}])
def test_rank_that_is_not_enabled(config: Any, caplog: pytest.LogCaptureFixture) -> None:
    spy = CoreSpy()
    utils = utils_on(spy, config)
    for callback in LIFE:
        assert getattr(utils, callback)(True, nonsense=1) is None
    assert utils.finish() is None
    assert spy.take() == []
    assert warned(caplog) == []
    assert (utils.one_logger, utils.mode) == (None, 1)
    with pytest.raises(AttributeError):
        _ = utils.on_nothing


def test_core_that_could_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without(OneLoggerUtils):
        def _set_one_logger(self) -> None:
            """v1's import failed: the attribute stays as it is."""

    utils = Without(CONFIG)
    for callback, arguments in LIFE.items():
        assert getattr(utils, callback)(**arguments) is None
    assert utils.finish() is None


# -- the object -----------------------------------------------------------------------------------------------


def test_attributes_and_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    utils = OneLoggerUtils({})
    assert utils.enable_for_current_rank is False
    assert utils.one_logger_project == "e2e-tracking"
    assert utils.quiet is False
    assert utils.one_logger_async is True
    assert utils.log_every_n_train_iterations == 50
    assert utils.barrier is None
    assert utils.one_logger_run_name is None

    def barrier() -> None: ...

    given = {
        "one_logger_project": "p",
        "one_logger_run_name": "r",
        "quiet": True,
        "one_logger_async": False,
        "log_every_n_train_iterations": 7,
        "barrier": barrier,
    }
    job = V1Job(monkeypatch, **given)
    assert {name: getattr(job.utils, name) for name in given} == given
    assert job.utils.enable_for_current_rank is True
    assert job.utils.one_logger is job.spy


def test_run_name_is_made_up_for_each_job_unless_the_environment_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import uuid

    names = {V1Job(monkeypatch).utils.one_logger_run_name for _ in range(2)}
    assert len(names) == 2
    assert all(str(uuid.UUID(name)) == name for name in names)
    monkeypatch.setenv("WANDB_NAME", "mine")
    assert V1Job(monkeypatch).utils.one_logger_run_name is None
    assert V1Job(monkeypatch, one_logger_run_name="r").utils.one_logger_run_name == "r"


def test_constants() -> None:
    assert VERSION == "1.0.2"
    assert (OneLoggerUtils.O_MINIMAL, OneLoggerUtils.O_THROUGHPUT, OneLoggerUtils.O_CKPT) == (1, 2, 4)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (3, "config=3 (int); expected a dict"),
        ({**CONFIG, "barrier": 3}, "barrier=3 (int); expected a callable or None"),
    ],
)
def test_bad_configuration(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match="OneLogger v1 config") as refused:
        utils_on(CoreSpy(), config)
    assert str(refused.value) == f"OneLogger v1 config: {message}"


def test_the_callers_dict_is_neither_changed_nor_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**CONFIG, "log_every_n_train_iterations": 1}
    utils = OneLoggerUtils(config={**given, "enable_for_current_rank": False})
    assert utils.one_logger is None
    spy = CoreSpy()
    before = dict(given)
    utils = utils_on(spy, given)
    assert given == before
    given["global_batch_size"] = 999
    spy.take()
    utils.on_train_batch_start()
    utils.on_train_batch_end()
    assert spy.rows()[0]["train_samples"] == 8


def test_metadata_that_has_a_metrics_name_raises_after_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """v1 had sent the tag by then; nothing follows it."""

    class Kept(OneLoggerUtils):
        made: list[Any] = []

        def _set_one_logger(self) -> None:
            self.made.append(self)
            self.one_logger = spy  # type: ignore[assignment]

    spy = CoreSpy()
    with pytest.raises(ValueError, match="Metadata overlap"):
        Kept({**CONFIG, "metadata": {"world_size": 1}})
    assert spy.take() == [("log_app_tag", "tag")]
    Kept.made[0].on_app_start()
    assert spy.take() == []


def test_unknown_attribute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AttributeError) as refused:
        _ = V1Job(monkeypatch).utils.on_nothing
    assert str(refused.value) == (
        "Attribute 'on_nothing' is not found in the current version of the library. "
        "Please ensure you are using the latest version."
    )
    job = V1Job(monkeypatch, quiet=True)
    with pytest.raises(AttributeError):
        _ = job.utils.__wrapped__
    assert job.emits("on_app_start") != []
    assert job.utils.on_nothing is None
    assert warned(caplog) == ["OneLoggerUtils has no attribute 'on_nothing'; telemetry stops here (quiet=True)"]
    assert job.emits("on_app_end") == []


# -- the end --------------------------------------------------------------------------------------------------


def test_finish(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    job = V1Job(monkeypatch)
    assert job.emits("finish") == [("finish",)]
    job.emits("on_app_start")
    job.emits("on_app_end")
    assert job.emits("finish") == [("finish",)]
    assert warned(caplog) == []


def test_finish_without_app_end(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    job = V1Job(monkeypatch)
    job.emits("on_app_start")
    assert job.emits("finish") == job.emits("finish") == [("finish",)]
    assert warned(caplog) == ["finish() was called and on_app_end was not: v1 sends no app_finish_time then"]


@pytest.mark.parametrize(
    ("value", "starts"),
    [
        ("1", True),
        ("true", True),
        (" YES ", True),
        ("y", True),
        ("0", False),
        ("no", False),
        ("", False),
        (None, False),
    ],
)
def test_rankpulse_is_asked_for_by_the_environment(
    value: Any, starts: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if value is not None:
        monkeypatch.setenv("RANKPULSE_ENABLE", value)
    job = V1Job(monkeypatch)
    job.emits("on_train_start", train_iterations_start=0)
    assert [("rankpulse" in text) for text in warned(caplog)] == [True] * starts


def test_test_loop_is_known_by_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch)
    assert job.emits("on_test_start", later=1) == job.emits("on_test_end", later=1) == []
    assert job.row("on_app_start") == {"app_start_time": T0_MS + 2000}


def test_object_that_is_not_made_yet_has_no_attributes() -> None:
    """copy and pickle look at one."""
    with pytest.raises(AttributeError, match="Attribute 'anything' is not found"):
        _ = OneLoggerUtils.__new__(OneLoggerUtils).anything
