"""Budgets that name hardware or money: read as meant and echoed, or refused in one sentence."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import UsageError
from isoflop.hardware import Budget, Cluster, accelerator, accelerators, read_budget
from isoflop.quantities import SI_PREFIXES, read_flops

H100_HOUR = 3600 * 989.4e12 * 0.40
B200_HOUR = 3600 * 2250e12 * 0.40
MONTH = 30.4375 * 24


@pytest.mark.parametrize(
    ("text", "flops"),
    [
        ("64xH100 for 30 days", 64 * 720 * H100_HOUR),
        ("64 x h100 for 30 days", 64 * 720 * H100_HOUR),
        ("64×H100 for 720 hours", 64 * 720 * H100_HOUR),
        ("64 H100s for 30 days", 64 * 720 * H100_HOUR),
        ("64 H100 GPUs for 30 days", 64 * 720 * H100_HOUR),
        ("512 x B200 @ 40% MFU for 3 months", 512 * 3 * MONTH * B200_HOUR),
        ("512xB200 for 3 months at 40%", 512 * 3 * MONTH * B200_HOUR),
        ("512xB200 @ 40% for 90 days in fp8", 512 * 2160 * 2 * B200_HOUR),
        ("512xB200 for 90 days in fp8", 512 * 2160 * 3600 * 4500e12 * 0.25),
        ("1kxH100 for 1 day", 24_000 * H100_HOUR),
        ("8xRTX 4090 for 1 week @ 0.4 MFU", 8 * 168 * 3600 * 165.2e12 * 0.4),
        ("8xH100 for 1 day with 20% MFU", 8 * 24 * H100_HOUR / 2),
        ("8xH100 for 1 day @ MFU 20%", 8 * 24 * H100_HOUR / 2),
        ("$2M at $2.10 per H100-hour", 2e6 / 2.10 * H100_HOUR),
        ("$2m at $2.10/H100-hour", 2e6 / 2.10 * H100_HOUR),
        ("$2M at $2.10 an H100 hour", 2e6 / 2.10 * H100_HOUR),
        ("2 million dollars on H100", 2e6 / 2.95 * H100_HOUR),
        ("$2,000,000 on H100", 2e6 / 2.95 * H100_HOUR),
        ("$2M on H100 at $2 per GPU-hour", 1e6 * H100_HOUR),
        ("$500k @ 35% MFU on 64xA100", 500e3 / 1.50 * 3600 * 312e12 * 0.35),
        ("100k H100-hours", 1e5 * H100_HOUR),
        ("100 thousand H100 hours", 1e5 * H100_HOUR),
        ("64 H100 hours", 64 * H100_HOUR),
        ("10 H100-days", 240 * H100_HOUR),
        ("5 B200-hours", 5 * B200_HOUR),
        ("300 B200 for 1 h", 300 * B200_HOUR),
        ("10 EFLOP/s FP16 for 64 days", 1e19 * 64 * 86400),
        ("10 EFLOP/s FP16 @ 40% for 64 days", 0.4 * 1e19 * 64 * 86400),
        ("10 EFLOP/s @ 40% for 64 days", 0.4 * 1e19 * 64 * 86400),
        ("10 EFLOP/s in bf16 for 3 months", 1e19 * 3 * MONTH * 3600),
        ("10 EFLOP/s for 64 days", 1e19 * 64 * 86400),
        ("3640 PF-days", 3640 * 8.64e19),
        ("1 PFLOP/s-day", 8.64e19),
        ("3640 petaflop/s-days", 3640 * 8.64e19),
        ("10 exaFLOP/s FP16 @ 40% for 64 days", 0.4 * 1e19 * 64 * 86400),
        ("100k H100-hours at $2/hour", 1e5 * H100_HOUR),
        ("1e24", 1e24),
        (1e24, 1e24),
    ],
)
def test_budgets(text: str | float, flops: float) -> None:
    assert read_budget(text).flops == pytest.approx(flops, rel=1e-12)


def test_what_is_said_besides_flops() -> None:
    timed = read_budget("64xH100 for 30 days at $2.10 per H100-hour")
    assert timed.cluster == Cluster(accelerator("H100"), 64, price_usd_per_hour=2.10)
    assert (timed.hours, timed.usd) == (720, pytest.approx(64 * 720 * 2.10))
    paid = read_budget("$500k on 64xA100")
    assert (paid.usd, paid.hours) == (500e3, pytest.approx(500e3 / 1.5 / 64))
    assert read_budget("$500k on A100").hours is None
    assert read_budget("8xMI250 for 1 day").usd is None
    assert read_budget("1e24") == Budget(1e24, "1e24 FLOPs")
    assert read_budget("8xH100 for 1 day").compute.value == read_budget("8xH100 for 1 day").flops


def test_the_reading_holds_every_number_and_names_defaults() -> None:
    assert read_budget("64xH100 for 30 days").reading == (
        "64xH100 for 30 days = 6.56518e22 FLOPs (64 h100-sxm x 720 hours = 46080 device-hours, "
        "989.4 TFLOP/s dense bf16, 40 % MFU (default); "
        "$2.95 per device-hour, typical of 2026-05 (default), makes $136K)"
    )
    assert "3 months of 30.4375 days" in read_budget("8xH100 for 3 months").reading
    assert "remembered" in read_budget("$1M on MI300X").reading
    assert "is taken as the rate that training sustains" in read_budget("10 EFLOP/s FP16 for 64 days").notes[0]
    assert "a GB200 superchip has two" in read_budget("8xGB200 for 1 day").notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("64xH100", "gives neither a time nor money; write 64xH100 for 30 days, or $500k on 64xH100"),
        ("64xH100 @ 40%", "gives neither a time nor money"),
        ("$2M", "names no hardware"),
        ("$2M at $2.10 per GPU-hour", "names no hardware"),
        ("$2M at $2.10", "write 40%, or $2.10 per H100-hour"),
        ("$2M at $2.10 per H100", "write 40%, or $2.10 per H100-hour"),
        ("64H100 for 30 days", "runs a number and hardware together; write 64xH100"),
        ("$2M at $2.10 per hour on H100", "does not say of what an hour is priced; write $2.10 per H100-hour"),
        ("$2M at 2.10 per H100-hour", "'2.10' is not an amount of US dollars"),
        ("$2M at $2 per A100-hour on H100", "prices a100-sxm-80gb and uses h100-sxm"),
        ("$2M on H100 for 30 days", "money and a time are two budgets"),
        ("$2M on MI250", "there is none here; give yours, as in $2M on MI250 at $1.50 per mi250-hour"),
        ("$-2M on H100", "negative"),
        ("$0 on H100", "zero"),
        ("€2M on H100", "not in US dollars"),
        ("2M on H100", "'2M' is neither money nor hardware"),
        ("1e24 on H100", "'1e24' is neither money nor hardware"),
        ("1e24 FLOPs @ 40%", "gives an MFU"),
        ("4x8xH100 for 3 days", "multiplies more than once"),
        ("2.5xH100 for 3 days", "asks for 2.5 devices"),
        ("0xH100 for 3 days", "has 0 where a positive"),
        ("-8xH100 for 3 days", "has -8 where a positive"),
        ("1e300xH100 for 3 days", "asks for 1e300 devices"),
        ("1,024xH100 for 3 days", "has a comma in its number"),
        ("100,000 H100-hours", "has a comma in its number"),
        ("64xH100 @ 140% for 3 days", "MFU of 140 %, and more than the peak is impossible"),
        ("64xH100 @ 0.4% for 3 days", "write 40% if that is meant"),
        ("64xH100 @ 0.4 for 3 days", "says '0.4' with no unit; write 40% or 0.4 MFU"),
        ("64xH100 @ 40 for 3 days", "write 40% if that is meant"),
        ("64xH100 @ 0% for 3 days", "has 0 where a positive"),
        ("64xH100 @ -40% for 3 days", "has -40 where a positive"),
        ("64xH100 hours", "could count devices or device-hours; write 64 H100-hours, or 64xH100 for 30 days"),
        ("64xH100 30 days", "put 'for' before a time"),
        ("8xH100 x 30 days", "put 'for' before a time"),
        ("64xH100 for", "ends where a time should follow"),
        ("64xH100 for 30", "'30' is not a length of time"),
        ("64xH100 for -3 days", "negative"),
        ("64xH100 for 3 fortnights", "'fortnights' for a time"),
        ("64xH100 for 3 days for 4 days", "gives a time twice"),
        ("64xH100 for 3 days @ 40% at 30%", "gives an MFU twice"),
        ("64xH100 on A100 for 3 days", "leave out the second hardware"),
        ("64xH100 for 3 days in fp9", "has 'fp9' for a number format"),
        ("64xA100 for 3 days in fp8", "no fp8 figure for a100-sxm-80gb; it has bf16, fp16, tf32, fp32"),
        ("64xH800 for 3 days", "no accelerator called 'H800'"),
        ("64 H800 for 3 days", "no accelerator called 'H800'"),
        ("64xTPU for 3 days", "'TPU' could be any of them; name the accelerator"),
        ("100k GPU-hours", "name the accelerator, as in 100k H100-hours"),
        ("30m H100-hours", "write M for a million"),
        ("100k H100-hours for 30 days", "device-hours already hold the time"),
        ("10 EFLOP/s FP16", "is a rate; say for how long"),
        ("10 EFLOP/s FP12 for 3 days", "has 'FP12' for a number format"),
        ("10 EFLOP/s FP16 on H100 for 3 days", "a rate says all that is needed"),
        ("10 EFLOPS FP16 for 3 days", "ambiguous"),
        ("10 EFLOP FP16 for 3 days", "not one of compute"),
        ("70B params", "a budget is in FLOPs"),
        ("banana", "'banana' is not a budget"),
        ("", "an empty text"),
    ],
)
def test_what_could_be_misread_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_budget(text)
    sentence = str(caught.value)
    assert said in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


names = st.sampled_from(sorted({name for one in accelerators().values() for name in (one.id, *one.aliases)}))
shares = st.integers(1, 100)
hours = st.integers(1, 100_000)
counts = st.integers(1, 10**6)


@given(counts, names, shares, hours)
def test_a_cluster_prints_as_it_is_read(count: int, name: str, percent: int, time: int) -> None:
    cluster = Cluster(accelerator(name), count, utilisation=percent / 100)
    budget = read_budget(f"{cluster} for {time} hours")
    assert budget.flops == pytest.approx(cluster.flops_in(time), rel=1e-12)
    assert budget.hours == pytest.approx(time)


@given(counts, names, shares, hours, st.permutations([0, 1, 2]), st.sampled_from(["", " "]), st.booleans())
def test_case_spaces_and_order_change_nothing(
    count: int, name: str, percent: int, time: int, order: list[int], gap: str, loud: bool
) -> None:
    dtype = accelerator(name).dtype
    clauses = [f" @{gap}{percent}%", f" for  {time}{gap}hours", f"  in {dtype} "]
    text = f"{count}{gap}x{gap}{name}" + "".join(clauses[i] for i in order)
    plain = read_budget(f"{count}x{name} @ {percent}% for {time} hours in {dtype}")
    assert read_budget(text.upper() if loud else text.lower()).flops == plain.flops


@given(st.floats(min_value=0.01, max_value=1e12), names, st.floats(min_value=0.01, max_value=1000), shares)
def test_money_buys_what_its_price_says(usd: float, name: str, price: float, percent: int) -> None:
    budget = read_budget(f"${usd!r} at ${price!r} per {name}-hour @ {percent}%".replace("e+", "e"))
    assert budget.cluster is not None
    assert budget.flops == pytest.approx(usd / price * budget.cluster.flops_per_device_hour, rel=1e-12)


def _as_its_reading_says(budget: Budget) -> float:
    """The product of the factors that a reading names, worked out from its text alone."""
    sentence = budget.reading.rsplit(" FLOPs (", 1)[1]
    number = r"([0-9.]+(?:e-?[0-9]+)?)"
    if rate := re.match(rf"{number} FLOP/s[a-z0-9 ]* x {number} s(?: x {number} % MFU)?", sentence):
        return float(rate[1]) * float(rate[2]) * (float(rate[3]) / 100 if rate[3] else 1.0)
    found = [
        re.search(pattern, sentence) for pattern in (rf"{number} device-hours", rf"{number} TFLOP", rf"{number} % M")
    ]
    device_hours, peak, percent = (float(one[1]) for one in found if one)
    return device_hours * 3600 * peak * 1e12 * percent / 100


WORDS = """
64 2 1e3 0.4 40% x × X H100 h100s b200 TPU 4090 mi250 GPU $2M $2.10 $ 2M €5 dollars per / - hour hours days months m MFU
mfu for on at @ in fp8 FP16 bf16 EFLOP/s PFLOPs FLOPS B k M tokens
"""
words = st.sampled_from([*WORDS.split(), " "])


@given(
    st.one_of(
        st.text(),
        st.lists(words, max_size=9).map(" ".join),
        st.lists(words, max_size=9).map("".join),
        st.tuples(counts, words, words, hours, words).map(lambda w: f"{w[0]}{w[1]}H100{w[2]} for {w[3]} days {w[4]}"),
    )
)
def test_any_text_means_what_its_reading_says_or_is_refused_in_one_line(text: str) -> None:
    budget, refusal = _read_or_refused(text)
    assert len(refusal.splitlines()) <= 1
    if budget is None:
        return
    assert budget.flops > 0
    if " FLOPs (" in budget.reading:
        assert _as_its_reading_says(budget) == pytest.approx(budget.flops, rel=1e-4)
    else:
        assert budget.flops == read_flops(text).value


def _read_or_refused(text: str) -> tuple[Budget | None, str]:
    try:
        return read_budget(text), ""
    except UsageError as error:
        return None, str(error)


@given(st.floats(min_value=1e-3, max_value=1e6), st.sampled_from([p.upper() for p in SI_PREFIXES if p]))
def test_an_amount_is_never_a_rate_nor_money_nor_a_count(value: float, prefix: str) -> None:
    assert read_budget(f"{value!r} {prefix}FLOP").flops == read_flops(f"{value!r} {prefix}FLOP").value
    for wrong in (f"{value!r} {prefix}FLOP/s", f"{value!r} {prefix}FLOPS", f"{value!r}B", f"{value!r}M dollars"):
        with pytest.raises(UsageError):
            read_budget(wrong)
