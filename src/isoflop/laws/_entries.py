"""What the catalogue holds besides laws: rules, which are products of powers, and records, which are only shown."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoflop.conventions import Conventions
from isoflop.errors import UsageError
from isoflop.laws import _file
from isoflop.laws._law import FittedRange, FloatArray, Source

RULE, RECORD = "isoflop.rule/1", "isoflop.record/1"


@dataclass(frozen=True)
class Power:
    """coefficient * product of input^exponent.

    >>> round(float(Power(5e3, {"params": 0.74}).of({"params": np.asarray(1e9)})) / 1e10, 3)
    2.285
    """

    coefficient: float
    exponents: Mapping[str, float]

    def of(self, inputs: Mapping[str, FloatArray]) -> FloatArray:
        logs = [exponent * np.log(inputs[name]) for name, exponent in self.exponents.items()]
        return np.asarray(self.coefficient * np.exp(np.sum(np.broadcast_arrays(*logs), axis=0)))

    def __str__(self) -> str:
        return " ".join([f"{self.coefficient:g}", *(f"{name}^{value:g}" for name, value in self.exponents.items())])


@dataclass(frozen=True, eq=False)
class Rule:
    """Published hyper-parameters as products of powers of N, D, C or the loss.

    ``batch_tokens`` is a batch in tokens, ``learning_rate`` the peak of its schedule, in the source's own
    parametrisation and optimiser: two rules differ by design, and are best read as a range.
    """

    id: str
    title: str
    outputs: Mapping[str, Power]
    conventions: Conventions = field(default_factory=Conventions)
    fitted_range: FittedRange = field(default_factory=FittedRange)
    source: Source = field(default_factory=lambda: Source(title="", where=""))
    caveats: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for output in self.outputs.values() for name in output.exponents))

    @property
    def formula(self) -> str:
        return ", ".join(f"{name} = {output}" for name, output in self.outputs.items())

    def predict(self, **inputs: ArrayLike) -> dict[str, FloatArray]:
        """Every output at the inputs (N, D, C, loss), which broadcast; UsageError where one is missing."""
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise UsageError(f"the rule {self.id} needs {', '.join(missing)}: give it by name.")
        given = {name: np.asarray(inputs[name], dtype=np.float64) for name in self.inputs}
        return {name: output.of(given) for name, output in self.outputs.items()}


@dataclass(frozen=True, eq=False)
class Record:
    """Published constants that are no law here: shown with form and source, and nothing is computed from them."""

    id: str
    title: str
    formula: str
    constants: Mapping[str, Any]
    source: Source
    caveats: tuple[str, ...] = ()


def entry_from_toml(text: str, where: str) -> Rule | Record:
    """Read a rule or a record; ``where`` names the file in error messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}.") from error
    name, title = _file.word(table, "id", where), _file.word(table, "title", where)
    source, caveats = _file.source(table, where), tuple(map(str, table.get("caveats", [])))
    if table.get("schema") == RECORD:
        constants = MappingProxyType(dict(table.get("constants", {})))
        return Record(name, title, _file.word(table, "formula", where), constants, source, caveats)
    if table.get("schema") != RULE:
        raise UsageError(f"{where} has the schema {table.get('schema')!r}; expected {RULE!r} or {RECORD!r}.")
    outputs = {
        key: Power(float(numbers["coefficient"]), {k: float(v) for k, v in numbers.items() if k != "coefficient"})
        for key, numbers in table["outputs"].items()
    }
    conventions, fitted = _file.conventions(table, where), _file.fitted_range(table, where)
    return Rule(name, title, MappingProxyType(outputs), conventions, fitted, source, caveats)
