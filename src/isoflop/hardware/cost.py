"""What compute costs: FLOPs to device-hours, days, dollars, energy and carbon, and back.

One chain of products, every factor of which can be given and is echoed::

    FLOPs = device-hours x 3600 s x dense peak x MFU
    dollars = device-hours x price          energy = device-hours x watts x share of them drawn x PUE
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from isoflop.errors import UsageError
from isoflop.hardware._accelerator import SPELLED_OUT, Accelerator
from isoflop.quantities import format_flops, format_si, format_usd

# Between the 1.1 that the largest operators report and the 1.58 of the Uptime Institute's survey of 2023.
PUE = 1.2
# World average of 2023: Ember, 481 g of CO2 equivalent per kWh.
GRID_KG_CO2_PER_KWH = 0.48
MOST_DEVICES = 1e9
ROUNDING = 1e-12
SIXTEEN_BITS_AND_MORE = ("bf16", "fp16", "tf32", "fp32")


@dataclass(frozen=True)
class Cost:
    """What some FLOPs cost. ``hours`` needs a device count, ``usd`` a price, the last two a figure for power.

    ``assumptions`` name every number that entered, and which of them nobody gave.
    """

    flops: float
    device_hours: float
    mfu: float
    hours: float | None
    usd: float | None
    energy_kwh: float | None
    co2_kg: float | None
    assumptions: tuple[str, ...]

    @property
    def days(self) -> float | None:
        """The time it takes, in days."""
        return None if self.hours is None else self.hours / 24

    def to_dict(self) -> dict[str, Any]:
        """The cost as plain JSON types, ``gpu_hours`` being device-hours of whatever the device is."""
        return {
            "days": self.days,
            "gpu_hours": self.device_hours,
            "cost_usd": self.usd,
            "energy_kwh": self.energy_kwh,
            "co2_kg": self.co2_kg,
            "mfu": self.mfu,
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        parts = [f"{format_si(self.device_hours)} device-hours"]
        if self.days is not None:
            parts.insert(0, f"{format_flops(self.days)} days")
        if self.usd is not None:
            parts.append(format_usd(self.usd))
        if self.energy_kwh is not None and self.co2_kg is not None:
            parts.append(f"{format_si(self.energy_kwh)} kWh, {format_si(self.co2_kg / 1000)} t CO2e")
        return ", ".join(parts)


@dataclass(frozen=True)
class Cluster:
    """Some devices of one kind, and what is assumed of them; None takes the accelerator's default.

    ``count`` is None where only device-hours matter; ``utilisation`` is the MFU against the dense peak in
    ``dtype``; ``price_usd_per_hour`` is per device; ``pue`` is facility energy over the devices' own;
    ``power_share`` is the share of the rated watts drawn on average (hosts and network are not in it); ``watts``, per
    device, replace the rated ones.

    >>> from isoflop.hardware import accelerator
    >>> str(Cluster(accelerator("H100"), 512, utilisation=0.4).cost(1e24))
    '57.1 days, 702K device-hours, $2.07M, 590K kWh, 283 t CO2e'
    """

    accelerator: Accelerator
    count: int | None = None
    utilisation: float | None = None
    dtype: str | None = None
    price_usd_per_hour: float | None = None
    pue: float = PUE
    grid_kg_co2_per_kwh: float = GRID_KG_CO2_PER_KWH
    power_share: float = 1.0
    watts: float | None = None

    def __post_init__(self) -> None:
        if self.count is not None and (not math.isfinite(self.count) or self.count < 1 or self.count % 1):
            raise UsageError(f"{self.count} devices is no cluster; give a whole number, 1 or more.")
        if self.count is not None and self.count > MOST_DEVICES:
            raise UsageError(f"{self.count} devices is more than there are; give a billion at most.")
        if self.utilisation is not None and not 0 < self.utilisation <= 1:
            raise UsageError(f"an MFU of {self.utilisation:g} is not a share of the peak; write 0.4 for 40 %.")
        if not 0 < self.power_share <= 1:
            raise UsageError(f"{self.power_share:g} is not a share of the rated power; write 0.8 for 80 %.")
        if not 1 <= self.pue < math.inf:
            raise UsageError(f"a PUE of {self.pue:g} is impossible: it is 1 (no overhead) or more.")
        for name in ("price_usd_per_hour", "grid_kg_co2_per_kwh", "watts"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"{name} = {value:g} is not an amount; give a finite number that is not negative.")
        self.accelerator.peak_in(self.number_format)

    @property
    def number_format(self) -> str:
        """The number format of training: the one given, or the accelerator's."""
        given = (self.dtype or self.accelerator.dtype).strip().lower()
        return SPELLED_OUT.get(given, given)

    @property
    def peak_flops_per_second(self) -> float:
        """Dense peak of one device in the number format of training."""
        return self.accelerator.peak_in(self.number_format)

    @property
    def mfu(self) -> float:
        """The MFU given, or the accelerator's typical one; below 16 bits, where the peak is larger, its low one."""
        if self.utilisation is not None:
            return self.utilisation
        band = self.accelerator.utilisation
        return band.typical if self.number_format in SIXTEEN_BITS_AND_MORE else band.low

    @property
    def price(self) -> float | None:
        """US dollars per device and hour: the price given, or the accelerator's typical one where it has one."""
        if self.price_usd_per_hour is not None:
            return self.price_usd_per_hour
        return None if self.accelerator.price is None else self.accelerator.price.typical

    @property
    def rated_watts(self) -> float | None:
        """Watts of one device: those given, or the accelerator's."""
        return self.accelerator.watts if self.watts is None else self.watts

    @property
    def flops_per_device_hour(self) -> float:
        """Training FLOPs of one device in an hour."""
        return 3600 * self.peak_flops_per_second * self.mfu

    def powered(
        self,
        *,
        pue: float | None = None,
        grid_kg_co2_per_kwh: float | None = None,
        power_share: float | None = None,
        watts: float | None = None,
    ) -> Cluster:
        """The same cluster with other figures for energy and carbon, where they are given."""
        return replace(
            self,
            pue=self.pue if pue is None else pue,
            grid_kg_co2_per_kwh=self.grid_kg_co2_per_kwh if grid_kg_co2_per_kwh is None else grid_kg_co2_per_kwh,
            power_share=self.power_share if power_share is None else power_share,
            watts=self.watts if watts is None else watts,
        )

    def flops_in(self, hours: float) -> float:
        """Training FLOPs of the whole cluster in so many hours; UsageError without a device count."""
        if self.count is None:
            raise UsageError(f"how many {self.accelerator.id} is not said; give a count to turn hours into FLOPs.")
        return self.flops_per_device_hour * self.count * hours

    def device_hours_for(self, usd: float) -> float:
        """Device-hours that so many dollars buy; UsageError where there is no price, or none to speak of."""
        if not self.price:
            raise UsageError(
                f"there is no price for {self.accelerator.id} here; give one, "
                f"as in $2M at $1.50 per {self.accelerator.id}-hour."
            )
        return usd / self.price

    def cost(self, flops: float) -> Cost:
        """What a run of so many training FLOPs costs."""
        return self.cost_of_device_hours(flops / self.flops_per_device_hour)

    def cost_of_device_hours(self, device_hours: float) -> Cost:
        """What so many device-hours cost, and the FLOPs that they give."""
        if not 0 < device_hours < math.inf:
            raise UsageError(f"{device_hours:g} device-hours is no use of a cluster; give a positive, finite number.")
        watts = self.rated_watts
        energy = None if watts is None else device_hours * watts / 1000 * self.power_share * self.pue
        return Cost(
            flops=device_hours * self.flops_per_device_hour,
            device_hours=device_hours,
            mfu=self.mfu,
            hours=None if self.count is None else device_hours / self.count,
            usd=None if self.price is None else device_hours * self.price,
            energy_kwh=energy,
            co2_kg=None if energy is None else energy * self.grid_kg_co2_per_kwh,
            assumptions=self.assumptions(),
        )

    def assumptions(self) -> tuple[str, ...]:
        """Every number that enters a cost, with (default) after those that nobody gave."""
        return (self.say_rate(), self.say_mfu(), self.say_price(), self._say_power())

    def say_rate(self) -> str:
        """The dense peak of one device."""
        return f"{self.peak_flops_per_second / 1e12:.6g} TFLOP/s dense {self.number_format}"

    def say_mfu(self) -> str:
        """The MFU, and where it comes from."""
        said = f"{100 * self.mfu:.6g} % MFU"
        if self.utilisation is not None:
            return said
        low = "" if self.number_format in SIXTEEN_BITS_AND_MORE else ", the low end of the band, below 16 bits"
        return f"{said} (default{low})"

    def say_price(self) -> str:
        """The price of a device-hour, and of when and whom it is."""
        if self.price_usd_per_hour is not None:
            return f"{format_usd(self.price_usd_per_hour, 6)} per device-hour"
        price = self.accelerator.price
        if price is None:
            return f"no price for {self.accelerator.id} here"
        remembered = ", remembered" if price.verified == "memory" else ""
        return f"{format_usd(price.typical)} per device-hour, typical of {price.date}{remembered} (default)"

    def _say_power(self) -> str:
        watts = self.rated_watts
        if watts is None:
            return f"no figure for the power of {self.accelerator.id} here"
        drawn = f"{watts:g} W at {100 * self.power_share:.6g} %{' (default)' if self.power_share == 1 else ''}"
        pue = f"PUE {self.pue:g}{' (default)' if self.pue == PUE else ''}"
        grid = self.grid_kg_co2_per_kwh
        return f"{drawn}, {pue}, {grid:g} kg CO2e/kWh{' (default)' if grid == GRID_KG_CO2_PER_KWH else ''}"

    def cautions(self) -> tuple[str, ...]:
        """What to know before believing the numbers: units, what was remembered, an MFU beyond what was measured."""
        one, measured = self.accelerator, self.accelerator.matmul.get(self.number_format)
        said = []
        if one.unit_note:
            said.append(f"{one.id} is counted per {one.unit}: {one.unit_note}.")
        if one.source.verified == "memory":
            said.append(f"The figures of {one.id} are remembered, not read in a source: check them.")
        if measured is not None and self.mfu > measured / self.peak_flops_per_second:
            share = measured / self.peak_flops_per_second
            said.append(
                f"An MFU of {self.mfu:.0%} is above the {share:.0%} of its peak that a matrix product alone was "
                f"measured to reach on {one.id}: lower it."
            )
        return tuple(said)

    def __str__(self) -> str:
        """As ``read_budget`` reads it, less the time or the money."""
        count = "" if self.count is None else f"{self.count}x"
        return f"{count}{self.accelerator.id} @ {100 * self.mfu:.12g}% in {self.number_format}"


def implied_utilisation(flops: float, device_hours: float, accelerator: Accelerator, dtype: str | None = None) -> float:
    """The MFU that reported FLOPs and device-hours imply, against the dense peak.

    Restarts, evaluation and idle time are in it, so it lies below what is reported of the running job.
    UsageError where it would exceed 1: the hours, the count or the peak must be wrong.

    >>> from isoflop.hardware import accelerator
    >>> round(implied_utilisation(3.80e25, 30.84e6, accelerator("H100")), 3)
    0.346
    """
    peak = 3600 * accelerator.peak_in(dtype or accelerator.dtype) * device_hours
    if not 0 < flops <= peak * (1 + ROUNDING) < math.inf:
        raise UsageError(
            f"{format_flops(flops)} FLOPs in {device_hours:g} hours of {accelerator.id} is not a share of the dense "
            f"peak, {format_flops(peak)} FLOPs; check the hours, what is counted as a device, and the number format."
        )
    return min(flops / peak, 1.0)
