"""What all tests share: the public run tables, where they are present, and the golden files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"

# A machine under load is slow, not wrong.
settings.register_profile("isoflop", deadline=None)
settings.load_profile("isoflop")

# A shell starts what it puts in the background deaf to Ctrl-C, and the tests' own children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-golden", action="store_true", help="write the golden files anew; then read the diff")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public run tables, which is not part of the project (licences differ)."""
    folder = Path(os.environ.get("ISOFLOP_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("the public run tables are not here; name their folder in ISOFLOP_SHARED")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the golden file of that name, or writes it under --refresh-golden."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--refresh-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden file {name}; make golden writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare
