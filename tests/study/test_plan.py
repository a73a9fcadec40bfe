"""study.toml: what a person may write, what comes of it, and what is said of what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from isoflop.errors import UsageError
from isoflop.executors import KubernetesSettings
from isoflop.study import (
    CorpusPlan,
    ExecutorPlan,
    RunPlan,
    StudyPlan,
    TrainerPlan,
    create_study,
    init_study,
    open_study,
    plan_to_toml,
    planned_specs,
    price,
    read_plan,
)
from isoflop.training.spec import RunSpec, read_spec

HEAD = 'schema = "isoflop.study/1"\nname = "mine"\nrecipe = "small-bytes-v1"\n'
DIGESTS = {"corpus": "c0ffee"}


def plan_of(tmp_path: Path, text: str) -> StudyPlan:
    (tmp_path / "study.toml").write_text(HEAD + text)
    return read_plan(tmp_path / "study.toml")


def specs_of(tmp_path: Path, text: str) -> tuple[RunSpec, ...]:
    plan = plan_of(tmp_path, text)
    return planned_specs(plan, {corpus.name: "c0ffee" for corpus in plan.corpora})


def test_a_plan_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    plan = StudyPlan(
        name='odd "name"\nwith é',
        recipe="small-bytes-v1",
        runs=(RunPlan(width=32, budget=5e11), RunPlan(params=3e4, horizons=(1e6, 2e6), seeds=(3,), corpus="code")),
        seeds=(0, 1),
        loss_noise=0.015,
        judge_everywhere=True,
        change={"batch": {"coefficient": 256.0, "tokens": 0.1}, "schedule": "cosine"},
        corpora=(CorpusPlan("code"), CorpusPlan("prose", "/some/text", "byte")),
        trainer=TrainerPlan(command=("echo", "{params}"), timeout_hours=2.5),
        executor=ExecutorPlan("kubernetes", kubernetes=KubernetesSettings("i", node_selector={"a.b/c": "d", "n": 1})),
    )
    (tmp_path / "study.toml").write_text(plan_to_toml(plan))
    assert read_plan(tmp_path / "study.toml") == plan


def test_ways_to_say_a_run_come_to_the_same(tmp_path: Path) -> None:
    rows = ('width = 32\nbudget = "5e11"', "params = 33000\nbudget = 5e11", 'width = 32\ntokens = "2.0345M"')
    runs = [specs_of(tmp_path, f"[[runs]]\n{row}\n")[0] for row in rows]
    assert {run.shape.d_model for run in runs} == {32}
    assert {run.steps for run in runs} == {3974}


def test_a_grid_is_its_runs(tmp_path: Path) -> None:
    grid = specs_of(tmp_path, "[grid]\nbudgets = [1e9, 2e9]\nwidths = [8, 12]\n")
    rows = [f"[[runs]]\nwidth = {width}\nbudget = {budget}\n" for budget in ("1e9", "2e9") for width in (8, 12)]
    assert grid == specs_of(tmp_path, "".join(rows))


def test_seeds_and_changes_reach_the_specs(tmp_path: Path) -> None:
    text = 'seeds = [0, 7]\n[change]\nschedule = "cosine"\nfloor = 0.1\n[[runs]]\nwidth = 8\nbudget = 1e9\n'
    runs = specs_of(tmp_path, text)
    assert [(run.seed, run.data_seed) for run in runs] == [(0, 0), (7, 7)]
    assert {(run.optimiser.schedule, run.optimiser.floor) for run in runs} == {("cosine", 0.1)}


def test_horizons_are_a_trunk_and_branches_priced_as_haegele_does(tmp_path: Path) -> None:
    """Haegele et al., arXiv 2405.18392: D_max and a fifth of the others, here 8M, 4M and 2M tokens: 9.2 of 14."""
    runs = specs_of(tmp_path, '[[runs]]\nwidth = 16\nhorizons = ["2M", "8M", "4M"]\n')
    trunk, *branches = runs
    assert trunk.branch is None
    assert [run.tokens for run in runs] == pytest.approx([8e6, 4e6, 2e6], rel=1e-3)
    assert trunk.keep == tuple(sorted(run.branch.step for run in branches if run.branch))
    for run in branches:
        assert run.branch is not None
        assert run.branch.trunk == trunk.run_id
        assert run.branch.step == run.steps - run.optimiser.decay_steps
        assert run.optimiser.warmup_steps == trunk.optimiser.warmup_steps
    scratch = price([*specs_of(tmp_path, '[[runs]]\nwidth = 16\ntokens = "14M"\n')], 1)
    assert price(runs, 1).flops / scratch.flops == pytest.approx(9.2 / 14, rel=1e-3)


def test_corpora_and_caps(tmp_path: Path) -> None:
    text = (
        'judge_everywhere = true\n[corpora.code]\n[corpora.prose]\nsource = "text"\n'
        "[[runs]]\nwidth = 8\nbudget = 1e9\n[[runs]]\nwidth = 8\nbudget = 1e9\n"
        'corpus = "prose"\nunique_tokens = "10K"\n'
    )
    code, prose = specs_of(tmp_path, text)
    assert (code.corpus, prose.corpus) == ("../../corpora/code", "../../corpora/prose")
    assert (code.unique_tokens, prose.unique_tokens) == (None, 10_000)
    assert [judged.name for run in (code, prose) for judged in run.also_judged] == ["prose", "code"]


def test_the_large_recipe_follows_n_and_d(tmp_path: Path) -> None:
    text = HEAD.replace("small-bytes-v1", "llama-step-law-v1") + '[[runs]]\nparams = "1B"\ntokens = "20B"\n'
    (tmp_path / "study.toml").write_text(text)
    (run,) = planned_specs(read_plan(tmp_path / "study.toml"), DIGESTS)
    assert run.tokens == pytest.approx(2e10, rel=1e-3)
    assert run.batch_tokens == pytest.approx(0.58 * run.tokens**0.571, rel=0.01)
    assert run.shape.architecture.gated


RUN = "[[runs]]\nwidth = 8\nbudget = 1e9\n"
WRONG = {
    "no runs": ("", "makes no runs"),
    "no TOML": ("[[runs]\n", "is no TOML"),
    "a key that there is not": ("sedes = [1]\n" + RUN, "no key called 'sedes'; did you mean 'seeds'"),
    "a key of a run": (RUN + "widht = 8\n", "run 1: no key called 'widht'; did you mean 'width'"),
    "no length": ("[[runs]]\nwidth = 8\n", "run 1: give budget, tokens or horizons, one of them; it has none"),
    "two lengths": (RUN + 'tokens = "1M"\n', "it has budget and tokens"),
    "two sizes": (RUN + 'params = "1M"\n', "run 1: give width or params, one of them"),
    "no number": ('[[runs]]\nwidth = 8\nbudget = "banana"\n', "run 1: budget: 'banana'"),
    "a negative budget": ("[[runs]]\nwidth = 8\nbudget = -1e9\n", "run 1: budget: "),
    "a width in words": ('[[runs]]\nwidth = "8"\nbudget = 1e9\n', "run 1: width: '8' is no whole number"),
    "no seeds": ("seeds = []\n" + RUN, "seeds = []; a study needs at least one"),
    "a seed below 0": ("seeds = [-1]\n" + RUN, "seeds: -1 is no whole number"),
    "a purpose": (RUN + 'purpose = "fun"\n', "purpose is 'fun'"),
    "a command in one word": ('[trainer]\ncommand = "train"\n' + RUN, "give a list of words"),
    "a device": ('[trainer]\ndevice = "tpu"\n' + RUN, "device is 'tpu'; there are cpu and cuda"),
    "a timeout": ("[trainer]\ntimeout_hours = 0\n" + RUN, "timeout_hours is 0"),
    "a corpus outside": ('[corpora."../x"]\n' + RUN, "name it with letters"),
    "both kinds of corpora": ("[corpus]\n[corpora.a]\n" + RUN, "has [corpus] and [corpora.NAME]"),
    "a change": ("[change]\nbach = 2\n" + RUN, "did you mean 'batch'"),
    "noise": ('loss_noise = "low"\n' + RUN, "loss_noise = 'low'"),
    "runs that are no tables": ("runs = [1]\n", "[[runs]] tables"),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_of(tmp_path, text)
    assert sentence in str(caught.value)
    assert "study.toml" in str(caught.value) or "recipe" in str(caught.value)


UNMAKEABLE = {
    "twice": (RUN + RUN, "run 2 of mine is planned twice"),
    "too short": ("[[runs]]\nwidth = 96\nbudget = 1.5e9\n", r"run 1 of mine: 1.5e\+09 FLOPs buy 2 steps"),
    "an odd width": ("[[runs]]\nwidth = 9\nbudget = 1e9\n", "a width of 9"),
    "no such corpus": (RUN + 'corpus = "prose"\n', "no corpus of the study called 'prose'"),
    "a horizon in the warmup": ('[[runs]]\nwidth = 8\nhorizons = ["20K", "50M"]\n', "outside the plateau"),
    "past its schedule": ("[change]\nhorizon = 10\n" + RUN, "go on after the schedule's horizon of 10"),
}


@pytest.mark.parametrize(("text", "sentence"), UNMAKEABLE.values(), ids=UNMAKEABLE.keys())
def test_what_cannot_be_made_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        specs_of(tmp_path, text)


def test_the_specs_on_disk_are_those_of_the_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, '[[runs]]\nwidth = 16\nhorizons = ["2M", "4M"]\nunique_tokens = "1M"\n')
    specs = planned_specs(plan, DIGESTS)
    study = create_study(tmp_path, plan, specs)
    assert {read_spec(study.run_folder(spec.run_id)) for spec in specs} == set(specs)
    assert open_study(tmp_path / "study.toml").folder == tmp_path


def test_a_network_that_is_not_trained_here_is_refused_before_anything_is_made(tmp_path):
    text = 'schema = "isoflop.study/1"\nname = "x"\nrecipe = "llama-step-law-v1"\n[change]\narchitecture = "gemma3"\n'
    (tmp_path / "study.toml").write_text(text + "[[runs]]\nwidth = 256\nbudget = 1e17\n")
    with pytest.raises(UsageError, match="this run asks for gemma3"):
        init_study(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


@pytest.mark.parametrize("change", ['schedule = "cosine"', 'schedule = "linear"', "horizon = 90000"])
def test_horizons_of_a_schedule_without_a_plateau_are_refused(tmp_path, change):
    text = f'schema = "isoflop.study/1"\nname = "x"\nrecipe = "small-bytes-v1"\n[change]\n{change}\n'
    (tmp_path / "study.toml").write_text(text + '[[runs]]\nwidth = 16\nhorizons = ["1M", "3M"]\n')
    with pytest.raises(UsageError, match="its horizons leave a plateau"):
        init_study(tmp_path)


def test_corpora_in_different_units_are_refused(tmp_path):
    text = 'schema = "isoflop.study/1"\nname = "x"\nrecipe = "small-bytes-v1"\njudge_everywhere = true\n'
    corpora = '[corpora.a]\nsource = "stdlib"\n[corpora.b]\nsource = "b"\nunit = "bpe:1024"\n'
    (tmp_path / "study.toml").write_text(text + corpora + "[[runs]]\nwidth = 16\nbudget = 1e11\n")
    with pytest.raises(UsageError, match="these have bpe:1024 and byte: their losses cannot be compared"):
        init_study(tmp_path)
