"""What an answer of the page costs: the planner as it is dragged, and every playground. Milliseconds, once warm.

python bench/web.py [--answers 200]

The time is that of the whole application but the socket: reading the query, the answer in its thread, the JSON.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
from starlette.testclient import TestClient

from isoflop.web.api import Shown
from isoflop.web.app import application
from isoflop.web.playgrounds import PLAYGROUNDS

LAWS = "&law=besiroglu2024&law=hoffmann2022&law=kaplan2020"
DRAGGED = {
    "plan, two laws, hardware": "&hardware=h100-sxm&devices=512",
    "plan, three laws": LAWS,
    "and serving": "&figures=no&inference_tokens=2T",
    "and scarce text": "&figures=no&unique_tokens=300B",
    "and whole networks": "&figures=no&architecture=llama",
}
BOTH = "&figures=no&inference_tokens=2T&unique_tokens=300B"
FEWER = 20
"""One in so many of the others: a search under every draw takes seconds."""


def questions(answers: int) -> Iterator[tuple[str, list[str]]]:
    """A name, and addresses that differ as those of a dragged slider do."""
    budgets = np.geomspace(1e22, 1e26, answers)
    for name, rest in DRAGGED.items():
        yield name, planned(budgets, rest)
    yield "and serving and scarce text", planned(budgets[::FEWER], BOTH)
    for name, one in PLAYGROUNDS.items():
        moved = next(control for control in one.controls if not control.choices and not control.step)
        ends = (np.log10(moved.low), np.log10(moved.high)) if moved.log else (moved.low, moved.high)
        at = np.linspace(*ends, answers + 2)[1:-1]
        values = np.clip(10**at if moved.log else at, moved.low, moved.high)
        yield name, [f"/api/playgrounds/{name}?{moved.name}={value:.9g}".replace("+", "") for value in values]


def planned(budgets: np.ndarray, rest: str) -> list[str]:
    return [f"/api/plan?budget={budget:.4g}{rest}".replace("e+", "e") for budget in budgets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200)
    with TestClient(application(Shown()), base_url="http://localhost") as client:
        print(f"{'':<28} {'p50':>7} {'p95':>7} {'KB':>6}")
        for name, addresses in questions(parser.parse_args().answers):
            client.get(addresses[0])
            spent, size = [], 0
            for address in addresses:
                start = time.perf_counter()
                answer = client.get(address)
                spent.append(1e3 * (time.perf_counter() - start))
                size = len(answer.content)
                assert answer.status_code == 200, (address, answer.text)
            p50, p95 = np.quantile(spent, [0.5, 0.95])
            print(f"{name:<28} {p50:7.1f} {p95:7.1f} {size / 1000:6.0f}")


if __name__ == "__main__":
    main()
