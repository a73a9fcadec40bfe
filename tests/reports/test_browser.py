"""The page in a real Chromium whose network leads nowhere: figures are drawn and nothing complains."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from isoflop.reports import Evidence, write_report
from isoflop.reports.drawings import DRAWINGS
from isoflop.reports.palette import SCHEMES, scheme_roles
from isoflop.runs import Runs

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
]
# Every name resolves to nothing: a request that the page made would fail and be reported.
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


def browse(path: Path, profile: Path, *more: str) -> tuple[str, list[str]]:
    """The document after its scripts have run, and what the console said."""
    command = [str(CHROMIUM), *QUIET, NO_NETWORK, f"--user-data-dir={profile}", "--virtual-time-budget=10000", *more]
    done = subprocess.run([*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=180)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def report(page: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(page, path)
    return path


def test_every_figure_is_drawn_and_the_console_is_silent(report: Path, tmp_path: Path) -> None:
    dom, console = browse(report, tmp_path)
    assert console == []
    for name in DRAWINGS:
        drawn = re.search(rf'<div class="plot[^"]*" id="figure-{name}".*?</figure>', dom, re.DOTALL)
        assert drawn is not None
        assert 'class="main-svg"' in drawn[0]
    assert dom.count('class="errorbar"') >= 3


def test_a_script_that_is_not_ours_does_not_run(report: Path, tmp_path: Path) -> None:
    """The policy is in force: the same page with a foreign script added says so on the console."""
    tampered = tmp_path / "tampered.html"
    html = report.read_text(encoding="utf-8").replace("</main>", "</main><script>document.title = 'owned'</script>", 1)
    tampered.write_text(html, encoding="utf-8")
    dom, console = browse(tampered, tmp_path / "profile")
    assert "<title>owned</title>" not in dom
    assert any("Content Security Policy" in line for line in console)


CLICK = """
const make = URL.createObjectURL;
URL.createObjectURL = (blob) => {
  blob.text().then((text) => { document.title = JSON.stringify(text); });
  return make(blob);
};
document.querySelector("[data-file='runs.csv']").click();
"""


def test_the_button_makes_the_csv_and_the_policy_lets_it(report: Path, runs: Runs, tmp_path: Path) -> None:
    allowed = base64.b64encode(hashlib.sha256(CLICK.encode()).digest()).decode()
    html = report.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{allowed}' ", 1)
    clicked = tmp_path / "clicked.html"
    clicked.write_text(html.replace("</body>", f"<script>{CLICK}</script></body>"), encoding="utf-8")
    dom, console = browse(clicked, tmp_path / "profile")
    assert console == []
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title is not None
    assert json.loads(unescape(title[1])) == runs.to_csv()


def test_a_reader_in_the_dark_gets_light_ink_on_the_figures(report: Path, tmp_path: Path) -> None:
    muted = {scheme: rgb(scheme_roles(scheme)["muted"]) for scheme in SCHEMES}
    for scheme, setting in (("dark", 0), ("light", 1)):
        dom, _ = browse(report, tmp_path / scheme, f"--blink-settings=preferredColorScheme={setting}")
        ticks = re.findall(r'class="xtick"><text[^>]*?fill: (rgb\([^)]*\))', dom)
        assert set(ticks) == {muted[scheme]}


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5))})"


MEASURE = """
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const cut = (element) => element.scrollWidth > element.clientWidth;
  document.title = JSON.stringify({
    page: cut(page.documentElement),
    tables: [...page.querySelectorAll(".stack")].map(cut),
    long: [...page.querySelectorAll(".scroll th[scope=row]")].every((name) => name.getClientRects().length === 1),
  });
});
"""


@pytest.mark.parametrize("width", [320, 375, 1000])
def test_no_table_of_answers_is_cut_off_on_a_phone(report: Path, tmp_path: Path, width: int) -> None:
    frame = tmp_path / "frame.html"
    inner = f'<iframe src="{report.as_uri()}" width="{width}" height="700"></iframe>'
    frame.write_text(f"<title></title>{inner}<script>{MEASURE}</script>", encoding="utf-8")
    dom, _ = browse(frame, tmp_path / "profile", "--allow-file-access-from-files", "--window-size=1100,800")
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title is not None
    found = json.loads(unescape(title[1]))
    assert len(found["tables"]) > 6
    assert not any(found["tables"])
    assert found["page"] is False
    assert found["long"] is True
