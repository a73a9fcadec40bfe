"""What else a plan answers: hardware against sums done by hand, architectures, learning rates as a range."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

import isoflop as iso
from isoflop.errors import UnknownName, UsageError
from isoflop.planning import Asked, plan

LAW = "besiroglu2024"


def sections(budget, **asked):
    return json.loads(plan(LAW, budget, asked=Asked(**asked)).to_json())


def test_1e24_on_512_h100():
    """57.1 days, 701.9k device-hours, $2.07M at $2.95: planner's sum by hand."""
    found = sections(1e24, hardware="H100", devices=512, mfu=0.4)["hardware"]
    assert found["days"] == pytest.approx(57.1, abs=0.05)
    assert found["gpu_hours"] == pytest.approx(701.9e3, rel=1e-3)
    assert found["cost_usd"] == pytest.approx(2.07e6, rel=1e-3)
    assert {"energy_kwh", "mfu", "assumptions"} <= set(found)


def test_power_as_it_is_given_whoever_names_the_hardware():
    """Energy = device-hours x watts x share x PUE, by hand, at 64 H100 for 720 hours."""
    power = {"pue": 1.1, "grid_kg_co2_per_kwh": 0.2, "power_share": 0.8, "watts": 600.0}
    kwh = 64 * 720 * 0.6 * 0.8 * 1.1
    named = sections("64xH100 for 30 days", power=power)["hardware"]
    beside = sections(named["gpu_hours"] * 3600 * 989.4e12 * 0.4, hardware="H100", devices=64, power=power)["hardware"]
    for found in (named, beside):
        assert (found["energy_kwh"], found["co2_kg"]) == pytest.approx((kwh, kwh * 0.2))


def test_an_accelerator_of_a_file(tmp_path):
    """In every place where a name may stand."""
    text = (resources.files("isoflop.hardware") / "accelerators" / "h100-sxm.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("bf16 = 989.4e12", "bf16 = 500e12"), encoding="utf-8")
    for budget in (f"64x{path} for 30 days", f"{64 * 720} {path}-hours", f"${64 * 720 * 2} at $2 per {path}-hour"):
        assert sections(budget)["budget"]["flops"] == pytest.approx(64 * 720 * 3600 * 500e12 * 0.4)
    assert sections(1e22, hardware=str(path), devices=8)["hardware"]["gpu_hours"] == pytest.approx(1e22 / 7.2e17)


def test_a_caution_is_said_once():
    assert str(plan(LAW, "64xMI250 for 30 days")).count("counted per card") == 1
    assert str(plan(LAW, 1e22, asked=Asked(hardware="MI250"))).count("counted per card") == 1


def test_a_million_dollars():
    """339k device-hours at $2.95 and 40 %: 4.83e23 FLOPs, 66.0B on 1.22T, loss 1.979."""
    table = sections("$1M at $2.95 per H100-hour")
    assert table["budget"]["flops"] == pytest.approx(4.83e23, rel=2e-3)
    row = table["plans"][0]
    assert (row["params"], row["tokens"]) == pytest.approx((66.0e9, 1.22e12), rel=5e-3)
    assert row["loss"] == pytest.approx(1.979, abs=5e-4)
    assert table["hardware"]["gpu_hours"] == pytest.approx(339e3, rel=2e-3)


def test_eight_h100_for_a_month():
    table = sections("8xH100 @ 40% for 30 days")
    assert table["budget"]["flops"] == pytest.approx(8.21e21, rel=2e-3)
    row = table["plans"][0]
    assert (row["params"], row["tokens"], row["loss"]) == pytest.approx((8.17e9, 167e9, 2.153), rel=5e-3)
    assert table["hardware"]["days"] == pytest.approx(30)


def test_an_architecture_with_its_rates_and_memory():
    found = sections("512xH100 @ 40% for 90 days", architecture="llama")["architecture"]
    assert {"layers", "d_model", "heads", "d_ff", "vocab", "params_exact", "flops_per_token", "memory"} <= set(found)
    assert isinstance(found["fits"], bool)
    assert set(found["hyperparameters"]["learning_rate"]) == set(found["hyperparameters"]["batch_tokens"])
    assert len({one["d_model"] for one in [found, *found["alternatives"]]}) == 1 + len(found["alternatives"])


def test_step_laws_rate_at_its_own_count():
    """T37's form at the candidate's blocks: 1.79 N^-.713 D^.307."""
    found = sections(1e22, architecture="llama")["architecture"]
    N, D = found["params"]["non_embedding"], found["tokens"]
    assert found["hyperparameters"]["learning_rate"]["steplaw2025"] == pytest.approx(1.79 * N**-0.713 * D**0.307)
    assert found["hyperparameters"]["batch_tokens"]["steplaw2025"] == pytest.approx(0.58 * D**0.571)


def test_a_small_network_fits_and_a_large_one_does_not():
    assert sections("8xH100 for 1 day", architecture="gpt2", context=1024, vocab=50257)["architecture"]["fits"]
    assert not sections("8xRTX-4090 for 1000 days", architecture="llama")["architecture"]["fits"]


def test_memory_is_not_judged_for_a_number_of_devices_that_nobody_gave():
    found = sections("$2M on H100", architecture="llama")["architecture"]
    assert found["fits"] is None
    counts = (found["least_devices"] - 1, found["least_devices"])
    alone = found["memory"]
    room = 0.9 * 80e9 - alone["activations_bytes_per_sequence_recomputed"]
    assert [alone["state_bytes_per_device"] / count <= room for count in counts] == [False, True]
    assert "devices at the least" in " ".join(str(plan(LAW, "$2M on H100", asked=Asked(architecture="llama"))).split())


@pytest.mark.parametrize(
    ("budget", "asked", "error", "says"),
    [
        (1e24, {"devices": 8}, UsageError, "need hardware"),
        ("64xH100 for 30 days", {"mfu": 0.3}, UsageError, "names its hardware"),
        ("64xH100 for 30 days", {"hardware": "A100"}, UsageError, "names its hardware"),
        (1e24, {"hardware": "A100", "dtype": "fp8"}, UsageError, "no fp8 figure for a100"),
        (1e24, {"hardware": "H1000"}, UnknownName, "H1000"),
        (1e24, {"hardware": "H100", "mfu": 1.4}, UsageError, "MFU of 1.4"),
        (1e24, {"architecture": "lama"}, UnknownName, "llama"),
    ],
)
def test_contradictions_are_refused(budget, asked, error, says):
    with pytest.raises(error, match=says):
        plan(LAW, budget, asked=Asked(**asked))


def test_text_and_json_agree():
    answer = plan(iso.law(LAW), 1e24, asked=Asked(hardware="H100", devices=512, architecture="llama"))
    assert re.search(r"days on 512 +57.12\n", str(answer))
    assert "Architecture: llama" in str(answer)
