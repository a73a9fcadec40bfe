"""Launches nanochat's base_train for one run, and turns what it prints into result.json.

Written against nanochat at commit 92d63d4 (July 2026): its flags, and the lines that it prints. The loss is its
validation bits per byte at the last step; N, D and C are its own counts, so that a fit sees the network that was
trained and not the recipe's. The seed is nanochat's own: it has no flag for one. Run one at a time on a machine whose
devices it all uses: isoflop sweep run STUDY --workers 1.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path


def main() -> int:
    options = parse_options()
    words = ["torchrun", "--standalone", f"--nproc_per_node={options.devices}", "-m", "scripts.base_train", "--"]
    words += [
        f"--depth={options.width // 64}",
        f"--target-flops={options.flops}",
        "--target-param-data-ratio=-1",
        f"--device-batch-size={options.device_batch_size}",
        f"--model-tag={options.tag}",
        "--core-metric-every=-1",
        "--sample-every=-1",
    ]
    log = Path("nanochat.log")
    with log.open("wb") as file:
        code = subprocess.run(words, cwd=options.nanochat, stdout=file, check=False).returncode
    if code:
        return code
    Path("result.json").write_text(json.dumps(result_of(log.read_text(encoding="utf-8", errors="replace"))))
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nanochat", required=True, help="the checkout, where its environment is active")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--device-batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--flops", required=True)
    parser.add_argument("--tag", required=True)
    return parser.parse_args()


def result_of(text: str) -> dict[str, object]:
    """What isoflop needs of a run's output; ValueError, with what is missing, where it is not whole."""
    counts = {name: int(number.replace(",", "")) for name, number in re.findall(r"^(\w+) *: ([\d,]+)$", text, re.M)}
    embedding, head = counts["wte"] + counts.get("value_embeds", 0), counts["lm_head"]
    return {
        "loss": float(last(r"Validation bpb: (nan|[\d.]+)", text)),
        "loss_unit": "bits_per_byte",
        "params": {
            "total": counts["total"],
            "embedding": embedding,
            "non_embedding": counts["total"] - embedding - head,
            "matrices_and_head": counts["transformer_matrices"] + head,
        },
        "tokens": int(last(r"Total number of training tokens: ([\d,]+)", text).replace(",", "")),
        "flops": float(last(r"Total training FLOPs estimate: (\S+)", text)),
        "steps": int(last(r"number of iterations[^:\n]*: ([\d,]+)", text).replace(",", "")),
        "seconds": 60 * float(last(r"Total training time: ([\d.]+)m", text)),
    }


def last(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    if not found:
        raise ValueError(f"nanochat printed nothing like {pattern!r}: is it another version?")
    return str(found[-1])


if __name__ == "__main__":
    sys.exit(main())
