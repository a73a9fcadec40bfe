"""The sessions of docs/slurm.md and docs/ray.md print on real engines what the pages say."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from isoflop.cli.main import run

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("engine", ["slurm", "ray"])
def test_the_session_prints_what_it_says(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster: Any = request.getfixturevalue(f"{engine}_cluster")
    page = (ROOT / "docs" / f"{engine}.md").read_text(encoding="utf-8")
    (tables, *_) = re.findall(r"^```toml\n(.*?)^```", page, flags=re.M | re.S)
    if engine == "ray":
        tables = re.sub(r"(?<=address = ).*", f'"{cluster.address}"', tables)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "trainers" / "own", "study")
    with Path("study", "study.toml").open("a") as file:
        file.write(tables.replace('"\n', '"\npoll_seconds = 0.3\n', 1))
    assert run(["sweep", "init", "study"]) == 0
    (block,) = re.findall(r"^```console\n(.*?)^```", page, flags=re.M | re.S)
    for part in re.findall(r"^\$ (.*\n(?:[^$].*\n|\n)*)", block, flags=re.M):
        command, _, expected = part.partition("\n")
        capsys.readouterr()
        assert run(shlex.split(command)[1:]) in (0, 4)  # 4: one run of the example fails
        seen = capsys.readouterr().out
        pattern = ".*?".join(re.escape(piece.strip("\n")) for piece in expected.split("..."))
        assert re.search(pattern, seen, flags=re.S), f"{command}\n{seen}"
