"""docs/sweeps.md says what the program does: its session is played, its tables are those of the code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from isoflop.cli.main import run
from isoflop.executors import KubernetesSettings, SkyPilotSettings, SlurmSettings
from isoflop.executors.ray import RaySettings
from isoflop.study import PLACEHOLDERS, CorpusPlan, ExecutorPlan, RunPlan, State, StudyPlan, TrainerPlan

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
ENGINES = {"slurm", "ray", "kubernetes", "skypilot"}


def first_cells(head: str, page: str = PAGE) -> list[str]:
    """The names in the first column of the table with that head, "or" and commas apart."""
    (table,) = re.findall(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, flags=re.M)
    cells = [row.split("|")[1] for row in table.splitlines()]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_session_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "trainers" / "own", "study")
    codes = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.M | re.S):
        for part in re.findall(r"^\$ (.*\n(?:[^$].*\n|\n)*)", block, flags=re.M):
            command, _, expected = part.partition("\n")
            capsys.readouterr()
            codes.append(run(shlex.split(command)[1:]))
            seen = capsys.readouterr().out
            pattern = ".*?".join(re.escape(piece.strip("\n")) for piece in expected.split("..."))
            assert re.search(pattern, seen, flags=re.S), f"{command}\n{seen}"
    assert codes == [0, 4, 0, 0, 0, 0]


def test_tables_name_every_key() -> None:
    top = {name.strip("[]") for name in first_cells("key")}
    named = {"corpora.NAME": "corpora"}
    assert {named.get(name, name) for name in top} == {
        "schema", "corpus", "grid", *ENGINES, *(one.name for one in fields(StudyPlan))
    }  # fmt: skip
    for head, plan in (("`[[runs]]`", RunPlan), ("`[trainer]`", TrainerPlan)):
        assert first_cells(head) == [one.name for one in fields(plan)] or set(first_cells(head)) == {
            one.name for one in fields(plan)
        }
    assert {"name", *first_cells("`[corpus]`")} >= {one.name for one in fields(CorpusPlan)}


@pytest.mark.parametrize(
    ("page", "head", "settings"),
    [
        ("slurm", "`[executor]`", ExecutorPlan),
        ("slurm", "`[slurm]`", SlurmSettings),
        ("ray", "`[ray]`", RaySettings),
        ("kubernetes", "`[kubernetes]`", KubernetesSettings),
        ("kubernetes", "`[skypilot]`", SkyPilotSettings),
    ],
)
def test_tables_name_every_key_of_an_engine(page: str, head: str, settings: type) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert set(first_cells(head, text)) == {one.name for one in fields(settings)} - ENGINES


def test_placeholders_and_states_are_those_of_the_code() -> None:
    assert first_cells("placeholder") == [f"{{{name}}}" for name in PLACEHOLDERS]
    assert first_cells("state") == [str(state) for state in State]
    for name, meaning in PLACEHOLDERS.items():
        assert f"| `{{{name}}}` | {meaning} |" in PAGE


def test_the_keys_of_the_json_are_documented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^`isoflop\.sweep/1` of .*?\n\n", page, flags=re.M | re.S)
    shutil.copytree(ROOT / "examples" / "trainers" / "own", tmp_path / "study")
    for words in (["init"], ["status", "--runs"]):
        capsys.readouterr()
        assert run(["sweep", words[0], str(tmp_path / "study"), "--json", *words[1:]]) == 0
        said = json.loads(capsys.readouterr().out)
        names = {*said, *(key for rows in said.values() if isinstance(rows, list) and rows for key in rows[0])}
        assert not [name for name in names - {"schema"} if not re.search(rf"\b{name}\b", section)]
