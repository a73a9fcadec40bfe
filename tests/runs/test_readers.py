"""Reading run tables: every source gives the same rows, and a bad file is refused by file, row and column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoflop.errors import TableError
from isoflop.runs import Runs, read_runs, write_study_table

ROWS = [
    {"run_id": "007", "params": 1e8, "tokens": 4e9, "loss": 3.25, "seed": 0, "family": "gpt"},
    {"run_id": "008", "params": 2e8, "tokens": 2e9, "loss": 3.0, "seed": 1, "family": "rnn"},
]
HEADER = "params,tokens,loss\n"


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"runs{suffix}"
    if suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    elif suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        gap = "," if suffix == ".csv" else "\t"
        lines = [gap.join(ROWS[0]), *(gap.join(str(cell) for cell in row.values()) for row in ROWS)]
        path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str) -> None:
    runs = read_runs(written(tmp_path, suffix))
    expected = Runs(
        params=[1e8, 2e8],
        tokens=[4e9, 2e9],
        loss=[3.25, 3.0],
        columns={"run_id": ["007", "008"], "seed": [0.0, 1.0], "family": ["gpt", "rnn"]},
    )
    assert runs.to_csv() == expected.to_csv()


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_frames_give_the_same_table(tmp_path: Path, library: str) -> None:
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    frame = module.DataFrame(ROWS) if library == "pandas" else module.Table.from_pylist(ROWS)
    assert Runs.from_frame(frame).to_csv() == read_runs(written(tmp_path, ".csv")).to_csv()


def test_a_frame_with_missing_values_and_other_names() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pd.DataFrame({"n": pd.array([1, 2, None], dtype="Int64"), "tokens": [1, 2, 3], "loss": [3.0, 2.0, 1.0]})
    assert Runs.from_frame(frame, columns={"params": "n"}, where="tokens < 3").params.tolist() == [1, 2]
    with pytest.raises(TableError, match="row 2, column 'n' is empty or nan"):
        Runs.from_frame(frame, columns={"params": "n"})
    with pytest.raises(TableError, match="a list is not a data frame"):
        Runs.from_frame([1, 2])


def test_numbers_in_quotes_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"params": "1e8", "tokens": 2, "loss": 3}\n{"params": 2e8, "tokens": 2, "loss": 3}\n')
    assert read_runs(path).params.tolist() == [1e8, 2e8]


def test_mapped_columns_take_the_place_of_others_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,n,tokens,loss\n1,10,5,3\n")
    assert read_runs(path).params.tolist() == [1]
    runs = read_runs(path, columns={"params": "n"})
    assert runs.params.tolist() == [10]
    assert not runs.columns


COUNTED = "params,params_total,n,params_convention,tokens,flops,flops_exact_full,loss,loss_unit\n"


def test_a_mapped_column_does_not_keep_the_convention_of_another(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(COUNTED + "30,40,35,matrices_and_head,5,900,990,3,nats_per_byte\n")
    assert read_runs(path).conventions.params == "matrices_and_head"
    total = read_runs(path, columns={"params": "params_total"})
    assert (total.params.tolist(), str(total.conventions.params)) == ([40], "total")
    assert read_runs(path, columns={"params": "n"}).conventions.params == "unstated"
    assert read_runs(path, columns={"params": "params"}).conventions.params == "matrices_and_head"
    full = read_runs(path, columns={"flops": "flops_exact_full"}).conventions
    assert (full.flops, full.params, full.loss) == ("exact_full", "matrices_and_head", "nats_per_byte")
    assert read_runs(path, columns={"loss": "n"}).conventions.loss == "unstated"
    own = read_runs(path, columns={"params": "n", "params_convention": "params_convention"})
    assert own.conventions.params == "matrices_and_head"
    assert len(read_runs(path, columns={"params": "n"}, where="params_convention == 'matrices_and_head'")) == 1


@pytest.mark.parametrize("name", ["budget", "loss_noise"])
@pytest.mark.parametrize(
    ("cells", "named"),
    [
        ("large,1", "row 2, column '{}' says 'large'"),
        ("1,", "row 3, column '{}' is empty"),
        ("1,0", "is 0, zero"),
        ("-1,1", "is -1, neg"),
    ],
)
def test_the_columns_that_a_fit_reads_are_checked_at_the_door(
    tmp_path: Path, name: str, cells: str, named: str
) -> None:
    path = tmp_path / "runs.csv"
    one, two = cells.split(",")
    path.write_text(f"params,tokens,loss,{name}\n1,2,3,{one}\n1,2,3,{two}\n")
    with pytest.raises(TableError) as caught:
        read_runs(path)
    assert named.format(name) in str(caught.value)
    with pytest.raises(TableError, match=f"column '{name}'"):
        Runs([1, 1], [2, 2], [3, 3], columns={name: [one, two]})


def test_a_budget_column_of_blanks_is_none(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,tokens,loss,budget\n1,2,3,\n1,2,3,\n")
    assert "budget" not in read_runs(path).columns


def test_blanks_are_nan_in_number_columns_and_text_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,tokens,loss,flops,lr,note\n1,1,3,,1e-3,\n1,1,3,,,\n")
    runs = read_runs(path)
    np.testing.assert_array_equal(runs.columns["lr"], [1e-3, np.nan])
    assert runs.columns["note"].tolist() == ["", ""]
    assert runs.flops.tolist() == [6, 6]  # an empty column is no column


def test_spreadsheets_write_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("\ufeff" + HEADER + "1,2,3\n", encoding="utf-8")
    assert len(read_runs(path)) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is empty; give a table"),
        (HEADER, "has no runs"),
        (HEADER + "1e8,1e9,3\n1e8,many,3\n", "row 3, column 'tokens' says 'many', which is not a number"),
        (HEADER + "1,2,-3\n", "row 2, column 'loss' is -3, negative"),
        (HEADER + "\n\n1,2,nan\n", "row 4, column 'loss' is empty or nan"),
        (HEADER + "1,2,3\n1,2,\n", "row 3, column 'loss' is empty"),
        (HEADER + "1,2\n", "row 2 has 2 cells and the header 3"),
        (
            "n_params,tokens,loss\n1,2,3\n",
            "no column 'params' (say which one it is with --params-column); did you mean 'n_params'?",
        ),
        ("params,params,loss\n1,2,3\n", "the column 'params' more than once"),
        ("params,tokens,loss,state\n1,2,3,failed\n", "no finished run (row 2: its state is 'failed', not 'done')"),
        ("params,tokens,loss,params_convention\n1,2,3,total\n1,2,3,non_embedding\n", "mixes conventions"),
        (
            "params,tokens,loss,loss_unit\n1,2,3,nats\n",
            "row 2, column 'loss_unit' says 'nats'; there are: unstated, nats_per",
        ),
    ],
)
def test_a_bad_file_is_refused_by_file_row_and_column(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(text)
    with pytest.raises(TableError) as caught:
        read_runs(path)
    assert str(caught.value).startswith(str(path))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("runs.jsonl", b"", "is empty"),
        ("runs.jsonl", b'{"params": 1}\n{oops\n', "row 2 is not JSON"),
        ("runs.jsonl", b"[1, 2]\n", "row 1 is not an object"),
        ("runs.jsonl", b'{"params": 1, "tokens": 2, "loss": "low"}\n', "row 1, column 'loss' says 'low'"),
        (
            "runs.jsonl",
            b'{"params": "1", "tokens": 2, "loss": 3}\n{"params": 0, "tokens": 2, "loss": 3}\n',
            "is 0, zero",
        ),
        ("runs.jsonl", b'{"params": 1, "tokens": 2, "loss": NaN}\n', "row 1, column 'loss' is empty or nan"),
        ("runs.csv", b"params,tokens,loss\n1,2,\xff\n", "is not UTF-8 text (byte 23)"),
        ("runs.parquet", b"hello", "is not a Parquet file that can be read"),
        ("runs.xlsx", b"hello", "is none of the tables that isoflop reads (.csv, .tsv, .jsonl, .parquet)"),
    ],
)
def test_other_bad_files(tmp_path: Path, name: str, content: bytes, named: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError) as caught:
        read_runs(tmp_path / name)
    assert named in str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"cannot read .*nowhere\.csv: No such file"):
        read_runs(tmp_path / "nowhere.csv")
    path = written(tmp_path, ".csv")
    with pytest.raises(TableError, match="no column 'n'"):
        read_runs(path, columns={"params": "n"})
    with pytest.raises(TableError, match="leaves none of 2 rows"):
        read_runs(path, where="loss > 99")


def test_unfinished_rows_are_listed_and_a_bad_row_can_be_selected_away(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("run_id,params,tokens,loss,state\na,1,2,3,done\nb,1,2,,diverged\nc,1,2,-1,done\n")
    runs = read_runs(path, where="loss > 0")
    assert runs.column("run_id").tolist() == ["a"]
    (dropped,) = runs.dropped
    assert (dropped.row, dropped.run_id, dropped.reason) == (3, "b", "its state is 'diverged', not 'done'")


def test_two_conventions_can_be_told_apart_by_a_selection(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("params,tokens,loss,params_convention\n1,2,3,total\n1,2,3,non_embedding\n")
    runs = read_runs(path, where="params_convention == 'total'")
    assert runs.conventions.params == "total"
    assert "params_convention" not in runs.columns


def test_the_digitised_chinchilla_runs(shared_data: Path) -> None:
    path = shared_data / "chinchilla_epoch" / "runs.csv"
    runs = read_runs(path, where="epoch_outlier_excluded == False")
    assert len(runs) == 240
    assert len(read_runs(path)) == 245


def put_run(study: Path, run_id: str, budget: float, width: int, **changes: Any) -> None:
    """A run folder as the trainer leaves it."""
    spec = {
        "schema": "isoflop.run_spec/1",
        "purpose": "sweep",
        "budget": budget,
        "seed": 0,
        "shape": {"layers": 2, "d_model": width, "heads": 1},
        "optimiser": {"learning_rate": 0.01},
    }
    result: dict[str, Any] = {
        "schema": "isoflop.result/1",
        "run_id": run_id,
        "state": "done",
        "params": {"total": 40, "non_embedding": 20, "embedding": 10, "matrices_and_head": 30},
        "tokens": 512,
        "steps": 1,
        "flops": 1.01 * budget,
        "loss": 2.5,
        "corpus_digest": "12e4",
        "spec_digest": "0123456789012345",
        "torch": "2.9.0",
        "cpu_capability": "AVX512",
        "threads": 1,
        "seconds": 1.5,
        "tokens_per_second": 341.0,
        "finished_at": "2026-01-01T00:00:00+00:00",
    }
    folder = study / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "result.json").write_text(json.dumps(result | changes))


def test_a_study_folder(tmp_path: Path) -> None:
    put_run(tmp_path, "late", budget=2e11, width=16)
    put_run(tmp_path, "wide", budget=1e11, width=32)
    put_run(tmp_path, "slim", budget=1e11, width=16)
    put_run(tmp_path, "lost", budget=1e11, width=24, state="diverged", loss=None)
    (tmp_path / "runs" / "running").mkdir()
    runs = read_runs(tmp_path)
    assert runs.column("run_id").tolist() == ["slim", "wide", "late"]
    assert runs.params.tolist() == [30, 30, 30]
    assert runs.flops.tolist() == [1.01e11, 1.01e11, 2.02e11]
    assert runs.conventions.to_dict() == {
        "params": "matrices_and_head",
        "flops": "exact_causal",
        "loss": "nats_per_byte",
    }
    assert runs.column("params_total").tolist() == [40, 40, 40]
    assert runs.column("corpus_digest").tolist() == ["12e4"] * 3  # a digest is never a number
    assert list(runs.columns)[-3:] == ["seconds", "tokens_per_second", "finished_at"]
    assert "attempt" not in runs.columns
    assert [(one.run_id, one.reason) for one in runs.dropped] == [("lost", "its state is 'diverged', not 'done'")]


def test_a_study_and_its_csv_are_one_table(tmp_path: Path) -> None:
    put_run(tmp_path, "wide", budget=1e11, width=32)
    put_run(tmp_path, "slim", budget=1e11, width=16)
    runs = read_runs(tmp_path)
    runs.write_csv(tmp_path / "runs.csv")
    assert read_runs(tmp_path / "runs.csv").digest() == runs.digest()


def test_a_studys_table_holds_the_runs_that_diverged(tmp_path: Path) -> None:
    put_run(tmp_path, "slim", budget=1e11, width=16)
    put_run(tmp_path, "lost", budget=1e11, width=24, state="diverged", loss=None)
    write_study_table(tmp_path, tmp_path / "runs.csv")
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["slim", "done"], ["lost", "diverged"]]
    runs = read_runs(tmp_path / "runs.csv")
    assert runs.digest() == read_runs(tmp_path).digest()
    assert [(one.row, one.run_id, one.reason) for one in runs.dropped] == [
        (3, "lost", "its state is 'diverged', not 'done'")
    ]


def test_folders_that_are_no_study(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="without runs/, so it is no study"):
        read_runs(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(TableError, match="no run with a result yet"):
        read_runs(tmp_path)
    put_run(tmp_path, "odd", budget=1e11, width=16, schema="isoflop.result/9")
    with pytest.raises(TableError, match=r"says schema 'isoflop\.result/9'"):
        read_runs(tmp_path)
