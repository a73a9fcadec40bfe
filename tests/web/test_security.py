"""Who is let in, and what strangers' data can do: nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from isoflop.cli.main import run
from isoflop.web.api import Shown
from isoflop.web.app import application
from isoflop.web.dropped import KEPT, LARGEST, MOST_ROWS
from isoflop.web.security import COOKIE
from tests.web.conftest import HERE, planted_csv

TOKEN = "a token of the test"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::2]:8000"])
def test_another_name_is_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: evil.example resolves to 127.0.0.1, and the browser says its name."""
    for path in ("/", "/api/plan?budget=1e24", "/static/plotly.js"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "error" in answer.json()


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST"])
def test_the_names_of_this_machine_are_not(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9000", "https://127.0.0.1:8000", "http://[", ""]
)
def test_another_origin_is_refused(client: TestClient, origin: str) -> None:
    for ask in (client.get, client.post):
        assert ask("/api/tables", headers={"origin": origin}).status_code == 403
    assert client.get("/api/tables", headers={"origin": HERE}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
     "/..%2f..%2fetc/passwd", "/api/tables/..%2f..%2fetc%2fpasswd/report",
     "/playgrounds/../../etc/passwd", "/static/web.css%00"],
)  # fmt: skip
def test_no_path_leads_to_the_disk(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


class TestHeaders:
    def test_every_answer_has_them(self, client: TestClient) -> None:
        for path in ("/", "/api/laws", "/static/draw.js", "/nothing", "/openapi.json"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "script-src 'self';" in headers["content-security-policy"]

    def test_no_page_needs_a_script_in_its_text(self, client: TestClient) -> None:
        for path in ("/", "/studies", "/tables", "/playgrounds", "/playgrounds/inference"):
            scripts = re.findall(r"<script([^>]*)>", client.get(path).text)
            assert scripts
            assert all("src=" in given or "application/json" in given for given in scripts)
            assert not re.search(r"\son\w+=", client.get(path).text)


class TestToken:
    @pytest.fixture
    def outside(self) -> Iterator[TestClient]:
        """A server on all addresses, which has a token."""
        app = application(Shown(), host="0.0.0.0", token=TOKEN)
        with TestClient(app, base_url="http://box.lan:8000", follow_redirects=False) as client:
            yield client

    def test_without_it_nothing_is_answered(self, outside: TestClient) -> None:
        for path in ("/", "/api/plan?budget=1e24", "/static/draw.js", "/openapi.json", "/?token=wrong", "/?token="):
            assert outside.get(path).status_code == 401
        assert outside.get("/", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert outside.get("/", headers={"cookie": f"{COOKIE}=wrong"}).status_code == 401

    def test_with_it_all_is(self, outside: TestClient) -> None:
        assert outside.get("/api/laws", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        first = outside.get("/?token=a+token+of+the+test&by=time")
        assert first.status_code == 303
        assert first.headers["location"] == "/?by=time"
        assert {"httponly", "samesite=strict"} <= set(first.headers["set-cookie"].lower().split("; "))
        assert outside.get("/").status_code == 200  # the cookie is kept

    def test_the_address_with_it_leads_nowhere_else(self, outside: TestClient) -> None:
        answer = outside.get("http://box.lan:8000//evil.example/?token=a+token+of+the+test")
        assert answer.headers["location"].startswith("/evil")


def test_too_large_a_table_is_refused_while_it_comes(client: TestClient) -> None:
    sent = []

    def parts() -> Iterator[bytes]:  # without a length, as a liar would
        for _ in range(LARGEST // 2**20 + 8):
            sent.append(1)
            yield b"x" * 2**20

    answer = client.post("/api/tables?name=runs.csv", content=parts())
    assert answer.status_code == 413
    assert "up to 32 MB" in answer.json()["error"]


def test_a_long_table_is_refused_before_it_is_fitted(client: TestClient) -> None:
    rows = "1e8,2e9,3.1\n" * (MOST_ROWS + 1)
    answer = client.post("/api/tables?name=runs.csv", content=f"params,tokens,loss\n{rows}".encode())
    assert answer.status_code == 422
    assert "20,001 rows" in answer.json()["error"]
    assert "isoflop report" in answer.json()["error"]


def test_a_target_that_nobody_could_run_is_refused_before_anything_is_fitted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isoflop.web.dropped.render", lambda _: pytest.fail("it was fitted"))
    answer = client.post("/api/tables?name=runs.csv&target=1e60", content=planted_csv().encode())
    assert answer.status_code == 422
    assert "nobody could make" in answer.json()["error"]


def test_a_cell_of_ten_megabytes_is_shown_cut(client: TestClient) -> None:
    header, *rows = planted_csv(rows=3).splitlines()
    text = "\n".join([f"{header},run_id", f"{rows[0]},{'x' * 10_000_000}", *(f"{row},short" for row in rows[1:])])
    answer = client.post("/api/tables?name=runs.csv&draws=100", content=text.encode())
    assert answer.status_code == 201, answer.text
    report = client.get(answer.json()["report"]).text
    assert "xxx …" in report
    assert "x" * 1000 not in report


def test_a_lost_reader_finds_a_way_back(client: TestClient) -> None:
    answer = client.get("/nowhere", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert 'href="/"' in answer.text
    assert client.get("/api/nowhere", headers={"accept": "text/html"}).json()["error"]


HOSTILE = '<img src=x onerror=alert(1)></script><script>document.title="owned"</script>'


def test_cells_of_strangers_are_text(client: TestClient) -> None:
    header, *rows = planted_csv(rows=4).splitlines()
    quoted = HOSTILE.replace('"', '""')
    text = "\n".join([f"{header},run_id", *(f'{row},"{quoted}{k}"' for k, row in enumerate(rows))])
    name = f"{HOSTILE}.csv".replace("/", "")
    answer = client.post("/api/tables", params={"name": name, "draws": 100}, content=text.encode())
    assert answer.status_code == 201, answer.text
    report = client.get(answer.json()["report"])
    assert "<img src=x" not in report.text
    assert '<script>document.title="owned"' not in report.text
    policy = report.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "text",
    [
        "params,tokens,loss\n=1+1,@SUM(A1),-cmd|' /C calc'!A0\n",
        "params,tokens,loss\n" + "9" * 10_000_000 + ",1,1\n",
        "a" * 10_000_000,
        "params,tokens,loss," + ",".join(f"c{k}" for k in range(200_000)) + "\n1,1,1\n",
        "params,tokens,loss\n" + "1e8,2e9,3\x004\n" * 5,
        "\x00\x01\x02",
        # 1,000 rows as wide as the first would ask 40 GB.
        '{"params": 1e8, "loss": 3.1, "note": [' + "1," * 5_000_000 + "1]}\n" + '{"params": 1e8, "loss": 3.1}\n' * 1000,
        "".join(f'{{"params": 1e8, "loss": 3.1, "own{k}": {k}}}\n' for k in range(20_000)),
    ],
    ids=["formulas", "ten-megabyte-cell", "ten-megabyte-line", "wide", "nul", "binary", "nested", "many-keys"],
)
def test_hostile_tables_are_refused_in_a_sentence(client: TestClient, text: str) -> None:
    name = "runs.jsonl" if text.startswith("{") else "runs.csv"
    answer = client.post(f"/api/tables?name={name}&draws=100", content=text.encode())
    assert answer.status_code in (200, 422)
    said = answer.json().get("error") or answer.json()["says"]
    assert len(said) < 1000


def test_what_is_no_text_is_refused(client: TestClient) -> None:
    answer = client.post("/api/tables?name=runs.csv", content=b"\xff\xfe\x00params")
    assert answer.status_code == 422
    assert "not UTF-8" in answer.json()["error"]


class TestCommand:
    def test_a_port_that_is_taken(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            assert run(["serve", "--port", str(taken.getsockname()[1])]) == 2
        assert "give another --port" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (["--host", ""], "--host is empty"),
            (["--host", "no.such.host.invalid"], "no address of this machine is called"),
            (["--token", "a b"], "letters, digits"),
            (["--token", "a&b"], "letters, digits"),
            (["--token", "clé"], "letters, digits"),
        ],
    )
    def test_a_host_or_a_token_that_cannot_be(
        self, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["serve", "--port", "0", *words]) == 2
        assert says in capsys.readouterr().err

    def test_more_tables_than_are_kept(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The first would vanish without a word."""
        tables = [tmp_path / f"{k}.csv" for k in range(KEPT + 1)]
        for table in tables:
            table.write_text(planted_csv(rows=3))
        assert run(["serve", *map(str, tables)]) == 2
        assert f"the page keeps {KEPT}" in capsys.readouterr().err

    @pytest.mark.parametrize("words", [["nowhere.csv"], ["."], ["--port", "99999"], ["--host", "no.such.host.invalid"]])
    def test_what_cannot_be_served(
        self, words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run(["serve", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
