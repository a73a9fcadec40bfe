"""What is a corpus worth? Code and English, each trained on and judged on both.

    python studies/quality.py FOLDER [--workers 2]

The code is this Python's standard library; the English is the prose of the Linux kernel's documentation, fetched from
Debian at run time (apt-get download, 37 MB; nothing is installed). The quick start's grid on each, about 15 minutes of
one core. Fits the frontier of the loss on each text by networks that were trained on the one and on the other, and
says how much more compute the worse text needs for the same loss.
"""

from __future__ import annotations

import html.parser
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from sweeping import options, swept

import isoflop as iso

PACKAGE = "linux-doc-6.1"
PLAN = """
schema = "isoflop.study/1"
name = "quality"
recipe = "small-bytes-v1"
judge_everywhere = true
loss_noise = 0.015

[corpora.code]
source = "stdlib"

[corpora.english]
source = "english"
"""
NETWORKS = {1.5e11: (12, 16, 24, 32, 48), 5e11: (16, 24, 32, 48, 64), 1.5e12: (24, 32, 48, 64, 96)}


def plan() -> str:
    rows = [
        f'\n[[runs]]\nwidth = {d}\nbudget = {C}\ncorpus = "{corpus}"\n'
        for corpus in ("code", "english")
        for C, widths in NETWORKS.items()
        for d in widths
    ]
    return PLAN + "".join(rows)


class Prose(html.parser.HTMLParser):
    """The text of a page's paragraphs, without the code that stands between them."""

    def __init__(self) -> None:
        super().__init__()
        self.paragraphs: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":
            self._inside = True
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.paragraphs[-1] += data


def fetch_english(folder: Path) -> None:
    """The kernel documentation's prose as text files in ``folder``; what is there is kept."""
    if folder.is_dir():
        return
    raw = folder.with_name("debian")
    raw.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", PACKAGE], cwd=raw, check=True, stdout=sys.stderr)
    subprocess.run(["dpkg-deb", "-x", str(next(raw.glob("*.deb"))), str(raw)], check=True)
    making = folder.with_name("english.part")
    making.mkdir(exist_ok=True)
    for page in sorted((raw / "usr/share/doc" / PACKAGE / "html").rglob("*.html")):
        if "translations" in page.parts:
            continue
        prose = Prose()
        prose.feed(page.read_text(encoding="utf-8"))
        text = "\n\n".join(p.strip() for p in prose.paragraphs if len(p.split()) > 7)
        if len(text) > 500:
            (making / f"{'-'.join(page.parts[-2:])}.txt").write_text(text + "\n", encoding="utf-8")
    making.rename(folder)


def main() -> None:
    asked = options(__doc__ or "")
    fetch_english(asked.folder / "english")
    runs = swept(asked.folder, plan(), asked.workers)
    corpus = runs.column("corpus")
    everywhere = [json.loads(text) for text in runs.column("loss_on")]
    for judge in ("code", "english"):
        on = np.array([other.get(judge, loss) for other, loss in zip(everywhere, runs.loss, strict=True)])
        fits = {name: frontier(replace(runs, loss=on).take(corpus == name)) for name in ("code", "english")}
        print(
            f"\nJudged on {judge}:\n"
            "| trained on | loss at 1.5e11, 5e11, 1.5e12 FLOPs | a | verdict |\n|---|---|---|---|"
        )
        for name, fit in fits.items():
            losses = ", ".join(f"{m.loss_min:.3f}{'' if m.interior else '*'}" for m in fit.minima)
            a = "" if fit.allocation is None else f"{fit.allocation[0]:.2f}"
            print(f"| {name} | {losses} | {a} | {fit.verdict.status} |")
        worth(judge, fits)


def frontier(runs: iso.Runs) -> iso.Fit:
    return iso.fit(runs, "frontier")


def worth(judge: str, fits: dict[str, iso.Fit]) -> None:
    """How much compute the other text needs for the loss that the judge's own reaches at the middle budget."""
    own, other = fits[judge], next(fit for name, fit in fits.items() if name != judge)
    C = np.array([m.flops for m in other.minima])
    losses = np.array([m.loss_min for m in other.minima])
    slope, level = np.polyfit(np.log(losses), np.log(C), 1)
    for minimum in own.minima:
        needed = np.exp(level + slope * np.log(minimum.loss_min))
        beyond = "" if needed <= 3 * C.max() else ", by extrapolation"
        print(
            f"  {minimum.flops:.3g} FLOPs on {judge} are worth {needed:.2g} on the other "
            f"({needed / minimum.flops:.3g}x{beyond})"
        )


if __name__ == "__main__":
    main()
