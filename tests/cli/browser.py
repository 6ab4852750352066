"""Pages in headless Chromium, where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome", "headless-shell"))), None
)
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=5000"]


def dom(page: Path, home: Path) -> str:
    """What stands in the page after its scripts have run, without them. Skips where the browser does not start."""
    assert CHROMIUM is not None
    result = subprocess.run(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={home / 'browser'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
    )
    found = re.sub(r"<script.*?</script>", "", result.stdout, flags=re.DOTALL)
    if "<h1>" not in found:
        pytest.skip(f"not run: Chromium does not start here ({result.stderr.strip()[-200:]})")
    return found
