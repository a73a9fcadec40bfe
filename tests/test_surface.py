"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import isoflop

PUBLIC = [
    "Approaches",
    "Asked",
    "Conventions",
    "DataError",
    "Demand",
    "Fit",
    "FlopsConvention",
    "IsoflopError",
    "Law",
    "LossUnit",
    "ParamsConvention",
    "Plan",
    "QuantityError",
    "Runs",
    "TableError",
    "UnknownName",
    "UsageError",
    "catalogue",
    "design",
    "fit",
    "fit_all",
    "law",
    "plan",
    "plans",
    "read_law",
    "read_runs",
    "simulate",
    "with_convention",
    "write_law",
]

HEAVY = ("numpy", "scipy", "torch", "plotly", "ray", "pandas", "narwhals", "pyarrow")


def test_the_public_names_are_these_and_sorted() -> None:
    assert isoflop.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC
    assert dir(isoflop) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(isoflop, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fits'"):
        isoflop.fits  # noqa: B018


def test_no_public_name_hides_a_package() -> None:
    from isoflop import conventions, fitting, laws, planning, runs

    assert {module.__name__.split(".")[1] for module in (conventions, fitting, laws, planning, runs)}.isdisjoint(PUBLIC)


def loaded_after(statement: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import isoflop", set()),
        ("from isoflop.cli.main import run; run(['--help'])", set()),
        ("from isoflop.cli.main import run; run(['plan', '1e24'])", {"numpy"}),
        ("from isoflop.cli.main import run; run(['laws'])", {"numpy"}),
        ("from isoflop.cli.main import run; run(['hardware'])", set()),
        ("from isoflop.hardware import read_budget; read_budget('64xH100 for 30 days')", set()),
        ("import isoflop as iso; iso.plan('besiroglu2024', 1e24); iso.Runs([1], [1], [1])", {"numpy"}),
        ("import isoflop; isoflop.fit", {"numpy", "scipy"}),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(statement: str, allowed: set[str]) -> None:
    assert loaded_after(statement) <= allowed
