"""Who may import whom: the table of CONTRIBUTING.md, kept by reading every import of the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "isoflop"

GROUND = {"errors", "quantities", "conventions", "files", "attempts"}
FACTS = {"runs", "accounting", "laws", "hardware", "executors"}
MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(FACTS, GROUND),
    "fitting": GROUND | {"runs", "laws"},
    "sweeps": GROUND | {"accounting", "hardware", "laws", "runs", "fitting"},
    "planning": GROUND | {"laws", "accounting", "hardware"},
    "training": GROUND | {"accounting", "runs"},
    "study": GROUND | {"accounting", "sweeps", "executors", "hardware", "training.spec", "training.data", "runs"},
    "reports": GROUND | {"runs", "laws", "fitting", "planning", "sweeps", "hardware"},
    "quickstart": GROUND | FACTS | {"fitting", "sweeps", "planning", "training", "study", "reports"},
    "testing": GROUND | FACTS | {"fitting", "sweeps", "planning", "training", "study", "reports"},
    "cli": GROUND | FACTS | {"fitting", "sweeps", "planning", "training", "study", "reports", "quickstart"},
    "web": GROUND | FACTS | {"fitting", "sweeps", "planning", "training", "study", "reports", "quickstart"},
}
# Third parties that only these places may import.
CONFINED = {
    "torch": {"training"},
    "safetensors": {"training"},
    "scipy": {"fitting"},
    "plotly": {"reports"},
    "ray": {"executors"},
    "rich": {"cli"},
    "typer": {"cli"},
    "narwhals": {"runs"},
    "pyarrow": {"runs", "training"},
    "tokenizers": {"training"},
    "datasets": {"training"},
    "matplotlib": {"reports"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "pytest": {"testing"},
}
# Imports inside functions are for the command line, the package's door, and for extras at their edge.
LAZY = {"cli", "__init__", "runs/readers/parquet", "runs/readers/frame"}
# So are sources and units of text.
LAZY |= {"training/data/_sources", "training/data/_units"}
# A trainer fixes the number of threads before PyTorch is imported.
LAZY |= {"training/__main__"}
# Ray is an extra, and takes half a second.
LAZY |= {"executors/ray", "executors/_gang"}
# And what starts ranks takes signals before that, for it takes seconds.
LAZY |= {"training/launch"}

FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path):
    """(module, line, whether it is inside a function) for every import that runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.dump(test.test)
        for node in ast.walk(test)
    }
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, node in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno, node in inside) for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def is_listed(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in allowed)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    for module, line, _ in imports_of(path):
        top, _, rest = module.partition(".")
        if top == "isoflop":
            if rest.split(".")[0] != here:
                assert is_listed(rest, MAY_IMPORT[here]), f"{path}:{line}: {here} may not import {module}"
        elif top in CONFINED:
            assert here in CONFINED[top], f"{path}:{line}: only {CONFINED[top]} may import {top}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_stand_at_the_top(path):
    name = str(path.relative_to(PACKAGE).with_suffix(""))
    if room(path) in LAZY or name in LAZY:
        return
    lazy = [f"{path}:{line}: {module}" for module, line, inside in imports_of(path) if inside]
    assert not lazy


def test_modules_do_not_import_in_circles():
    names = {".".join(("isoflop", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in FILES}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    edges = {
        name: {target for module, _, inside in imports_of(path) if not inside for target in _targets(module, names)}
        for name, path in names.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in edges[name] - {name}:
                visit(target, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def _targets(module: str, names: dict[str, Path]) -> set[str]:
    """The module that an import names, or the package that holds the imported name."""
    while module and module not in names:
        module = module.rpartition(".")[0]
    return {module} if module else set()


def test_the_rule_itself_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from isoflop.cli import main\n")
    assert list(imports_of(bad)) == [("isoflop.cli.main", 2, True)]
    assert not is_listed("cli", MAY_IMPORT["fitting"])
