"""Where ``isoflop design`` writes: the runs as CSV, or a study.toml that makes them."""

from __future__ import annotations

from pathlib import Path

from isoflop.accounting.flops import flops_per_token
from isoflop.cli.output import check_file
from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.quantities import format_flops
from isoflop.study import plan_to_toml, preview, read_plan, study_of_design
from isoflop.sweeps.designed import Designed, to_csv
from isoflop.sweeps.recipe import recipe as named_recipe

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
    # A recipe whose noise was measured knows it in its own unit; the prior's loss is in nats per token of another text.
    noise = named_recipe(recipe).seed_noise or float(f"{found.noise * typical:.2g}") if is_measured else None
    text = plan_to_toml(study_of_design(found.design, recipe, study.resolve().parent.name or "design", noise))
    if study.exists() and study.read_text(encoding="utf-8", errors="replace") != text:
        raise UsageError(f"{study} is there already and says something else; name another file.")
    return text


def _exact_cost(study: Path) -> float:
    """FLOPs of a study's runs, attention counted, without what branches take over from their trunks."""
    return sum(
        flops_per_token(spec.shape).exact_causal
        * (spec.steps - (spec.branch.step if spec.branch else 0))
        * spec.batch_tokens
        for spec in preview(read_plan(study))
    )


def write_files(found: Designed, output: Path | None, study: Path | None, text: str) -> str:
    """Write the design where that was asked for, and say where."""
    said = []
    if study is not None:
        write_atomic(study, text)
        exact, planned = _exact_cost(study), found.design.cost
        said.append(f"study in {study}; next: isoflop sweep init {study} --dry-run")
        if exact > 1.01 * planned:
            more = f"{exact / planned - 1:.0%} more than the {format_flops(planned)}"
            said.append(f"caution: counted exactly its runs cost {format_flops(exact)} FLOPs, {more} of 6 N D")
    if output is not None:
        write_atomic(output, to_csv(found.design))
        said.append(f"runs in {output}")
    return "\n".join(said)
