"""A study: a designed set of runs, the folder that holds them, and the work of getting them done.

This is the only place where design, recipe, executor and run folders meet.

>>> import tempfile
>>> from pathlib import Path
>>> plan = StudyPlan("mine", "small-bytes-v1", (RunPlan(width=32, budget=5e11),))
>>> study = create_study(Path(tempfile.mkdtemp()), plan, planned_specs(plan, {"corpus": "c0ffee"}))
>>> {str(state.state) for state in study.states()}
{'pending'}
"""

from isoflop.study._designed import study_of_design
from isoflop.study._ends import catch_up
from isoflop.study._executors import ExecutorPlan, executor_for, refuse_workers
from isoflop.study._folder import Study, create_study, open_study
from isoflop.study._init import init_study, preview
from isoflop.study._losses import losses
from isoflop.study._orders import cancel, retry
from isoflop.study._plan import STUDY, CorpusPlan, RunPlan, StudyPlan, TrainerPlan, plan_to_toml, read_plan
from isoflop.study._price import Preview, Priced, price
from isoflop.study._protocol import Check, protocol
from isoflop.study._run import Manner, Progress, run_study
from isoflop.study._specs import planned_specs, predicted_seconds, run_spec, run_specs
from isoflop.study._standing import Standing, standing
from isoflop.study._states import METRICS, PUBLISHED, RESULT, RunState, State, time_left
from isoflop.study._trainer import PLACEHOLDERS, Trainer, own_trainer, trainer_of

__all__ = [
    "METRICS",
    "PLACEHOLDERS",
    "PUBLISHED",
    "RESULT",
    "STUDY",
    "Check",
    "CorpusPlan",
    "ExecutorPlan",
    "Manner",
    "Preview",
    "Priced",
    "Progress",
    "RunPlan",
    "RunState",
    "Standing",
    "State",
    "Study",
    "StudyPlan",
    "Trainer",
    "TrainerPlan",
    "cancel",
    "catch_up",
    "create_study",
    "executor_for",
    "init_study",
    "losses",
    "open_study",
    "own_trainer",
    "plan_to_toml",
    "planned_specs",
    "predicted_seconds",
    "preview",
    "price",
    "protocol",
    "read_plan",
    "refuse_workers",
    "retry",
    "run_spec",
    "run_specs",
    "run_study",
    "standing",
    "study_of_design",
    "time_left",
    "trainer_of",
]
