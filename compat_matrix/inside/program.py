"""``python program.py train.py [ARGS]``: runs a program as ``__main__`` under the virtual clock, unedited."""

from __future__ import annotations

import os
import sys

from clock import VirtualClock


def main() -> None:
    """Become the program: its name, its arguments, its folder first on the path."""
    script = os.path.abspath(sys.argv[1])
    sys.argv[:] = sys.argv[1:]
    sys.path[0] = os.path.dirname(script)  # as `python train.py` has it
    with open(script, encoding="utf-8") as source:
        code = compile(source.read(), script, "exec", dont_inherit=True)
    VirtualClock().install()
    main_module = sys.modules["__main__"].__dict__
    main_module["__file__"] = script
    exec(code, main_module)


main()
