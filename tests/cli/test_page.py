"""The page of goodput: what stands in it, how large it is, and how it looks in a browser."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._cli.goodput import main
from one_logger_v1_shim._cli.show import main as show
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.browser import CHROMIUM, OPTIONS
from tests.cli.journals import CONFIGURATION, T0, journal, training
from tests.cli.screenshots import sample
from tests.goodput.story import Story
from tests.support import Clock


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample that the documentation shows."""
    base = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as stopped:
        sample(base / "runs", stopped)
    assert main([str(base / "runs"), "--html", str(base / "page.html")]) == 0
    return base / "page.html"


def test_what_is_read_first(page: Path) -> None:
    text = page.read_text()
    tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert tiles["goodput"] == "57.1 %"
    assert tiles["GPU-hours paid"] == "11,861"
    assert (tiles["interruptions"], tiles["progress"]) == ("4", "71.2 %")
    order = [text.index(f"<h2>{title}</h2>") for title in ("What was lost", "What happened when", "Attempts")]
    assert order == sorted(order)
    assert text.index("<dl class=tiles>") < order[0]
    lost = re.findall(r'<tr><td data-name="lost"[^>]*>(.*?)</td>', text)
    assert lost[:3] == ["idle in the loop", "between attempts: in the queue", "lost work"]
    assert "every 22 min 44 s would cost least" in text
    for told in ("gpu[001-064]", "40714", "to the first iteration"):
        assert told in text


def test_it_needs_no_script_and_loads_nothing(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text
    assert not re.search(r"(\bsrc=|href=|url\()", text)
    assert "default-src 'none'" in text


def test_every_picture_has_words(page: Path) -> None:
    text = page.read_text()
    for svg in re.findall(r"<svg[^>]*>", text):
        assert "aria-label=" in svg or 'aria-hidden="true"' in svg, svg
    lanes = re.findall(r'aria-label="(attempt \d: [^"]*)"', text)
    assert len(lanes) == 4
    assert "iterations kept" in lanes[0]


@pytest.mark.ci
def test_four_long_attempts(tmp_path: Path) -> None:
    """With 200,000 rows each it has 54 kB, too."""
    for number in range(4):
        begin = T0 + number * 400_000_000
        rows = [{**CONFIGURATION, m.APP_START_TIME: begin, m.APP_LAST_LOG_TIME: begin}]
        rows.append({m.APP_TRAIN_LOOP_START_TIME: begin + 5000, m.APP_LAST_LOG_TIME: begin + 5000})
        rows += [training(done, begin + 5000 + 100 * done) for done in range(1, 30_001)]
        journal(tmp_path / str(number), rows, run_id=f"large00{number}", finish=False)
    assert main([str(tmp_path), "--html", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").stat().st_size < 300_000


def test_idle_time_is_drawn_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that waits for most of its time is not painted as if it worked."""
    with monkeypatch.context() as stopped:
        story = Story(Clock(stopped, T0 / 1000)).call("on_app_start").train_start().iterate(100, 1, idle=4).save(1)
    journal(tmp_path, story.rows)
    assert main([str(tmp_path), "--html", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    heights: dict[str, float] = {}
    for kind, path in re.findall(r'<path class="k-(\w+)" d="([^"]*)"/>', text):
        pieces = re.findall(r"M([\d.]+) \d+H([\d.]+)v(\d+)", path)
        heights[kind] = sum((float(right) - float(left)) * float(height) for left, right, height in pieces)
    assert heights["idle"] / heights["kept"] == pytest.approx(4, rel=0.1)


def test_many_attempts_share_a_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        clock = Clock(stopped, T0 / 1000)
        for number in range(40):
            story = Story(clock).call("on_app_start").wait(1).train_start(number).iterate(2, 1).save(1)
            journal(tmp_path / str(number), story.rows, run_id=f"many00{number:02}", finish=False)
            clock.advance(5)
    assert main([str(tmp_path), "--html", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    assert len(re.findall(r'<div class="lane">', text)) == 1
    assert re.findall(r'<td data-name="#"[^>]*>(\d+)</td>', text)[0] == "40", "the newest first"
    assert len(text) < 300_000


def test_show_has_the_time_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        story = Story(Clock(stopped, T0 / 1000)).call("on_app_start").wait(1).train_start().iterate(20, 1).save(1)
    folder = journal(tmp_path, story.rows)
    assert show([str(folder), "--html", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    assert "start-up and loading" in text
    assert main([str(folder), "--html", str(tmp_path / "goodput.html")]) == 0
    text_of_goodput = (tmp_path / "goodput.html").read_text()
    assert "once 1.00 s" in text_of_goodput
    assert "1 save of 1.00 s" in text_of_goodput
    assert "<figcaption>Iterations" in text


# A page around the page measures it: the page itself runs no script.
AROUND = """<!DOCTYPE html><body><iframe style="border:0;width:%dpx;height:3000px" srcdoc="%s"></iframe><script>
onload = () => {
  const frame = document.querySelector("iframe"), inner = frame.contentDocument, found = {};
  found.width = inner.documentElement.scrollWidth;
  found.dark = frame.contentWindow.matchMedia("(prefers-color-scheme: dark)").matches;
  const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const linear = (v) => v / 255 <= .04 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = (c) => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
  const back = rgb(frame.contentWindow.getComputedStyle(inner.body).backgroundColor);
  const words = [...inner.querySelectorAll("h1, h2, td, th, dt, dd, li, figcaption, span, summary")]
    .filter(one => one.textContent.trim() && one.getClientRects().length);
  const style = (one) => frame.contentWindow.getComputedStyle(one);
  found.least = Math.min(...words.map(one => parseFloat(style(one).fontSize)));
  found.contrast = Math.min(...words.map(one => contrast(rgb(style(one).color), back)));
  const right = (one) => one.getBoundingClientRect().right;
  found.outside = words.filter(one => right(one) > right(one.closest(".ticks") || inner.documentElement) + 1).length;
  const lines = (one) => {
    const range = inner.createRange();
    range.selectNodeContents(one);
    return range.getClientRects().length;
  };
  found.broken = [...inner.querySelectorAll("thead th")].filter(one => !one.textContent.includes(" ") && lines(one) > 1)
    .length;
  found.fills = {};
  for (const one of inner.querySelectorAll(".legend rect, .legend path")) found.fills[one.getAttribute("class")] =
    light(rgb(style(one).fill === "none" ? style(one).stroke : style(one).fill));
  document.body.innerHTML = "<h1>found</h1><pre>" + JSON.stringify(found) + "</pre>";
}
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_how_it_looks_in_a_browser(page: Path, width: int, scheme: str, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("not run: no Chromium on this machine")
    around = tmp_path / "around.html"
    around.write_text(AROUND % (width, html.escape(page.read_text())))
    dark = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    options = [*OPTIONS, dark, "--window-size=1600,3000", f"--user-data-dir={tmp_path / 'browser'}"]
    result = subprocess.run(
        [CHROMIUM, *options, "--dump-dom", around.as_uri()], capture_output=True, text=True, timeout=60
    )
    told = re.search(r"<pre>(.*?)</pre>", result.stdout)
    if told is None:
        pytest.skip(f"not run: Chromium does not start here ({result.stderr.strip()[-200:]})")
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    assert found["dark"] == (scheme == "dark")
    assert found["width"] <= width, "nothing to scroll to the side"
    assert found["outside"] == 0
    assert found["broken"] == 0, "a heading of one word has one line"
    assert found["least"] >= 12
    assert found["contrast"] >= 4.5
    light = found["fills"]
    kept, lost = sorted((light["k-kept"], light["k-lost"]))
    assert (lost + 0.05) / (kept + 0.05) >= 1.5, "told apart without colours"
