"""What `wandb.init` is told of project, entity, name and tags: who wins over whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from one_logger_v1_shim._journal.destination import WandBConfig, specification
from one_logger_v1_shim._v1.core_config import CoreConfig


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def told(environ: dict[str, str], **chosen: str) -> dict[str, object]:
    config = CoreConfig.read(chosen).chosen
    return specification(WandBConfig(**config), config).arguments(environ)


def test_v1s_defaults_where_nobody_says_anything(home: Path) -> None:
    environ = {"WANDB_CONFIG_DIR": str(home)}
    assert told(environ) == {"project": "e2e-tracking", "entity": "hwinf_dcm", "tags": ["e2e_metrics_enabled"]}


def test_the_environment_wins_over_the_defaults_also_where_it_is_empty(home: Path) -> None:
    environ = {"WANDB_CONFIG_DIR": str(home), "WANDB_PROJECT": "p", "WANDB_ENTITY": "", "WANDB_TAGS": "a"}
    assert told(environ) == {}


def test_a_settings_file_wins_over_the_defaults(home: Path) -> None:
    (home / "settings").write_text("[default]\nentity = team\nproject = theirs\nrun_tags = a,b\n")
    assert told({"WANDB_CONFIG_DIR": str(home)}) == {}


def test_what_the_program_chose_wins_over_all(home: Path) -> None:
    (home / "settings").write_text("[default]\nentity = team\nproject = theirs\n")
    environ = {"WANDB_CONFIG_DIR": str(home), "WANDB_PROJECT": "p", "WANDB_ENTITY": "e"}
    found = told(environ, project="mine", entity="us")
    assert (found["project"], found["entity"]) == ("mine", "us")


def test_in_a_test_nothing_of_the_machine_counts(home: Path) -> None:
    (home / "settings").write_text("[default]\nproject = theirs\n")
    assert specification(WandBConfig()).arguments(None)["project"] == "e2e-tracking"
