"""What published runs took, and what they imply of the hardware.

FLOPs are 6 N D; hours are those that the model cards and READMEs state; the utilisations were worked out by
hand, or by the sources, not by this code.
"""

from __future__ import annotations

import pytest

from isoflop.hardware import Cluster, accelerator, implied_utilisation, read_budget

DAY = 24


def test_1e24_flops_on_512_h100() -> None:
    cost = Cluster(accelerator("H100"), 512, utilisation=0.40, price_usd_per_hour=2.95).cost(1e24)
    assert cost.days == pytest.approx(57.1, abs=0.05)
    assert cost.device_hours == pytest.approx(701.9e3, rel=1e-4)
    assert cost.usd == pytest.approx(2.07e6, rel=1e-3)


def test_a_million_dollars_of_h100() -> None:
    budget = read_budget("$1M at $2.95 per H100-hour @ 40%")
    assert budget.usd == 1e6
    assert budget.flops == pytest.approx(4.83e23, rel=1e-3)
    assert budget.cluster is not None
    assert budget.cluster.device_hours_for(1e6) == pytest.approx(339e3, rel=1e-3)


def test_eight_h100_for_a_month() -> None:
    assert read_budget("8xH100 for 30 days @ 40%").flops == pytest.approx(8.21e21, rel=1e-3)


def test_the_supercomputers_recipe() -> None:
    assert read_budget("10 EFLOP/s FP16 for 64 days").flops == pytest.approx(1e19 * 64 * 86400, rel=1e-12)


@pytest.mark.parametrize(
    ("model", "flops", "device_hours", "device", "mfu"),
    [
        ("Llama 3.1 405B", 3.80e25, 30.84e6, "H100", 0.346),
        ("Llama 2 70B", 6 * 68.98e9 * 2e12, 1_720_320, "A100", 0.428),
        ("Llama 2 7B", 6 * 6.738e9 * 2e12, 184_320, "A100", 0.391),
        ("DeepSeek-V3, on H800 (an H100's rates), fp8 runs against the bf16 peak", 3.33e24, 2.664e6, "H100", 0.351),
        ("TinyLlama", 6 * 1.1e9 * 3e12, 90 * DAY * 16, "a100-sxm-40gb", 0.510),
        ("AMD-135M", 5.391e20, 6 * DAY * 16, "MI250", 0.1795),
    ],
)
def test_the_mfu_that_reported_hours_imply(
    model: str, flops: float, device_hours: float, device: str, mfu: float
) -> None:
    assert implied_utilisation(flops, device_hours, accelerator(device)) == pytest.approx(mfu, abs=6e-4), model


def test_the_peak_that_amd_135m_had() -> None:
    # Six days on four nodes of four MI250 cards, 362.1 TFLOP/s each.
    assert Cluster(accelerator("MI250"), 16, utilisation=1.0).flops_in(6 * DAY) == pytest.approx(3.003e21, rel=2e-4)


def test_the_emissions_that_llama_31_reports() -> None:
    # 39.3M H100-hours at 700 W; 11,390 t of CO2e in all, location-based: .414 kg for each kWh of the GPUs.
    cluster = Cluster(accelerator("H100"), pue=1.0, grid_kg_co2_per_kwh=0.414)
    cost = cluster.cost_of_device_hours(39.3e6)
    assert cost.energy_kwh == pytest.approx(27.51e6)
    assert cost.co2_kg == pytest.approx(11_390e3, rel=1e-3)
