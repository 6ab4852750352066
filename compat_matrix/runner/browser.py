"""Opens the run's page in headless Chromium, where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path


def screenshot(url: str, into: Path, shows: str) -> str:
    """Take it; says what came of it. Raises ValueError if the page, scripts and all, does not show a text."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return "page of the run: not run, no chromium on this machine"
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1800",
            f"--user-data-dir={profile}", "--timeout=20000", "--virtual-time-budget=8000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]  # fmt: skip
        picture = subprocess.run([*command, f"--screenshot={into}", url], capture_output=True, timeout=90, check=False)
        document = subprocess.run(
            [*command, "--dump-dom", url], capture_output=True, text=True, timeout=90, check=False
        )
    if picture.returncode != 0 or not into.exists():
        raise ValueError(f"chromium took no picture of {url}")
    if shows not in document.stdout:
        raise ValueError(f"the page of the run does not show {shows!r}: {document.stdout[:300]}")
    return f"the page of the run shows it: {into}"
