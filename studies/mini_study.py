"""Seven budgets over two decades, two seeds: the study in examples/mini_study, made again.

    python studies/mini_study.py FOLDER [--workers 2] [--into examples/mini_study]

Trains the 70 runs of examples/mini_study/study.toml in FOLDER (48 minutes on two idle cores; the same command
goes on with what is there), and writes the table, the law and the report beside that study.toml, or into another
folder. Prints the exponents by the three approaches, for each seed and for both.
"""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path

from sweeping import exponent, swept

import isoflop as iso
from isoflop.fitting.counting import counting_row
from isoflop.reports.page import StudyPage, write_report

ROOT = Path(__file__).parents[1]
HERE = Path("examples") / "mini_study"
SWEEP = "purpose == 'sweep'"
CONVENTIONS = ("matrices_and_head", "non_embedding", "total")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--into", type=Path, default=HERE)
    asked = parser.parse_args()
    asked.folder = asked.folder.absolute()
    os.chdir(ROOT)  # the table's path stands in the law and the report: no matter where this was called from
    swept(asked.folder, (HERE / "study.toml").read_text(encoding="utf-8"), asked.workers)
    asked.into.mkdir(parents=True, exist_ok=True)
    table = asked.into / "runs.csv"
    table.write_bytes((asked.folder / "runs.csv").read_bytes())
    runs = iso.read_runs(table, where=SWEEP)
    frontier = iso.fit(runs, "frontier")
    iso.write_law(frontier.law, asked.into / "law.toml")
    write_report(page(table, runs, frontier), asked.into / "report.html")
    print("| seeds | approach 1 | approach 2 | approach 3 | exponent by halves |\n|---|---|---|---|---|")
    for said, where in (("0", f"{SWEEP} and seed == 0"), ("1", f"{SWEEP} and seed == 1"), ("both", SWEEP)):
        some = iso.read_runs(table, where=where)
        fits = [iso.fit(some, name, approach=k) for k, name in ((1, "frontier"), (2, "frontier"), (3, "chinchilla"))]
        halves = next(n.message for n in fits[1].verdict.notes if n.code in ("local_exponents", "drifting_exponent"))
        print(f"| {said} | {' | '.join(map(exponent, fits))} | {halves} |")


def page(table: Path, runs: iso.Runs, frontier: iso.Fit) -> StudyPage:
    """The report on the study: every run in its table, the law fitted to those of the sweep."""
    fits = (iso.fit(iso.with_convention(runs, convention), "frontier") for convention in CONVENTIONS)
    return StudyPage(
        title="Mini-study: seven budgets, two seeds",
        runs=iso.read_runs(table),
        frontier=frontier,
        surface=iso.fit(runs, "chinchilla"),
        counting=tuple(counting_row(each) for each in fits if each.fitted is not None),
        forecast=None,
        outcome=None,
        provenance={
            "isoflop": version("isoflop"),
            "study": "examples/mini_study/study.toml, by studies/mini_study.py",
            "corpus digest (SHA-256)": str(runs.columns["corpus_digest"][0]),
            "PyTorch": str(runs.columns["torch"][0]),
            "processor": f"{platform.machine()}, {runs.columns['cpu_capability'][0]}",
            "Python": platform.python_version(),
            "FLOPs": "every matrix product, forward and backward, attention causal",
            "runs digest (SHA-256)": runs.digest(),
        },
    )


if __name__ == "__main__":
    main()
