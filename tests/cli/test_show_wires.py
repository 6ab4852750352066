"""`show` knows the units of the version that has sent the rows."""

from __future__ import annotations

import pytest

from one_logger_v1_shim._cli._report import shown


@pytest.mark.parametrize(("wire", "value"), [("1.0.0", "2,250 ms"), ("1.0.2", "37 min 30 s"), ("None", "37 min 30 s")])
def test_the_time_of_a_load(wire: str, value: str) -> None:
    assert shown("load_checkpoint_time", 2250.0, wire) == value
