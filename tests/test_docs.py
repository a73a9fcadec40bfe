"""The documents say what the program does: undocumented means red."""

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path

import pytest

from isoflop import errors
from isoflop.cli import main as cli
from isoflop.fitting import diagnose

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "VISION.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
EVERYTHING = "\n".join(TEXT.values())


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_documented(command):
    assert f"isoflop {command}" in EVERYTHING


def test_every_note_is_documented():
    sources = Path(diagnose.__file__).parent.glob("*.py")
    codes = {code for page in sources for code in re.findall(r'Note\(\s*"(\w+)"', page.read_text(encoding="utf-8"))}
    assert len(codes) >= 12
    documented = set(re.findall(r"^\| `(\w+)` \| (?:caution|refused)", TEXT[ROOT / "docs" / "fitting.md"], flags=re.M))
    assert documented == codes


def test_exit_codes_are_documented():
    table = TEXT[ROOT / "docs" / "formats.md"]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.IsoflopError)]
    for code in {0, *(kind.exit_code for kind in kinds)}:
        assert re.search(rf"^\| {code} \|", table, flags=re.M), code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT[page]):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readmes_python_prints_what_it_says():
    (example,) = blocks(TEXT[ROOT / "README.md"], "python")
    expected = [line.removeprefix("# ").rstrip() for line in example.splitlines() if line.startswith("# ")]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    assert [line.rstrip() for line in printed.getvalue().splitlines() if line] == expected


SESSIONS = [page for page in PAGES if "\n>>> " in TEXT[page]]


@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.name)
def test_the_sessions_of_a_page_print_what_it_says(page):
    """Blocks that begin with ">>>", one after another with the same names."""
    session = "\n".join(block for block in blocks(TEXT[page], "python") if block.startswith(">>> "))
    example = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    assert example.examples
    said: list[str] = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert not said, "".join(said)


def test_the_readmes_commands_print_what_it_says(capsys):
    """Blocks of type console: a command after "$", then its output; "..." stands for lines left out."""
    shown = blocks(TEXT[ROOT / "README.md"], "console")
    assert shown
    for block in shown:
        command, _, expected = block.partition("\n")
        words = shlex.split(command.removeprefix("$ "))
        assert words.pop(0) == "isoflop"
        assert cli.run(words) == 0
        seen = capsys.readouterr().out
        pattern = ".*?".join(re.escape(part.strip("\n")) for part in expected.split("..."))
        assert re.search(pattern, seen, flags=re.S), seen


def test_no_adjectives_of_the_trade():
    for word in ("robust", "seamless", "comprehensive", "blazing", "state-of-the-art", "effortless"):
        assert word not in EVERYTHING.lower(), word
