"""The chain from FLOPs to hours, dollars, energy and carbon, and what is refused on the way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import UsageError
from isoflop.hardware import Cluster, accelerator, accelerators, implied_utilisation

H100 = accelerator("H100")
shares = st.floats(min_value=0.01, max_value=1.0)


def test_every_factor_by_hand() -> None:
    cluster = Cluster(
        H100, 10, utilisation=0.5, price_usd_per_hour=3.0, pue=1.1, grid_kg_co2_per_kwh=0.2, power_share=0.9
    )
    cost = cluster.cost_of_device_hours(1000)
    assert cost.flops == pytest.approx(1000 * 3600 * 989.4e12 * 0.5)
    assert (cost.hours, cost.usd) == (100, 3000)
    assert cost.energy_kwh == pytest.approx(1000 * 0.7 * 0.9 * 1.1)
    assert cost.co2_kg == pytest.approx(1000 * 0.7 * 0.9 * 1.1 * 0.2)


@given(
    st.floats(min_value=1e15, max_value=1e28), st.integers(1, 10**6), shares, st.sampled_from(sorted(accelerators()))
)
def test_there_and_back(flops: float, count: int, share: float, name: str) -> None:
    cluster = Cluster(accelerator(name), count, utilisation=share)
    cost = cluster.cost(flops)
    assert cost.hours is not None
    assert cluster.flops_in(cost.hours) == pytest.approx(flops, rel=1e-12)
    assert implied_utilisation(flops, cost.device_hours, cluster.accelerator) == pytest.approx(share, rel=1e-9)
    if cost.usd is not None:
        assert cluster.device_hours_for(cost.usd) == pytest.approx(cost.device_hours, rel=1e-12)


def test_defaults_are_echoed_and_what_was_given_is_not_called_one() -> None:
    said = "; ".join(Cluster(H100, 8).assumptions())
    for number in (
        "989.4 TFLOP/s dense bf16",
        "40 % MFU (default)",
        "$2.95 per device-hour, typical of 2026-05 (default)",
    ):
        assert number in said
    for number in ("700 W at 100 % (default)", "PUE 1.2 (default)", "0.48 kg CO2e/kWh (default)"):
        assert number in said
    given = Cluster(H100, 8, utilisation=0.3, price_usd_per_hour=2.0, pue=1.1, grid_kg_co2_per_kwh=0.1, power_share=0.8)
    assert "default" not in "; ".join(given.assumptions())


def test_the_default_mfu_is_the_low_end_below_16_bits() -> None:
    cluster = Cluster(H100, dtype="fp8")
    assert cluster.mfu == H100.utilisation.low
    assert "low end" in cluster.say_mfu()
    assert Cluster(H100, dtype="bfloat16").mfu == H100.utilisation.typical


def test_what_is_not_known_is_none() -> None:
    cost = Cluster(accelerator("v4")).cost(1e20)
    assert (cost.hours, cost.days, cost.usd, cost.energy_kwh, cost.co2_kg) == (None,) * 5
    assert "no price" in "; ".join(cost.assumptions)
    assert cost.to_dict()["gpu_hours"] == cost.device_hours


def test_cautions_name_the_trap() -> None:
    assert "a GB200 superchip has two" in Cluster(accelerator("GB200")).cautions()[0]
    assert "remembered" in Cluster(accelerator("B100")).cautions()[0]
    (above,) = Cluster(accelerator("MI300X"), utilisation=0.6).cautions()
    assert "above the 51%" in above
    assert Cluster(H100).cautions() == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "0 devices is no cluster"),
        ({"count": 2.5}, "2.5 devices"),
        ({"utilisation": 40}, "write 0.4 for 40 %"),
        ({"utilisation": 0.0}, "an MFU of 0"),
        ({"utilisation": math.nan}, "an MFU of nan"),
        ({"pue": 0.9}, "a PUE of 0.9 is impossible"),
        ({"power_share": 80.0}, "0.8 for 80 %"),
        ({"price_usd_per_hour": -1.0}, "price_usd_per_hour = -1"),
        ({"grid_kg_co2_per_kwh": math.inf}, "grid_kg_co2_per_kwh = inf"),
        ({"dtype": "fp4"}, "no fp4 figure for h100-sxm; it has fp8, bf16, fp16, tf32, fp32"),
    ],
)
def test_impossible_clusters(options: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Cluster(H100, **{"count": 8, **options})  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_impossible_questions() -> None:
    for flops in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="device-hours"):
            Cluster(H100, 8).cost(flops)
    with pytest.raises(UsageError, match="give a count"):
        Cluster(H100).flops_in(24)
    with pytest.raises(UsageError, match="no price for mi250 here"):
        Cluster(accelerator("MI250")).device_hours_for(1e6)
    with pytest.raises(UsageError, match="check the hours"):
        implied_utilisation(1e24, 10, H100)
