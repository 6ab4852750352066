"""What the package says to its users: ``messages.txt`` has a block for each text, :mod:`.code` finds the texts.

A test holds the two together, in both directions; ``docs/messages.md`` is made from the blocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("messages.txt")
_HIDDEN = "not shown"


class Block(NamedTuple):
    """``texts`` as they stand in the code; what ``happened`` and what it costs; what to ``do``."""

    section: str
    texts: tuple[str, ...]
    happened: str
    do: str


def blocks() -> list[Block]:
    """All blocks, in the order of the page. Raises ``ValueError`` for a block that lacks one of its two sentences."""
    found: list[Block] = []
    section, texts, lines = "", [], []  # type: str, list[str], list[str]

    def end() -> None:
        if texts:
            if len(lines) != 2:
                raise ValueError(f"{texts[0]!r} has {len(lines)} lines; expected what happened, and what to do")
            found.append(Block(section, tuple(texts), *lines))
        texts.clear()
        lines.clear()

    for line in _FILE.read_text(encoding="utf-8").split("\n# ", 1)[1].splitlines():
        if not found and not section:
            section = line
        elif line.startswith("# "):
            end()
            section = line[2:]
        elif line.startswith("> "):
            if lines:
                end()
            texts.append(line[2:].replace("\\n", "\n").strip())
        elif line:
            lines.append(line)
    end()
    return found


def page() -> str:
    """The sections of ``docs/messages.md``."""
    section, lines = "", []  # type: str, list[str]
    for block in blocks():
        if block.section == _HIDDEN:
            continue
        if block.section != section:
            section = block.section
            lines += [
                "",
                f"## {section}",
                "",
                "| message | what happened, what it costs | what to do |",
                "|---|---|---|",
            ]
        texts = "<br>".join(f"`{_shown(text)}`" for text in block.texts)
        lines.append(f"| {texts} | {block.happened} | {block.do} |")
    return "\n".join(lines[1:])


def _shown(text: str) -> str:
    return text.replace("{}", "…").replace("`", "'").replace("|", "\\|")
