"""A law answers for a point and for its draws, and refuses what it does not know."""

from dataclasses import replace

import numpy as np
import pytest

import isoflop as iso
from isoflop.errors import DataError, UnknownName, UsageError
from isoflop.laws import FittedRange, Law, families


@pytest.fixture
def frontier() -> Law:
    numbers = {"P": 1e12, "N_P": 5e4, "a": 0.5, "D_P": 3e6, "b": 0.5, "E": 0.3, "R_P": 1.2, "gamma": 0.15}
    draws = {name: np.full(3, value) for name, value in numbers.items()}
    draws["a"] = np.array([0.4, 0.5, 0.6])
    return Law(
        "mine", "mine", families()["frontier"], numbers, fitted_range=FittedRange(flops=(1e11, 1e12)), draws=draws
    )


@pytest.mark.parametrize(("params", "tokens"), [(-1, 1e9), (1e9, 0), (float("nan"), 1e9), (1e9, [1e9, float("inf")])])
def test_what_is_no_number_of_anything_is_refused(params, tokens):
    """Where there is no such network, numpy would say nan or inf, with a warning or without one."""
    law = iso.law("besiroglu2024")
    for ask in (law.predict, law.predict_draws):
        with pytest.raises(UsageError, match=r"(params|tokens) is .*takes a positive number"):
            ask(params, tokens)
    for ask in (law.optimum, law.optimum_draws):
        with pytest.raises(UsageError, match="flops is"):
            ask(-1e22)


def test_draws_keep_the_shape_of_the_question(frontier):
    assert frontier.optimum(1e13).params.shape == ()
    assert frontier.optimum_draws(1e13).params.shape == (3,)
    assert frontier.optimum_draws([1e12, 1e13]).loss.shape == (3, 2)
    np.testing.assert_allclose(frontier.optimum_draws(1e14).params, 5e4 * 100 ** np.array([0.4, 0.5, 0.6]))


def test_a_frontier_does_not_pretend_to_know_the_surface(frontier):
    with pytest.raises(DataError, match="only the compute-optimal frontier"):
        frontier.predict(1e5, 1e6)


def test_a_law_without_draws_has_no_interval():
    law = iso.law("hoffmann2022")
    assert law.optimum_draws(1e24) is None
    assert law.predict_draws(1e9, 1e10) is None


def test_unknown_law_names_the_near_one():
    with pytest.raises(UnknownName, match="did you mean 'besiroglu2024'"):
        iso.law("besiroglu2042")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("isoflop.law/1", "isoflop.law/9"), "schema is 'isoflop.law/9'"),
        (('"chinchilla"', '"chinchila"'), "of family 'chinchila'"),
        (("alpha = 0.3478\n", ""), "lacks the coefficient alpha"),
        (("[coefficients]", "[coefficients"), "is not TOML"),
        (('id = "besiroglu2024"\n', ""), "has no id"),
        (('id = "besiroglu2024"', "id = 2024"), "says id = 2024"),
        (("E = 1.8172", 'E = "low"'), "says E = 'low', which is not a finite number"),
        (("E = 1.8172", "E = nan"), "says E = nan"),
        (("E = 1.8172", "E = true"), "says E = True"),
        (("E = 1.8172", "E = 1.8172\nF = 1.0"), r"has 'F' in \[coefficients\]"),
        (('params = "total"', 'params = "most"'), r"in \[conventions\]: 'most' is not a valid"),
        (('params = "total"', 'n = "total"'), r"has 'n' in \[conventions\]"),
        (("[fitted_range]", "[fitted_range]\nbudget = [1e18, 1e21]"), r"has 'budget' in \[fitted_range\]"),
        (("flops = [1.397e+18, 1.296e+22]", "flops = 1e18"), r"says flops = 1e\+18 in \[fitted_range\]"),
        (("flops = [1.397e+18, 1.296e+22]", "flops = [1e18, 'x']"), "says flops = 'x'"),
        (("[source]", "[source]\nauthor = 'me'"), r"has 'author' in \[source\]"),
        (("[source]\n", "[source]\ntitle = 3\n#"), "says title = 3"),
        (("[coefficients]", "[draws]\nE = 1.0\n[coefficients]"), r"says E = 1.0 in \[draws\]"),
        (("[coefficients]", "[draws]\nE = ['x']\n[coefficients]"), "says E = 'x'"),
        (("[coefficients]", "[draws]\nE = [1.0]\n[coefficients]"), "draws of unequal length"),
    ],
)
def test_a_bad_law_file_is_one_sentence(tmp_path, change, said):
    from isoflop.laws import law_to_toml

    path = tmp_path / "law.toml"
    path.write_text(law_to_toml(replace(iso.law("besiroglu2024"), draws=None)).replace(*change))
    with pytest.raises(UsageError, match=said):
        iso.read_law(path)


def test_missing_law_file():
    with pytest.raises(UsageError, match="there is no law file"):
        iso.read_law("nowhere.toml")


@pytest.mark.parametrize("name", iso.catalogue())
def test_every_published_law_says_where_it_came_from(name):
    law = iso.law(name)
    assert law.source.title
    assert law.source.arxiv
    assert law.source.where
    assert law.source.verified
