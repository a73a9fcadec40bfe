"""Runs in a study folder: ``runs/<id>/spec.json`` says what was to be done, ``result.json`` what came out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.errors import TableError
from isoflop.files import read_object
from isoflop.runs.columns import RawTable, column_from_values

RESULT_SCHEMA = "isoflop.result/1"


def read_study(folder: Path) -> RawTable:
    """One row for each run that has a result, by budget, width and seed; rows are counted from 1.

    A run without ``result.json`` is still running, or was killed: it is no row. N is the count of
    matrices and head, the weights that cost FLOPs; the other counts stand beside it.
    """
    if not (folder / "runs").is_dir():
        raise TableError(f"{folder} is a folder without runs/, so it is no study; give a study or a table of runs.")
    measured = _measured(folder)
    rows = [_row(result.parent, measured) for result in (folder / "runs").glob("*/result.json")]
    if not rows:
        raise TableError(f"{folder} has no run with a result yet; let its runs finish first.")
    rows.sort(key=lambda row: (row["budget"], row["d_model"], row["seed"], row["run_id"]))
    columns = {name: column_from_values(name, [row[name] for row in rows]) for name in rows[0]}
    return RawTable(source=str(folder), columns=columns, rows=np.arange(1, len(rows) + 1))


def _measured(folder: Path) -> dict[str, float]:
    """What study.toml says of all runs alike: the noise between seeds, where its recipe has measured it."""
    try:
        design = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise TableError(f"{folder / 'study.toml'} is not TOML: {error}; was it edited?") from error
    if "loss_noise" not in design:
        return {}
    noise = design["loss_noise"]
    if isinstance(noise, bool) or not isinstance(noise, (int, float)):
        raise TableError(f"{folder / 'study.toml'} says loss_noise = {noise!r}, which is no number; was it edited?")
    return {"loss_noise": float(noise)}


def _row(run: Path, measured: Mapping[str, float]) -> dict[str, Any]:
    """One run as a row: facts first, clocks last."""
    spec = read_object(run / "spec.json", "delete it, and the quick start writes it again")
    result = read_object(run / "result.json", "delete it, and the quick start trains this run again")
    if result.get("schema") != RESULT_SCHEMA:
        seen = result.get("schema")
        raise TableError(f"{run / 'result.json'} says schema {seen!r}; this isoflop reads {RESULT_SCHEMA!r}.")
    try:
        return {
            "run_id": result["run_id"],
            "state": result["state"],
            "purpose": spec["purpose"],
            "budget": spec["budget"],
            "params": result["params"]["matrices_and_head"],
            "params_convention": "matrices_and_head",
            **{f"params_{name}": result["params"][name] for name in ("total", "non_embedding", "embedding")},
            "params_matrices_and_head": result["params"]["matrices_and_head"],
            "tokens": result["tokens"],
            "flops": result["flops"],
            "flops_convention": "exact_causal",
            "loss": result["loss"],
            "loss_unit": "nats_per_byte",
            **measured,
            **{name: spec["shape"][name] for name in ("layers", "d_model", "heads")},
            "steps": result["steps"],
            "seed": spec["seed"],
            "learning_rate": spec["optimiser"]["learning_rate"],
            **{name: result[name] for name in ("corpus_digest", "spec_digest", "torch", "cpu_capability", "threads")},
            **{name: result[name] for name in ("seconds", "tokens_per_second", "finished_at")},
        }
    except KeyError as error:
        raise TableError(f"{run}: spec.json or result.json lacks {error}; another isoflop wrote it.") from error
