"""Limits that only tighten. An exception is listed here by name, with its reason, or it does not exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "isoflop"
FILES = sorted(PACKAGE.rglob("*.py"))

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LONGEST_COMMAND = 120
SAYS_NOTHING = re.compile(r"^(utils?|helpers?|common|misc)$")
NOT_A_NAME = re.compile(r"(Manager|Factory|Handler|Helper|Provider|Service)$")


def trees():
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]


def test_files_and_functions_are_short():
    for path, tree in trees():
        lines = path.read_text(encoding="utf-8").count("\n")
        limit = LONGEST_COMMAND if path.parent.name == "cli" else LONGEST_FILE
        assert lines <= limit, f"{path} has {lines} lines"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_names_say_something():
    for path, tree in trees():
        assert not SAYS_NOTHING.match(path.stem), path
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert not NOT_A_NAME.search(node.name), f"{path}:{node.lineno} {node.name}"


def test_errors_are_caught_by_name():
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
                assert not broad, f"{path}:{node.lineno}"


@pytest.mark.parametrize("forbidden", ["pickle", "eval(", "exec(", "allow_pickle=True"])
def test_nothing_unpickles_or_evaluates(forbidden):
    pattern = re.compile(rf"(?<![\w.]){re.escape(forbidden)}")
    for path in FILES:
        assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_public_functions_say_what_they_do():
    for path, tree in trees():
        if path.stem.startswith("__main__") or path.parent.name == "testing":
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node) or len(node.body) <= 8, f"{path}:{node.lineno} {node.name}"
