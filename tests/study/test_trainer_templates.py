"""examples/trainers: others' trainers are launched as they are asked to be, and what they print becomes a result.

Where a trainer would run, a program called torchrun stands in that keeps its arguments and prints lines in the
trainer's format, written here from its source (nanochat 92d63d4, torchtitan b5bcd76).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isoflop.study import preview, read_plan

TRAINERS = Path(__file__).parents[2] / "examples" / "trainers"

NANOCHAT = """\
Vocab size: 32,768
Parameter counts:
wte                     : 16,777,216
value_embeds            : 33,554,432
lm_head                 : 16,777,216
transformer_matrices    : 25,165,824
scalars                 : 57
total                   : 92,274,745
Estimated FLOPs per token: 3.019899e+08
Auto-computed optimal batch size: 262,144 tokens
Calculated number of iterations from target FLOPs: 12,632
Total number of training tokens: 3,311,403,008
Tokens : Scaling params ratio: 78.95
Total training FLOPs estimate: 1.000010e+18
Step 00000 | Validation bpb: 3.171234
step 00010/12632 (0.08%) | loss: 7.912345 | lrm: 0.25 | dt: 91.20ms | tok/sec: 2,874,385 | bf16_mfu: 51.02
Step 12632 | Validation bpb: 0.871234
Peak memory usage: 25123.45MiB
Total training time: 19.25m
Minimum validation bpb: 0.871234
"""

TITAN = """\
[rank0]:[titan] 2026-08-22 10:00:00,000 - root - INFO - Building llama3 debugmodel
[rank0]:[titan] 2026-08-22 10:00:09,000 - root - INFO - step:  1  loss:  8.17231  grad_norm:  1.4402  memory:  1.24GiB(1.57%)
[rank0]:[titan] 2026-08-22 10:00:10,000 - root - INFO - validate step:  1  loss:  8.1024  memory:  1.24GiB(1.57%)  tps: 9,870
[rank0]:[titan] 2026-08-22 10:09:10,000 - root - INFO - \x1b[31mstep: 40  \x1b[32mloss:  3.91234  \x1b[38;2;180;60;0mgrad_norm:  0.4402
[rank0]:[titan] 2026-08-22 10:09:20,000 - root - INFO - \x1b[33mvalidate step: 40  \x1b[32mloss:  3.9518  \x1b[36mmemory:  1.24GiB
[rank0]:[titan] 2026-08-22 10:09:21,000 - root - INFO - Training completed
"""  # noqa: E501


def launch(tmp_path: Path, trainer: str, prints: str, *options: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the template with a torchrun that keeps its arguments and prints this."""
    (tmp_path / "said").write_text(prints)
    torchrun = tmp_path / "bin" / "torchrun"
    torchrun.parent.mkdir()
    torchrun.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\ncat {tmp_path}/said\n')
    torchrun.chmod(0o755)
    words = [sys.executable, str(TRAINERS / trainer / "run.py"), *options]
    path = f"{torchrun.parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    return ended, tmp_path / "result.json"


OPTIONS = {
    "nanochat": ("--nanochat=.", "--devices=8", "--width=512", "--flops=1e+18", "--tag=b1e18"),
    "torchtitan": (
        *("--module=sizes", "--config=llama_512", "--devices=8", "--steps=40", "--batch-tokens=65536"),
        *("--context=2048", "--warmup=2", "--seed=3"),
    ),
}


def test_what_nanochat_prints_is_a_result(tmp_path: Path) -> None:
    ended, result = launch(tmp_path, "nanochat", NANOCHAT, *OPTIONS["nanochat"])
    assert ended.returncode == 0
    said = json.loads(result.read_text())
    assert (said["loss"], said["loss_unit"]) == (0.871234, "bits_per_byte")
    counts = said["params"]
    assert counts["embedding"] == 16_777_216 + 33_554_432
    assert counts["matrices_and_head"] == 25_165_824 + 16_777_216
    assert counts["non_embedding"] == 25_165_824 + 57
    assert (said["tokens"], said["steps"]) == (3_311_403_008, 12_632)
    assert said["tokens"] == said["steps"] * 262_144
    assert said["flops"] == 1.00001e18
    assert said["seconds"] == 19.25 * 60
    words = (tmp_path / "words").read_text().split()
    assert {"--depth=8", "--target-flops=1e+18", "--target-param-data-ratio=-1", "--model-tag=b1e18"} < set(words)


def test_what_torchtitan_prints_is_a_result(tmp_path: Path) -> None:
    ended, result = launch(tmp_path, "torchtitan", TITAN, *OPTIONS["torchtitan"])
    assert ended.returncode == 0
    said = json.loads(result.read_text())
    assert said == {"loss": 3.9518, "loss_unit": "nats_per_token", "training_loss": 3.91234}
    words = " ".join((tmp_path / "words").read_text().split())
    assert "--module sizes --config llama_512 --training.steps 40" in words
    assert "--training.num_tokens_per_train_step 65536 --lr_scheduler.warmup_steps 2 --debug.seed 3" in words


@pytest.mark.parametrize("trainer", OPTIONS)
def test_output_that_is_not_whole_is_no_result(tmp_path: Path, trainer: str) -> None:
    whole = {"nanochat": NANOCHAT.replace("bpb", "bits"), "torchtitan": TITAN.replace("validate step: 40", "step: 40")}
    ended, result = launch(tmp_path, trainer, whole[trainer], *OPTIONS[trainer])
    assert ended.returncode != 0
    assert "is it another version?" in ended.stderr.splitlines()[-1]
    assert not result.exists()


@pytest.mark.parametrize("trainer", ["own", *OPTIONS])
def test_their_studies_can_be_made(trainer: str) -> None:
    assert len(preview(read_plan(TRAINERS / trainer / "study.toml"))) >= 6
