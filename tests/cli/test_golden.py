"""The help texts as users see them; ``make golden`` refreshes the files, and the diff shows what changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from isoflop.cli.main import COMMANDS, run


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(
    command: str,
    golden: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*command.split(), "--help"]) == 0
    golden(f"help{'_' if command else ''}{command}.txt", capsys.readouterr().out)


def test_the_default_plan(golden: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "5.76e23"]) == 0
    golden("plan.txt", capsys.readouterr().out)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_summary_in_the_list_is_not_cut(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    assert COMMANDS[command] in capsys.readouterr().out
