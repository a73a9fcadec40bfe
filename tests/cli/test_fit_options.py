"""Options of fit and compare that name families, coefficients and criteria: one sentence when they are wrong."""

import numpy as np
import pytest

import isoflop as iso
from isoflop.cli.main import run


@pytest.fixture
def table(tmp_path):
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    iso.Runs(N, D, 1.8 + 480 * N**-0.35 + 2100 * D**-0.37).write_csv(tmp_path / "runs.csv")
    return str(tmp_path / "runs.csv")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fit", "--pin", "E"], "give a coefficient and a number"),
        (["fit", "--pin", "E=-1"], "lies between 0 and inf"),
        (["fit", "--pin", "Q=1"], "no coefficient of chinchilla"),
        (["fit", *(f"--pin={name}=1" for name in ("E", "A", "B", "alpha", "beta"))], "nothing is left to fit"),
        (["fit", "--approach", "2", "--pin", "E=1.7"], "approach 2 fits no surface"),
        (["fit", "--family", "nothing.py:at_all"], "there is no Python file"),
        (["fit", "--family", "kaplan_steps"], "no column called 'steps'"),
        (["fit", "--delta", "5"], "it is a log residual"),
        (["compare", "--family", "kaplan"], "needs two families"),
        (["compare", "--family", "kaplan", "--family", "frontier"], "compare surfaces"),
    ],
)
def test_one_sentence_and_code_two(table, capsys, words, sentence):
    assert run([words[0], table, *words[1:]]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_pinned_coefficient_stays(table, capsys):
    assert run(["fit", table, "--pin", "E=1.8", "--draws", "60", "--approach", "all"]) in (0, 3)
    assert run(["fit", table, "--pin", "E=1.8", "--draws", "60"]) == 0
    assert "E      1.8" in capsys.readouterr().out
