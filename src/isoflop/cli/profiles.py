"""Profile likelihoods as a command line asks for them, and as it prints them beside a fit."""

from __future__ import annotations

import json
from collections.abc import Sequence

from isoflop import fitting
from isoflop.errors import UsageError
from isoflop.quantities import read_flops

Found = fitting.Fit | fitting.Approaches


def read_profiles(found: Found, words: Sequence[str]) -> list[fitting.Profile]:
    """The profiles that ``--profile alpha`` or ``--profile N*@1e24`` name, of a fit of approach 3 that has a law."""
    fit = found if isinstance(found, fitting.Fit) else found.surface
    if words and fit.approach != 3:
        raise UsageError("--profile is for a loss surface: use --approach 3 or all.")
    if fit.fitted is None:
        return []
    return [_profile(fit, word) for word in words]


def _profile(fit: fitting.Fit, word: str) -> fitting.Profile:
    name, at, budget = word.partition("@")
    return fitting.profile(fit, name, at=read_flops(budget).value if at else None)


def as_text(found: Found, profiles: Sequence[fitting.Profile]) -> str:
    return "\n".join([found.summary(), *(f"  profile  {profile.describe()}" for profile in profiles)])


def as_json(found: Found, profiles: Sequence[fitting.Profile]) -> str:
    table = found.to_dict()
    if profiles:
        table["profiles"] = [profile.to_dict() for profile in profiles]
    return json.dumps(table, indent=2, allow_nan=False)
