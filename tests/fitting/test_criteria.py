"""What approach 3 minimises: every criterion against scipy, weights against copies, priors against conjugacy."""

import numpy as np
import pytest
from scipy.optimize import minimize

import isoflop as iso
from isoflop.errors import UnknownName, UsageError


def table(seed=0, noise=0.004, **columns):
    rng = np.random.default_rng(seed)
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e12, 7)))
    loss = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(noise * rng.standard_t(3, N.size))
    return iso.Runs(N, D, loss, columns=columns)


def huber(residual, delta):
    size = np.abs(residual)
    return np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


CRITERIA = {
    "least_squares": lambda seen, said: 0.5 * np.log(said / seen) ** 2,
    "raw_least_squares": lambda seen, said: 0.5 * (said - seen) ** 2,
    "asymmetric": lambda seen, said: huber(np.log(said / seen), 1e-3) * np.where(said > seen, 10, 1),
    "huber": lambda seen, said: huber(np.log(said / seen), 1e-3),
}


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("pin", [{}, {"E": 1.8}], ids=["closed form", "by differences"])
def test_no_optimiser_finds_a_lower_value(criterion, pin):
    """scipy's Nelder-Mead and BFGS from our optimum and from beside it."""
    runs = table()
    fit = iso.fit(runs, objective=criterion, draws=0, pin=pin)
    N, D = np.log(runs.params / 3e8), np.log(runs.tokens / 3e10)

    def value(x):
        E = 1.8 if pin else np.exp(x[4])
        said = E + np.exp(x[0] - x[2] * N) + np.exp(x[1] - x[3] * D)
        return CRITERIA[criterion](runs.loss, said).sum()

    c = fit.law.coefficients
    ours = [
        np.log(c["A"]) - c["alpha"] * np.log(3e8),
        np.log(c["B"]) - c["beta"] * np.log(3e10),
        c["alpha"],
        c["beta"],
    ] + ([] if pin else [np.log(c["E"])])
    assert value(np.array(ours)) == pytest.approx(fit.objective.value, rel=1e-9)
    rng = np.random.default_rng(1)
    for start in (np.array(ours), *(np.array(ours) + 0.05 * rng.standard_normal((3, len(ours))))):
        found = minimize(value, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-10, "fatol": 1e-16})
        assert fit.objective.value <= found.fun * (1 + 1e-7)


def test_weights_are_copies():
    """A run with half the noise of the others counts as four of it."""
    runs = table()
    noise = 0.01 * runs.loss
    noise[::5] /= 2
    weighed = iso.fit(iso.Runs(runs.params, runs.tokens, runs.loss, columns={"loss_noise": noise}), draws=0, weigh=True)
    copies = runs.take(np.repeat(np.arange(len(runs)), np.where(np.arange(len(runs)) % 5 == 0, 4, 1)))
    assert weighed.objective.value == pytest.approx(iso.fit(copies, draws=0).objective.value, rel=1e-9)
    assert "weighed by loss_noise" in weighed.objective.name


def test_weights_need_the_noise():
    with pytest.raises(UnknownName, match="loss_noise"):
        iso.fit(table(), weigh=True)


def test_a_prior_narrows_as_the_precisions_add():
    """One free coefficient: the draws' precision is the data's and the prior's, added, and the mean is weighed so."""
    runs = table(noise=0.02)
    asked = {"pin": {"A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}, "objective": "least_squares", "draws": 4000}
    free = iso.fit(runs, **asked)
    spread = free.law.draws["E"].std()
    leant = iso.fit(runs, prior={"E": (1.75, spread)}, **asked)
    assert leant.law.draws["E"].std() == pytest.approx(spread / np.sqrt(2), rel=0.12)
    middle = (free.law.coefficients["E"] + 1.75) / 2
    assert leant.law.coefficients["E"] == pytest.approx(middle, abs=0.15 * spread)


def test_a_prior_of_no_width_is_a_pin_and_one_of_great_width_is_none():
    runs = table()
    pinned, narrow = iso.fit(runs, pin={"E": 1.7}, draws=0), iso.fit(runs, prior={"E": (1.7, 1e-5)}, draws=0)
    assert narrow.law.coefficients["alpha"] == pytest.approx(pinned.law.coefficients["alpha"], rel=1e-4)
    plain, wide = iso.fit(runs, draws=0), iso.fit(runs, prior={"E": (1.7, 100.0)}, draws=0)
    assert wide.law.coefficients["alpha"] == pytest.approx(plain.law.coefficients["alpha"], rel=1e-3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prior": {"E": (1.7, 0.0)}}, "positive one"),
        ({"prior": {"E": (-1.0, 0.1)}}, "positive"),
        ({"prior": {"E": (1.7, 0.1)}, "pin": {"E": 1.7}}, "one of them"),
    ],
)
def test_a_prior_that_is_none_is_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        iso.fit(table(), **asked)


def test_runs_of_one_trajectory_are_drawn_together():
    """Five rows of one trajectory with the same luck are one run's worth of evidence, not five."""
    runs = table(noise=0.01)
    five = np.repeat(np.arange(len(runs)), 5)
    jitter = np.exp(1e-5 * np.random.default_rng(0).standard_normal(five.size))
    copies = {"params": runs.params[five], "tokens": runs.tokens[five], "loss": runs.loss[five] * jitter}
    alone = iso.fit(runs, draws=500)
    together = iso.fit(iso.Runs(**copies, columns={"trajectory": five.astype(float)}), draws=500)
    apart = iso.fit(iso.Runs(**copies), draws=500)
    width = {name: np.ptp(fit.interval("a")) for name, fit in (("1", alone), ("g", together), ("r", apart))}
    assert width["g"] == pytest.approx(width["1"], rel=0.2)
    assert width["r"] < 0.75 * width["1"]
    assert (together.drawn_by, apart.drawn_by) == ("group", "run")
    assert "draws by group" in together.summary()


def test_few_groups_are_a_caution_and_an_unknown_column_is_refused():
    runs = table()
    labels = np.arange(len(runs)) % 4
    fit = iso.fit(iso.Runs(runs.params, runs.tokens, runs.loss, columns={"width": labels}), draws=50, group="width")
    assert "few_groups" in {note.code for note in fit.verdict.notes}
    with pytest.raises(UnknownName, match="depth"):
        iso.fit(runs, group="depth")
