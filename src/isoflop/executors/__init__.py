"""Where jobs run. An executor starts commands and says how they ended; it knows nothing of training."""

from isoflop.executors._executor import Executor, Job, JobReport, Status
from isoflop.executors._orphan import end_orphan, works_in
from isoflop.executors.local import GRACE_SECONDS, LocalExecutor

__all__ = ["GRACE_SECONDS", "Executor", "Job", "JobReport", "LocalExecutor", "Status", "end_orphan", "works_in"]
