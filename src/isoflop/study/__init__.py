"""A study: a designed set of runs, the folder that holds them, and the work of getting them done.

This is the only place where design, recipe, executor and run folders meet.

>>> import tempfile
>>> from pathlib import Path
>>> from isoflop.sweeps.design import isoflop_grid
>>> from isoflop.sweeps.recipe import SMALL_BYTES
>>> specs = run_specs(SMALL_BYTES, isoflop_grid(SMALL_BYTES, [5e11]), seed=0, corpus_digest="c0ffee")
>>> facts = StudyFacts("mine", SMALL_BYTES.name, seed=0, corpus_digest="c0ffee", loss_noise=SMALL_BYTES.seed_noise)
>>> study = create_study(Path(tempfile.mkdtemp()), specs, facts)
>>> {str(state.state) for state in study.states()}
{'pending'}
"""

from isoflop.study._folder import Study, StudyFacts, create_study, open_study
from isoflop.study._run import TRAINER, Progress, run_study
from isoflop.study._specs import predicted_seconds, run_spec, run_specs
from isoflop.study._states import RunState, State, time_left

__all__ = [
    "TRAINER",
    "Progress",
    "RunState",
    "State",
    "Study",
    "StudyFacts",
    "create_study",
    "open_study",
    "predicted_seconds",
    "run_spec",
    "run_specs",
    "run_study",
    "time_left",
]
