"""Opens the run's page in headless Chromium, where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path


def screenshot(url: str, into: Path) -> str:
    """Take it; says what came of it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return "page of the run: not run, no chromium on this machine"
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1800",
            f"--user-data-dir={profile}", "--virtual-time-budget=15000", f"--screenshot={into}", url,
        ]  # fmt: skip
        try:
            subprocess.run(command, capture_output=True, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            return "page of the run: chromium did not answer"
    return f"page of the run: {into}" if into.exists() else "page of the run: chromium took no picture"
