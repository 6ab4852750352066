"""Where v1's distributions, ``one-logger`` and ``one-logger-utils``, are asked for: requirement files, Dockerfiles,
project files, environments, scripts that call pip.

These formats have no common syntax tree, and the line is what the user wants to see: a requirement is found by its name
(PEP 503: ``one_logger`` and ``One.Logger`` are the same), where the format has requirements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

NEEDLE_PATTERN = r"one[-_.]logger(?:[-_.]utils)?"

# the name as a whole, with what may follow it in a requirement: extras, a version, a URL, the end
_NAME = re.compile(rf"(?<![\w.@/+-]){NEEDLE_PATTERN}(?![\w-]|[.:]\w)(?:\[[\w,\s-]*\])?", re.IGNORECASE)
_WORD = re.compile(r"[^\s\"',;]+")
_IN_URL = re.compile(rf"(?:^|[/@=]){NEEDLE_PATTERN}(?:\.git)?(?=[@#/]|$|-\d)", re.IGNORECASE)
_TOOL = re.compile(r"\b(?:pip3?|uv|uvx|conda|mamba|poetry|pdm|pipx|easy_install|hatch|pixi)\b")
_VERB = re.compile(r"\b(?:install|add|sync|run)\b|--with\b|\bx\b")
_ADDS = re.compile(r"\bADD\b")
_SCRIPTS = re.compile(
    r"(?:^|\.)(?:docker|container|GNUmake|make|just|jenkins|snake)file|^CMakeLists\.txt$"
    r"|\.(?:ya?ml|sh|bash|zsh|ksh|csh|fish|slurm|sbatch|pbs|lsf|def|mk|cmake|bat|cmd|ps1)$",
    re.IGNORECASE,
)
# a program inside a script: python -c "from one_logger import ...", python -m one_logger.x
_PROGRAM = re.compile(r"(?:\b(?:import|from)|\s-m)\s{1,20}(?:one_logger(?:_utils)?)(?![\w])")
_RUNS = re.compile(r"python|torchrun|^%\w", re.MULTILINE)
_LISTS = re.compile(
    r"(?:requirement|constraint|\breqs?\b).*\.(?:txt|in|pip)$|^(?:.*/)?requirements/.*\.(?:txt|in)$", re.I
)
_PROJECTS = {
    "pyproject.toml", "setup.cfg", "Pipfile", "Pipfile.lock", "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml",
    "setup.py", "noxfile.py", "environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "tox.ini", "meta.yaml",
    "pixi.toml", ".pre-commit-config.yaml",
}  # fmt: skip
_ENVIRONMENTS = re.compile(r"(?:environment|conda)[\w.-]*\.ya?ml")
# keys of configuration files whose values are names, and nothing that is installed
_NAMES_ONLY = re.compile(
    r"known|modules?$|packages$|name$|ignore|include|exclude|keyword|classifier|description|select|section|version",
    re.IGNORECASE,
)
_SETTING = re.compile(r"[\"']?([\w.-]+)[\"']?\s*[=:?+]{1,3}(?!=)")
_DECLARES = re.compile(r"(?:export|ARG|ENV|local|readonly|declare|set)\s+")
_ENV = re.compile(r"\s*ENV\s+(\w+)\s")  # ENV NAME value
_ENTRY = re.compile(r"[\w.-]+\s*=\s*[\"']?((?:one_logger|one_logger_utils)(?:\.\w+)*:\w[\w.]*)")
_VARIABLE = re.compile(r"\$[({]?(\w+)")
_MOST = 10_000  # characters of a line
_KEY = re.compile(rf"\s*(?:[\"']?{NEEDLE_PATTERN}[\"']?\s*[=:]|name\s*=\s*[\"']{NEEDLE_PATTERN}[\"'])", re.IGNORECASE)


def is_pin_file(path: Path) -> bool:
    """Whether a file of this name lists what is to be installed, or runs commands."""
    return is_project(path) or is_script(path) or bool(_LISTS.search("/".join(path.parts[-2:])))


def is_project(path: Path) -> bool:
    """Whether a file of this name says what a project or an environment needs."""
    return path.name in _PROJECTS or _ENVIRONMENTS.fullmatch(path.name) is not None


def is_distribution(text: str) -> bool:
    """Whether a text is the name of one of v1's distributions."""
    return _NAME.fullmatch(text) is not None


def is_script(path: Path) -> bool:
    """Whether a file of this name is made of commands: only where they install something do they ask for it."""
    return not is_project(path) and bool(_SCRIPTS.search(path.name))


def pins_of(path: Path, text: str, script: bool = False) -> Iterator[tuple[int, str]]:
    """``(line, the requirement as it is written)``, from 1."""
    script = script or is_script(path)
    settings = path.suffix in (".cfg", ".ini", ".toml")
    setting = ""
    lines = list(_logical_lines(text, joined=script))
    named = {name for _, line in lines if script and _installs(line) for name in _VARIABLE.findall(line)}
    for first, logical in lines:
        if settings and not logical[:1].isspace():
            match = _SETTING.match(logical)
            # in TOML a list goes on to its bracket, in the others an indented line goes on
            setting = match[1] if match is not None else "" if not logical.startswith("]") else setting
        if "ogger" not in logical.lower() or (script and not _installs(logical) and not _sets(logical, named)):
            continue
        if settings and _NAMES_ONLY.search(setting) and path.suffix != ".lock":
            continue
        for number, line in enumerate(logical.split("\n"), first):
            yield from ((number, found) for found in _in_line(line[:_MOST], path, script))


def programs_in(text: str) -> Iterator[tuple[int, str]]:
    """``(line, the line)``: where a script hands a program that imports v1 to Python."""
    if not _RUNS.search(text):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if "one_logger" in line and not line.lstrip().startswith("#") and _PROGRAM.search(line[:_MOST]):
            yield number, line[:_MOST].strip()


def entry_points_in(text: str) -> Iterator[tuple[int, str]]:
    """``(line, the object)``: a project's entry points that are v1's (``log = one_logger_utils:OneLoggerUtils``)."""
    for number, line in enumerate(text.split("\n"), 1):
        match = _ENTRY.search(line[:_MOST]) if "one_logger" in line and not line.lstrip().startswith("#") else None
        if match is not None:
            yield number, match[1]


def _installs(line: str) -> bool:
    tool = _TOOL.search(line)
    return _ADDS.search(line) is not None or (tool is not None and _VERB.search(line, tool.end()) is not None)


def _sets(line: str, names: set[str]) -> bool:
    """``DEPS = torch one-logger``, where the script installs ``$(DEPS)``."""
    match = _SETTING.match(_DECLARES.sub("", line.strip())) or _ENV.match(line)
    return match is not None and match[1] in names


def _in_line(line: str, path: Path, script: bool) -> Iterator[str]:
    code = re.split(r"(?:^|\s)#", line, maxsplit=1)[0]
    for word in _WORD.findall(code):
        match = _IN_URL.search(word)
        is_file = word.endswith((".whl", ".tar.gz", ".zip"))
        if match is not None and (is_file or "://" in word[: match.start()] or "@" in word[: match.start() + 1]):
            yield word
            return
    name = _NAME.search(code)
    if name is None:
        return
    if not script and (path.suffix in (".toml", ".lock", ".py") or path.name == "Pipfile"):
        quoted = re.search(rf"[\"']\s*{re.escape(name[0])}\s*(?:[\"'<>=!~;@,(\[]|$)", code)
        if quoted is None and not _KEY.match(code):
            return
    yield code.strip().strip(",\\").strip() if len(code) < 100 else name[0]


def _logical_lines(text: str, joined: bool) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; in scripts, those that a backslash holds together are one."""
    waiting: list[str] = []
    first = 1
    for number, line in enumerate(text.split("\n"), 1):
        first = first if waiting else number
        waiting.append(line)
        if not (joined and line.rstrip().endswith("\\")):
            yield first, "\n".join(waiting)
            waiting = []
    if waiting:
        yield first, "\n".join(waiting)
