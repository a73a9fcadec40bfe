"""What a person waits for on the planner: from a moved slider to the frame that shows its answer. Milliseconds.

python bench/web_seen.py [--moves 60] [--chromium /usr/bin/chromium]

A real server and a real browser, headless: the question, the answer, the numbers and three figures drawn.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np
from playwright.sync_api import sync_playwright

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PAGES = {
    "the plan, two laws": "/",
    "the plan, three laws": "/?law=besiroglu2024&law=hoffmann2022&law=kaplan2020",
    "serving": "/?serves=on",
    "scarce text": "/?scarce=on",
    "whole networks": "/?whole=on",
    "serving and scarce text": "/?serves=on&scarce=on",
}
MOVE = """(further) => new Promise((resolve) => {
  const slider = document.getElementById("flops-slider"), sheets = document.getElementById("sheets");
  const start = performance.now();
  const before = document.body.dataset.shown;
  const look = () => {
    const answered = further ? !sheets.hasAttribute("aria-busy") : document.body.dataset.shown !== before;
    if (answered) requestAnimationFrame(() => resolve(performance.now() - start));
    else requestAnimationFrame(look);
  };
  slider.value = Number(slider.value) + Number(slider.step);
  slider.dispatchEvent(new Event("input"));
  look();
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    asked = parser.parse_args()
    words = [sys.executable, "-m", "isoflop", "serve", "--port", "0"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        measure(server.stdout.readline().strip(), asked.chromium, asked.moves)
    finally:
        server.terminate()


def measure(address: str, chromium: str, most: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        print(f"{'':<30} {'p50':>7} {'p95':>7}")
        for name, path in PAGES.items():
            page = browser.new_page(base_url=address)
            page.goto(path)
            page.wait_for_selector("body[data-shown]")
            page.wait_for_selector("#sheets:not([aria-busy])", state="attached")
            further = "on" in path.split("=")[-1]
            moves = max(most // 10, 3) if "serves=on&scarce" in path else most
            seen = [page.evaluate(MOVE, further) for _ in range(moves + 2)][2:]
            print(f"{name:<30} {np.median(seen):7.0f} {np.quantile(seen, 0.95):7.0f}", flush=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
