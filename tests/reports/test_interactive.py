"""The page used as a reader does: every control, by mouse and by keyboard, and what a screen reader would meet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from isoflop.reports import Evidence, write_report
from isoflop.reports.drawings import DRAWINGS
from isoflop.runs import Runs

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def file(page: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(page, path)
    return path


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the console said, and what was asked of the network."""
    return []


@pytest.fixture(scope="module")
def sheet(file: Path, said: list[str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        sheet = browser.new_page(viewport={"width": 1000, "height": 900})
        sheet.on("console", lambda message: said.append(message.text))
        sheet.on("pageerror", lambda error: said.append(str(error)))
        sheet.on("request", lambda request: None if request.url == file.as_uri() else said.append(request.url))
        sheet.goto(file.as_uri())
        for _ in range(600):
            if sheet.evaluate("document.querySelectorAll('.plot.js-plotly-plot').length") == len(DRAWINGS):
                break
            sheet.wait_for_timeout(50)
        else:
            pytest.fail("not every figure was drawn")
        yield sheet
        browser.close()


def held(sheet: Page, id: str) -> Any:
    return json.loads(sheet.evaluate(f"document.getElementById('{id}').textContent"))


def test_the_budget_moves_by_keyboard_and_says_where_it_is(sheet: Page) -> None:
    slider = held(sheet, "figures")["contours"]["slider"]
    handle = sheet.locator(".slider input")
    assert handle.get_attribute("aria-valuetext") == slider["steps"][slider["at"]]["text"]
    handle.focus()
    sheet.keyboard.press("ArrowLeft")
    sheet.keyboard.press("ArrowLeft")
    step = slider["steps"][slider["at"] - 2]
    assert sheet.locator(".slider output").text_content() == step["text"]
    trace, moved = next(iter(step["restyle"].items()))
    drawn = f"document.getElementById('figure-contours').data[{trace}].x"
    assert sheet.evaluate(drawn) == moved["x"]
    sheet.emulate_media(color_scheme="dark")  # painted again, it stands where it was moved to
    sheet.wait_for_timeout(300)
    assert sheet.evaluate(drawn) == moved["x"]
    sheet.emulate_media(color_scheme="light")


def test_runs_are_sorted_found_and_turned_over(sheet: Page, runs: Runs) -> None:
    column = [one["form"] for one in json.loads(sheet.locator("#runs-table").get_attribute("data-columns"))].index(
        "loss"
    )
    rows = "#runs-table tbody tr"

    def losses() -> list[float]:
        return [float(text) for text in sheet.locator(f"{rows} > :nth-child({column + 1})").all_text_contents()]

    assert losses() == pytest.approx(runs.loss.tolist(), abs=5e-4)
    head = sheet.locator("#runs-table thead th").nth(column)
    for order, direction in (("ascending", 1), ("descending", -1)):
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert losses() == pytest.approx(sorted(runs.loss, key=lambda loss: direction * loss), abs=5e-4)
    sheet.locator("input[type=search]").fill("sweep")  # found runs keep the order that was chosen
    assert losses() == pytest.approx(sorted(runs.where("purpose == 'sweep'").loss, reverse=True), abs=5e-4)
    sheet.locator("input[type=search]").fill("forecast")
    assert sheet.locator(rows).count() == 1
    assert sheet.locator("#runs-table caption").text_content() == f"1 of {len(runs)} runs"
    sheet.locator("input[type=search]").fill("")
    assert sheet.locator(rows).count() == len(runs)


def test_cells_read_as_they_do_without_the_script(sheet: Page, file: Path) -> None:
    """The script writes numbers of its own; they are those of the static table."""
    static = file.read_text(encoding="utf-8").split('id="runs-table"')[1].split("<tbody>")[1].split("</tbody>")[0]
    sheet.evaluate("window.still = document.createElement('table')")
    sheet.evaluate("html => { still.innerHTML = '<tbody>' + html + '</tbody>' }", static)
    table = "[...{}.querySelectorAll('tr')].map(row => [...row.cells].map(cell => cell.textContent).join('|')).sort()"
    live = table.format("document.querySelector('#runs-table tbody')")
    assert sheet.evaluate(live) == sheet.evaluate(table.format("still"))


def test_files_are_those_of_the_library(sheet: Page, page: Evidence, runs: Runs) -> None:
    buttons = sheet.locator("button[data-file]")
    names = [buttons.nth(k).get_attribute("data-file") for k in range(buttons.count())]
    assert names == ["runs.csv", "report.json", "law.toml"]
    for k, name in enumerate(names):
        with sheet.expect_download() as waiting:
            buttons.nth(k).press("Enter")
        got = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert waiting.value.suggested_filename == name
        if name == "runs.csv":
            assert got == runs.to_csv()
        if name == "report.json":
            found = json.loads(got)
            assert found["decision"].startswith(sheet.locator("#decision").text_content().split(" parameters")[0])
            assert found["fit"]["approaches"]["2"]["a"]["value"] == page.profiles.allocation[0]


def test_the_keyboard_reaches_every_control(sheet: Page) -> None:
    sheet.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    reached = set()
    controls = "main a, main button:not([disabled]):not([hidden]), main input, main summary, .scroll, .stack"
    count = sheet.evaluate(f"document.querySelectorAll('{controls}').length")
    for _ in range(count + 5):
        sheet.keyboard.press("Tab")
        reached.add(sheet.evaluate(f"[...document.querySelectorAll('{controls}')].indexOf(document.activeElement)"))
    assert reached >= set(range(count))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_of_axe(sheet: Page, scheme: str) -> None:
    sheet.emulate_media(color_scheme=scheme)
    found = Axe().run(sheet).response["violations"]
    grave = [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]
    assert grave == []


def test_the_console_is_silent_and_the_network_unasked(sheet: Page, said: list[str]) -> None:
    assert [line for line in said if not line.startswith("blob:")] == []
