"""Every playground keeps the contract, and shows the numbers of the papers it names."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import pytest

import isoflop as iso
from isoflop.conventions import ParamsConvention
from isoflop.errors import UsageError
from isoflop.laws import convert
from isoflop.reports.figures import Figure
from isoflop.reports.palette import SCHEMES, painted
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import PLAYGROUNDS, Answer, Control, Playground

COLOURS = re.compile(r"#[0-9a-f]{6}|rgba\(.*\)")


def ends(control: Control) -> tuple[str | float, ...]:
    return control.choices or (control.low, control.high)


def colours(value: object, key: str = "") -> list[str]:
    """Every colour of a painted figure, but scales."""
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in colours(one, name)]
    if isinstance(value, list):
        return [found for one in value for found in colours(one, key)]
    return [value] if key.endswith("color") and isinstance(value, str) else []


def keeps_the_contract(answer: Answer) -> None:
    plain = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert plain["numbers"]
    assert all(one["text"] for one in plain["numbers"])
    assert len({one["label"] for one in plain["numbers"]}) == len(plain["numbers"])
    assert plain["sentence"].endswith(".")
    assert 1 <= len(plain["figures"]) <= 2
    for name, figure in plain["figures"].items():
        assert re.fullmatch(r"[a-z-]+", name)
        assert figure["caption"].endswith(".")
        assert any(len(trace["x"]) > 1 for trace in figure["data"])
        assert all(len(trace["x"]) == len(trace["y"]) for trace in figure["data"])
        for scheme in SCHEMES:
            assert all(COLOURS.fullmatch(colour) for colour in colours(painted(figure, scheme)))


@pytest.mark.parametrize("playground", PLAYGROUNDS.values(), ids=PLAYGROUNDS)
class TestEveryPlayground:
    def test_explains_itself_in_three_sentences_and_names_its_paper(self, playground: Playground) -> None:
        assert re.fullmatch(r".+ \d{4}, arXiv \d{4}\.\d{5}", playground.paper)
        assert len(playground.sentences) == 3
        for sentence in playground.sentences:
            assert re.fullmatch(r"[A-Z].*[.?]", sentence)
            assert not re.search(r"[^.][.?!] [A-Z]", sentence.replace("et al. ", ""))
        json.dumps(playground.to_dict(), allow_nan=False)

    def test_answers_at_its_defaults(self, playground: Playground) -> None:
        keeps_the_contract(playground.ask({}))

    def test_answers_at_both_ends_of_every_control(self, playground: Playground) -> None:
        for control in playground.controls:
            for value in ends(control):
                keeps_the_contract(playground.ask({control.name: value}))

    def test_answers_where_every_control_is_at_an_end(self, playground: Playground) -> None:
        chosen = np.random.default_rng(0)
        for _ in range(4):
            values = {control.name: chosen.choice(np.array(ends(control), object)) for control in playground.controls}
            keeps_the_contract(playground.ask(values))

    def test_reads_what_a_query_string_holds(self, playground: Playground) -> None:
        texts = {control.name: str(control.default) for control in playground.controls}
        assert playground.ask(texts).to_dict() == playground.ask({}).to_dict()

    def test_every_control_matters(self, playground: Playground) -> None:
        usual = json.dumps(playground.ask({}).to_dict())
        for control in playground.controls:
            assert any(json.dumps(playground.ask({control.name: end}).to_dict()) != usual for end in ends(control))

    def test_refuses_what_a_control_cannot_take_in_one_sentence(self, playground: Playground) -> None:
        bad: list[tuple[str, str | float]] = [("colour", "red")]
        for control in playground.controls:
            beyond = (2 * control.high + 1, control.low - 0.1 * abs(control.low) - 1)
            wrong = ("nosuch", "") if control.choices else ("abc", "", "nan", *beyond)
            bad += [(control.name, value) for value in wrong]
        for name, value in bad:
            with pytest.raises(UsageError, match=name) as refusal:
                playground.ask({name: value})
            assert str(refusal.value).endswith(".")


def asked(name: str, **settings: str | float) -> Answer:
    return PLAYGROUNDS[name].ask(settings)


class TestKaplanAgainstChinchilla:
    @pytest.mark.parametrize(
        ("constants", "printed", "slope"), [("besiroglu2024", 0.78, 0.7805), ("hoffmann2022", 0.74, 0.7388)]
    )
    def test_the_exponent_without_embeddings(self, constants: str, printed: float, slope: float) -> None:
        """T9 and T10: the authors' script takes the nearest of tokens 4.5 % apart, which is worth .005."""
        N, flops, D = np.logspace(2.9, 9.2, 20), np.logspace(12.95, 20.7, 100), np.logspace(6, 25, 1000)
        blocks = convert(iso.law(constants), ParamsConvention.NON_EMBEDDING)
        nearest = np.abs(6 * N[:, None, None] * D - flops[:, None]).argmin(axis=2)
        best = N[blocks.predict(N[:, None], D[nearest]).argmin(axis=0)]
        script = np.polyfit(np.log(flops), np.log(best), 1)[0]
        assert script == pytest.approx(slope, abs=1e-3)
        found = asked("kaplan_chinchilla", constants=constants).number("fitted exponent")
        assert found == pytest.approx(script, abs=6e-3)
        assert round(float(found or 0), 2) == printed

    @pytest.mark.parametrize(("constants", "exponent"), [("besiroglu2024", 0.5154), ("hoffmann2022", 0.4577)])
    def test_the_exponent_of_all_parameters(self, constants: str, exponent: float) -> None:  # T9, T10
        found = asked("kaplan_chinchilla", constants=constants, count="all parameters")
        assert found.number("fitted exponent") == pytest.approx(exponent, abs=5e-3)

    def test_far_up_both_agree(self) -> None:  # T9: .5147 over 1e20 to 1e26, and .5126 in the limit
        found = asked("kaplan_chinchilla", smallest=1e20, decades=6)
        assert found.number("fitted exponent") == pytest.approx(0.5147, abs=5e-3)

    @pytest.mark.parametrize(
        ("params", "exponent"), [(1e3, 0.7630), (1e6, 0.9628), (1e8, 0.6128), (1.5e9, 0.5300), (1e12, 0.5128)]
    )
    def test_the_local_exponent(self, params: float, exponent: float) -> None:  # T11
        last = float(convert(iso.law("besiroglu2024"), ParamsConvention.NON_EMBEDDING).flops_at(params))
        decades = min(10.0, np.log10(last / 1e10))
        found = asked("kaplan_chinchilla", smallest=max(1e10, last / 10**decades), decades=decades)
        assert found.number("local exponent at the largest budget") == pytest.approx(exponent, abs=1e-3)
        assert found.number("optimal networks there, largest") == pytest.approx(params, rel=1e-6)


class TestExtrapolation:
    @pytest.mark.parametrize(
        ("settings", "exponent", "error"),
        [
            ({"region": "all"}, 0.5104, -0.0005),  # T40
            ({"region": "small"}, 0.530, -0.049),  # T41, and the next two
            ({"region": "small", "bias": 100}, None, -0.287),
            ({"region": "small", "bias": -100}, None, 0.145),
        ],
    )
    def test_the_posts_numbers(self, settings: dict[str, str | float], exponent: float | None, error: float) -> None:
        found = asked("extrapolation", **settings)
        assert found.number("error at the target") == pytest.approx(error, abs=0.002)
        if exponent is not None:
            assert found.number("exponent a of N*, fitted") == pytest.approx(exponent, abs=0.002)

    def test_a_fit_that_is_refused_has_no_number_and_says_why(self) -> None:
        found = asked("extrapolation", region="small", decimals=0)
        assert found.number("error at the target") is None
        assert "refused" in found.sentence


class TestApproach2:
    @pytest.mark.parametrize(
        ("settings", "errors"),
        [
            ({"alpha": 0.34, "beta": 0.28}, (-0.326938, -1.301125, -2.902905, -5.100245)),  # T28
            ({"alpha": 0.465, "beta": 0.155}, (-1.674748, -6.497779, -13.910419, -23.116308)),  # T29
            ({"alpha": 0.31, "beta": 0.31, "centre": 3}, (3.974244, 3.471818, 2.645165, 1.509792)),  # T30
        ],
    )
    def test_czechs_errors(self, settings: dict[str, str | float], errors: tuple[float, ...]) -> None:
        for width, error in zip((2, 4, 8, 16), errors, strict=True):
            found = asked("approach2_bias", width=width, **settings)
            assert found.number("error of D* at 1e24 FLOPs") == pytest.approx(error / 100, abs=1e-7)
            alpha, beta = float(settings["alpha"]), float(settings["beta"])
            assert found.number("exponent b of D*, fitted") == pytest.approx(alpha / (alpha + beta), abs=1e-9)

    def test_drifting_centres_corrupt_the_exponent(self) -> None:  # T31
        for width, b, error in ((2, 0.50408, 6.07), (4, 0.50355, 5.17), (8, 0.50268, 3.70), (16, 0.50147, 1.69)):
            found = asked("approach2_bias", width=width, alpha=0.31, beta=0.31, drift=3)
            assert found.number("exponent b of D*, fitted") == pytest.approx(b, abs=1e-5)
            assert found.number("error of D* at 1e24 FLOPs") == pytest.approx(error / 100, abs=6e-5)

    @pytest.mark.parametrize("width", [2, 4, 8, 16])
    def test_the_closed_form(self, width: float) -> None:  # T32: ln D* of the vertex, to leading order and in full
        alpha, beta = 0.34, 0.28
        w = np.linspace(-np.log(width), np.log(width), 15)
        odd, even = np.sinh(alpha * w) / alpha - np.sinh(beta * w) / beta, np.cosh(alpha * w) / alpha
        even += np.cosh(beta * w) / beta
        square = w**2 - np.mean(w**2)
        shift = -0.5 * (w @ odd / (w @ w)) / (square @ even / (square @ square))
        found = asked("approach2_bias", width=width, alpha=alpha, beta=beta)
        assert found.number("error of D* at 1e24 FLOPs") == pytest.approx(np.expm1(shift), abs=1e-7)


class TestEmergence:
    """Schaeffer et al. 2023, section 2: a token is right with p = exp(-(N/c)^-alpha), and k of them with p^k."""

    def test_a_longer_answer_moves_the_leap_and_does_not_sharpen_it(self) -> None:
        one, many = (asked("emergence", length=length, tests=100, alpha=0.5) for length in (1, 20))
        width = "powers of ten between the two"
        assert one.number(width) == pytest.approx(np.log10(np.log(100) / np.log(2)) / 0.5)
        assert many.number(width) == pytest.approx(one.number(width))
        half = "parameters at which half of them are"
        assert many.number(half) / one.number(half) == pytest.approx(20 ** (1 / 0.5))

    def test_a_larger_test_set_sees_it_earlier(self) -> None:
        few, more = (asked("emergence", length=10, tests=tests) for tests in (100, 10_000))
        first = "parameters at which one test in the set is solved"
        assert few.number(first) / more.number(first) == pytest.approx(2 ** (1 / 0.35))

    def test_scores_on_a_planted_set(self) -> None:
        """The line is what simulated answers score, token by token."""
        chosen = np.random.default_rng(1)
        N, length = 10**10.5, 5
        right = chosen.random((40_000, length)) < np.exp(-((N / 1e8) ** -0.35))
        for metric, score in (("exact match", right.all(1).mean()), ("token edit distance", (~right).sum(1).mean())):
            line = asked("emergence", length=length, metric=metric).figures["score"]["data"][0]
            drawn = np.interp(np.log(N), np.log(line["x"]), line["y"])
            assert drawn == pytest.approx(score, rel=0.03)


DRAWING, LETTER = (765, 241), (6.4, 13)
"""Pixels, as Chromium lays it out in a window of 1280: the drawing within its axes, and a letter of a name in it."""


def boxes_of_names(figure: Figure) -> dict[str, tuple[FloatArray, FloatArray]]:
    """The lower left and the upper right corner of each network's name, in pixels."""
    ranges = np.array([figure["layout"][axis]["range"] for axis in ("xaxis", "yaxis")])
    found = {}
    for trace in figure["data"]:
        if trace["mode"] != "markers+text":
            continue
        upright, across = trace["textposition"].split()
        side = np.array([("left", "center", "right").index(across), ("bottom", "middle", "top").index(upright)]) - 1
        point = np.log10([trace["x"][0], trace["y"][0]])
        at = (point - ranges[:, 0]) / np.ptp(ranges, axis=1) * DRAWING
        size = np.array(LETTER) * [len(trace["text"][0]), 1]
        beside = side * (size + trace["marker"]["size"]) / 2
        found[trace["text"][0]] = (at + beside - size / 2, at + beside + size / 2)
    return found


class TestThreeAxes:
    @pytest.mark.parametrize(
        ("law", "params", "exponent"), [("besiroglu2024", 7.2249e10, 0.512612), ("hoffmann2022", 4.0361e10, 0.456497)]
    )
    def test_the_optimum_at_chinchillas_compute(self, law: str, params: float, exponent: float) -> None:
        """T2 and T3 are at 5.76e23 FLOPs; 70B on 1.4T are 5.88e23."""
        found = asked("three_axes", law=law, network="chinchilla-70b")
        C = found.number("compute, 6 N D (FLOPs)")
        there = params * (C / 5.76e23) ** exponent
        assert found.number("compute-optimal parameters at its compute") == pytest.approx(there, rel=1e-3)

    def test_losses_of_gopher_and_chinchilla(self) -> None:  # T5, of networks counted exactly
        for network, loss in (("gopher-280b", 1.9996), ("chinchilla-70b", 1.9739)):
            assert asked("three_axes", network=network).number("loss under the law") == pytest.approx(loss, abs=2e-4)

    def test_the_compute_that_another_split_would_save(self) -> None:
        found, law = asked("three_axes", network="gpt3-175b"), iso.law("besiroglu2024")
        C, wasted = (
            found.number("compute, 6 N D (FLOPs)"),
            found.number("training compute that another split would save"),
        )
        assert float(law.optimum((1 - wasted) * C).loss) == pytest.approx(found.number("loss under the law"), rel=1e-9)

    def test_names_do_not_stand_on_one_another(self) -> None:
        for axes in ("N against C", "D against C", "D against N"):
            figure = asked("three_axes", axes=axes, network="llama2-70b").figures["networks"]
            boxes = boxes_of_names(figure)
            assert "llama2-70b" in boxes
            assert len(boxes) >= 12
            for (one, here), (other, there) in combinations(boxes.items(), 2):
                assert np.any(here[0] >= there[1]) or np.any(there[0] >= here[1]), (one, other)


class TestLearningCurve:
    def test_the_steepest_slope_in_closed_form(self) -> None:
        """With u = (D/D_0)^beta the slope is beta u (L_0 - E)/((1 + u)(L_0 + E u)), greatest at sqrt(L_0/E)."""
        guess, floor, exponent, entry = 10.4, 1.7, 0.35, 1e6
        found = asked("learning_curve", guess=guess, floor=floor, exponent=exponent, entry=entry)
        r, s = np.sqrt(guess), np.sqrt(floor)
        assert found.number("steepest local exponent") == pytest.approx(exponent * (r - s) / (r + s), rel=1e-4)
        steepest = entry * (r / s) ** (1 / exponent)
        assert found.number("tokens at which it is steepest") == pytest.approx(steepest, rel=0.02)
        # Half of that where L_0/u + E u = 2 (sqrt L_0 + sqrt E)^2 - L_0 - E.
        u = np.sort(np.roots([floor, -(2 * (r + s) ** 2 - guess - floor), guess]))
        assert found.number("power law from (tokens)") == pytest.approx(entry * u[0] ** (1 / exponent), rel=0.03)
        assert found.number("power law to (tokens)") == pytest.approx(entry * u[1] ** (1 / exponent), rel=0.03)

    def test_without_a_floor_the_power_law_has_no_end(self) -> None:
        for form in ("smooth join", "Rosenfeld et al.'s envelope"):
            found = asked("learning_curve", floor=0, form=form)
            assert found.number("power law to (tokens)") is None
            assert found.number("steepest local exponent") == pytest.approx(0.35, rel=1e-3)

    def test_rosenfelds_envelope(self) -> None:
        """Equation 5 with eta the loss of a guess, written as the modulus that it is."""
        guess, floor, exponent, entry = 10.4, 1.7, 0.35, 1e6
        curve = asked("learning_curve", form="Rosenfeld et al.'s envelope").figures["curve"]["data"]
        line = next(trace for trace in curve if trace["mode"] == "lines" and len(trace["x"]) > 2)
        e = (guess - floor) * (np.array(line["x"]) / entry) ** -exponent + floor
        np.testing.assert_allclose(line["y"], guess * np.abs(e / (e - 1j * guess)), rtol=1e-12)


class TestInference:
    @pytest.mark.parametrize(
        ("constants", "params", "served", "N", "saving"),
        [
            ("hoffmann2022", 13e9, 2e12, 7.12e9, 0.163),  # T20
            ("hoffmann2022_rounded", 13e9, 2e12, 8.02e9, 0.101),  # T21
            ("besiroglu2024", 13e9, 2e12, 6.10e9, 0.290),  # T21
            ("hoffmann2022", 30e9, 1e13, 13.93e9, 0.266),  # T22
        ],
    )
    def test_sardanas_networks(self, constants: str, params: float, served: float, N: float, saving: float) -> None:
        found = asked("inference", constants=constants, params=params, served=served)
        assert found.number("parameters") == pytest.approx(N, rel=2e-3)
        assert found.number("saved of all compute") == pytest.approx(saving, abs=6e-4)

    def test_the_papers_seven_billion_for_thirteens_quality(self) -> None:  # T20: 2.1 times the tokens
        found = asked("inference")
        assert found.number("training tokens over those of training alone") == pytest.approx(2.10, abs=0.01)
        assert found.number("training tokens") == pytest.approx(1.295e12, rel=1e-3)

    @pytest.mark.parametrize("constants", ["hoffmann2022", "besiroglu2024", "sardana2023"])
    def test_the_drawn_demand_is_the_searched_optimum(self, constants: str) -> None:
        """The curve is the condition of the optimum solved for the demand; the star is planning's search."""
        for served in (1e11, 2e12, 5e13):
            line, star = asked("inference", constants=constants, served=served).figures["demand"]["data"][-2:]
            order = np.argsort(line["x"])
            drawn = np.interp(np.log(served), np.log(np.array(line["x"])[order]), np.log(np.array(line["y"])[order]))
            assert np.exp(drawn) == pytest.approx(star["y"][0], rel=3e-3)
