"""Runs in a study folder: ``runs/<id>/spec.json`` says what was to be done, ``result.json`` what came out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.errors import TableError
from isoflop.files import read_object
from isoflop.runs.columns import RawTable, column_from_values

RESULT_SCHEMA = "isoflop.result/1"
RESULTS = ("published.json", "result.json")
"""Where a run's result stands: the first where its trainer is somebody's own, who writes the second."""
RECORDED = (
    *("corpus_digest", "spec_digest", "device", "torch", "cpu_capability", "threads"),
    *("seconds", "tokens_per_second", "finished_at"),
)
"""What a result says of how it came about, where its trainer records it; the clocks last."""


def read_study(folder: Path) -> RawTable:
    """One row for each run that has a result, has failed or was cancelled, by budget, width and seed; rows are counted
    from 1.

    A run without a result has no loss, its state says why, and its tokens and FLOPs are those that were planned; one
    that is still to come is no row. N is the count of matrices and head, the weights that cost FLOPs; the other counts
    stand beside it.
    """
    if not (folder / "runs").is_dir():
        raise TableError(f"{folder} is a folder without runs/, so it is no study; give a study or a table of runs.")
    measured = _measured(folder)
    rows = [_row(spec.parent, measured) for spec in (folder / "runs").glob("*/spec.json") if _has_ended(spec.parent)]
    if not rows:
        raise TableError(f"{folder} has no run with a result yet; let its runs finish first.")
    units = {row["loss_unit"] for row in rows if row["loss_unit"]}
    for row in rows:  # one that failed has no loss of its own, and its table one unit
        row["loss_unit"] = row["loss_unit"] or min(units, default="nats_per_byte")
    rows.sort(key=lambda row: (row["budget"], row["d_model"], row["seed"], row["run_id"]))
    columns = {name: column_from_values(name, [row[name] for row in rows]) for name in rows[0]}
    return RawTable(source=str(folder), columns=columns, rows=np.arange(1, len(rows) + 1))


def _has_ended(run: Path) -> bool:
    return any((run / name).exists() for name in (*RESULTS, "failure.json", "cancelled.json"))


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
    spec = read_object(run / "spec.json", "delete it, and isoflop sweep init (or quickstart) writes it again")
    ended = next((run / name for name in RESULTS if (run / name).exists()), None)
    if ended is None:
        return _row_of(run, spec, _unfinished(run, spec), measured)
    result = read_object(ended, "delete it, and the same command trains this run again")
    if "schema" not in result:
        raise TableError(f"{ended} is as its trainer wrote it; isoflop sweep run {run.parent.parent} completes it.")
    if result.get("schema") != RESULT_SCHEMA:
        seen = result.get("schema")
        raise TableError(f"{ended} says schema {seen!r}; this isoflop reads {RESULT_SCHEMA!r}.")
    return _row_of(run, spec, result, measured)


def _unfinished(run: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A run that was cancelled or failed, with what it was to cost and without a loss. The word of somebody who
    cancelled it stands before an earlier failure, as its state does."""
    is_cancelled = (run / "cancelled.json").exists()
    ended = run / ("cancelled.json" if is_cancelled else "failure.json")
    word = read_object(ended, "delete it, and the same command tries this run again")
    state = "cancelled" if is_cancelled else word.get("state", "failed")
    facts = {"run_id": spec.get("run_id"), "state": state, "reason": word.get("reason")}
    return {**word.get("planned", {}), **facts, "loss": None, "loss_unit": ""}


def _row_of(
    run: Path, spec: Mapping[str, Any], result: Mapping[str, Any], measured: Mapping[str, float]
) -> dict[str, Any]:
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
            "loss_unit": result.get("loss_unit", "nats_per_byte"),
            "reason": result.get("reason", ""),
            **measured,
            **{name: spec["shape"][name] for name in ("layers", "d_model", "heads")},
            "steps": result["steps"],
            "seed": spec["seed"],
            "learning_rate": spec["optimiser"]["learning_rate"],
            **_further(spec, result),
            **{name: result.get(name) for name in RECORDED},
        }
    except KeyError as error:
        raise TableError(f"{run}: spec.json or result.json lacks {error}; another isoflop wrote it.") from error


def _further(spec: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """What only some studies vary: the text, how much of it there is, the schedule."""
    unique = result.get("unique_tokens") or spec.get("unique_tokens")
    return {
        "corpus": Path(spec.get("corpus", "")).name,
        "bits_per_byte": result.get("bits_per_byte"),
        "unique_tokens": unique,
        "epochs": result["tokens"] / unique if isinstance(unique, int | float) and unique > 0 else None,
        "schedule": spec["optimiser"].get("schedule", "wsd"),
        "branch_of": spec.get("branch", {}).get("trunk", ""),
        "loss_on": json.dumps(result["loss_on"]) if result.get("loss_on") else "",
    }
