"""The page: what it holds, what it says, and that nothing in the data can act in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoflop.fitting import Fit, fit, judge, with_outcome
from isoflop.reports import Evidence, Wanted, gather, render, write_report
from isoflop.reports.drawings import DRAWINGS
from isoflop.reports.prose import introduction
from isoflop.runs import DroppedRun, Runs

HOSTILE = '<script>alert("x")</script>'


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text inside script elements by their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._within: str = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within != "style":
            self.words.append(data)

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.tags if "id" in attributes]

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html(page: Evidence) -> str:
    return render(page)


@pytest.fixture(scope="module")
def elements(html: str) -> Elements:
    return Elements(html)


def embedded(elements: Elements, id: str) -> Any:
    scripts = [attributes for tag, attributes in elements.tags if tag == "script"]
    at = next(k for k, attributes in enumerate(scripts) if attributes.get("id") == id)
    return json.loads(elements.scripts[at])


def test_the_sections_stand_in_their_order(elements: Elements) -> None:
    order = ["decision", "profiles", "frontier", "envelope", "contours", "extrapolation", "forecast", "residuals"]
    order += ["coefficients", "specification", "counting", "runs", "checklist", "provenance"]
    assert [name for name in elements.ids() if name in order] == order


def test_the_verdict_line_says_exponent_interval_evidence_and_cautions(elements: Elements, frontier: Fit) -> None:
    low, high = frontier.interval("a")
    text = elements.text()
    assert f"[{low:.2f}, {high:.2f}] from 15 runs at 3 budgets: usable, with 2 cautions" in text
    assert all(note.message in text for note in frontier.verdict.notes)


def test_every_id_is_used_once_and_every_figure_has_its_place(elements: Elements) -> None:
    ids = elements.ids()
    assert len(ids) == len(set(ids))
    assert {f"figure-{name}" for name in embedded(elements, "figures")} <= set(ids)


def test_every_figure_and_table_is_described_for_those_who_cannot_see_it(elements: Elements) -> None:
    plots = [attributes for _, attributes in elements.tags if attributes.get("class") == "plot"]
    assert len(plots) == len(embedded(elements, "figures"))
    assert set(embedded(elements, "figures")) == set(DRAWINGS)
    assert all(attributes["aria-label"] for attributes in plots)
    tags = [tag for tag, _ in elements.tags]
    assert tags.count("caption") == tags.count("table") > 5
    assert [tag for tag in tags if re.fullmatch("h[1-6]", tag)][:2] == ["h1", "h2"]


def test_the_page_asks_the_network_for_nothing(html: str, elements: Elements) -> None:
    loading = {"src", "srcset", "href", "action", "data", "poster"}
    addresses = [value for _, attributes in elements.tags for name, value in attributes.items() if name in loading]
    assert all(str(address).startswith(("#", "data:")) for address in addresses)
    (policy,) = (attributes["content"] for _, attributes in elements.tags if "http-equiv" in attributes)
    assert str(policy).startswith("default-src 'none'; script-src 'sha256-")
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert styles
    assert not any(re.search(r"url\(|@import|https?:", style) for style in styles)


def test_the_csv_on_the_page_is_the_table(elements: Elements, runs: Runs) -> None:
    assert embedded(elements, "files")["runs.csv"] == runs.to_csv()


def test_colours_are_roles_that_both_schemes_know(elements: Elements) -> None:
    found, palette = embedded(elements, "figures"), embedded(elements, "palette")
    roles = set(re.findall(r'"@([\w.]+)"', json.dumps(found)))
    assert {"ramp0.000", "ramp1.000", "law", "band", "forecast"} <= roles
    assert {re.sub(r"^ramp[0-9.]+$", "ramp", role) for role in roles} <= set(palette["light"])
    assert set(palette["light"]) == set(palette["dark"])


def with_frontier(page: Evidence, frontier: Fit) -> dict[str, Any]:
    """The parts of a page, of which another fit leads."""
    return {**page.known, "profiles": frontier, "leading": frontier}


def without_forecast(page: Evidence, frontier: Fit) -> Evidence:
    return replace(page, fitted=frontier.runs, known=with_frontier(page, frontier), forecast=None, outcome=None)


def test_nothing_in_the_data_becomes_an_element(page: Evidence) -> None:
    columns = {**page.runs.columns, "run_id": np.array([HOSTILE] * len(page.runs))}
    sweep = page.profiles.runs
    hostile_sweep = replace(sweep, columns={**sweep.columns, "run_id": np.array([HOSTILE] * len(sweep))})
    assert page.outcome is not None
    hostile = replace(
        page,
        title=HOSTILE,
        runs=replace(page.runs, columns=columns, dropped=(DroppedRun(1, HOSTILE, HOSTILE),)),
        fitted=hostile_sweep,
        known=with_frontier(page, replace(page.profiles, runs=hostile_sweep)),
        outcome=replace(page.outcome, run_id=HOSTILE),
        provenance={HOSTILE: HOSTILE},
    )
    elements = Elements(render(hostile))
    scripts = [attributes for tag, attributes in elements.tags if tag == "script"]
    assert len(scripts) == 6
    assert elements.text().count("alert(") >= len(page.runs) + 4
    # plotly reads a little HTML in hover texts: there the brackets are entities.
    figures = json.dumps(embedded(elements, "figures"))
    assert "&lt;script&gt;" in figures
    assert "<script" not in figures


def test_a_refused_fit_is_a_page_that_says_why_and_draws_what_there_is(sweep: Runs) -> None:
    one_side = fit(sweep.where("d_model <= 24"), "frontier", draws=100)
    assert one_side.fitted is None
    refused = Elements(render(gather(one_side.runs, Wanted(draws=100), title="one side")))
    assert "No decision from" in refused.text()
    assert "the fit was refused" in refused.text()
    assert one_side.verdict.notes[0].message in refused.text()
    assert set(embedded(refused, "figures")) == {"isoflop", "envelope"}
    assert "law.toml" not in embedded(refused, "files")


def test_a_refused_minimum_is_drawn_open_with_its_reason(page: Evidence, sweep: Runs) -> None:
    edge = fit(sweep.where("budget < 1e12 or d_model >= 48"), "frontier", draws=100)
    (minimum,) = (found for found in edge.minima if not found.interior)
    elements = Elements(render(without_forecast(page, edge)))
    traces = embedded(elements, "figures")["isoflop"]["data"]
    (diamond,) = (trace for trace in traces if trace.get("marker", {}).get("symbol") == "diamond-open")
    assert minimum.reason in diamond["hovertext"][0]
    assert f"refused: {minimum.reason}" in elements.text()


def test_a_foreign_table_needs_no_column_but_the_three(page: Evidence, sweep: Runs) -> None:
    bare = Runs(sweep.params, sweep.tokens, sweep.loss, sweep.flops)
    elements = Elements(render(gather(bare, Wanted(draws=0), title="bare")))
    assert "row 15" in elements.text()
    assert "the table counts N in one way only" in elements.text()


def test_the_page_says_whether_the_interval_held(page: Evidence) -> None:
    assert page.forecast is not None
    assert page.outcome is not None
    for inside, words in ((True, "and the interval held"), (False, "and the interval did not hold")):
        assert words in Elements(render(replace(page, outcome=replace(page.outcome, inside=inside)))).text()
    assert "stands untested" in Elements(render(replace(page, outcome=None))).text()


def test_the_page_says_what_the_forecast_holds_and_when_the_runs_have_changed_since(page: Evidence) -> None:
    said = Elements(render(page)).text()
    assert "It does not hold the error of the form" in said
    assert "it says nothing about N*" in said
    assert "The runs have changed since" not in said
    assert page.forecast is not None
    other = replace(page.forecast, runs_digest="0" * 64)
    assert "The runs have changed since" in Elements(render(replace(page, forecast=other))).text()


def test_the_report_is_one_file(page: Evidence, tmp_path: Path, html: str) -> None:
    write_report(page, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert len(html) < 6e6


def cells(html: str, label: str) -> list[str]:
    """The cells of a column, by what it is called where a table is stacked."""
    return [unescape(cell) for cell in re.findall(rf'<td[^>]* data-label="{re.escape(label)}">(.*?)</td>', html)]


def test_losses_of_one_column_end_at_one_decimal(page: Evidence) -> None:
    losses = page.runs.loss.copy()
    losses[:2] = 1.75, 0.98
    shown = cells(render(replace(page, runs=replace(page.runs, loss=losses))), "loss")
    assert shown[:3] == ["1.750", "0.980", "2.005"]
    assert {len(loss.partition(".")[2]) for loss in shown} == {3}


def test_columns_are_called_by_words(html: str) -> None:
    assert cells(html, "width")[0] == "12"
    assert not any("d_model" in table for table in re.findall(r"<table>.*?</table>", html, re.DOTALL))


def test_powers_and_subscripts_are_set_as_such(html: str) -> None:
    assert "N* = N<sub>P</sub> (C/P)<sup>a</sup>" in html
    assert "N* ∝ C<sup>a</sup>, D* ∝ C<sup>b</sup>" in html
    assert "L = E + A/N<sup>alpha</sup> + B/D<sup>beta</sup>" in html
    assert re.search(r">N\* ∝ C<sup>0\.\d+</sup> \[", html)
    headings = re.findall(r"<(?:caption|th)[^>]*>(.*?)</(?:caption|th)>", html)
    assert len(headings) > 40
    assert not any("^" in heading or "_" in heading for heading in headings)


def test_names_out_of_the_data_are_not_typeset(page: Evidence) -> None:
    columns = {**page.runs.columns, "run_id": np.array(["A_B^2"] * len(page.runs))}
    assert ">A_B^2</th>" in render(replace(page, runs=replace(page.runs, columns=columns)))


def test_a_missed_forecast_is_in_the_first_line(page: Evidence) -> None:
    assert page.forecast is not None
    missed = judge(page.forecast, "c5e12-d64", page.forecast.run_interval[1] + 0.1)
    frontier = with_outcome(page.profiles, page.forecast, missed)
    text = Elements(render(replace(page, known=with_frontier(page, frontier), outcome=missed))).text()
    assert "at 3 budgets: usable, with 3 cautions; its own forecast missed" in text
    assert "its own forecast missed" not in Elements(render(page)).text()


def test_sentences_are_one_space_apart(page: Evidence) -> None:
    fits = (page.profiles, replace(page.profiles, intervals={}), fit(page.profiles.runs.take([0, 1]), "frontier"))
    assert not any("  " in introduction(each) for each in fits)
