"""Classical designs: what they cost, where they lie, what they would tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import isoflop as iso
from isoflop.errors import DataError, UsageError
from isoflop.sweeps.designs import Design
from isoflop.sweeps.expected import expected, huber_price
from isoflop.sweeps.kinds import KINDS, Frame, isoflop_design, ladder_design
from isoflop.sweeps.next_run import next_runs
from isoflop.sweeps.optimal import GOALS, Terms, optimal_design
from isoflop.sweeps.sensitivity import (
    optimum_sensitivities,
    plausible,
    run_sensitivities,
    waste_curvature,
)

PRIOR = iso.law("besiroglu2024")
POINT = replace(PRIOR, draws=None)
TARGET = 1e24
EVERY = [*KINDS, "optimal"]


def design_of(kind: str, frame: Frame) -> Design:
    return optimal_design(frame, TARGET) if kind == "optimal" else KINDS[kind](frame)


@pytest.fixture(params=EVERY)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEveryKind:
    @pytest.mark.parametrize(("budget", "ratio", "runs"), [(1e20, (5.0, 100.0), 35), (3e18, (3.0, 300.0), 24)])
    def test_it_keeps_to_budget_range_and_number(
        self, kind: str, budget: float, ratio: tuple[float, float], runs: int
    ) -> None:
        design = design_of(kind, Frame(budget, PRIOR, runs, ratio))
        assert design.cost <= budget * (1 + 1e-9)
        assert design.cost >= 0.9 * budget
        assert len(design) in (runs, runs - runs % 4)  # a ladder has whole rungs of four
        assert (design.tokens / design.params >= ratio[0] * (1 - 1e-9)).all()
        assert (design.tokens / design.params <= ratio[1] * (1 + 1e-9)).all()
        np.testing.assert_allclose(design.flops, 6 * design.params * design.tokens, rtol=1e-12)

    def test_ten_times_the_budget_is_the_same_design_larger(self, kind: str) -> None:
        """Compute scales as N D: a design's networks grow by no more than the root of ten, and cost ten times."""
        small, large = (design_of(kind, Frame(budget, POINT)) for budget in (1e20, 1e21))
        assert large.cost / small.cost == pytest.approx(10, rel=0.1)
        assert large.params.max() > 1.5 * small.params.max()

    def test_the_same_frame_gives_the_same_design(self, kind: str) -> None:
        one, two = (design_of(kind, Frame(1e20, PRIOR)) for _ in range(2))
        np.testing.assert_array_equal(one.params, two.params)
        np.testing.assert_array_equal(one.tokens, two.tokens)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"budget": 0.0}, "buys no runs"),
        ({"budget": float("nan")}, "buys no runs"),
        ({"runs": 2}, "ask for 3 or more"),
        ({"ratio": (100.0, 5.0)}, "hold nothing"),
        ({"span": 1.0}, "is none"),
    ],
)
def test_a_frame_that_holds_nothing_is_refused(facts: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Frame(**{"budget": 1e20, "law": PRIOR, **facts})  # type: ignore[arg-type]


def test_an_isoflop_grid_spends_alike_at_each_budget() -> None:
    design = isoflop_design(Frame(1e20, PRIOR, runs=35), budgets=5)
    budgets, counts = np.unique(design.budgets.round(-3), return_counts=True)
    assert counts.tolist() == [7] * 5
    assert budgets[-1] / budgets[0] == pytest.approx(100)
    for C in budgets:
        N = design.params[np.isclose(design.budgets, C)]
        assert N.min() < float(PRIOR.optimum(C).params) < N.max()


@pytest.mark.parametrize(
    ("lengths", "share"), [((3, 7, 10), 0.6), ((7.5, 12.5, 17.5), 0.5733), ((37.5, 50, 62.5), 0.5333)]
)
def test_a_shared_trunk_costs_what_haegele_et_al_say(lengths: tuple[float, ...], share: float) -> None:
    """arXiv 2405.18392: (longest + .2 sum of the others) over the sum, for the three ladders of their figure."""
    from isoflop.sweeps.kinds import DECAY_SHARE

    ladder = [1.0 if length == max(lengths) else DECAY_SHARE for length in lengths]
    priced = sum(part * length for part, length in zip(ladder, lengths, strict=True))
    assert priced / sum(lengths) == pytest.approx(share, abs=5e-5)
    # The same rule in the product: the bill of a ladder, rung by rung.
    design = ladder_design(Frame(1e20, PRIOR, runs=30), horizons=3, shared_trunks=True)
    whole = 6 * design.params * design.tokens
    for trunk in np.unique(design.trunks):
        rung = design.trunks == trunk
        longest = whole[rung].max()
        assert design.flops[rung].sum() == pytest.approx(longest + 0.2 * (whole[rung].sum() - longest))


class TestExpected:
    def test_derivatives_of_chinchillas_law_are_the_closed_ones(self) -> None:
        """L = E + A N^-alpha + B D^-beta: d ln L / d ln A = A N^-alpha / L, and of alpha -alpha ln N times that."""
        laws = plausible(POINT)
        E, A, B, alpha, beta = (POINT.coefficients[name] for name in ("E", "A", "B", "alpha", "beta"))
        N, D = np.array([1e8, 1e9]), np.array([1e10, 2e10])
        n, d = A * N**-alpha, B * D**-beta
        L = E + n + d
        expected_rows = np.stack([np.full(2, E), n, d, -alpha * np.log(N) * n, -beta * np.log(D) * d], -1) / L[:, None]
        np.testing.assert_allclose(run_sensitivities(laws, N, D)[0], expected_rows, rtol=1e-6)
        # ln N* = ln G + a ln(C/6), G = (alpha A / beta B)^(1/(alpha + beta)).
        total = alpha + beta
        log_g = np.log(alpha * A / (beta * B)) / total
        rest = np.log(TARGET / 6) / total
        by_alpha = alpha * (1 / (alpha * total) - log_g / total - beta / total * rest)
        by_beta = beta * (-1 / (beta * total) - log_g / total + alpha / total * rest)
        closed = [0.0, 1 / total, -1 / total, by_alpha, by_beta]
        np.testing.assert_allclose(optimum_sensitivities(laws, TARGET)[0], closed, rtol=1e-6, atol=1e-9)

    def test_the_waste_of_a_wrong_split_is_the_exact_one_to_second_order(self) -> None:
        """N off by a tenth: the share of compute spent for nothing, from the law itself."""
        best = POINT.optimum(TARGET)
        for nudge in (-0.1, 0.1):
            N = float(best.params) * np.exp(nudge)
            loss = float(POINT.predict(N, TARGET / (6 * N)))
            low, high = TARGET / 10, TARGET
            for _ in range(80):
                middle = np.sqrt(low * high)
                low, high = (middle, high) if float(POINT.optimum(middle).loss) > loss else (low, middle)
            exact = 1 - low / TARGET
            assert 0.5 * waste_curvature(plausible(POINT), TARGET)[0] * nudge**2 == pytest.approx(exact, rel=0.05)

    def test_twice_the_runs_halve_the_variance(self) -> None:
        design = isoflop_design(Frame(1e20, PRIOR))
        twice = Design(
            "twice", *(np.concatenate([c, c]) for c in (design.params, design.tokens, design.flops, design.budgets)),
            trunks=np.full(2 * len(design), -1),
        )  # fmt: skip
        one, two = (expected(each, PRIOR, noise=0.003, target=TARGET) for each in (design, twice))
        assert (one.params / two.params) ** 2 == pytest.approx(2, rel=1e-6)
        assert (one.loss / two.loss) ** 2 == pytest.approx(2, rel=1e-6)

    def test_the_width_is_that_of_fitted_studies(self) -> None:
        """Sixty studies of an isoFLOP grid, truth planted, .1 % noise: the spread of ln N* to a fifth (its own error
        is a tenth)."""
        design = isoflop_design(Frame(1e21, POINT, runs=24))
        said = expected(design, POINT, noise=0.001, target=TARGET)
        answers = []
        for seed in range(60):
            wobble = np.exp(0.001 * np.random.default_rng(seed).standard_normal(24))
            runs = iso.Runs(design.params, design.tokens, POINT.predict(design.params, design.tokens) * wobble)
            fit = iso.fit(runs, draws=0)
            answers.append(float(np.log(fit.law.optimum(TARGET).params)))
        assert np.std(answers) == pytest.approx(said.params, rel=0.25)

    def test_hubers_price_is_that_of_simulated_locations(self) -> None:
        """The mean of 25 normal numbers by Huber's criterion, clipped at a third of their deviation."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((4000, 25))
        k, centre = 1 / 3, np.median(x, axis=1)
        for _ in range(200):
            centre += np.clip(x - centre[:, None], -k, k).mean(axis=1) / 0.3
        assert 25 * centre.var() == pytest.approx(huber_price(0.003, 0.001), rel=0.05)

    def test_a_design_of_fewer_runs_than_coefficients_is_refused(self) -> None:
        few = isoflop_design(Frame(1e20, PRIOR, runs=6), budgets=2)
        with pytest.raises(DataError, match="cannot show"):
            expected(replace(few, params=few.params[:3], tokens=few.tokens[:3]), PRIOR, noise=0.01, target=TARGET)

    @pytest.mark.parametrize("noise", [0.0, -1.0, 0.6, float("nan")])
    def test_a_noise_that_is_none_is_refused(self, noise: float) -> None:
        with pytest.raises(UsageError, match="is no share of the loss"):
            expected(isoflop_design(Frame(1e20, PRIOR)), PRIOR, noise=noise, target=TARGET)

    @pytest.mark.parametrize("law", ["kaplan2020_allocation", "hoffmann2022_approach2"])
    def test_a_law_without_a_surface_is_refused(self, law: str) -> None:
        with pytest.raises(DataError, match="needs a law of the loss in N and D"):
            plausible(iso.law(law))


class TestOptimal:
    @pytest.mark.parametrize("law", ["besiroglu2024", "hoffmann2022", "sardana2023"])
    @pytest.mark.parametrize(("ratio", "times"), [((5.0, 100.0), 2.0), ((3.0, 300.0), 3.0)])
    def test_it_beats_a_grid_of_equal_cost_and_number(self, law: str, ratio: tuple[float, float], times: float) -> None:
        frame = Frame(1e21, iso.law(law), 35, ratio)
        grid, best = (
            expected(design, frame.law, noise=0.003, target=TARGET)
            for design in (isoflop_design(frame), optimal_design(frame, TARGET))
        )
        assert (grid.params / best.params) ** 2 > times

    @pytest.mark.parametrize("goal", GOALS)
    def test_it_is_best_at_what_it_was_asked(self, goal: str) -> None:
        frame = Frame(1e21, PRIOR)
        said = {
            other: expected(optimal_design(frame, TARGET, goal=other), PRIOR, noise=0.003, target=TARGET)
            for other in GOALS
        }
        best = min(GOALS, key=lambda other: getattr(said[other], goal))
        assert getattr(said[goal], goal) <= 1.05 * getattr(said[best], goal)

    def test_no_single_exchange_of_a_run_is_better(self) -> None:
        """Asked of the finished design from outside: any run for any run that costs no more than its budget leaves."""
        frame = Frame(1e21, POINT, runs=12)
        terms = Terms(sizes=1, frontier=0.0)
        design = optimal_design(frame, TARGET, terms=terms)
        now = expected(design, POINT, noise=0.003, target=TARGET).params
        rng = np.random.default_rng(0)
        for _ in range(300):
            j = int(rng.integers(len(design)))
            N = np.exp(rng.uniform(np.log(design.params.min()), np.log(design.params.max())))
            D = N * np.exp(rng.uniform(np.log(5), np.log(100)))
            if design.cost - design.flops[j] + 6 * N * D > frame.budget:
                continue
            params, tokens = design.params.copy(), design.tokens.copy()
            params[j], tokens[j] = N, D
            other = replace(design, params=params, tokens=tokens)
            # Between the candidates there may be a little more to gain than on them.
            assert expected(other, POINT, noise=0.003, target=TARGET).params > 0.97 * now

    def test_the_terms_hold(self) -> None:
        frame = Frame(1e21, PRIOR, runs=30)
        terms = Terms(sizes=10, frontier=0.4, largest_run=0.1, smallest=1e8, overhead=1e19)
        design = optimal_design(frame, TARGET, terms=terms)
        assert len(np.unique(design.params)) >= 10
        assert design.params.min() >= 1e8 * (1 - 1e-9)
        assert design.flops.max() <= 0.1 * frame.budget * (1 + 1e-9)
        assert design.cost + 30 * 1e19 <= frame.budget * (1 + 1e-9)
        best = PRIOR.optimum(design.flops)
        near = np.abs(np.log(design.tokens / design.params * best.params / best.tokens)) <= np.log(2) + 1e-9
        assert (near & (design.flops >= 0.5 * frame.budget / 30)).sum() >= 12

    def test_shared_trunks_are_priced_and_no_run_is_made_twice(self) -> None:
        frame = Frame(1e21, PRIOR)
        design = optimal_design(frame, TARGET, terms=Terms(shared_trunks=True))
        assert design.cost <= frame.budget * (1 + 1e-9)
        assert len({*zip(design.params, design.tokens, strict=True)}) == len(design)
        whole = 6 * design.params * design.tokens
        for trunk in np.unique(design.trunks):
            rung = design.trunks == trunk
            longest = whole[rung].max()
            assert design.flops[rung].sum() == pytest.approx(longest + 0.2 * (whole[rung].sum() - longest))

    def test_terms_that_nothing_keeps_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"keep to the terms|larger than"):
            optimal_design(Frame(1e18, PRIOR), TARGET, terms=Terms(smallest=1e9))
        with pytest.raises(DataError, match="keep to the terms"):
            optimal_design(Frame(1e20, PRIOR), TARGET, terms=Terms(overhead=1e20))

    def test_a_goal_that_there_is_not(self) -> None:
        with pytest.raises(iso.UnknownName, match="params"):
            optimal_design(Frame(1e20, PRIOR), TARGET, goal="parms")


class TestNextRun:
    def test_the_best_is_the_best_of_all_by_the_full_inverse(self) -> None:
        """The update of rank one against the variance of the longer design, computed anew."""
        design = isoflop_design(Frame(1e21, POINT))
        found = next_runs(design.params, design.tokens, POINT, noise=0.003, target=TARGET)
        assert [one.gain_per_flop for one in found] == sorted((one.gain_per_flop for one in found), reverse=True)
        for one in found:
            longer = replace(
                design, params=np.append(design.params, one.params), tokens=np.append(design.tokens, one.tokens)
            )
            said = expected(longer, POINT, noise=0.003, target=TARGET).params
            assert one.after == pytest.approx(said, rel=1e-6)
            assert one.before == pytest.approx(expected(design, POINT, noise=0.003, target=TARGET).params, rel=1e-6)

    def test_after_a_hole_was_left_it_fills_it(self) -> None:
        """Without the long runs of small networks, what tells beta from the rest is missing."""
        design = isoflop_design(Frame(1e21, POINT))
        short = design.tokens / design.params < 30
        found = next_runs(design.params[short], design.tokens[short], POINT, noise=0.003, target=TARGET)
        assert found[0].tokens / found[0].params > 30
        assert not found[0].is_repeat

    def test_what_holds_no_run_is_refused(self) -> None:
        design = isoflop_design(Frame(1e21, POINT))
        with pytest.raises(UsageError, match="there is no run of"):
            next_runs(design.params, design.tokens, POINT, noise=0.01, target=TARGET, flops=(1e30, 1e31))
        with pytest.raises(DataError, match="cannot show"):
            next_runs(design.params[:3], design.tokens[:3], POINT, noise=0.01, target=TARGET)
