"""A recorded job in a process of its own, by the matrix's player."""

from __future__ import annotations

import json
import os

from tests.support import GOLDENS, ROOT

INSIDE = ROOT / "compat_matrix" / "inside"

#: prints which packages the process has imported from its environment
PLAY = """
import json, runpy, sys
folder = sys.argv.pop(1)
if sys.argv.pop() == "--v2":  # the job uses v2 itself
    import nv_one_logger.training_telemetry.api.callbacks
sys.path.insert(0, folder)
runpy.run_path(folder + "/recorded.py", run_name="__main__")
places = {name.partition(".")[0] for name, module in list(sys.modules.items())
          if "site-packages" in (getattr(module, "__file__", None) or "") and not name.startswith("_distutils_hack")}
print(json.dumps(sorted(places)))
"""


def command(python: str, name: str, option: str = "") -> list[str]:
    """Plays the job ``name`` on the interpreter ``python``; ``--v2``: the job uses v2 itself."""
    options = json.dumps({"async": None, "names": "shim", "out": os.devnull})
    return [python, "-c", PLAY, str(INSIDE), str(GOLDENS / f"{name}.json"), options, option]
