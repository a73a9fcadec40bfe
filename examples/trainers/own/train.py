"""Stands in for a trainer: takes what it needs as arguments, and writes a result.json where it is started."""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--params", type=float)
parser.add_argument("--tokens", type=float)
parser.add_argument("--width", type=int)
options = parser.parse_args()

if options.width == 16 and options.tokens > 2e5:
    raise MemoryError("no room for the largest")  # so that there is a failure to be seen
loss = 1.2 + 20 / options.params**0.5 + 200 / options.tokens**0.5
Path("result.json").write_text(json.dumps({"loss": loss, "loss_unit": "nats_per_token"}))
