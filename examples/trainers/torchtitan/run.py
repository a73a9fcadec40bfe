"""Launches torchtitan for one run, and turns what it prints into result.json.

Written against torchtitan at commit b5bcd76 (August 2026): its flags, which it keeps for scripts, and its log lines.
The loss is that of its validator at the last step, in nats per token. N stays the recipe's: the functions of sizes.py
must build the network of spec.json, and set the optimiser's learning rate. Run one at a time on a machine whose devices
it all uses: isoflop sweep run STUDY --workers 1.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

COLOUR = re.compile(r"\x1b\[[\d;]*m")
TRAINED = re.compile(r"(?<!validate )step: +(\d+) +loss: +(nan|[\d.]+)")
VALIDATED = re.compile(r"validate step: +(\d+) +loss: +(nan|[\d.]+)")


def main() -> int:
    options = parse_options()
    words = ["torchrun", f"--nproc_per_node={options.devices}", "--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    words += ["--local-ranks-filter=0", "--role=rank", "--tee=3", "-m", "torchtitan.train"]
    words += ["--module", options.module, "--config", options.config]
    words += ["--training.steps", str(options.steps), "--training.max_context_length", str(options.context)]
    words += ["--training.num_tokens_per_train_step", str(options.batch_tokens)]
    words += ["--lr_scheduler.warmup_steps", str(options.warmup), "--debug.seed", str(options.seed)]
    words += ["--validator.enable", "--validator.freq", str(options.steps), "--metrics.disable_color_printing"]
    log = Path("torchtitan.log")
    with log.open("wb") as file:
        code = subprocess.run(words, stdout=file, check=False).returncode
    if code:
        return code
    Path("result.json").write_text(
        json.dumps(result_of(log.read_text(encoding="utf-8", errors="replace"), options.steps))
    )
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--devices", type=int, default=8)
    for name in ("steps", "batch-tokens", "context", "warmup", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def result_of(text: str, steps: int) -> dict[str, object]:
    """What isoflop needs of a run's output; ValueError where its last step was not validated."""
    plain = COLOUR.sub("", text)
    validated = {int(step): float(loss) for step, loss in VALIDATED.findall(plain)}
    if steps not in validated:
        raise ValueError(f"torchtitan validated no step {steps}: is it another version?")
    training = [float(loss) for _, loss in TRAINED.findall(plain)]
    return {
        "loss": validated[steps],
        "loss_unit": "nats_per_token",
        "training_loss": training[-1] if training else None,
    }


if __name__ == "__main__":
    sys.exit(main())
