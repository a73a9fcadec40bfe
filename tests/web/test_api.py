"""The API answers what the papers, the command line and the planted truth say."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from isoflop import laws
from isoflop.cli.main import run
from isoflop.hardware import accelerators
from isoflop.study import Study
from isoflop.web.dropped import KEPT
from isoflop.web.live import KEPT as ANSWERS
from isoflop.web.live import Watched
from tests.web.conftest import RUNNING_STEPS, planted_csv, write_metrics


def plan(client: TestClient, **settings: Any) -> dict[str, Any]:
    answer = client.get("/api/plan", params=settings)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestPlan:
    def test_gives_what_the_paper_gives(self, client: TestClient) -> None:
        """Hoffmann et al.'s unrounded approach 3 at Gopher's budget: 40.36B parameters, 58.9 tokens each."""
        found = plan(client, budget="5.76e23", law="hoffmann2022")
        assert found["plans"][0]["params"] == pytest.approx(40.36e9, rel=1e-3)
        assert found["plans"][0]["tokens_per_param"] == pytest.approx(58.9, rel=1e-3)
        shown = {one["label"]: one["value"] for one in found["headline"]}
        assert (shown["parameters N*"], shown["tokens per parameter"]) == ("40.4B", "58.9")

    def test_is_the_object_of_the_command(self, client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
        words = (
            "plan 1e24 --law besiroglu2024 --level 0.8 --hardware h100-sxm --devices 64 --inference-tokens 2T --json"
        )
        assert run(words.split()) == 0
        printed = json.loads(capsys.readouterr().out)
        asked = {"budget": "1e24", "law": "besiroglu2024", "level": 0.8, "hardware": "h100-sxm", "devices": 64}
        found = plan(client, **asked, inference_tokens="2T", figures="no")
        assert {name: found[name] for name in printed} == printed
        assert set(found) - set(printed) == {"headline", "sheets"}

    def test_hardware_for_a_time_is_the_product_of_its_factors(self, client: TestClient) -> None:
        found = plan(client, budget="512xh100-sxm @ 40% for 30 days at $2 per h100-sxm-hour", figures="no")
        peak = accelerators()["h100-sxm"].peak["bf16"]
        assert found["budget"]["flops"] == pytest.approx(512 * peak * 0.4 * 30 * 86400)
        assert found["hardware"]["cost_usd"] == pytest.approx(512 * 30 * 24 * 2)

    def test_the_line_of_a_figure_is_the_closed_form(self, client: TestClient) -> None:
        """N* = G (C/6)^(beta/(alpha+beta)), G = (alpha A / (beta B))^(1/(alpha+beta))."""
        figure = plan(client, budget="1e22", law="hoffmann2022")["figures"]["params"]
        line = next(trace for trace in figure["data"] if trace.get("name") == "hoffmann2022")
        k = laws.law("hoffmann2022").coefficients
        total = k["alpha"] + k["beta"]
        G = (k["alpha"] * k["A"] / (k["beta"] * k["B"])) ** (1 / total)
        assert line["y"] == pytest.approx(list(G * (np.array(line["x"]) / 6) ** (k["beta"] / total)), rel=1e-9)

    def test_the_budget_is_marked_where_it_lies_even_beyond_the_usual_range(self, client: TestClient) -> None:
        layout = plan(client, budget="3e15", law="hoffmann2022")["figures"]["tokens"]["layout"]
        assert layout["shapes"][0]["x0"] == 3e15
        assert layout["xaxis"]["range"][0] < np.log10(3e15) < layout["xaxis"]["range"][1]

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("", "budget is missing"),
            ("budget=banana", "'banana' is not a budget"),
            ("budget=1e24&budget=1e25", "given 2 times"),
            ("budget=1e24&levl=0.9", "did you mean 'level'"),
            ("budget=1e24&level=2", "from 0.5 to 0.99"),
            ("budget=1e24&level=nan", "not a number"),
            ("budget=1e24&law=kaplan", "no law called 'kaplan'"),
            ("budget=1e24&devices=1.5&hardware=h100-sxm", "not a whole number"),
            ("budget=64xH100 for 3 days&hardware=h100-sxm", "names its hardware"),
            ("budget=64x/etc/passwd.toml for 3 days", "may not name a file"),
            ("budget=1e-300", "1e-300"),
            ("budget=1e24&unique_tokens=banana", "'banana'"),
        ],
    )
    def test_bad_input_is_one_sentence(self, client: TestClient, query: str, says: str) -> None:
        answer = client.get(f"/api/plan?{query}")
        assert answer.status_code == 422
        assert list(answer.json()) == ["error"]
        assert says in answer.json()["error"]
        assert "\n" not in answer.json()["error"]


def test_predict_gives_the_closed_form(client: TestClient) -> None:
    found = client.get("/api/predict", params={"params": "70B", "tokens": "1.4T"}).json()
    k = laws.law("besiroglu2024").coefficients
    loss = k["E"] + k["A"] * 70e9 ** -k["alpha"] + k["B"] * 1.4e12 ** -k["beta"]
    assert found["loss"] == pytest.approx(loss, rel=1e-12)
    assert found["interval"][0] < loss < found["interval"][1]


@pytest.mark.parametrize(("path", "command"), [("laws", "laws"), ("hardware", "hardware")])
def test_lists_are_those_of_the_commands(
    client: TestClient, capsys: pytest.CaptureFixture[str], path: str, command: str
) -> None:
    assert run([command, "--json"]) == 0
    assert client.get(f"/api/{path}").json() == json.loads(capsys.readouterr().out)


class TestStudies:
    def test_where_a_study_stands(self, watching: TestClient, study: Study) -> None:
        listed = watching.get("/api/studies").json()["studies"]
        assert [(one["n"], one["name"]) for one in listed] == [(0, "mine")]
        found = watching.get("/api/studies/0").json()
        assert found["states"] == {"pending": 4, "done": 1, "stopped": 1}
        assert found["process_hours"] == pytest.approx((36.0 + 0.1 * RUNNING_STEPS) / 3600)
        assert [run["run_id"] for run in found["runs"]] == [spec.run_id for spec in study.specs()]

    def test_losses_are_drawn_as_they_fall(self, watching: TestClient, study: Study) -> None:
        second = study.run_folder(study.specs()[1].run_id)
        tag = ""
        for steps in (RUNNING_STEPS, 2 * RUNNING_STEPS):
            write_metrics(second, steps)
            answer = watching.get("/api/studies/0", headers={"if-none-match": tag})
            tag = answer.headers["etag"]
            lines = answer.json()["figures"]["losses"]["data"]
            tip = next(k for k, one in enumerate(lines) if study.specs()[1].run_id in one.get("hovertext", [""])[0])
            fell = lines[tip - 1]
            assert fell["x"] == [512.0 * k for k in range(1, steps + 1)]
            assert fell["y"] == pytest.approx([5 / k for k in range(1, steps + 1)], rel=1e-4)
        assert watching.get("/api/studies/0", headers={"if-none-match": tag}).status_code == 304

    def test_a_study_without_results_enough_says_why(self, watching: TestClient) -> None:
        found = watching.get("/api/studies/0", params={"target": "1e12"}).json()
        assert found["refit"]["target"] == 1e12
        assert found["refit"]["params"] is None
        assert found["said"]["refit"].startswith("No answer for 1e12 FLOPs yet: ")

    def test_answers_are_kept_for_the_newest_few_targets(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        watched, looks = Watched(study), []
        look = Watched._look
        monkeypatch.setattr(Watched, "_look", lambda self, *seen: looks.append(seen[-1]) or look(self, *seen))
        for target in ("1e12", "1e13", "1e12", "1e13"):  # two readers who ask about different targets
            watched.answer(target)
        assert looks == [1e12, 1e13]
        for decade in range(12, 12 + 2 * ANSWERS):
            watched.answer(f"1e{decade}")
        assert len(watched.answers) == ANSWERS

    def test_a_result_that_the_study_completes_is_seen(self, watching: TestClient, study: Study) -> None:
        """A trainer of somebody's own writes a bare result, and the study completes it in a file beside."""
        third = study.specs()[2]
        (study.run_folder(third.run_id) / "result.json").write_text('{"loss": 2.25}')
        assert "completes it" in watching.get("/api/studies/0").json()["refit"]["why"]
        result = {"schema": "isoflop.result/1", "run_id": third.run_id, "state": "done", "loss": 2.25, "steps": 20}
        result |= {"seconds": 9.0, "tokens_per_second": 512.0, "spec_digest": "", "attempt": ""}
        (study.run_folder(third.run_id) / "published.json").write_text(json.dumps(result))
        found = watching.get("/api/studies/0").json()
        assert found["states"] == {"pending": 3, "done": 2, "stopped": 1}
        assert found["process_hours"] == pytest.approx((36.0 + 9.0 + 0.1 * RUNNING_STEPS) / 3600)
        assert "completes it" not in found["refit"]["why"]

    def test_a_result_that_is_being_written_is_read_again(self, watching: TestClient, study: Study) -> None:
        torn = study.run_folder(study.specs()[0].run_id) / "published.json"
        torn.write_text('{"loss": 2.')
        first = watching.get("/api/studies/0").json()
        assert "published.json" in first["refit"]["why"]
        torn.unlink()
        second = watching.get("/api/studies/0").json()
        assert second["states"] == first["states"]
        assert "published.json" not in second["refit"]["why"]

    def test_a_study_that_is_not_there(self, watching: TestClient) -> None:
        assert watching.get("/api/studies/1").status_code == 404
        assert watching.get("/api/studies/one").status_code == 404
        assert "banana" in watching.get("/api/studies/0?target=banana").json()["error"]


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
written: list[str] | None = None
"""The files that were opened for writing while anybody looks; None while nobody does, for a hook stays for good."""


def note_files_that_are_written(event: str, arguments: tuple[Any, ...]) -> None:
    if written is not None and event == "open" and isinstance(arguments[0], str) and (arguments[2] or 0) & WRITES:
        written.append(arguments[0])


sys.addaudithook(note_files_that_are_written)


@pytest.fixture
def writes() -> Iterator[list[str]]:
    """The names of the files that are written during a test."""
    global written
    written = []
    yield written
    written = None


def drop(client: TestClient, text: str, **settings: Any) -> Any:
    return client.post("/api/tables", params={"name": "runs.csv", "draws": 100} | settings, content=text.encode())


class TestTables:
    def test_a_table_is_read_fitted_and_reported(self, client: TestClient) -> None:
        answer = drop(client, planted_csv((1e17, 1e18, 1e19)), target="1e21")
        assert answer.status_code == 201, answer.text
        assert answer.json()["n_runs"] == 12
        report = client.get(answer.json()["report"])
        # Planted: N* = (alpha A / (beta B))^(1/(alpha+beta)) (C/6)^(beta/(alpha+beta)) = 2.4e9 at 1e21.
        planted = (0.35 * 480 / (0.37 * 2100)) ** (1 / 0.72) * (1e21 / 6) ** (0.37 / 0.72)
        said = re.search(r"At 1e21 FLOPs train ([\d.]+)B", report.text)
        assert said is not None
        assert float(said[1]) * 1e9 == pytest.approx(planted, rel=0.05)

    def test_columns_of_other_names_are_asked_for(self, client: TestClient) -> None:
        text = planted_csv(header="n_params,tokens,final", rows=4)
        answer = drop(client, text)
        assert answer.status_code == 200
        assert answer.json()["missing"] == ["params", "loss"]
        assert answer.json()["columns"] == ["n_params", "tokens", "final"]
        assert drop(client, text, params="n_params", loss="final").status_code == 201

    def test_jsonl_and_tsv_are_read_too(self, client: TestClient) -> None:
        header, *rows = (line.split(",") for line in planted_csv(rows=4).splitlines())
        jsonl = "\n".join(json.dumps(dict(zip(header, map(float, row), strict=True))) for row in rows)
        assert drop(client, jsonl, name="runs.jsonl").json()["n_runs"] == len(rows)
        assert drop(client, planted_csv(rows=4).replace(",", "\t"), name="runs.tsv").json()["n_runs"] == len(rows)

    def test_the_last_few_are_kept_and_nothing_is_written(self, client: TestClient, writes: list[str]) -> None:
        ids = [drop(client, planted_csv(rows=3)).json()["id"] for _ in range(KEPT + 1)]
        assert writes == []
        assert [one["id"] for one in client.get("/api/tables").json()["tables"]] == ids[1:]
        gone = client.get(f"/api/tables/{ids[0]}/report")
        assert gone.status_code == 404
        assert "frame-ancestors 'self'" in gone.headers["content-security-policy"]  # its frame shows the sentence
        assert client.get(f"/api/tables/{ids[-1]}/report").status_code == 200

    def test_the_audit_can_fail(self, tmp_path: Path, writes: list[str]) -> None:
        (tmp_path / "seen").write_text("x")
        assert str(tmp_path / "seen") in writes

    @pytest.mark.parametrize(
        ("name", "text", "says"),
        [
            ("runs.csv", "", "is empty"),
            ("runs.csv", "params,tokens,loss\n1e8,2e9,-3\n", "row 2"),
            ("runs.csv", "params,tokens,loss\n1e8,2e9\n", "row 2 has 2 cells"),
            ("runs.parquet", "PAR1", "none of the tables"),
            ("runs.jsonl", "[" * 100_000, "row 1"),
        ],
    )
    def test_a_bad_table_is_one_sentence(self, client: TestClient, name: str, text: str, says: str) -> None:
        answer = drop(client, text, name=name)
        assert answer.status_code == 422
        assert says in answer.json()["error"]
        assert "\n" not in answer.json()["error"]


def test_every_path_is_described_and_every_description_has_a_path(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    routes = {route.path for route in client.app.app.routes if route.path.startswith("/api/")}  # type: ignore[attr-defined]
    assert set(paths) == routes


def test_every_page_and_file_is_served_with_a_tag(client: TestClient) -> None:
    for path in ("/", "/studies", "/tables", "/playgrounds", "/playgrounds/emergence"):
        page = client.get(path)
        assert page.status_code == 200
        for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
            served = client.get(file)
            assert served.status_code == 200, file
            assert client.get(file, headers={"if-none-match": served.headers["etag"]}).status_code == 304
    assert "immutable" in client.get("/static/plotly.js").headers["cache-control"]
