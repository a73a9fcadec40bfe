"""The figures against the law and the parabolas they draw, and the static drawing against both."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from isoflop.fitting import Fit, Forecast, Outcome, fit
from isoflop.reports import figure_svg
from isoflop.reports.figures import envelope_figure, forecast_figure, isoflop_figure, loss_figure, optimum_figure
from isoflop.reports.palette import SCHEMES, budget_roles, painted, scheme_roles
from isoflop.runs import Runs


def traces(figure: dict, mode: str) -> list[dict]:
    return [trace for trace in figure["data"] if trace["mode"] == mode]


def test_a_line_is_the_parabola_and_a_diamond_its_lowest_point(frontier: Fit) -> None:
    figure = isoflop_figure(frontier, None, None)
    lines, diamonds = traces(figure, "lines"), traces(figure, "markers+text")
    assert len(lines) == len(diamonds) == 3
    for line, diamond, found in zip(lines, diamonds, frontier.minima, strict=True):
        x = np.log(line["x"])
        c2, c1, _ = np.polyfit(x, line["y"], 2)  # a second way to the vertex
        assert np.exp(-c1 / (2 * c2)) == pytest.approx(diamond["x"][0], rel=1e-6)
        assert min(line["y"]) >= diamond["y"][0] - 1e-12
        low, high = found.params_interval
        bar = diamond["error_x"]
        assert diamond["x"][0] - bar["arrayminus"][0] == pytest.approx(low)
        assert diamond["x"][0] + bar["array"][0] == pytest.approx(high)


def test_every_run_is_drawn_once(frontier: Fit) -> None:
    drawn = [point for trace in traces(isoflop_figure(frontier, None, None), "markers") for point in trace["y"]]
    assert sorted(drawn) == sorted(frontier.runs.loss.tolist())


def test_a_run_without_a_profile_is_not_hidden(sweep: Runs) -> None:
    lonely = Runs(
        [*sweep.params, 5e4], [*sweep.tokens, 1e7], [*sweep.loss, 1.5], [*sweep.flops, 9e12],
        columns={"loss_noise": np.full(16, 0.006)},
    )  # fmt: skip
    fitted = fit(lonely, "frontier", draws=50)
    crosses = isoflop_figure(fitted, None, None)["data"][0]
    assert crosses["y"] == [1.5]
    assert figure_svg(isoflop_figure(fitted, None, None), "").count("l8 8M") == 1


@pytest.mark.parametrize("which", ["params", "tokens"])
def test_the_frontier_is_a_power_law_dashed_past_the_largest_budget(
    frontier: Fit, expected: Forecast, which: str
) -> None:
    solid, dashed = traces(optimum_figure(frontier, which, expected), "lines")[1:]
    assert solid["x"][-1] == dashed["x"][0] == max(found.flops for found in frontier.minima)
    assert (solid["line"]["dash"], dashed["line"]["dash"]) == ("solid", "dash")
    exponent = frontier.allocation[0 if which == "params" else 1]
    for line in (solid, dashed):
        assert np.polyfit(np.log(line["x"]), np.log(line["y"]), 1)[0] == pytest.approx(exponent, rel=1e-9)
    assert dashed["x"][-1] > expected.flops


def test_the_band_holds_the_draws_at_the_level(frontier: Fit, expected: Forecast) -> None:
    band = traces(optimum_figure(frontier, "params", expected), "lines")[0]
    half = len(band["x"]) // 2
    C, high, low = np.array(band["x"][:half]), np.array(band["y"][:half]), np.array(band["y"][half:])[::-1]
    draws = frontier.law.optimum_draws(C).params
    held = ((draws >= low) & (draws <= high)).mean(axis=0)
    np.testing.assert_allclose(held, frontier.level, atol=0.01)


def test_the_forecast_stands_beside_the_measured_loss(frontier: Fit, expected: Forecast, came_out: Outcome) -> None:
    close = forecast_figure(expected, came_out, frontier.runs.conventions)
    assert close["data"][-1]["x"] == [came_out.loss]
    bar = close["data"][1]
    assert bar["x"][0] - bar["error_x"]["arrayminus"][0] == pytest.approx(expected.run_interval[0])
    assert loss_figure(frontier, expected, came_out)["data"][-1]["y"] == [came_out.loss]


def test_the_svg_puts_marks_where_their_values_are(frontier: Fit, expected: Forecast, came_out: Outcome) -> None:
    drawing = ET.fromstring(figure_svg(isoflop_figure(frontier, expected, came_out), "<Losses>"))
    ns = "{http://www.w3.org/2000/svg}"
    labels = {e.text: (float(e.get("x")), float(e.get("y"))) for e in drawing.iter(f"{ns}text") if e.get("x")}
    ticks = {"10K": 1e4, "100K": 1e5}
    per_decade = labels["100K"][0] - labels["10K"][0]
    for found, name in zip(frontier.minima, ("1.5e11", "5e11", "1.5e12"), strict=True):
        across = labels["10K"][0] + per_decade * np.log10(found.params_opt / ticks["10K"])
        assert labels[name][0] == pytest.approx(across, abs=0.3)
    assert labels["1.5e11"][1] < labels["5e11"][1] < labels["1.5e12"][1] < labels["5e12, forecast"][1]
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", figure_svg(isoflop_figure(frontier, None, None), "Losses"))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        return float(
            np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        )

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_can_be_told_from_the_paper(scheme: str) -> None:
    roles = scheme_roles(scheme)
    paper = roles["paper"]
    assert min(contrast(roles[name], paper) for name in ("ink", "muted", "ok", "caution", "refused", "forecast")) > 4.5
    budgets = [
        contrast(painted(role, scheme, "color"), paper) for role in budget_roles(np.geomspace(1e18, 1e21, 9).tolist())
    ]
    assert min(budgets) > 3
    assert budgets == sorted(budgets)  # more compute stands out more


def test_a_static_picture_keeps_gaps_and_steps() -> None:
    """Training curves without a profile: the key picture is the envelope, whose curves are parted by gaps."""
    columns = {"run_id": ["a"] * 3 + ["b"] * 3}
    runs = Runs([1e8] * 3 + [2e8] * 3, [1e9, 2e9, 4e9] * 2, [4, 3.5, 3.3, 4.1, 3.4, 3.1], columns=columns)
    drawing = ET.fromstring(figure_svg(envelope_figure(runs), ""))
    lines = [e.get("d") for e in drawing.iter("{http://www.w3.org/2000/svg}path") if e.get("class") == "line"]
    assert sum(line.count("L") == 2 for line in lines) == 2  # each curve through its three checkpoints, no further
    (stairs,) = (line for line in lines if "H" in line)
    assert "L" not in stairs
