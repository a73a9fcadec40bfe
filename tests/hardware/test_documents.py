"""docs/hardware.md says what the package says: its table, its examples, its Python; and the command's other forms."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from isoflop.cli.main import run
from isoflop.hardware import accelerators, read_budget
from isoflop.quantities import format_flops

PAGE = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```console\n\$ isoflop hardware\n(.*?)```", PAGE, flags=re.DOTALL)
    assert run(["hardware"]) == 0
    assert capsys.readouterr().out == block


def test_the_examples_are_read_as_the_page_says() -> None:
    examples = re.findall(r"^\| `([^`]+)` \| ([0-9.e]+) \|", PAGE, flags=re.MULTILINE)
    assert len(examples) >= 9
    for text, flops in examples:
        assert format_flops(read_budget(text).flops) == flops, text


def test_the_python_prints_what_it_says() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    code, _, said = example.rpartition('accelerator("H100")), 3))\n')
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "hardware.md", "exec"), {})
    assert code
    assert printed.getvalue().splitlines() == [line.removeprefix("# ") for line in said.splitlines()]


@pytest.mark.parametrize("name", sorted(accelerators()))
def test_a_page_names_every_figure_its_source_and_its_cautions(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", name]) == 0
    said = capsys.readouterr().out
    one = accelerators()[name]
    assert one.source.title in said
    assert one.source.verified in said
    assert all(caution in said for caution in one.cautions)
    assert all(f"{dtype} {rate / 1e12:.6g}" in said for dtype, rate in one.peak.items())
    assert one.price is None or (one.price.date in said and one.price.source in said)
    assert ("Remembered" in said) == (one.source.verified == "memory")


def test_json_holds_every_accelerator(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert next(iter(answer)) == "schema"
    assert answer["schema"] == "isoflop.hardware/1"
    assert [one["id"] for one in answer["accelerators"]] == list(accelerators())
    assert run(["hardware", "H100", "--json"]) == 0
    (h100,) = json.loads(capsys.readouterr().out)["accelerators"]
    assert h100["peak"]["bf16"] == 989.4e12
    assert h100["price"]["date"] == "2026-05"
