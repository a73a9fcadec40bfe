"""The pages in a real Chromium, served by a real ``isoflop serve``: every control is used, nothing complains."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, Route, sync_playwright

from isoflop.hardware import accelerators
from isoflop.web.parameters import MOST
from isoflop.web.playgrounds import PLAYGROUNDS
from tests.web.conftest import make_study, planted_csv

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
PAGES = ("/", "/studies", "/tables", "/playgrounds", f"/playgrounds/{next(iter(PLAYGROUNDS))}")
PHONE = {"width": 390, "height": 844}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, which watches a study and has a table of three runs."""
    folder = tmp_path_factory.mktemp("serve")
    table = folder / "started.csv"
    table.write_text(planted_csv(rows=3))
    words = [
        sys.executable,
        "-m",
        "isoflop",
        "serve",
        str(make_study(folder / "study").folder),
        str(table),
        "--port",
        "0",
    ]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/studies", line)
    yield line.removesuffix("/studies")
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0
    server.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose console must stay silent, and that may ask nobody but its server."""
    yield from watched_page(browser, address)


@pytest.fixture
def refused_page(browser: Browser, address: str) -> Iterator[Page]:
    """The same where a question is refused, which a browser notes in its console whatever the page does."""
    yield from watched_page(browser, address, may_say="status of 422")


def watched_page(browser: Browser, address: str, may_say: str = "nothing") -> Iterator[Page]:
    context = browser.new_context(base_url=address)
    context.set_default_timeout(15_000)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert [text for text in said if may_say not in text] == []
    assert {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))} <= {
        urlsplit(address).netloc
    }
    context.close()


def open_page(page: Page, path: str) -> None:
    """Open a page and wait for its first answer."""
    page.goto(path)
    if path not in ("/tables", "/playgrounds"):
        page.wait_for_selector("body[data-shown]")
    else:
        page.wait_for_load_state("networkidle")


def settled(page: Page, text: str) -> Any:
    """The JSON of what is asked now, once it is what is shown."""
    page.wait_for_function("(text) => (document.body.dataset.shown ?? '').includes(text)", arg=text)
    return page.evaluate("fetch(document.getElementById('json').href).then((answer) => answer.json())")


def tile(page: Page, label: str) -> str:
    return page.locator(".tiles div", has=page.get_by_text(label, exact=True)).locator(".value").inner_text()


def number(text: str) -> float:
    """95.9B as a number."""
    found = re.fullmatch(r"\$?([\d.,e+-]+)([KMBT]?)", text)
    assert found is not None, text
    return float(found[1].replace(",", "")) * {"": 1, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[found[2]]


def test_the_planner_shows_the_numbers_of_its_json(page: Page) -> None:
    open_page(page, "/")
    for budget in ("5.76e23", "1e21"):
        page.fill("#flops", budget)
        found = settled(page, f"budget={float(budget):g}".replace("+", ""))
        first = found["plans"][0]
        assert number(tile(page, "parameters N*")) == pytest.approx(first["params"], rel=5e-3)
        assert number(tile(page, "training tokens D*")) == pytest.approx(first["tokens"], rel=5e-3)
        assert number(tile(page, "tokens per parameter")) == pytest.approx(first["tokens_per_param"], rel=5e-3)
        assert float(tile(page, "loss")) == pytest.approx(first["loss"], abs=5e-4)
        assert float(tile(page, "days")) == pytest.approx(found["hardware"]["days"], rel=5e-3)
        assert number(tile(page, "price")) == pytest.approx(found["hardware"]["cost_usd"], rel=5e-3)
    assert page.locator("#figure-params .main-svg").count() > 0


def test_every_control_of_the_planner_changes_the_answer(page: Page) -> None:
    open_page(page, "/")

    def shown_after(act: Any, where: str = "#answer") -> str:
        before, said = page.evaluate("document.body.dataset.shown"), page.locator(where).inner_text()
        act()
        page.wait_for_function("(before) => document.body.dataset.shown !== before", arg=before)
        assert page.locator(where).inner_text() != said
        return str(page.evaluate("document.body.dataset.shown"))

    for name in ("flops", "devices", "mfu", "price"):
        shown_after(lambda name=name: page.locator(f"#{name}-slider").press("ArrowRight"))
    assert "law=kaplan2020" in shown_after(lambda: page.check("#law-kaplan2020"), "#sheet-laws")
    page.locator("summary").click()
    assert "law=porian2024" in shown_after(lambda: page.check("#law-porian2024"), "#sheet-laws")
    assert "level=0.5" in shown_after(lambda: page.select_option("#level", "0.5"))
    shown_after(lambda: page.select_option("#hardware", "a100-sxm-80gb"))
    assert "days" in shown_after(lambda: page.check("[value=time]"))
    shown_after(lambda: page.locator("#days-slider").press("ArrowRight"))
    assert "budget=%24" in shown_after(lambda: page.check("[value=money]"))
    shown_after(lambda: page.locator("#dollars-slider").press("ArrowLeft"))
    for box, section, act in (
        ("serves", "lifecycle", lambda: page.fill("#inference_tokens", "3T")),
        ("scarce", "data_limited", lambda: page.fill("#unique_tokens", "100B")),
        ("whole", "architecture", lambda: page.select_option("#architecture", "gemma")),
    ):
        page.check(f"#{box}")
        act()
        page.wait_for_selector(f"#sheet-{section}")
        page.uncheck(f"#{box}")
        page.wait_for_selector(f"#sheet-{section}", state="detached")


def test_an_accelerator_without_a_price_has_not_that_of_another(refused_page: Page) -> None:
    page = refused_page
    open_page(page, "/?hardware=a100-sxm-80gb")
    assert accelerators()["a100-pcie-80gb"].price is None
    page.select_option("#hardware", "a100-pcie-80gb")
    assert settled(page, "a100-pcie-80gb")["hardware"]["cost_usd"] is None
    page.check("[value=time]")
    assert settled(page, "for+30+days")["hardware"]["cost_usd"] is None
    page.check("[value=money]")
    page.get_by_text("needs a price for a100-pcie-80gb").wait_for()
    page.fill("#price", "1.5")
    assert settled(page, "1.5+per+a100-pcie-80gb-hour")["hardware"]["cost_usd"] == pytest.approx(2e6)


def test_the_address_restores_the_settings(page: Page, address: str) -> None:
    open_page(page, "/")
    page.check("[value=time]")
    page.fill("#days", "77")
    page.check("#law-kaplan2020")
    settled(page, "77")
    shared, said = page.url, page.locator("#headline").inner_text()
    page.goto("about:blank")
    page.goto(shared)
    page.wait_for_selector("body[data-shown]")
    assert page.locator("#headline").inner_text() == said
    assert page.is_checked("#law-kaplan2020")


def test_what_was_typed_beyond_a_slider_is_in_the_address(page: Page) -> None:
    open_page(page, "/?scarce=on&flops=1e29&unique_tokens=5e14")
    assert (page.input_value("#flops"), page.input_value("#unique_tokens")) == ("1e29", "5e14")
    asked = settled(page, "1e29")
    assert asked["budget"]["flops"] == 1e29
    assert asked["data_limited"]["unique_tokens"] == 5e14


def test_a_number_of_tokens_that_cannot_be_read_is_marked(refused_page: Page) -> None:
    page = refused_page
    open_page(page, "/?scarce=on")
    page.fill("#unique_tokens", "abc")
    page.wait_for_selector("#unique_tokens[aria-invalid=true]")
    page.wait_for_selector("#sheets .error")
    page.fill("#unique_tokens", "30B")
    page.wait_for_selector("#sheet-data_limited")
    assert page.get_attribute("#unique_tokens", "aria-invalid") is None


def test_what_cannot_be_answered_is_said(refused_page: Page) -> None:
    page = refused_page
    open_page(page, "/")
    for law in ("besiroglu2024", "hoffmann2022"):
        page.uncheck(f"#law-{law}")
    assert "Tick a law" in page.locator("#error").inner_text()
    page.check("#law-kaplan2020")
    page.wait_for_function("() => document.getElementById('error').textContent === ''")
    page.fill("#flops", "many")
    page.get_by_text("'many' is not a budget").wait_for()
    assert page.get_attribute("#flops", "aria-invalid") == "true"
    assert not page.locator("#headline").is_visible()  # it is the answer to something else
    page.fill("#flops", "3640 PF-days")  # GPT-3's compute, as its paper writes it
    page.wait_for_selector("#headline")
    assert "3.14496e23 FLOPs" in page.locator("#reading").inner_text()
    page.check("[value=time]")
    page.fill("#days", "1.7")
    assert "Give a whole number from 1 to 400" in page.locator("#days-wrong").inner_text()


def test_the_sheets_are_wide_and_fade_while_they_are_those_of_another_question(page: Page) -> None:
    open_page(page, "/")
    page.check("#serves")
    page.wait_for_selector("#sheet-lifecycle")
    assert page.locator("#sheet-lifecycle").bounding_box()["width"] > 600  # type: ignore[index]
    page.fill("#flops", "3e23")
    assert page.get_attribute("#sheets", "aria-busy") == "true"
    page.wait_for_selector("#sheets:not([aria-busy])")


def test_no_more_laws_can_be_ticked_than_are_answered(page: Page) -> None:
    open_page(page, "/?hardware=a100-sxm-80gb&law=deepseek2024")
    assert not page.locator("#figure-loss").is_visible()  # it splits a budget, and says no loss
    a100 = accelerators()["a100-sxm-80gb"].price
    assert a100 is not None
    assert float(page.input_value("#price")) == a100.typical
    page.locator("summary").click()
    boxes = page.locator("input[name=law]")
    page.evaluate("document.querySelectorAll('input[name=law]').forEach((box) => { if (!box.checked) box.click(); })")
    assert page.locator("input[name=law]:checked").count() == MOST < boxes.count()
    page.wait_for_function("(most) => document.querySelectorAll('#key li').length === most", arg=MOST)
    assert page.locator("#error").inner_text() == ""


@pytest.mark.parametrize("name", PLAYGROUNDS)
def test_every_control_of_a_playground(page: Page, name: str) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, f"/playgrounds/{name}")
    for control in PLAYGROUNDS[name].controls:
        before = page.evaluate("document.body.dataset.shown")
        if control.choices:
            page.select_option(f"#{control.name}", next(one for one in control.choices if one != control.default))
        else:
            at_top = float(control.default) >= control.high
            page.locator(f"#{control.name}-slider").press("ArrowLeft" if at_top else "ArrowRight")
        page.wait_for_function("(before) => document.body.dataset.shown !== before", arg=before)
    answer = settled(page, "")
    said = page.locator("#numbers .value").all_inner_texts()
    assert said == [one["text"] for one in answer["numbers"]]
    raised = answer["sentence"].replace("^-", "−").replace("^", "")  # a power stands raised
    assert page.locator("#sentence").inner_text() == raised
    assert page.locator(".main-svg").count() > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.click("#reset")
    settled(page, defaults(name))


def defaults(name: str) -> str:
    """How a query begins at the default of the first control."""
    first = PLAYGROUNDS[name].controls[0]
    value = first.default if first.choices else f"{float(first.default):g}"
    return f"{first.name}={str(value).replace(' ', '+')}".replace("e+", "e")


def test_a_study_is_followed(page: Page) -> None:
    open_page(page, "/studies")
    assert page.locator("#states").inner_text().split() == ["not", "begun", "6"]
    assert page.locator("#runs tbody tr").count() == 6
    page.fill("#target", "1e12")
    page.locator("#target").press("Enter")
    page.wait_for_function("() => document.getElementById('refit').textContent.includes('1e12')")


def test_a_table_is_chosen_named_and_reported(page: Page, tmp_path: Path) -> None:
    open_page(page, "/tables")
    assert "started.csv" in page.locator("#status").inner_text()
    table = tmp_path / "mine.csv"
    table.write_text(planted_csv(header="size,data,final", rows=4))
    page.set_input_files("#file", table)
    page.wait_for_selector("#column-loss")
    for name, column in {"params": "size", "tokens": "data", "loss": "final"}.items():
        page.select_option(f"#column-{name}", column)
    page.fill("#target", "1e21")
    page.click("#again")
    page.get_by_text("mine.csv: 4 runs.").wait_for(timeout=30_000)
    frame = page.frame_locator("#report")
    assert frame.locator("h1").inner_text() == "mine.csv"
    with page.expect_download() as saved:
        page.click("#save")
    assert saved.value.suggested_filename == "mine.html"
    page.locator("#tables button", has_text="started.csv").press("Enter")
    page.get_by_text("started.csv: 3 runs.").wait_for()


def test_of_two_drops_the_second_is_shown(page: Page, tmp_path: Path) -> None:
    """The first is answered after the second, as a larger table would be."""
    open_page(page, "/tables")
    held: list[Route] = []
    page.route("**/api/tables?name=first.csv", lambda route: held.append(route))
    for name in ("first.csv", "second.csv"):
        (tmp_path / name).write_text(planted_csv(rows=3))
        page.set_input_files("#file", tmp_path / name)
    page.get_by_text("second.csv: 3 runs.").wait_for(timeout=30_000)
    with suppress(Error):  # the page has called it off
        held[0].fulfill(json={"id": "0", "name": "first.csv", "n_runs": 9, "report": "/api/tables/0/report"})
    page.wait_for_timeout(200)
    assert page.locator("#status").inner_text() == "second.csv: 3 runs."


def test_a_hostile_table_stays_in_its_frame(page: Page, tmp_path: Path) -> None:
    """A name and cells that are markup are shown as text; the frame cannot reach the page around it."""
    open_page(page, "/tables")
    table = tmp_path / "<img src=x onerror=alert(1)>.csv"
    header, *rows = planted_csv(rows=3).splitlines()
    table.write_text("\n".join([f"{header},run_id", *(f"{row},<b id=owned>{k}</b>" for k, row in enumerate(rows))]))
    page.set_input_files("#file", table)
    page.get_by_text("<img src=x onerror=alert(1)>.csv: 3 runs.").wait_for(timeout=30_000)
    assert page.locator("img, #owned").count() == 0
    frame = page.frame_locator("#report")
    assert frame.locator("h1").inner_text() == "<img src=x onerror=alert(1)>.csv"
    assert frame.locator("img, #owned").count() == 0
    assert page.evaluate("document.getElementById('report').contentDocument") is None


def test_the_keyboard_is_enough(page: Page) -> None:
    """From the top of the planner to its first slider by Tab alone, which is then moved and whose answer changes."""
    open_page(page, "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "flops-slider":
            break
    before = tile(page, "parameters N*")
    page.keyboard.press("PageUp")
    page.wait_for_function("(before) => !document.getElementById('headline').innerText.includes(before)", arg=before)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_fits_a_phone(browser: Browser, address: str, path: str) -> None:
    for scheme, size in (("light", {"width": 1280, "height": 900}), ("dark", PHONE)):
        page = browser.new_page(base_url=address, color_scheme=scheme, viewport=size)
        open_page(page, path)
        found = Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.close()


def test_the_first_paint_waits_for_no_library(page: Page) -> None:
    """Plotly's five megabytes come after it: the page paints although they never arrive."""
    page.route("**/static/plotly.js*", lambda route: None)
    page.goto("/", wait_until="commit")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
