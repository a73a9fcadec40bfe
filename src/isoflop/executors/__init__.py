"""Where jobs run. An executor starts commands and says how they ended; it knows nothing of training."""

from isoflop.executors._executor import Executor, Job, JobReport, Status
from isoflop.executors.local import LocalExecutor

__all__ = ["Executor", "Job", "JobReport", "LocalExecutor", "Status"]
