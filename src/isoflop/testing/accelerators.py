"""What holds for the facts of every accelerator: subclass ``AcceleratorContract`` and give it yours.

::

    class TestMine(AcceleratorContract):
        @pytest.fixture
        def accelerator(self):
            return read_accelerator("mine.toml")
"""

from __future__ import annotations

import re

import pytest

from isoflop.errors import UsageError
from isoflop.hardware import Accelerator, Cluster, implied_utilisation

# Measured matrix products reach .51 to .82 of a dense peak; against a sparse one, twice that, less than .45.
LEAST_MEASURED_SHARE = 0.45
# FLOP per byte of memory traffic at the dense 16-bit peak: 31 on an M4 Max to 574 on a TPU v6e.
INTENSITY = (20, 700)


class AcceleratorContract:
    """A pytest class without the fixture ``accelerator``, which a subclass provides."""

    def test_it_is_named(self, accelerator: Accelerator) -> None:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", accelerator.id)
        assert accelerator.vendor
        assert accelerator.title
        assert accelerator.unit

    def test_it_says_who_says_so_and_when(self, accelerator: Accelerator) -> None:
        assert accelerator.source.title
        assert re.match(r"20\d\d", accelerator.source.date)
        assert accelerator.utilisation.source
        if accelerator.price is not None:
            assert accelerator.price.source
            assert re.match(r"20\d\d", accelerator.price.date) or accelerator.price.verified == "memory"

    def test_it_has_a_peak_to_train_in(self, accelerator: Accelerator) -> None:
        assert accelerator.dtype in accelerator.peak
        assert 1e13 <= accelerator.peak[accelerator.dtype] <= 1e16

    def test_fewer_bits_are_no_slower(self, accelerator: Accelerator) -> None:
        rates = [
            accelerator.peak[one] for one in ("fp4", "fp6", "fp8", "bf16", "tf32", "fp32") if one in accelerator.peak
        ]
        assert rates == sorted(rates, reverse=True)
        if {"bf16", "fp16"} <= accelerator.peak.keys():
            assert accelerator.peak["bf16"] == accelerator.peak["fp16"]

    def test_fp8_is_as_fast_as_16_bits_or_twice_as_fast(self, accelerator: Accelerator) -> None:
        if "fp8" in accelerator.peak:  # four times: one of the two is sparse, the other not
            ratio = accelerator.peak["fp8"] / accelerator.peak["bf16"]
            assert ratio == 1 or ratio == pytest.approx(2, rel=0.03)

    def test_the_peak_is_dense(self, accelerator: Accelerator) -> None:
        for dtype, measured in accelerator.matmul.items():
            assert LEAST_MEASURED_SHARE <= measured / accelerator.peak_in(dtype) <= 1
        intensity = accelerator.peak[accelerator.dtype] / accelerator.bandwidth_bytes_per_second
        assert INTENSITY[0] <= intensity <= INTENSITY[1]

    def test_the_mfu_to_expect_is_within_what_was_measured(self, accelerator: Accelerator) -> None:
        measured = accelerator.matmul.get(accelerator.dtype)
        if measured is not None:
            assert accelerator.utilisation.high <= measured / accelerator.peak[accelerator.dtype]

    def test_there_is_no_figure_for_what_is_not_listed(self, accelerator: Accelerator) -> None:
        with pytest.raises(UsageError, match=accelerator.id):
            accelerator.peak_in("fp12")

    def test_a_cost_and_its_flops_agree(self, accelerator: Accelerator) -> None:
        cluster = Cluster(accelerator, 8, utilisation=0.25)
        cost = cluster.cost(cluster.flops_in(24))
        assert cost.days == pytest.approx(1)
        assert implied_utilisation(cost.flops, cost.device_hours, accelerator) == pytest.approx(0.25)
