"""Every family keeps the contract, and no family is forgotten."""

import numpy as np
import pytest

import isoflop as iso
from isoflop.errors import UsageError
from isoflop.laws import families, family_from_file
from isoflop.testing.families import FamilyContract
from isoflop.testing.truth import INPUTS, PLANTED


@pytest.fixture(params=sorted(PLANTED))
def planted_name(request):
    return request.param


class TestEveryFamily(FamilyContract):
    @pytest.fixture(autouse=True)
    def _one_family(self, planted_name):
        self.family = families()[planted_name]
        self.theta = PLANTED[planted_name]
        self.inputs = {name: INPUTS[name] for name in self.family.inputs}


def test_every_family_is_put_through_the_contract():
    assert set(families()) == set(PLANTED)


class TestAFamilyOfOnesOwn:
    SOURCE = (
        "from isoflop.laws import Coefficient\n"
        "from isoflop.laws.chinchilla import Chinchilla\n"
        "class Mine(Chinchilla):\n"
        "    name = 'mine'\n"
    )

    def test_a_class_or_an_object_in_a_file_is_fitted(self, tmp_path):
        (tmp_path / "own.py").write_text(self.SOURCE + "FAMILY = Mine()\n")
        theta = PLANTED["chinchilla"]
        loss = families()["chinchilla"].loss({k: np.asarray(v) for k, v in theta.items()}, INPUTS)
        for name in ("Mine", "FAMILY"):
            own = family_from_file(f"{tmp_path / 'own.py'}:{name}")
            fit = iso.fit(iso.Runs(INPUTS["params"], INPUTS["tokens"], loss), own, draws=0)
            assert fit.law.coefficients["alpha"] == pytest.approx(theta["alpha"], rel=1e-5)

    @pytest.mark.parametrize(
        ("source", "words", "sentence"),
        [
            ("x = 1\n", "own.py:x", "has no family x"),
            ("x = 1\n", "own.py:y", "has no family y"),
            ("import nothing_of_the_kind\n", "own.py:y", "cannot be run"),
            ("def (\n", "own.py:y", "cannot be run"),
            ("", "other.py:y", "no Python file"),
            ("", "own.py:", "give a file and the name"),
        ],
    )
    def test_what_is_no_family_is_refused_in_one_sentence(self, tmp_path, source, words, sentence):
        (tmp_path / "own.py").write_text(source)
        with pytest.raises(UsageError, match=sentence):
            family_from_file(str(tmp_path / words))
