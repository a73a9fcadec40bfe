"""What was observed: the table of runs, and the readers that fill it."""

from isoflop.runs.counts import with_convention
from isoflop.runs.read import parse_table, read_runs, runs_of, write_study_table
from isoflop.runs.table import DroppedRun, Runs

__all__ = ["DroppedRun", "Runs", "parse_table", "read_runs", "runs_of", "with_convention", "write_study_table"]
