"""Wrong input: each gets the documented exit code and one sentence that names what was seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isoflop.cli.main import run

HEADER = "params,tokens,loss\n"
TWO_RUNS = HEADER + "1e8,2e9,3.1\n2e8,1e9,3.0\n"


def one_budget() -> str:
    """Seven sizes at 1e19 FLOPs, losses of a Chinchilla law with a minimum inside."""
    N = np.geomspace(1e7, 1e9, 7)
    D = 1e19 / (6 * N)
    loss = 1.8 + 480 * N**-0.35 + 2100 * D**-0.37
    return HEADER + "".join(f"{n},{d},{value}\n" for n, d, value in zip(N, D, loss, strict=True))


LAW = """
schema = "isoflop.law/1"
id = "mine"
family = "chinchilla"
[coefficients]
E = 1.8
A = 480.0
B = 2100.0
alpha = 0.35
beta = 0.37
"""

TABLES = {
    "empty.csv": "",
    "header.csv": HEADER,
    "word.csv": HEADER + "1e8,2e9,3.1\n2e8,many,3.0\n",
    "negative.csv": HEADER + "1e8,2e9,-3.1\n",
    "nan.csv": HEADER + "1e8,2e9,3.1\n2e8,1e9,nan\n",
    "two.csv": TWO_RUNS,
    "one_budget.csv": one_budget(),
    "other_names.csv": "n_params,tokens,loss\n1e8,2e9,3.1\n",
    "budget_word.csv": "params,tokens,loss,budget\n1e8,2e9,3.1,large\n2e8,1e9,3.0,large\n",
    "budget_blank.csv": "params,tokens,loss,budget\n1e8,2e9,3.1,1e18\n2e8,1e9,3.0,\n",
    "noise_word.csv": "params,tokens,loss,loss_noise\n1e8,2e9,3.1,some\n",
    "noise_zero.csv": "params,tokens,loss,loss_noise\n1e8,2e9,3.1,0\n",
    "noise_negative.csv": "params,tokens,loss,loss_noise\n1e8,2e9,3.1,-0.01\n",
    "huge.csv": HEADER + "1e8,2e9,3.1\n1e300,1e300,3.0\n",
    "tiny.csv": HEADER + "1e-300,1e-300,3.1\n",
    "other_digits.csv": HEADER + "1e8,2e9,3.1\n\u0662e8,1e9,3.0\n",
    "semicolons.csv": TWO_RUNS.replace(",", ";"),
    "tabs.csv": TWO_RUNS.replace(",", "\t"),
    "commas.tsv": TWO_RUNS,
    "digits.jsonl": '{"params": 1' + "0" * 400 + ', "tokens": 2e9, "loss": 3.1}\n',
    "more_digits.jsonl": '{"params": 1' + "0" * 5000 + ', "tokens": 2e9, "loss": 3.1}\n',
    "nested.jsonl": "[" * 100_000 + "\n",
    "notes.txt": "3.1",
    "law.toml": "schema = 'something else'\n",
    "broken.toml": "= [",
    "nameless.toml": LAW.replace('id = "mine"', ""),
    "convention.toml": LAW + '[conventions]\nparams = "most"\n',
    "negative.toml": LAW.replace("alpha = 0.35", "alpha = -0.37"),
    "zero.toml": LAW.replace("alpha = 0.35", "alpha = 0.0"),
    "text.toml": LAW.replace("alpha = 0.35", 'alpha = "much"'),
    "flat.toml": LAW.split("[coefficients]")[0] + "coefficients = 3\n",
    "source.toml": LAW + '[source]\nauthor = "me"\n',
    "range.toml": LAW + "[fitted_range]\nflops = 3\n",
    "shape.toml": "layers = 2\nexperts = { count = 8, top_k = 2.5, d_ff = 64 }\n",
    "narrow.toml": "layers = 2\nd_model = 64\nheads = 2\nd_ff = 256\n",
    "nan.toml": LAW.replace("alpha = 0.35", "alpha = nan"),
}

# command, exit code, what the sentence must name
CASES = [
    ("fit nowhere.csv", 2, "nowhere.csv: No such file"),
    ("fit empty.csv", 2, "empty.csv is empty"),
    ("fit header.csv", 2, "header.csv has no runs"),
    ("fit word.csv", 2, "word.csv: row 3, column 'tokens' says 'many'"),
    ("fit negative.csv", 2, "negative.csv: row 2, column 'loss' is -3.1, negative"),
    ("fit nan.csv", 2, "nan.csv: row 3, column 'loss' is empty or nan"),
    ("fit other_names.csv", 2, "no column 'params' (say which one it is with --params-column)"),
    ("fit two.csv --params-column n", 2, "two.csv has no column 'n'"),
    ("fit two.csv --where los<3", 2, "no column called 'los'; did you mean 'loss'"),
    ("fit two.csv --where import", 2, "the selection 'import' is not an expression"),
    ("fit two.csv --convention total", 2, "no column 'params_total'"),
    ("fit two.csv --family chinchila", 2, "called 'chinchila'; did you mean 'chinchilla'"),
    ("fit two.csv --loss-column tokens", 2, "'tokens' is asked for as loss, and it is needed as tokens; say which"),
    ("fit two.csv --approach 7", 2, "'--approach': '7' is not one of '1', '2', '3', 'all' (see isoflop fit --help)."),
    ("fit two.csv --seed x", 2, "'--seed': it is not a whole number (see isoflop fit --help)."),
    ("fit two.csv --where", 2, "'--where' requires an argument (see isoflop fit --help)."),
    ("fit huge.csv", 2, "huge.csv: row 3, 6 N D of params and tokens is infinite"),
    ("fit tiny.csv", 2, "tiny.csv: row 2, 6 N D of params and tokens is 0, zero"),
    ("fit other_digits.csv", 2, "row 3, column 'params' says '\u0662e8', which is not a number"),
    ("fit semicolons.csv", 2, "semicolons.csv seems to be delimited by ';', a .csv is not; save it with commas"),
    ("fit tabs.csv", 2, "tabs.csv seems to be delimited by '\\t', a .csv is not; name it .tsv"),
    ("fit commas.tsv", 2, "commas.tsv seems to be delimited by ',', a .tsv is not; save it with commas, as .csv"),
    ("fit digits.jsonl", 2, "digits.jsonl: row 1, column 'params' is infinite"),
    ("fit more_digits.jsonl", 2, "more_digits.jsonl: row 1 is JSON beyond what can be read"),
    ("fit nested.jsonl", 2, "nested.jsonl: row 1 is JSON beyond what can be read"),
    ("fit two.csv -o two.csv", 2, "give a name that ends in .toml"),
    ("fit two.csv --draws -5", 2, "-5 draws"),
    ("fit two.csv --draws 1", 2, "1 draws"),
    ("fit two.csv --seed -1", 2, "a seed of -1"),
    ("fit budget_word.csv", 2, "row 2, column 'budget' says 'large', which is not a number"),
    ("fit budget_blank.csv", 2, "row 3, column 'budget' is empty"),
    ("fit noise_word.csv", 2, "row 2, column 'loss_noise' says 'some'"),
    ("fit noise_zero.csv", 2, "row 2, column 'loss_noise' is 0, zero"),
    ("fit noise_negative.csv", 2, "row 2, column 'loss_noise' is -0.01, negative"),
    ("fit two.csv -o two.csv/law.toml", 2, "two.csv is a file, not a folder"),
    ("fit two.csv -o nowhere/law.toml", 2, "nowhere does not exist"),
    ("fit notes.txt", 2, "notes.txt is none of the tables"),
    ("fit .", 2, "without runs/, so it is no study"),
    ("plan -5", 2, "'-5' is negative"),
    ("plan -.5e20", 2, "'-.5e20' is negative"),
    ("plan banana", 2, "'banana' is not a budget"),
    ("plan 1e24 --law besirogul2024", 2, "did you mean 'besiroglu2024'"),
    ("plan 1e24 --law nowhere.toml", 2, "nowhere.toml"),
    ("plan 1e24 --law law.toml", 2, "its schema is 'something else'"),
    ("plan 1e24 --law broken.toml", 2, "broken.toml is not TOML"),
    ("plan 1e24 --law nameless.toml", 2, "nameless.toml has no id"),
    ("plan 1e24 --law convention.toml", 2, "'most' is not a valid ParamsConvention"),
    ("plan 1e24 --law nan.toml", 2, "nan.toml says alpha = nan, which is not a finite number"),
    ("plan 1e24 --law text.toml", 2, "text.toml says alpha = 'much', which is not a finite number"),
    ("plan 1e24 --law flat.toml", 2, "flat.toml says coefficients = 3; write it as a table"),
    ("plan 1e24 --law source.toml", 2, "source.toml has 'author' in [source]"),
    ("plan 1e24 --law range.toml", 2, "range.toml says flops = 3 in [fitted_range]"),
    ("plan 1e24 --law negative.toml", 2, "negative.toml says alpha = -0.37; in the family chinchilla it lies between"),
    ("plan 1e24 --law zero.toml", 3, "the law mine gives no optimum at 1e24 FLOPs"),
    ("predict besiroglu2024 --target-loss nan", 2, "the loss nan is no loss"),
    ("predict besiroglu2024 --params 7B --tokens 2T --where loss<3", 2, "besiroglu2024 is a law: --where"),
    ("predict muennighoff2023 --params 7B --tokens 1T --given unique_tokens=-5", 2, "unique_tokens is -5; the law"),
    ("predict muennighoff2023 --params 7B --tokens 1T --given unique_tokens=nan --json", 2, "unique_tokens is nan;"),
    ("predict kumar2024 --params 7B --tokens 1T --given weight_bits=-3", 2, "weight_bits is -3;"),
    ("predict kumar2024 --params 7B --tokens 1T --given weight_bits=0 --json", 2, "takes a positive number."),
    ("predict abnar2025 --params 7B --tokens 1T --given active_fraction=2", 2, "a positive number of 1 at most."),
    ("predict abnar2025 --params 7B --tokens 1T --given active_fraction=0", 2, "active_fraction is 0;"),
    ("predict krajewski2024 --params 7B --tokens 1T --given granularity=0", 2, "granularity is 0;"),
    ("predict krajewski2024 --params 7B --tokens 1T --given granularity=inf", 2, "granularity is inf;"),
    ("predict clark2022_sbase --params 7B --tokens 1T --given experts=0.1", 2, "takes a number of 1 or more."),
    ("predict besiroglu2024 --params 1e-300 --tokens 1e-300 --json", 2, "a network has one or more"),
    ("predict besiroglu2024 --params 1e200 --tokens 1e200 --json", 2, "computes with finite numbers"),
    ("predict kumar2024 --params 7B --tokens 1T --given weight_bits=1e-320", 3, "gives no loss there"),
    ("plan 1mFLOP", 2, "'1mFLOP' has the prefix m, which is a thousandth; write M for a million"),
    ("plan 1 PF-day", 2, "there is no place for PF-day: words with spaces go in quotes (see isoflop plan --help)."),
    ("plan 1e24 --level 90", 2, "90 is not a share"),
    ("plan 1e24 --level high", 2, "'--level': it is not a number (see isoflop plan --help)."),
    ("plan 1e24 --lawful", 2, "--lawful"),
    ("plan", 2, "no budget: give one"),
    ("plan 1e24 --target-loss 2", 2, "two ends of one question"),
    ("plan --target-loss 1.5", 3, "no amount of compute reaches it"),
    ("plan 1e24 --hardware H1000", 2, "H1000"),
    ("plan 1e24 --devices 8", 2, "need hardware"),
    ("plan 1e24 --vocab 1000", 2, "a vocabulary or context is of whole networks"),
    ("plan 1e24 --vocab -5 --training-bits 8", 2, "vocabulary -5, context None: each is at least one"),
    ("plan 1e24 --context 1000", 2, "a vocabulary or context is of whole networks"),
    ("plan 1e24 --hardware H100 --devices 10000000000000", 2, "a billion at most"),
    ("count gpt2 --devices 99999999999999999999999999999 --stage 3", 2, "a billion at most"),
    ("plan 1e24 --power pue=1.1", 2, "need hardware"),
    ("plan 1e24 --hardware H100 --power PUE=1.1", 2, "--power PUE=1.1: write NAME=NUMBER"),
    ("plan 1e24 --hardware H100 --power pue=0.9", 2, "a PUE of 0.9 is impossible"),
    ("plan 1e24 --hardware H100 --power watts=nan", 2, "watts = nan is not an amount"),
    ("plan 1e24 --hardware H100 --power share=2", 2, "2 is not a share of the rated power"),
    ("plan 1e24 --serving write=0.02", 2, "--serving needs --inference-tokens"),
    ("plan 1e24 --inference-tokens 2T --serving write=2%", 2, "--serving write=2%: write NAME=NUMBER"),
    ("plan 1e24 --measured 1B,20B", 2, "--measured 1B,20B: give parameters, tokens and loss"),
    ("plan 1e24 --unique-tokens 10FLOPs", 2, "10FLOPs"),
    ("plan 1e24 --show everything", 2, "--show"),
    ("count llama3-9b", 2, "no network called 'llama3-9b'"),
    ("count GTP2", 2, "did you mean 'gpt2'? isoflop count --list lists all"),
    ("count --arch deepseek_v3 --layers 12 --d-model 768", 2, "describe them in a shape file"),
    ("plan 1e24 --architecture deepseek_v3", 2, "describe them in a shape file"),
    ("count nowhere.toml", 2, "cannot read the shape nowhere.toml"),
    ("count broken.toml", 2, "broken.toml is not TOML"),
    ("count law.toml", 2, "no fact of a shape in law.toml called 'schema'"),
    ("count shape.toml", 2, "shape.toml, experts, says top_k = 2.5; write a whole number"),
    ("count narrow.toml", 2, "narrow.toml does not say vocab, context"),
    ("plan 1e24 --hardware nowhere.toml", 2, "cannot read the accelerator file nowhere.toml"),
    ("count --layers 12", 2, "give --layers and --d-model"),
    ("count --layers 12 --d-model 770 --heads 12", 2, "no multiple of 12 heads"),
    ("count gpt2 --precision fp3", 2, "fp3"),
    ("hardware H1000", 2, "H1000"),
    ("laws besirogul2024", 2, "did you mean 'besiroglu2024'"),
    ("hardware h1000", 2, "did you mean 'h100-sxm'"),
    ("hardware TPU", 2, "'TPU' could be tpu-v4, tpu-v5e"),
    ("pln 1e24", 2, "'pln'"),
    ("--loud", 2, "--loud"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "code", "named"), CASES)
@pytest.mark.usefixtures("here")
def test_one_sentence_and_the_documented_code(
    command: str, code: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.split()) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("isoflop: ")
    assert err.count("\n") == 1
    assert named in err
    assert "Traceback" not in err


def isoflop(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The real command, as installed beside this Python."""
    command = Path(sys.executable).with_name("isoflop")
    if not command.exists():
        pytest.skip("the command isoflop is not installed beside this Python")
    return subprocess.run([command, *words], capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize(
    ("command", "code", "named"),
    [case for case in CASES if case[0] in ("fit nowhere.csv", "fit word.csv", "plan -5", "plan banana", "pln 1e24")],
)
def test_the_installed_command_answers_the_same(here: Path, command: str, code: int, named: str) -> None:
    done = isoflop(*command.split(), folder=here)
    assert done.returncode == code
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["two.csv"], ["one_budget.csv"], ["two.csv", "--approach", "2"], ["one_budget.csv", "--approach", "2"]]
)
@pytest.mark.usefixtures("here")
def test_data_that_cannot_carry_the_question_exits_3(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", *words, "--draws", "50"]) == 3
    out, err = capsys.readouterr()
    assert "refused" in out.splitlines()[0]
    assert "Traceback" not in out + err


@pytest.mark.usefixtures("here")
def test_a_refused_fit_writes_no_law(here: Path) -> None:
    assert run(["fit", "two.csv", "-o", "law_out.toml"]) == 3
    assert not (here / "law_out.toml").exists()


def test_debug_shows_the_traceback_and_keeps_the_code(here: Path) -> None:
    done = isoflop("plan", "banana", "--debug", folder=here)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("isoflop: 'banana'")


def test_what_nobody_foresaw_is_one_line_and_exit_1(here: Path) -> None:
    code = "import isoflop.cli.main as m; m._load = lambda name: 1 / 0; m.main(['plan', '1e24'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("isoflop: unexpected ZeroDivisionError: division by zero")
    assert done.stderr.count("\n") == 1


def test_an_interrupt_exits_130(here: Path) -> None:
    code = (
        "import isoflop.cli.main as m\n"
        "def interrupt(name): raise KeyboardInterrupt\n"
        "m._load = interrupt\n"
        "m.main(['plan', '1e24'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here, check=False)
    assert done.returncode == 130
    assert done.stderr == "isoflop: interrupted; a study keeps what was finished, and the same command goes on.\n"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc on this system")
@pytest.mark.usefixtures("here")
def test_a_law_is_not_fitted_for_a_place_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "two.csv", "-o", "/proc/law.toml"]) == 2
    assert "cannot write /proc/law.toml" in capsys.readouterr().err


def test_a_table_is_not_overwritten_by_its_law(here: Path) -> None:
    assert run(["fit", "two.csv", "-o", "two.csv"]) == 2
    assert (here / "two.csv").read_text() == TWO_RUNS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_sentence_that_blames_nobody(here: Path) -> None:
    command = [sys.executable, "-c", "from isoflop.cli.main import main; main(['laws'])"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=here, check=False)
    assert done.returncode == 1
    assert done.stderr == "isoflop: the system refused: No space left on device.\n"
