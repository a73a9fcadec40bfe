"""Where jobs run. An executor starts commands and says how they ended; it knows nothing of training."""

from isoflop.executors._batch import batches, open_batches
from isoflop.executors._engine import Engine, EngineExecutor, Manners, Phase, Unreachable, Word
from isoflop.executors._executor import (
    ATTEMPT,
    NODE_RANK,
    PYTHON,
    RENDEZVOUS,
    Cause,
    Executor,
    Job,
    JobReport,
    Left,
    Status,
)
from isoflop.executors._orphan import NOTE, birth, end_orphan, works_in
from isoflop.executors._process import GRACE_SECONDS, left_in
from isoflop.executors.local import LocalExecutor
from isoflop.executors.manifests import KubernetesSettings, SkyPilotSettings, manifests_executor
from isoflop.executors.slurm import SlurmSettings, slurm_executor

__all__ = [
    "ATTEMPT",
    "GRACE_SECONDS",
    "NODE_RANK",
    "NOTE",
    "PYTHON",
    "RENDEZVOUS",
    "Cause",
    "Engine",
    "EngineExecutor",
    "Executor",
    "Job",
    "JobReport",
    "KubernetesSettings",
    "Left",
    "LocalExecutor",
    "Manners",
    "Phase",
    "SkyPilotSettings",
    "SlurmSettings",
    "Status",
    "Unreachable",
    "Word",
    "batches",
    "birth",
    "end_orphan",
    "left_in",
    "manifests_executor",
    "open_batches",
    "slurm_executor",
    "works_in",
]
