"""study.toml: what a person may write, what comes of it, and what is said of what cannot be read."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from isoflop.errors import UsageError
from isoflop.executors import ATTEMPT, Job, KubernetesSettings, SlurmSettings
from isoflop.executors.ray import RaySettings
from isoflop.hardware import Cluster, accelerator
from isoflop.study import (
    CorpusPlan,
    ExecutorPlan,
    RunPlan,
    StudyPlan,
    TrainerPlan,
    create_study,
    executor_for,
    init_study,
    open_study,
    plan_to_toml,
    planned_specs,
    price,
    read_plan,
    trainer_of,
)
from isoflop.study._tables import settings
from isoflop.study._trainer import BUILT_IN
from isoflop.training import launch
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
    "no seeds": ("seeds = []\n" + RUN, "seeds: [] is no list of whole numbers, such as [0, 1]"),
    "no seeds of a run": (RUN + "seeds = []\n", "run 1: seeds: [] is no list"),
    "a seed twice": ("seeds = [0, 0]\n" + RUN, "seeds: [0, 0] names one of them twice"),
    "a seed beyond 64 bits": (f"seeds = [{10**20}]\n" + RUN, "is too large for a seed"),
    "no widths": ("[grid]\nbudgets = [1e10]\nwidths = []\n", "[grid]: widths: [] is no list of widths"),
    "a budget twice": ("[grid]\nbudgets = [1e10, 1e10]\nwidths = [8]\n", "names one of them twice"),
    "a horizon twice": ('[[runs]]\nwidth = 8\nhorizons = ["1M", "1M"]\n', "names one of them twice"),
    "true for a budget": ("[grid]\nbudgets = [true]\nwidths = [8]\n", "budgets: True is no number"),
    "no widths a budget": ("[grid]\nbudgets = [5e11]\nwidths_per_budget = 0\n", "give 1 to 11"),
    "more than the ladder": ("[grid]\nbudgets = [5e11]\nwidths_per_budget = 1000\n", "give 1 to 11"),
    "true in quotes": ('judge_everywhere = "false"\n' + RUN, "judge_everywhere: 'false' is neither true nor false"),
    "a digest in figures": ("corpus_digest = 5\n" + RUN, "corpus_digest: 5 is no word in quotes"),
    "a source in figures": ("[corpus]\nsource = 5\n" + RUN, "source: 5 is no word in quotes"),
    "noise that is no number": ("loss_noise = nan\n" + RUN, "loss_noise = nan"),
    "endless noise": ("loss_noise = inf\n" + RUN, "loss_noise = inf"),
    "no end of a timeout": ("[trainer]\ntimeout_hours = nan\n" + RUN, "timeout_hours is nan"),
    "an empty command": ('[trainer]\ncommand = [""]\n' + RUN, "give a list of words"),
    "a seed below 0": ("seeds = [-1]\n" + RUN, "seeds: -1 is no whole number"),
    "a purpose": (RUN + 'purpose = "fun"\n', "purpose is 'fun'"),
    "a command in one word": ('[trainer]\ncommand = "train"\n' + RUN, "give a list of words"),
    "a device": ('[trainer]\ndevice = "tpu"\n' + RUN, "device is 'tpu'; there are cpu and cuda"),
    "a timeout": ("[trainer]\ntimeout_hours = 0\n" + RUN, "timeout_hours is 0"),
    "a corpus outside": ('[corpora."../x"]\n' + RUN, "name it with letters"),
    "both kinds of corpora": ("[corpus]\n[corpora.a]\n" + RUN, "has [corpus] and [corpora.NAME]"),
    "a change": ("[change]\nbach = 2\n" + RUN, "did you mean 'batch'"),
    "noise": ('loss_noise = "low"\n' + RUN, "loss_noise = 'low'"),
    **{
        f"change {change}": (f"[change]\n{change}\n" + RUN, f"is changed to {change.split(' = ')[1]}; give {allowed}")
        for change, allowed in {
            "schedule = 'wds'": "one of wsd, cosine, linear, constant",
            "warmup_divisor = 0": "a whole number from 1 up",
            "eval_windows = 0": "a whole number from 1 up",
            "clip_norm = 0.0": "a positive number",
            "clip_norm = nan": "a positive number",
            "epsilon = -1.0": "a positive number",
            "weight_decay = -1": "a number from 0 up",
            "floor = 7.0": "a share from 0 to 1",
            "ema = 2.0": "a number from 0 to below 1",
            "beta1 = 1.5": "a number from 0 to below 1",
            "decay_fraction = 3.0": "a share above 0, at most 1",
            "learning_rate = -0.1": "a positive number below 1e9",
            "batch = nan": "a positive number below 1e9",
            "ladder = [9, 8]": "even widths from 8",
        }.items()
    },
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
    "too short": ("[[runs]]\nwidth = 96\nbudget = 1.5e9\n", r"run 1 of mine: 1.5e9 FLOPs \(925 tokens\) buy 2 steps"),
    "few tokens": ("[[runs]]\nwidth = 8\ntokens = 1\n", r"\(1 tokens\) buy 0 steps at width 8"),
    "more than anybody has": ("[grid]\nbudgets = [1e300]\nwidths = [8]\n", "1e300 FLOPs are more than anybody has"),
    "micro-batches of no windows": ("[trainer]\nmicro_batches = 1000\n" + RUN, "4 windows a step do not divide into"),
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


def test_runs_are_priced_in_the_number_format_they_are_trained_in(tmp_path):
    """NVIDIA's data sheet of the H100 SXM: 989 TFLOP/s dense in bf16, 495 in tf32; 80 GB."""
    hours = {}
    for precision in ("float32", "bfloat16"):
        text = HEAD.replace("small-bytes-v1", "llama-step-law-v1") + f'[trainer]\nprecision = "{precision}"\n'
        (tmp_path / "study.toml").write_text(text + '[[runs]]\nwidth = 512\ntokens = "1B"\n')
        specs = planned_specs(read_plan(tmp_path / "study.toml"), DIGESTS)
        priced = price(specs, 1, Cluster(accelerator("H100"), utilisation=0.4))
        hours[precision] = priced.hours
        assert priced.hours == pytest.approx(
            priced.flops / 3600 / 0.4 / (989e12 if precision == "bfloat16" else 495e12), rel=2e-3
        )
        assert any("caution" in note for note in priced.notes) == (priced.runs[0].memory > 80e9)
    assert hours["float32"] > 1.9 * hours["bfloat16"]


def test_a_run_is_spread_over_processes_by_the_launcher() -> None:
    spread = ExecutorPlan(processes=2, shard=True)
    words = trainer_of(TrainerPlan(), spread).command
    assert words[1:] == ("-m", "isoflop.training.launch", "--processes", "2", "--shard")
    assert trainer_of(TrainerPlan(), ExecutorPlan()) == BUILT_IN
    assert trainer_of(TrainerPlan(command=("x",)), spread).is_own


def test_a_run_over_nodes_has_its_command_started_on_each_with_where_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(TrainerPlan(), ExecutorPlan(nodes=2, processes=4))
    job = Job("a", 1, (*trainer.command, "--attempt", ATTEMPT), Path(), nodes=trainer.nodes)
    monkeypatch.setattr(sys, "argv", ["launch", *job.words(3, 1, "n1:29500")[3:], "runs/a"])
    asked = launch._options()
    assert (asked.nodes, asked.node_rank, asked.rendezvous, asked.attempt) == (2, 1, "n1:29500", 3)
    own = trainer_of(TrainerPlan(command=("x", "--at={rendezvous}")), ExecutorPlan(nodes=2))
    assert (own.is_own, own.nodes) == (True, 2)


@pytest.mark.parametrize("kind", ["local", "kubernetes"])
def test_nodes_that_an_executor_cannot_give_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match=r"says nodes = 2, and .* one pod a task|this machine; take slurm, ray or sky"):
        executor_for(ExecutorPlan(kind, nodes=2), tmp_path, 1)


def test_a_command_that_would_train_the_whole_run_on_every_node_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has neither \{rendezvous\} nor \{node_rank\}: every node would train"):
        trainer_of(TrainerPlan(command=("x", "{run_dir}")), ExecutorPlan(nodes=2))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[executor]\nkind = "slrum"', "no executor called 'slrum'; did you mean 'slurm'?"),
        ("[executor]\nnodes = 0", "nodes is 0; give a whole number from 1 up"),
        ("[executor]\nprocesses = 0", "processes is 0; give a whole number from 1 up"),
        ("[executor]\nprocesses = true", "processes is True; give a whole number from 1 up"),
        ('[executor]\nprocesses = "2"', "processes is '2'; give a whole number from 1 up"),
        ("[executor]\nslurm = { cpus = 1 }", "write [slurm] as a table of its own"),
        ('[slurm]\npartiton = "a"', "no key called 'partiton'; did you mean 'partition'?"),
        ('[slurm]\nextra = "--x"', "extra is '--x'; give a list of lines in quotes"),
        ("[slurm]\nrequeue = 1", "requeue is 1; give true or false"),
        ('[ray]\nresources = "a100"', "resources is 'a100'; give a table"),
        ("[slurm]\nenvironment = { PORT = 8080 }", 'has PORT = 8080; write it as in { NAME = "value" }'),
        ("[slurm]\nenvironment = { 'A B' = 'x' }", "has A B = 'x'; write it as in"),
        ("[ray]\nresources = { a100 = 'one' }", "has a100 = 'one'; write it as in { a100 = 1 }"),
        ("[kubernetes]\nnode_selector = { fast = true }", "has fast = True; write it as in"),
        ("[ray]\naddress = 6379", "address is 6379; give a word in quotes"),
    ],
)
def test_executors_that_cannot_be_read_are_refused_with_what_to_do(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_of(tmp_path, f"{table}\n[[runs]]\nwidth = 8\nbudget = 1e9\n")
    assert said in str(caught.value)


def test_what_a_table_by_names_holds_is_said_by_its_field_and_not_by_its_annotation() -> None:
    @dataclass(frozen=True)
    class Asked:
        shares: dict[str, float] = field(default_factory=dict, metadata={"values": "numbers"})
        shell: dict[str, str] = field(default_factory=dict, metadata={"values": "variables"})
        labels: dict[str, str | int] = field(default_factory=dict)

    written = {"shares": {"a": 1}, "shell": {"HOME": "/"}, "labels": {"example.com/rack": 3, "zone": "b"}}
    assert settings(Asked, written, "here") == Asked(**written)
    for key, wrong in (
        ("shares", {"a": "b"}),
        ("shell", {"HOME": 1}),
        ("shell", {"A B": "x"}),
        ("labels", {"a": True}),
    ):
        with pytest.raises(UsageError, match=f"here: {key} has"):
            settings(Asked, {key: wrong}, "here")


def test_an_executor_is_written_as_it_is_read(tmp_path: Path) -> None:
    slurm = SlurmSettings(partition="a", gpus=1, extra=("--constraint=x",), environment={"HF_HOME": "/data"})
    executor = ExecutorPlan("slurm", nodes=2, processes=2, slurm=slurm, ray=RaySettings(resources={"a100": 1.0}))
    plan = StudyPlan("a", "small-bytes-v1", (RunPlan(width=8, budget=1e9),), executor=executor)
    (tmp_path / "study.toml").write_text(plan_to_toml(plan))
    assert read_plan(tmp_path / "study.toml") == plan
