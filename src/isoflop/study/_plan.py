"""``study.toml``: which runs a study makes, of what text, by which recipe and trainer, as a person writes it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from isoflop.errors import UnknownName, UsageError
from isoflop.quantities import Quantity, read_flops, read_params, read_tokens
from isoflop.study._executors import ENGINES, ExecutorPlan, read_executor
from isoflop.study._tables import refuse_unknown, table_in, unusual
from isoflop.sweeps.design import WIDTHS_PER_BUDGET, isoflop_grid
from isoflop.sweeps.recipe import Recipe, recipe
from isoflop.training.data import vocabulary
from isoflop.training.spec import FORECAST, PROBE, SWEEP, Device, Precision

SCHEMA = "isoflop.study/1"
STUDY = "study.toml"
STANDARD_LIBRARY = "stdlib"
LARGEST_SEED = 2**63
"""What a generator of random numbers takes is smaller."""


@dataclass(frozen=True)
class CorpusPlan:
    """A corpus of the study: where its text comes from, what a token is ("byte", or "bpe:4096"), and which field or
    column of JSONL, Parquet or a data set holds the text."""

    name: str = "corpus"
    source: str = STANDARD_LIBRARY
    unit: str = "byte"
    column: str = "text"

    @property
    def folder(self) -> str:
        """Its folder in the study."""
        return self.name if self.name == "corpus" else f"corpora/{self.name}"


@dataclass(frozen=True)
class TrainerPlan:
    """How a run is trained: by isoflop's own trainer on ``device``, or by a ``command`` of one's own with placeholders.

    A run that takes longer than ``timeout_hours`` is ended, and its state is timed_out.
    """

    command: tuple[str, ...] = ()
    timeout_hours: float | None = None
    device: Device = "cpu"
    precision: Precision = "float32"
    compile: bool = False
    micro_batches: int = 1


@dataclass(frozen=True)
class RunPlan:
    """One row of ``[[runs]]``: ``width`` or ``params`` says the network, ``budget`` (FLOPs) or ``tokens`` the length.

    ``horizons``, lengths in tokens, makes one run of the longest and branches for the others. ``seeds`` are the
    study's unless given; ``unique_tokens`` caps the text; ``learning_rate_times`` is for probes of the learning rate.
    """

    width: int | None = None
    params: float | None = None
    budget: float | None = None
    tokens: float | None = None
    horizons: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()
    corpus: str = ""
    unique_tokens: float | None = None
    learning_rate_times: float = 1.0
    purpose: str = SWEEP


@dataclass(frozen=True)
class StudyPlan:
    """What ``study.toml`` says. ``change`` are fields of the recipe with another value in this study.

    ``loss_noise`` is the standard deviation of the loss over seeds, in nats per token, that a fit of the runs should
    reckon with: a study of one seed cannot measure it. ``corpus_digest`` pins the text. With ``judge_everywhere``
    each run is judged on the validation text of every corpus.
    """

    name: str
    recipe: str
    runs: tuple[RunPlan, ...]
    seeds: tuple[int, ...] = (0,)
    loss_noise: float | None = None
    corpus_digest: str = ""
    judge_everywhere: bool = False
    change: Mapping[str, Any] = field(default_factory=dict)
    corpora: tuple[CorpusPlan, ...] = (CorpusPlan(),)
    trainer: TrainerPlan = TrainerPlan()
    executor: ExecutorPlan = field(default_factory=ExecutorPlan)

    def rules(self) -> Recipe:
        """The recipe with this study's changes, and with the vocabulary of its corpora unless that is changed too."""
        return _rules(self.recipe, self.change, () if self.trainer.command else self.corpora)

    def corpus(self, name: str) -> CorpusPlan:
        """The corpus of that name; the first where a run names none."""
        for corpus in self.corpora:
            if name in ("", corpus.name):
                return corpus
        raise UnknownName.among("corpus of the study", name, [corpus.name for corpus in self.corpora])


def read_plan(path: Path) -> StudyPlan:
    """Read a study.toml; UsageError that names the table and the key where something in it cannot be read."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}; give a study.toml, or a folder that holds one."
        ) from None
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{path} says schema {table.get('schema')!r}; this isoflop reads {SCHEMA!r}.")
    return _plan(table, path)


def plan_to_toml(plan: StudyPlan) -> str:
    """The plan as TOML, without what is as usual; a JSON string, number or list of them is a TOML one too."""
    facts = {
        name: getattr(plan, name)
        for name in ("name", "recipe", "seeds", "loss_noise", "corpus_digest", "judge_everywhere")
        if getattr(plan, name) not in (None, "", False)
    }
    text = _lines({"schema": SCHEMA, **facts})
    if plan.change:
        text += "\n[change]\n" + _lines(plan.change)
    for corpus in plan.corpora:
        head = "corpus" if corpus.name == "corpus" else f"corpora.{json.dumps(corpus.name)}"
        column = {} if corpus.column == "text" else {"column": corpus.column}
        text += f"\n[{head}]\n" + _lines({"source": corpus.source, "unit": corpus.unit, **column})
    if plan.trainer != TrainerPlan():
        text += "\n[trainer]\n" + _lines(unusual(plan.trainer))
    own = {key: value for key, value in unusual(plan.executor).items() if key not in ENGINES}
    for name, facts in (("executor", own), *((name, unusual(getattr(plan.executor, name))) for name in ENGINES)):
        if facts:
            text += f"\n[{name}]\n" + _lines(facts)
    return text + "".join(f"\n[[runs]]\n{_lines(unusual(run))}" for run in plan.runs)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _plan(table: dict[str, Any], path: Path) -> StudyPlan:
    known = {"schema", "corpus", "grid", *ENGINES, *(f.name for f in fields(StudyPlan))}
    refuse_unknown(table, known, f"{path}")
    for key in ("name", "recipe"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise UsageError(f"{path} says {key} = {table.get(key)!r}; give it a name in quotes.")
    corpora, trainer = _corpora(table, path), _trainer(table_in(table, "trainer", path), path)
    rules = _rules(table["recipe"], table_in(table, "change", path), () if trainer.command else corpora)
    runs = [*_grid(table_in(table, "grid", path), rules, path), *_runs(table.get("runs", []), path)]
    if not runs:
        raise UsageError(f"{path} makes no runs; add [[runs]] with a width and a budget, or a [grid] of budgets.")
    return StudyPlan(
        name=table["name"],
        recipe=table["recipe"],
        runs=tuple(runs),
        seeds=_read(_seeds, table.get("seeds", [0]), "seeds", str(path)),
        loss_noise=_noise(table, path),
        corpus_digest=_read(_word, table.get("corpus_digest", ""), "corpus_digest", str(path)),
        judge_everywhere=_read(_yes_or_no, table.get("judge_everywhere", False), "judge_everywhere", str(path)),
        change=table_in(table, "change", path),
        corpora=corpora,
        trainer=trainer,
        executor=read_executor(table, str(path)),
    )


def _rules(name: str, change: Mapping[str, Any], corpora: Sequence[CorpusPlan]) -> Recipe:
    units = {corpus.unit for corpus in corpora}
    if len(units) > 1:
        raise UsageError(
            f"the corpora of one study have one unit, and these have {' and '.join(sorted(units))}: their losses "
            "cannot be compared; make two studies."
        )
    vocab = vocabulary(units.pop()) if units else None
    if "vocab" in change or vocab in (None, recipe(name).vocab):
        return recipe(name, change)
    return recipe(name, {"vocab": vocab, **change})


def _noise(table: dict[str, Any], path: Path) -> float | None:
    noise = table.get("loss_noise")
    if noise is not None and not _is_positive(noise):
        raise UsageError(f"{path} says loss_noise = {noise!r}; give the deviation of the loss over seeds, as in 0.015.")
    return noise


def _corpora(table: dict[str, Any], path: Path) -> tuple[CorpusPlan, ...]:
    named = table_in(table, "corpora", path)
    if named and "corpus" in table:
        raise UsageError(f"{path} has [corpus] and [corpora.NAME]; give one of them.")
    tables = named or {"corpus": table_in(table, "corpus", path)}
    corpora = []
    for name, facts in tables.items():
        where = f"{path}, corpus {name!r}"
        if not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{where}: a corpus is a folder of the study; name it with letters, digits, - and _.")
        if not isinstance(facts, dict):
            raise UsageError(f"{where} is {facts!r}, not a table; write [corpora.{name}] with a source.")
        refuse_unknown(facts, {"source", "unit", "column"}, where)
        corpora.append(CorpusPlan(name, **{key: _read(_word, value, key, where) for key, value in facts.items()}))
        _read(vocabulary, corpora[-1].unit, "unit", where)
    return tuple(corpora)


def _trainer(table: dict[str, Any], path: Path) -> TrainerPlan:
    where = f"{path}, [trainer]"
    refuse_unknown(table, {f.name for f in fields(TrainerPlan)}, where)
    facts = dict(table)
    if "command" in facts:
        words = facts["command"]
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or not any(words[:1]):
            raise UsageError(f'{where}: command is {words!r}; give a list of words, as in ["python", "train.py"].')
        facts["command"] = tuple(words)
    for key, kinds, example in (
        ("timeout_hours", (int, float), "2.5"),
        ("micro_batches", (int,), "1"),
        ("device", (str,), '"cpu"'),
        ("precision", (str,), '"float32"'),
        ("compile", (bool,), "false"),
    ):
        value = facts.get(key)
        wrong = value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds))
        if wrong or (bool not in kinds and isinstance(value, int | float) and not _is_positive(value)):
            raise UsageError(f"{where}: {key} is {value!r}; give something like {example}.")
    for key, allowed in (("device", ("cpu", "cuda")), ("precision", ("float32", "bfloat16"))):
        if facts.get(key, allowed[0]) not in allowed:
            raise UsageError(f"{where}: {key} is {facts[key]!r}; there are {' and '.join(allowed)}.")
    return TrainerPlan(**facts)


def _grid(table: dict[str, Any], rules: Recipe, path: Path) -> list[RunPlan]:
    if not table:
        return []
    where = f"{path}, [grid]"
    refuse_unknown(table, {"budgets", "widths", "widths_per_budget"}, where)
    budgets = _read(_flops_of_all, table.get("budgets", []), "budgets", where)
    widths = _read(_widths, table["widths"], "widths", where) if "widths" in table else None
    count = _read(_whole, table.get("widths_per_budget", WIDTHS_PER_BUDGET), "widths_per_budget", where)
    if widths is None and not 1 <= count <= len(rules.ladder):
        raise UsageError(
            f"{where}: widths_per_budget is {count}, and the recipe's ladder has {len(rules.ladder)} widths; give 1 to "
            f"{len(rules.ladder)}."
        )
    cells = isoflop_grid(rules, budgets, widths=widths, widths_per_budget=count)
    return [RunPlan(width=cell.width, budget=cell.budget) for cell in cells]


def _runs(rows: Any, path: Path) -> list[RunPlan]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path}: runs are written as [[runs]] tables, one a run.")
    return [_run(row, f"{path}, run {i}") for i, row in enumerate(rows, 1)]


def _run(row: dict[str, Any], where: str) -> RunPlan:
    refuse_unknown(row, {f.name for f in fields(RunPlan)}, where)
    run = RunPlan(**{key: _read(_READ[key], value, key, where) for key, value in row.items()})
    if (run.width is None) == (run.params is None):
        raise UsageError(f"{where}: give width or params, one of them.")
    lengths = [name for name in ("budget", "tokens", "horizons") if getattr(run, name)]
    if len(lengths) != 1:
        said = " and ".join(lengths) or "none of them"
        raise UsageError(f"{where}: give budget, tokens or horizons, one of them; it has {said}.")
    if run.purpose not in (SWEEP, PROBE, FORECAST):
        raise UsageError(f"{where}: purpose is {run.purpose!r}; there are {SWEEP}, {PROBE} and {FORECAST}.")
    return run


def _read(reader: Callable[[Any], Any], value: Any, key: str, where: str) -> Any:
    """A value by its reader; what a reader says is said with the place."""
    try:
        return reader(value)
    except UsageError as error:
        raise UsageError(f"{where}: {key}: {error}") from None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{value!r} is no whole number from 0 up.")
    return value


def _seeds(value: Any) -> tuple[int, ...]:
    seeds = _list_of(_whole, value, "whole numbers, such as [0, 1]")
    if max(seeds) >= LARGEST_SEED:
        raise UsageError(f"{max(seeds)} is too large for a seed; give one below 2^63.")
    return seeds


def _widths(value: Any) -> tuple[int, ...]:
    return _list_of(_whole, value, "widths, such as [16, 24, 32]")


def _flops_of_all(value: Any) -> tuple[float, ...]:
    return _list_of(_flops, value, "budgets, such as [1e18, 3e18]")


def _tokens_of_all(value: Any) -> tuple[float, ...]:
    return _list_of(_tokens, value, "two lengths in tokens or more, such as [1e9, 3e9]", at_least=2)


def _list_of(reader: Callable[[Any], Any], value: Any, what: str, at_least: int = 1) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) < at_least:
        raise UsageError(f"{value!r} is no list of {what}.")
    read = tuple(reader(one) for one in value)
    if len(set(read)) < len(read):
        raise UsageError(f"{value!r} names one of them twice.")
    return read


def _count_by(reader: Callable[[Any], Quantity]) -> Callable[[Any], float]:
    """A reader of quantities for a file, in which true is no 1."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f"{value!r} is no number.")
        return reader(value).value

    return read


_flops, _params, _tokens = _count_by(read_flops), _count_by(read_params), _count_by(read_tokens)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{value!r} is no word in quotes.")
    return value


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{value!r} is neither true nor false.")
    return value


def _is_positive(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 < value < float("inf")


def _factor(value: Any) -> float:
    if not _is_positive(value):
        raise UsageError(f"{value!r} is no positive number.")
    return float(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "width": _whole,
    "params": _params,
    "budget": _flops,
    "tokens": _tokens,
    "horizons": _tokens_of_all,
    "seeds": _seeds,
    "corpus": _word,
    "unique_tokens": _tokens,
    "learning_rate_times": _factor,
    "purpose": _word,
}
