"""Where ``isoflop design`` writes: the runs as CSV, or a study.toml that makes them."""

from __future__ import annotations

from pathlib import Path

from isoflop.cli.output import check_file
from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.study import plan_to_toml, study_of_design
from isoflop.sweeps.designed import Designed, to_csv

RECIPE = "llama-step-law-v1"


def check_files(output: Path | None, study: Path | None) -> None:
    """UsageError, before the work, for a place that cannot be written, or a study that is there already."""
    if output is not None:
        check_file(output, "the design", "CSV")
    if study is not None:
        check_file(study, "the study", "TOML")


def plan_text(found: Designed, study: Path | None, recipe: str, *, is_measured: bool) -> str:
    """The study.toml of the design's runs; a noise that was given is written into it, in nats per token."""
    if study is None:
        if recipe != RECIPE:
            raise UsageError("--recipe is that of a study: name its file (--study study.toml).")
        return ""
    typical = float(found.law.optimum(found.design.cost / len(found.design)).loss)
    noise = float(f"{found.noise * typical:.2g}") if is_measured else None
    text = plan_to_toml(study_of_design(found.design, recipe, study.resolve().parent.name or "design", noise))
    if study.exists() and study.read_text(encoding="utf-8", errors="replace") != text:
        raise UsageError(f"{study} is there already and says something else; name another file.")
    return text


def write_files(found: Designed, output: Path | None, study: Path | None, text: str) -> str:
    """Write the design where that was asked for, and say where."""
    said = []
    if study is not None:
        write_atomic(study, text)
        said.append(f"study in {study}; next: isoflop sweep init {study} --dry-run")
    if output is not None:
        write_atomic(output, to_csv(found.design))
        said.append(f"runs in {output}")
    return "\n".join(said)
