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
_NAME = re.compile(rf"(?<![\w.@/+-]){NEEDLE_PATTERN}(?![\w-]|\.[\w])(?:\[[\w,\s-]*\])?", re.IGNORECASE)
_URL = re.compile(rf"(?:git\+\S*|https?://\S*|\S*@)/?{NEEDLE_PATTERN}(?:\.git)?(?=[@#\s\"',;/]|$|-\d)", re.IGNORECASE)
_INSTALLS = re.compile(
    r"\b(?:pip3?|uv|conda|mamba|poetry|pdm|pipx|easy_install)\b.*?\b(?:install|add|sync|run)\b|\bADD\b"
)
_SCRIPTS = re.compile(r"(?:^|\.)(?:docker|container)file|\.(?:sh|bash|slurm|sbatch|def)$|^\.gitlab-ci", re.IGNORECASE)
_LISTS = re.compile(
    r"(?:requirement|constraint|\breqs?\b).*\.(?:txt|in|pip)$|^(?:.*/)?requirements/.*\.(?:txt|in)$", re.I
)
_PROJECTS = {
    "pyproject.toml", "setup.cfg", "Pipfile", "Pipfile.lock", "poetry.lock", "uv.lock", "pdm.lock", "pylock.toml",
    "setup.py", "environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "tox.ini", "meta.yaml", "pixi.toml",
}  # fmt: skip
_KEY = re.compile(rf"\s*(?:[\"']?{NEEDLE_PATTERN}[\"']?\s*[=:]|name\s*=\s*[\"']{NEEDLE_PATTERN}[\"'])", re.IGNORECASE)


def is_pin_file(path: Path) -> bool:
    """Whether a file of this name lists what is to be installed."""
    tail = "/".join(path.parts[-2:])
    return path.name in _PROJECTS or bool(_SCRIPTS.search(path.name) or _LISTS.search(tail))


def pins_of(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """``(line, the requirement as it is written)``, from 1."""
    script = bool(_SCRIPTS.search(path.name))
    for first, logical in _logical_lines(text, joined=script):
        if script and not _INSTALLS.search(logical):
            continue
        for number, line in enumerate(logical.split("\n"), first):
            yield from ((number, found) for found in _in_line(line, path))


def pins_in_command(line: str) -> Iterator[str]:
    """The same in one command: a notebook's ``!pip install one-logger``."""
    if _INSTALLS.search(line):
        yield from (match[0] for match in (*_NAME.finditer(line), *_URL.finditer(line)))


def _in_line(line: str, path: Path) -> Iterator[str]:
    code = re.split(r"(?:^|\s)#", line, maxsplit=1)[0]
    url = _URL.search(code)
    if url is not None:
        yield url[0]
        return
    name = _NAME.search(code)
    if name is None:
        return
    if path.suffix in (".toml", ".lock", ".py") or path.name == "Pipfile":
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
