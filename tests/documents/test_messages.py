"""Every text that a user may see is on the page of messages, and the page has no other one."""

from __future__ import annotations

import ast
from collections import Counter

from compat_matrix.said import blocks, code


def test_every_message_of_the_code_has_a_block() -> None:
    known = {text for block in blocks() for text in block.texts}
    missing = {text: places for text, places in code.texts().items() if text not in known}
    assert missing == {}, "add them to compat_matrix/said/messages.txt, then `python -m compat_matrix documents`"


def test_every_text_of_a_block_is_in_the_code_and_stands_once() -> None:
    texts = [text for block in blocks() for text in block.texts]
    said = code.texts()
    assert [text for text in texts if text not in said] == []
    assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_a_message_is_found_however_it_is_made() -> None:
    source = """
def run(self, error):
    '''A docstring is no message.'''
    warn_once("key:of:it", f"the disk is {error} full")
    self.notice = "one " "two" if error else f"{error!r} three four"
    raise ValueError("five six")
    return {"why": [f"inner {'seven eight'} text"]}
    parser.add_argument("--x", help="not this one")
"""
    found = [text for text, _ in code._of(ast.parse(source))]
    assert found == ["the disk is {} full", "one two", "{} three four", "five six", "inner {} text", "seven eight"]
