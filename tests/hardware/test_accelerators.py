"""Every accelerator that comes with isoflop keeps the contract; names are looked up, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

import isoflop.hardware
from isoflop.errors import UnknownName, UsageError
from isoflop.hardware import Accelerator, accelerator, accelerators, read_accelerator
from isoflop.testing.accelerators import AcceleratorContract

FOLDER = Path(isoflop.hardware.__file__).parent / "accelerators"
H100 = (FOLDER / "h100-sxm.toml").read_text(encoding="utf-8")


class TestEveryAccelerator(AcceleratorContract):
    @pytest.fixture(params=sorted(accelerators()))
    def accelerator(self, request: pytest.FixtureRequest) -> Accelerator:
        return accelerators()[request.param]

    def test_its_file_has_its_name(self, accelerator: Accelerator) -> None:
        assert read_accelerator(FOLDER / f"{accelerator.id}.toml") == accelerator

    def test_each_of_its_names_finds_it(self, accelerator: Accelerator) -> None:
        for name in (accelerator.id, accelerator.id.upper(), accelerator.id.replace("-", " "), *accelerator.aliases):
            assert isoflop.hardware.accelerator(name) is accelerator


def test_no_name_stands_for_two() -> None:
    names = [name for one in accelerators().values() for name in {one.id, *map(str.lower, one.aliases)}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("H100", "h100-sxm"),
        ("A100", "a100-sxm-80gb"),
        ("B200", "b200-sxm"),
        ("V100", "v100-sxm2-32gb"),
        ("MI300X", "mi300x"),
        ("4090", "rtx-4090"),
        ("v5p", "tpu-v5p"),
        ("TPU_v5p", "tpu-v5p"),
        (" h100 ", "h100-sxm"),
    ],
)
def test_names_that_people_write(name: str, id: str) -> None:
    assert accelerator(name).id == id


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("H800", "no accelerator called 'H800'"),
        ("h1000", "did you mean 'h100-sxm'?"),
        ("TPU", "'TPU' could be tpu-v4, tpu-v5e, tpu-v5p, tpu-v6e, tpu7x; say which."),
        ("a100-sxm", None),
        ("RTX", "could be rtx-4090, rtx-5090"),
        ("MI", "could be mi250, mi250x, mi300x"),
        ("", "no accelerator called ''"),
        ("banana", "isoflop hardware lists all"),
    ],
)
def test_what_is_unknown_or_ambiguous_is_refused(name: str, said: str | None) -> None:
    if said is None:
        assert accelerator(name).id == "a100-sxm-80gb"
        return
    with pytest.raises(UnknownName) as caught:
        accelerator(name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    # From the vendors' data sheets, the sparse rates halved.
    [
        ("H100", "bf16", 1979 / 2),
        ("H100", "fp8", 3958 / 2),
        ("A100", "bf16", 312),
        ("A100", "tf32", 156),
        ("V100", "fp16", 125),
        ("B200", "bf16", 4500 / 2),
        ("MI300X", "bf16", 1307.4),
        ("v5p", "bf16", 459),
        ("4090", "bf16", 165.2),
        ("L40S", "fp8", 1466 / 2),
        ("GB200", "bf16", 5000 / 2),
        ("MI250", "fp16", 362.1),
    ],
)
def test_dense_peaks(name: str, dtype: str, tflops: float) -> None:
    assert accelerator(name).peak_in(dtype) == pytest.approx(tflops * 1e12, rel=2e-3)


@pytest.mark.parametrize("dtype", ["fp8", "FP8", "int8", "", "bf 16"])
def test_a_number_format_without_a_figure_is_refused_with_those_there_are(dtype: str) -> None:
    with pytest.raises(UsageError, match="a100-sxm-80gb; it has bf16, fp16, tf32, fp32"):
        accelerator("A100").peak_in(dtype)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("isoflop.accelerator/1", "isoflop.law/1", "is no accelerator: its schema is 'isoflop.law/1'"),
        ('id = "h100-sxm"', "id = 7", "says id = 7; write a text"),
        ("gigabytes = 80", "gigabytes = -80", "says gigabytes = -80; write a positive number"),
        ("gigabytes = 80", 'gigabytes = "80"', "says gigabytes = '80'"),
        ("watts = 700", "watts = true", "says watts = True"),
        ("bf16 = 989.4e12", "bf16 = nan", "says bf16 = nan"),
        ("tf32 = 494.5e12", "tf31 = 494.5e12", "['tf31']; write rates in fp4"),
        ('verified = "table"', 'verified = "surely"', "write one of vendor, table, page, derived, memory"),
        ("low = 1.99", "low = 3.99", "order them low, typical, high"),
        ("high = 0.55", "high = 55", "0.4 for 40 %"),
        ("[memory]", "[memories]", "has no section [memory]"),
        ("aliases = [", "aliases = [1, ", "write a list of texts"),
        ("[peak]", "[peak", "is not TOML"),
    ],
)
def test_a_file_that_is_no_accelerator_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in H100
    path = tmp_path / "mine.toml"
    path.write_text(H100.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_accelerator(path)
    assert said in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the accelerator file"):
        read_accelerator(tmp_path / "none.toml")
