"""The table of runs: checked at the door, frozen afterwards, and the same again from its own CSV."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.conventions import Conventions, FlopsConvention, LossUnit, ParamsConvention
from isoflop.errors import TableError, UnknownName, UsageError
from isoflop.runs import Runs, read_runs, with_convention

positive = st.floats(min_value=1e-300, max_value=1e300, allow_nan=False)


def three_runs() -> Runs:
    return Runs(
        params=[1e8, 2e8, 4e8],
        tokens=[4e9, 2e9, 1e9],
        loss=[3.1, 3.0, 3.2],
        columns={"run_id": ["a", "b", "c"], "seed": [0, 1, 2], "family": ["gpt", "gpt", "rnn"]},
        conventions=Conventions(ParamsConvention.TOTAL, loss=LossUnit.NATS_PER_TOKEN),
    )


def test_flops_are_six_n_d_when_not_given() -> None:
    runs = three_runs()
    assert runs.flops.tolist() == [2.4e18, 2.4e18, 2.4e18]
    assert runs.conventions.flops == FlopsConvention.SIX_ND


def test_a_table_is_frozen_and_keeps_its_own_copy() -> None:
    loss = np.array([3.0, 2.0])
    runs = Runs(params=[1, 2], tokens=[1, 2], loss=loss)
    loss[0] = 99.0
    assert runs.loss.tolist() == [3.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        runs.loss[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        runs.loss = loss  # type: ignore[misc]


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"loss": [3.0, -2.0]}, "row 1, column 'loss' is -2, negative"),
        ({"loss": [3.0, 0.0]}, "row 1, column 'loss' is 0, zero"),
        ({"tokens": [float("nan"), 1]}, "row 0, column 'tokens' is empty or nan"),
        ({"params": [1, float("inf")]}, "row 1, column 'params' is infinite"),
        ({"params": ["1", "many"]}, "row 1, column 'params' says 'many'"),
        ({"loss": [3.0]}, "params has 2 rows and loss 1"),
        ({"flops": [1.0]}, "params has 2 rows and flops 1"),
        ({"loss": [[3.0, 2.0]]}, "loss has 2 dimensions"),
    ],
)
def test_bad_numbers_are_refused_by_place(columns: dict[str, list[float]], named: str) -> None:
    with pytest.raises(TableError) as caught:
        Runs(**{"params": [1, 2], "tokens": [1, 2], "loss": [3.0, 2.0], **columns})
    assert named in str(caught.value)


def test_taking_by_mask_and_by_index_is_the_same() -> None:
    runs = three_runs()
    assert runs.take([True, False, True]).to_csv() == runs.take([0, 2]).to_csv()
    assert len(runs.take([1])) == 1
    assert runs.take([2]).column("run_id").tolist() == ["c"]


def test_columns_by_name() -> None:
    runs = three_runs()
    assert runs.column("seed").tolist() == [0, 1, 2]
    assert runs.column("params") is runs.params
    assert set(runs.column("loss_unit")) == {"nats_per_token"}
    with pytest.raises(UnknownName, match="did you mean 'seed'"):
        runs.column("sed")


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("loss < 3.15", "ab"),
        ("1.5e9 < tokens <= 2e9", "b"),
        ("family == 'gpt' and not seed == 0", "b"),
        ("seed == 0 or family != 'gpt'", "ac"),
        ("(seed == 0 or seed == 2) and loss > -1", "ac"),
        ("run_id >= 'b'", "bc"),
        ("params_convention == 'total'", "abc"),
        ("tokens < params", ""),
    ],
)
def test_selecting(expression: str, rows: str) -> None:
    assert "".join(three_runs().where(expression).column("run_id")) == rows


@pytest.mark.parametrize("flags", [["True", "False"], ["true", "false"]])
@pytest.mark.parametrize("expression", ["kept", "kept == True", "not kept == False", "kept != False"])
def test_truth_is_matched_in_text_columns(flags: list[str], expression: str) -> None:
    runs = Runs([1, 2], [1, 2], [3, 2], columns={"kept": flags})
    assert runs.where(expression).params.tolist() == [1.0]


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "loss.__class__ == 3",
        "[loss for loss in (1,)] == 1",
        "loss + 1 > 3",
        "loss <",
        "1 < 2",
        "loss == 'three'",
        "family == 3",
        "family in 'gpt'",
        "-family == 1",
        "loss if loss else seed",
        "lambda: 1",
        "",
        "(" * 500 + "loss" + ")" * 500,
        "loss\0 < 3",
    ],
)
def test_anything_but_comparisons_is_refused(expression: str) -> None:
    with pytest.raises(UsageError, match="compare columns with"):
        three_runs().where(expression)


def test_an_unknown_column_in_a_selection_is_named() -> None:
    with pytest.raises(UnknownName, match="no column called 'los'; did you mean 'loss'"):
        three_runs().where("los < 3")


def test_csv_and_back(tmp_path: Path) -> None:
    runs, path = three_runs(), tmp_path / "runs.csv"
    runs.write_csv(path)
    again = read_runs(path)
    assert again.to_csv() == runs.to_csv()
    assert again.conventions == runs.conventions
    assert again.columns["seed"].dtype == np.float64
    assert path.read_text().splitlines()[0].startswith("run_id,params,tokens,flops,loss,params_convention")


def test_the_digest_is_that_of_the_written_file(tmp_path: Path) -> None:
    runs, path = three_runs(), tmp_path / "runs.csv"
    runs.write_csv(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == runs.digest()
    assert runs.take([0, 1]).digest() != runs.digest()


@given(st.lists(st.tuples(positive, positive, positive), min_size=1, max_size=20))
def test_every_digit_survives_the_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]) -> None:
    N, D, L = np.array(rows).T
    runs = Runs(N, D, L, flops=N)
    path = tmp_path_factory.getbasetemp() / "digits.csv"
    runs.write_csv(path)
    again = read_runs(path)
    for name in ("params", "tokens", "loss", "flops"):
        assert getattr(again, name).tolist() == getattr(runs, name).tolist()


def counted() -> Runs:
    return Runs(
        params=[10, 20],
        tokens=[5, 5],
        loss=[3, 2],
        columns={"params_total": [15, 25], "params_non_embedding": [8, 18]},
        conventions=Conventions(ParamsConvention.MATRICES_AND_HEAD),
    )


def test_counting_by_another_convention() -> None:
    total = with_convention(counted(), ParamsConvention.TOTAL)
    assert total.params.tolist() == [15, 25]
    assert total.conventions.params == "total"
    assert total.flops.tolist() == [450, 750]  # 6 N D, by the N that is meant now
    back = with_convention(total, ParamsConvention.MATRICES_AND_HEAD)
    assert back.params.tolist() == [10, 20]


def test_counted_flops_do_not_follow_n() -> None:
    exact = dataclasses.replace(
        counted(), flops=np.array([7.0, 9.0]), conventions=Conventions(flops=FlopsConvention.EXACT_CAUSAL)
    )
    assert with_convention(exact, ParamsConvention.TOTAL).flops.tolist() == [7, 9]


def test_a_count_that_the_table_lacks_is_named() -> None:
    with pytest.raises(UnknownName, match="no column 'params_total' to count N by"):
        with_convention(Runs([1], [1], [1]), ParamsConvention.TOTAL)


def test_the_columns_of_a_table_cannot_be_changed() -> None:
    runs = Runs([1e8], [2e9], [3.1], columns={"seed": [0]})
    with pytest.raises(TypeError):
        runs.columns["seed"] = np.array([1.0])  # type: ignore[index]
    assert runs.take([0]).columns["seed"].tolist() == [0.0]


def test_no_rows_may_be_taken() -> None:
    runs = Runs([1e8], [2e9], [3.1])
    assert len(runs.take([])) == len(runs.where("loss < 0")) == 0


@pytest.mark.parametrize(("n", "fault"), [(1e300, "is infinite"), (1e-300, "is 0, zero")])
def test_compute_beyond_a_float_is_refused_unless_it_is_given(n: float, fault: str) -> None:
    with pytest.raises(TableError, match=f"row 0, 6 N D of params and tokens {fault}"):
        Runs([n], [n], [3.1])
    assert Runs([n], [n], [3.1], flops=[1e20]).flops.tolist() == [1e20]


def test_a_convention_that_there_is_not_is_named() -> None:
    with pytest.raises(UnknownName, match="no convention of N called 'totl'; did you mean 'total'"):
        with_convention(Runs([1e8], [2e9], [3.1]), "totl")  # type: ignore[arg-type]


def test_an_integer_of_hundreds_of_digits_is_refused() -> None:
    with pytest.raises(TableError, match="column 'params' is infinite"):
        Runs([10**400], [2e9], [3.1])
