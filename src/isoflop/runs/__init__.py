"""What was observed: the table of runs, and the readers that fill it."""

from isoflop.runs.counts import with_convention
from isoflop.runs.read import read_runs, write_study_table
from isoflop.runs.table import DroppedRun, Runs

__all__ = ["DroppedRun", "Runs", "read_runs", "with_convention", "write_study_table"]
