"""Selecting rows by an expression: comparisons of columns with constants, joined by and, or, not.

The expression is parsed, never evaluated: ``ast`` gives the tree, and the few kinds of node that mean
something here are walked by hand.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import UnknownName, UsageError
from isoflop.runs.columns import Column, is_number

Mask = NDArray[np.bool_]
UNDERSTOOD = "compare columns with numbers or quoted words, as in \"flops < 1e21 and family == 'chinchilla'\""
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}


def select(expression: str, columns: Mapping[str, Column]) -> Mask:
    """The rows for which an expression holds.

    Raises UnknownName for a column that is not there and UsageError for anything that is not a
    comparison. True and False match a column that says true or false in any case.

    >>> columns = {"flops": np.array([1e18, 1e21]), "outlier": np.array(["True", "False"])}
    >>> select("flops > 1e17 and outlier == False", columns)
    array([False,  True])
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _refuse(expression, "is not an expression")
    return _Selection(expression, columns).mask(tree)


class _Selection:
    """One expression over one set of columns."""

    def __init__(self, expression: str, columns: Mapping[str, Column]) -> None:
        self.expression = expression
        self.columns = columns

    def mask(self, node: ast.expr) -> Mask:
        if isinstance(node, ast.BoolOp):
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return np.asarray(join.reduce([self.mask(value) for value in node.values]), dtype=np.bool_)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.mask(node.operand)
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            links = [self.compare(*link) for link in zip(sides, node.ops, sides[1:], strict=False)]
            return np.asarray(np.logical_and.reduce(links), dtype=np.bool_)
        if isinstance(node, ast.Name):
            return self.compare(node, ast.Eq(), ast.Constant(value=True))
        _refuse(self.expression, f"has {ast.unparse(node)!r}, which is not a comparison")

    def compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Mask:
        compared = COMPARISONS.get(type(operator))
        if compared is None:
            _refuse(self.expression, "uses a comparison other than == != < <= > >=")
        a, b = self.side(left), self.side(right)
        if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
            _refuse(self.expression, f"compares {a!r} with {b!r}, and neither is a column")
        a, b = _as_words(a, b), _as_words(b, a)
        if _is_text(a) != _is_text(b):
            _refuse(self.expression, f"compares {ast.unparse(left)} with {ast.unparse(right)}, one text, one number")
        return np.asarray(compared(a, b), dtype=np.bool_)

    def side(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            if node.id not in self.columns:
                raise UnknownName.among("column", node.id, self.columns)
            return self.columns[node.id]
        if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str)):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self.side(node.operand)
            if isinstance(number, (int, float)):
                return -number
        _refuse(self.expression, f"has {ast.unparse(node)!r}, which is neither a column nor a constant")


def _as_words(side: Any, other: Any) -> Any:
    """True and False as the words that a text column says them in; both sides in lower case then."""
    if isinstance(other, bool) and _is_text(side):
        return np.strings.lower(side)
    if isinstance(side, bool) and _is_text(other):
        return str(side).lower()
    return side


def _is_text(side: Any) -> bool:
    return not is_number(side) if isinstance(side, np.ndarray) else isinstance(side, str)


def _refuse(expression: str, fault: str) -> NoReturn:
    raise UsageError(f"the selection {expression!r} {fault}; {UNDERSTOOD}.")
