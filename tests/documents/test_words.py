"""The word list of CONTRIBUTING.md, held against documents, messages, docstrings, comments and names of tests."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat_matrix.said import blocks
from tests.documents.samples import DOCUMENTS
from tests.support import ROOT


def unwanted() -> re.Pattern[str]:
    """What stands in the second column of the table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("| write | not |\n|---|---|\n")[1].split("\n\n")[0]
    words = [word.strip() for line in table.splitlines() for word in line.split("|")[2].split(",")]
    return re.compile("|".join(rf"\b{re.escape(word)}\b" for word in words), re.IGNORECASE)


WORDS = unwanted()


def found(text: str) -> list[str]:
    text = re.sub(r"hugging[ _-]?face", "", re.sub(r"\s+#?\s*", " ", text), flags=re.IGNORECASE)
    return WORDS.findall(re.sub(r"`+[^`]*`+", "", text))  # a name in the code stays as it is


def written(path: Path) -> Iterator[str]:
    """The texts and comments of a module: all that is read, and no name."""
    source = path.read_text(encoding="utf-8")
    comments = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments.append(token.string)
        elif token.type == tokenize.STRING or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield token.string
    yield "\n".join(comments)


def test_the_table_is_read() -> None:
    assert found("It can\n# not be") == ["can not"]
    assert found("Hugging Face, `face`, a face") == ["face"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    if document.name == "CHANGELOG.md":
        text = text.split("## [0.2.0]")[0]  # what was published stays
    elif document.name == "CONTRIBUTING.md":
        text = text.replace(text.split("| write | not |")[1].split("\n\n")[0], "")
    assert found(text) == []


def test_messages() -> None:
    assert [text for block in blocks() for text in (*block.texts, block.happened, block.do) if found(text)] == []


def test_docstrings_and_comments() -> None:
    files = sorted((ROOT / "one_logger_v1_shim").rglob("*.py"))
    wrong = {str(path.relative_to(ROOT)): words for path in files if (words := found("\n".join(written(path))))}
    assert wrong == {}


def test_names_of_tests() -> None:
    names = [
        name
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    ]
    assert [name for name in names if found(name.replace("_", " "))] == []
