"""What others run: GitHub's workflows, dependabot, pre-commit. Each only calls what stands in one place."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import tomllib
import yaml

from tests.support import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PRE_COMMIT = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))


def load(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def command(name: str, *arguments: str) -> None:
    """Run a tool that was installed beside this interpreter."""
    program = [sys.executable, "-m", name] if name != "zizmor" else [f"{sysconfig.get_path('scripts')}/zizmor"]
    done = subprocess.run([*program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_they_have_githubs_form() -> None:
    command("check_jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    command("check_jsonschema", "--builtin-schema", "vendor.dependabot", str(ROOT / ".github" / "dependabot.yml"))


@pytest.mark.slow
def test_an_audit_finds_nothing() -> None:
    """Actions that are not pinned, permissions that are too wide, text of strangers in a shell ..."""
    command("zizmor", "--offline", "--no-progress", "--quiet", str(ROOT / ".github"))


@pytest.mark.slow
def test_pre_commit_reads_its_file() -> None:
    command("pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml"))


def test_there_are_three() -> None:
    assert [path.stem for path in WORKFLOWS] == ["canary", "ci", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_with_its_version_beside_it(path: Path) -> None:
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if "uses: " in line and "uses: ./" not in line
    ]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_has_one_version_everywhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_permissions_are_given_job_by_job(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        given = job["permissions"]
        assert given == ({"id-token": "write"} if name == "publish" else {"contents": "read"}), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_is_run_stands_in_ci_run(path: Path) -> None:
    known = set(re.findall(r"^step_(\w+)\(\)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE))
    for job in load(path)["jobs"].values():
        for step in job.get("steps", []):
            if "run" in step:
                script, *steps = step["run"].split()
                assert script == ".ci/run"
                assert set(steps) <= known


def test_the_matrix_finds_its_pythons() -> None:
    from compat_matrix.planner import plan

    axes = plan.load()
    pythons = {}
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            for step in job.get("steps", []) if name != "fast" else []:
                if "setup-python" in step.get("uses", ""):
                    pythons[path.stem] = str(step["with"]["python-version"]).split()
    assert set(pythons["ci"]) == set(axes["python"])
    assert {cell.python for cell in plan.canary(axes)} <= set(pythons["canary"])


def test_the_fast_tests_run_on_other_machines() -> None:
    job = load(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["fast"]
    assert job["runs-on"] == "${{ matrix.runner }}"
    kinds = [runner.partition("-")[0] + runner[-4:] for runner in job["strategy"]["matrix"]["runner"]]
    assert kinds == ["ubuntu-arm", "macoss-15"]
    assert job["steps"][-1]["run"] == ".ci/run program fast"


def test_a_release_is_made_by_a_tag_only() -> None:
    triggers = load(ROOT / ".github" / "workflows" / "release.yml")[True]  # YAML reads the word "on" as a truth value
    assert triggers == {"push": {"tags": ["v*"]}}


def pinned() -> dict[str, str]:
    """The versions of the extra ``lint``."""
    found = (re.fullmatch(r"(\w+)==(.+)", line) for line in PROJECT["optional-dependencies"]["lint"])
    return {match[1]: match[2] for match in found if match is not None}


def test_pre_commit_has_the_versions_of_pyproject() -> None:
    revisions = {hook["id"]: repo["rev"] for repo in PRE_COMMIT["repos"] for hook in repo["hooks"]}
    assert set(pinned()) == {"ruff", "mypy"}
    assert revisions["ruff-check"] == revisions["ruff-format"] == f"v{pinned()['ruff']}"
    assert revisions["mypy"] == f"v{pinned()['mypy']}"


def test_pre_commits_mypy_sees_the_packages_that_ours_imports() -> None:
    (mypy,) = [hook for repo in PRE_COMMIT["repos"] for hook in repo["hooks"] if hook["id"] == "mypy"]
    known = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lint"]}
    assert set(mypy["additional_dependencies"]) <= known


def test_ci_run_has_no_versions_of_its_own() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert not re.search(r"(ruff|mypy)\s*[=~<>]=", text)
    assert "'.[lint]'" in text


def test_a_release_is_built_with_files_that_are_known_by_their_hash() -> None:
    """``.ci/release.in`` names them, ``.ci/release.txt`` has their versions and all that these need."""
    blocks = (ROOT / ".ci" / "release.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    known = {}
    for block in blocks:
        if not block.startswith("#"):
            match = re.match(r"([\w.-]+)==(\S+)( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*$", block)
            assert match is not None, block
            known[match[1]] = match[2]
    wanted = set((ROOT / ".ci" / "release.in").read_text(encoding="utf-8").split())
    assert wanted == {"build", "hatchling", "twine"}
    assert wanted <= set(known)
    assert "--require-hashes --only-binary :all: -r .ci/release.txt" in (ROOT / ".ci" / "run").read_text()
