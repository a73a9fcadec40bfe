"""Reading runs from a path: the kind of path picks the reader."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from isoflop.errors import TableError
from isoflop.files import write_atomic
from isoflop.runs.assemble import assemble
from isoflop.runs.columns import RawTable, as_csv
from isoflop.runs.readers.delimited import parse_delimited, read_delimited
from isoflop.runs.readers.jsonl import parse_jsonl, read_jsonl
from isoflop.runs.readers.parquet import read_parquet
from isoflop.runs.readers.study import read_study
from isoflop.runs.table import Runs

READERS: dict[str, Callable[[Path], RawTable]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
}
PARSERS: dict[str, Callable[[Iterable[str], Path, int | None], RawTable]] = {
    ".csv": parse_delimited,
    ".tsv": parse_delimited,
    ".jsonl": parse_jsonl,
}


def read_runs(path: Path | str, columns: Mapping[str, str] | None = None, where: str | None = None) -> Runs:
    """Read runs from a CSV, TSV, JSONL or Parquet file, or from a study folder.

    ``columns`` maps our names to the file's (``{"params": "n_params"}``); ``where`` selects rows, as in
    ``"flops < 1e21 and family == 'chinchilla'"``. Raises TableError, one sentence that names the file,
    the row, the column and the remedy.

    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "runs.csv"
    >>> _ = table.write_text("params,tokens,loss\\n1e8,2e9,3.1\\n2e8,1e9,3.0\\n")
    >>> read_runs(table).loss.tolist()
    [3.1, 3.0]
    """
    path = Path(path)
    reader = read_study if path.is_dir() else READERS.get(path.suffix.lower())
    if reader is None:
        raise TableError(f"{path} is none of the tables that isoflop reads ({', '.join(READERS)}) and no study folder.")
    try:
        raw = reader(path)
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror or error}; check the path.") from error
    return Runs(**assemble(raw, columns or {}, where))


def parse_table(text: str, name: str, longest: int | None = None) -> RawTable:
    """What a CSV, TSV or JSONL table holds that is in memory already, before anything is asked of it.

    ``name`` is what the table is called in messages; what it ends in says how it is read. TableError for what cannot
    be. ``runs_of`` makes runs of it. Texts are cut to ``longest`` characters where it is given: strangers' cells may
    hold megabytes.

    >>> list(parse_table("n,d,loss\\n1e8,2e9,3.1\\n", "mine.csv").columns)
    ['n', 'd', 'loss']
    """
    parse = PARSERS.get(Path(name).suffix.lower())
    if parse is None:
        raise TableError(f"{name} is none of the tables that can be read here ({', '.join(PARSERS)}).")
    return parse(io.StringIO(text, newline=""), Path(name), longest)


def runs_of(raw: RawTable, columns: Mapping[str, str] | None = None) -> Runs:
    """The runs of a table that was parsed; ``columns`` maps our names to the table's, as in ``read_runs``."""
    return Runs(**assemble(raw, columns or {}, None))


def write_study_table(study: Path, path: Path) -> None:
    """Write every run of a study that has a result as CSV, those that diverged too, with that state and no loss.

    ``read_runs`` gives the same runs from this file as from the study. Raises TableError when no run has
    a result.
    """
    text = as_csv(read_study(study).columns)
    try:
        write_atomic(path, text)
    except OSError as error:
        raise TableError(f"{path} cannot be written ({error.strerror}); choose another place.") from error
