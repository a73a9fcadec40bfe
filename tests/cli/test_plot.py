"""``isoflop plot``: files of the form that was asked for, numbers that are the library's, wrong words refused."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from isoflop.cli.main import run
from isoflop.reports.drawings import DRAWINGS
from isoflop.runs import Runs

TWO_RUNS = "params,tokens,loss\n1e8,2e9,3.1\n2e8,1e9,3.0\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of a known surface at four budgets, and one of two runs."""
    monkeypatch.chdir(tmp_path)
    budget = np.repeat(np.geomspace(1e18, 1e21, 4), 7)
    N = np.sqrt(budget / 120) * np.tile(np.geomspace(0.25, 4, 7), 4)
    D = budget / (6 * N)
    columns = {"run_id": np.array([f"<script>{k}</script>" for k in range(28)])}
    Runs(N, D, 1.8 + 480 * N**-0.35 + 2100 * D**-0.37, columns=columns).write_csv("runs.csv")
    Path("two.csv").write_text(TWO_RUNS)
    return tmp_path


def test_the_list_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plot", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(DRAWINGS)
    assert run(["plot", "--list", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["figures"]) == list(DRAWINGS)


@pytest.mark.parametrize(
    ("name", "starts"), [("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.png", b"\x89PNG"), ("a.json", b"{")]
)
def test_the_file_is_what_its_name_says(name: str, starts: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plot", "isoflop", "runs.csv", "-o", name, "--draws", "0"]) == 0
    assert Path(name).read_bytes().startswith(starts)
    assert f"IsoFLOP profiles: {name}" in capsys.readouterr().out
    assert sorted(path.name for path in Path().iterdir()) == sorted(["runs.csv", "two.csv", name])


def test_size_and_target_are_heeded_and_names_are_only_text(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plot", "contours", "runs.csv", "-o", "a.svg", "--target", "1e23", "--draws", "0"]
    assert run([*words, "--width", "127", "--height", "63.5"]) == 0
    assert capsys.readouterr().out == "Contours of the loss: a.svg, 127 x 64 mm\n"
    svg = ET.parse("a.svg").getroot()
    assert (svg.get("width"), svg.get("height")) == ("360pt", "180pt")
    assert "script" not in {element.tag.rpartition("}")[2] for element in svg.iter()}


def test_the_json_is_a_figure_that_plotly_takes(capsys: pytest.CaptureFixture[str]) -> None:
    go = pytest.importorskip("plotly.graph_objects")
    assert run(["plot", "loss", "runs.csv", "--json", "--draws", "0"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["figure"], told["file"]) == ("isoflop.plot/1", "loss", None)
    figure = go.Figure({"data": told["data"], "layout": told["layout"]})
    diamonds = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.x[0] for trace in diamonds] == pytest.approx([1e18, 1e19, 1e20, 1e21])
    alpha, beta = 0.35, 0.37  # the loss at the optimum in closed form (Hoffmann et al., equation 4)
    G = (alpha * 480 / (beta * 2100)) ** (1 / (alpha + beta))
    for trace in diamonds:
        C = trace.x[0] / 6
        N, D = G * C ** (beta / (alpha + beta)), C ** (alpha / (alpha + beta)) / G
        assert trace.y[0] == pytest.approx(1.8 + 480 * N**-alpha + 2100 * D**-beta, rel=1e-3)


def test_the_same_command_writes_the_same_bytes() -> None:
    for name in ("one.svg", "two.svg"):
        run(["plot", "loss", "runs.csv", "-o", name, "--draws", "100"])
    assert Path("one.svg").read_bytes() == Path("two.svg").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ("plot", 2, "isoflop plot --list"),
        ("plot isoflpo runs.csv -o a.svg", 2, "did you mean 'isoflop'"),
        ("plot isoflop -o a.svg", 2, "isoflop plot isoflop runs.csv"),
        ("plot isoflop runs.csv", 2, "-o isoflop.svg"),
        ("plot isoflop runs.csv -o a.gif", 2, "SVG, PDF, PNG or JSON"),
        ("plot isoflop runs.csv -o nowhere/a.svg", 2, "nowhere does not exist"),
        ("plot isoflop runs.csv -o a.svg --width -3", 2, "a width of -3 mm"),
        ("plot isoflop runs.csv -o a.svg --width 9 --height 9", 2, "leaves this figure no room"),
        ("plot contours runs.csv -o a.svg --target banana", 2, "banana"),
        ("plot contours runs.csv -o a.svg --family chinchila", 2, "did you mean 'chinchilla'"),
        ("plot isoflop nothing.csv -o a.svg", 2, "nothing.csv"),
        ("plot isoflop two.csv -o a.svg", 3, "three values of N"),
        ("plot contours two.csv -o a.svg", 3, "give at least 8 runs"),
        ("plot exponents runs.csv -o a.svg", 3, "counts N in one way only"),
        ("plot forecast-close runs.csv -o a.svg", 3, "no forecast"),
    ],
)
def test_wrong_words(words: str, code: int, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == code
    said = capsys.readouterr()
    assert named in said.err
    assert len(said.err.splitlines()) == 1
    assert not said.out
    assert not list(Path().glob("a.*"))


PAGE = Path(__file__).parents[2] / "docs" / "figures.md"


def test_the_page_names_every_figure_as_the_list_does() -> None:
    shown = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    assert dict(shown) == {name: f"{drawing.title}: {drawing.says}" for name, drawing in DRAWINGS.items()}


def test_the_commands_of_the_page_print_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = block.splitlines()
    Path("examples").symlink_to(PAGE.parents[1] / "examples")
    for command, said in zip(lines[::2], lines[1::2], strict=True):
        assert run(shlex.split(command.removeprefix("$ isoflop "))) == 0
        assert capsys.readouterr().out.strip() == said
