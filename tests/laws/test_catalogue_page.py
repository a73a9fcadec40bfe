"""docs/catalogue.md lists every entry of the catalogue, as the package has it; --refresh-golden writes the table."""

import re

from isoflop.laws import Law, Record, entries, entry, kind

PAGE = "docs/catalogue.md"
KINDS = {
    "loss_and_split": "loss and split",
    "split": "split",
    "loss": "loss",
    "rule": "rule",
    "record": "record",
}
HEADER = "| id | kind | form | N counts | fitted on | source | read in |\n|---|---|---|---|---|---|---|\n"


def row(name: str) -> str:
    one = entry(name)
    form = f"`{one.family.name}`" if isinstance(one, Law) else "powers" if not isinstance(one, Record) else ""
    counts = "" if isinstance(one, Record) else str(one.conventions.params).replace("_", " ")
    spans = {} if isinstance(one, Record) else vars(one.fitted_range)
    seen = {key: span for key, span in spans.items() if span is not None}
    letters = {"params": "N", "tokens": "D", "flops": "C"}
    fitted = ", ".join(f"{letters[key]} {lo:.3g} to {hi:.3g}" for key, (lo, hi) in seen.items())
    where = f"arXiv {one.source.arxiv}, {one.source.where}" if one.source.arxiv else one.source.where
    cells = (f"`{name}`", KINDS[kind(one)], form, counts, fitted, where, one.source.verified)
    return "| " + " | ".join(cells) + " |\n"


def test_the_page_lists_what_there_is(pytestconfig):
    page = pytestconfig.rootpath / PAGE
    text, order = page.read_text(encoding="utf-8"), list(KINDS)
    names = sorted(entries(), key=lambda name: (order.index(kind(entry(name))), name))
    table = HEADER + "".join(row(name) for name in names)
    before, after = re.split(r"\| id \| kind .*?(?=\n\n|\n?\Z)", text, maxsplit=1, flags=re.S)
    fresh = before + table.rstrip("\n") + after
    if pytestconfig.getoption("--refresh-golden"):
        page.write_text(fresh, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == fresh
