"""Corpora of every source and unit: what is read comes back, and what cannot be read is said."""

from __future__ import annotations

import gzip
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import DataError, UsageError
from isoflop.training.attempt import Attempt
from isoflop.training.data import Corpus, build_corpus, read_corpus, vocabulary
from isoflop.training.data import _corpus as corpora

WriteText = Callable[[Path, int, int], None]
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")


@pytest.fixture
def texts(tmp_path: Path, write_text: WriteText) -> list[str]:
    write_text(tmp_path / "text", 90, 20_000)
    return [path.read_text() for path in sorted((tmp_path / "text").iterdir())]


def as_jsonl(path: Path, texts: list[str], field: str = "text") -> Path:
    content = "".join(json.dumps({"id": i, field: text}) + "\n" for i, text in enumerate(texts)).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


class TestSources:
    def test_the_same_documents_make_the_same_corpus_whatever_holds_them(
        self, tmp_path: Path, texts: list[str]
    ) -> None:
        pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"id": list(range(90)), "text": texts}), tmp_path / "a.parquet")
        sources = [
            tmp_path / "text",
            as_jsonl(tmp_path / "a.jsonl", texts[::-1]),
            as_jsonl(tmp_path / "b.jsonl.gz", texts + texts[:3]),
            tmp_path / "a.parquet",
        ]
        built = [build_corpus(tmp_path / f"corpus{i}", source) for i, source in enumerate(sources)]
        assert len({corpus.digest for corpus in built}) == 1
        assert built[2].dropped == {"duplicate": 3}

    def test_another_field_by_its_name(self, tmp_path: Path, texts: list[str]) -> None:
        source = as_jsonl(tmp_path / "a.jsonl", texts, field="content")
        assert build_corpus(tmp_path / "corpus", source, column="content").files == 90

    def test_a_data_set_of_the_hub_is_streamed(
        self, tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By a stand-in for the package: what is asked of it is load_dataset(name, config, split=, streaming=)."""
        asked = []

        def load_dataset(*words: object, **options: object) -> Iterator[dict[str, str]]:
            asked.append((words, options))
            return iter([{"text": text} for text in texts])

        monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
        corpus = build_corpus(tmp_path / "corpus", "hf:someone/texts:en")
        assert asked == [(("someone/texts", "en"), {"split": "train", "streaming": True})]
        assert corpus.source == "the data set someone/texts:en"
        assert corpus.digest == build_corpus(tmp_path / "other", tmp_path / "text").digest

    def test_a_hub_that_is_not_reached_is_one_sentence(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def load_dataset(*words: object, **options: object) -> object:
            raise ConnectionError("Couldn't reach the Hub")

        monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))
        with pytest.raises(UsageError, match="Couldn't reach the Hub; is the name right"):
            build_corpus(tmp_path / "corpus", "hf:nobody/nothing")
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(UsageError, match="pip install datasets"):
            build_corpus(tmp_path / "corpus", "hf:nobody/nothing")

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("a.jsonl", b'{"text": "a"}\nnot json\n', r"a\.jsonl, line 2 is no JSON"),
            ("a.jsonl", b'{"content": "a"}\n', r"line 1 has no text in 'text' \(it has 'content'\)"),
            ("a.jsonl", b"[1]\n", r"line 1 has no text in 'text' \(it is no object\)"),
            ("a.jsonl", b"", "there is 0.00 MB of usable text"),
            ("a.jsonl.gz", b"not gzip", r"cannot read .*a\.jsonl\.gz"),
            ("a.parquet", b"not parquet", r"a\.parquet is no Parquet file"),
            ("a.txt", bytes(range(256)) * 100, r"a\.txt is not UTF-8 text"),
        ],
    )
    def test_what_cannot_be_read_is_said_with_its_place(
        self, tmp_path: Path, name: str, content: bytes, said: str
    ) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises((UsageError, DataError), match=said):
            build_corpus(tmp_path / "corpus", tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_a_parquet_without_the_column(self, tmp_path: Path) -> None:
        pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"body": ["x"]}), tmp_path / "a.parquet")
        with pytest.raises(UsageError, match="has no column 'text'; it has 'body'"):
            build_corpus(tmp_path / "corpus", tmp_path / "a.parquet")


class TestPairs:
    @pytest.fixture
    def corpus(self, tmp_path: Path, texts: list[str]) -> Corpus:
        rng = np.random.default_rng(0)
        numbers = [" ".join(map(str, rng.integers(0, 3000, 600))) for _ in texts]
        varied = [f"{text} naïve café — {some}" for text, some in zip(texts, numbers, strict=True)]
        return build_corpus(tmp_path / "pairs", as_jsonl(tmp_path / "varied.jsonl", varied), unit="bpe:512")

    def test_decoding_gives_the_documents_back(self, corpus: Corpus, tmp_path: Path) -> None:
        tokenizer = tokenizers.Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
        end = tokenizer.token_to_id("<|endoftext|>")
        ids = np.concatenate([corpus.train(), corpus.validation()]).astype(int)
        pieces = np.split(ids, np.flatnonzero(ids == end) + 1)[:-1]
        back = {tokenizer.decode(piece.tolist()) for piece in pieces}
        lines = (tmp_path / "varied.jsonl").read_text().splitlines()
        assert back == {json.loads(line)["text"] for line in lines}

    def test_bytes_and_tokens_are_counted(self, corpus: Corpus, tmp_path: Path) -> None:
        lines = [json.loads(line)["text"].encode() for line in (tmp_path / "varied.jsonl").read_text().splitlines()]
        tokenizer = tokenizers.Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
        held = tokenizer.decode(corpus.validation().astype(int).tolist(), skip_special_tokens=True).encode()
        assert corpus.bytes_per_token is not None
        assert corpus.bytes_per_token * corpus.val_tokens == pytest.approx(len(held))
        assert sum(map(len, lines)) > 2 * (corpus.train_tokens + corpus.val_tokens)
        assert (corpus.vocab, corpus.train().dtype) == (512, np.uint16)
        assert corpus.train().max() < 512

    def test_it_is_the_same_again_elsewhere_and_another_for_another_text(self, corpus: Corpus, tmp_path: Path) -> None:
        source = tmp_path / "varied.jsonl"
        assert build_corpus(tmp_path / "again", source, unit="bpe:512").digest == corpus.digest
        assert build_corpus(corpus.folder, source, unit="bpe:512") == read_corpus(corpus.folder)
        with pytest.raises(UsageError, match="in units of bpe:512, not of byte"):
            build_corpus(corpus.folder, source)
        source.write_text(source.read_text().replace(" yield ", " YIELD ", 1))
        assert build_corpus(tmp_path / "changed", source, unit="bpe:512").digest != corpus.digest

    def test_a_tokenizer_that_is_there_already(self, corpus: Corpus, tmp_path: Path) -> None:
        (tmp_path / "mine.json").write_bytes((corpus.folder / "tokenizer.json").read_bytes())
        source, unit = tmp_path / "varied.jsonl", "tokenizer:mine.json"
        assert build_corpus(tmp_path / "by file", source, unit=unit, base=tmp_path).digest == corpus.digest
        with pytest.raises(UsageError, match="there is no tokenizer in"):
            build_corpus(tmp_path / "none", source, unit="tokenizer:nowhere.json", base=tmp_path)

    def test_more_pairs_than_the_text_holds(self, tmp_path: Path, texts: list[str]) -> None:
        with pytest.raises(DataError, match=r"byte pairs that occur twice, and 60,000 were asked for"):
            build_corpus(tmp_path / "corpus", tmp_path / "text", unit="bpe:60000")

    def test_a_run_says_bits_per_byte(self, corpus: Corpus, make_run: Callable[..., Path]) -> None:
        pytest.importorskip("torch", reason="torch is not installed")
        from isoflop.accounting import Shape
        from isoflop.training import loop

        shape = Shape(layers=1, d_model=16, heads=1, d_ff=32, vocab=512, context=32)
        folder = make_run("pairs", corpus=str(corpus.folder), corpus_digest=corpus.digest, shape=shape, steps=60)
        loop.train(Attempt(folder, 1, None))
        result = json.loads((folder / "result.json").read_text())
        assert result["loss_unit"] == "nats_per_token"
        assert corpus.bytes_per_token is not None
        assert result["bits_per_byte"] * corpus.bytes_per_token * np.log(2) == pytest.approx(result["loss"])
        small = make_run("small", corpus=str(corpus.folder), corpus_digest=corpus.digest)
        with pytest.raises(DataError, match="has a vocabulary of 256, and its corpus"):
            loop.train(Attempt(small, 1, None))


class TestNumbers:
    @pytest.mark.parametrize("name", ["tokens.bin", "tokens.npy"])
    def test_tokens_that_are_there_already(self, tmp_path: Path, name: str) -> None:
        tokens = np.random.default_rng(0).integers(0, 50257, 1_500_000).astype(np.uint16)
        if name.endswith("npy"):
            np.save(tmp_path / name, tokens)
        else:
            tokens.tofile(tmp_path / name)
        corpus = build_corpus(tmp_path / "corpus", tmp_path / name, unit="tokens:50257")
        assert (np.concatenate([corpus.train(), corpus.validation()]) == tokens).all()
        assert corpus.bytes_per_token is None
        with pytest.raises(UsageError, match="holds the token 50256, and tokens:50256 has 50,256 of them"):
            build_corpus(tmp_path / "other", tmp_path / name, unit="tokens:50256")

    def test_what_is_no_row_of_numbers(self, tmp_path: Path) -> None:
        np.save(tmp_path / "square.npy", np.zeros((1000, 1500), np.uint16))
        with pytest.raises(UsageError, match="in 2 dimensions"):
            build_corpus(tmp_path / "corpus", tmp_path / "square.npy", unit="tokens:10")
        with pytest.raises(UsageError, match="is no file of tokens that can be read"):
            build_corpus(tmp_path / "corpus", tmp_path / "nowhere.bin", unit="tokens:10")


@pytest.mark.parametrize("unit", ["bytes", "bpe", "bpe:", "bpe:12", "bpe:x", "tokens:1", "tokenizer:", "BPE:4096"])
def test_what_is_no_unit_is_refused(unit: str) -> None:
    with pytest.raises(UsageError, match="is none of these"):
        vocabulary(unit)


def test_a_large_corpus_is_known_by_samples(
    tmp_path: Path, write_text: WriteText, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the limits made small: a change of size or of a sampled block is noticed without reading all."""
    monkeypatch.setattr(corpora, "CHECKED_WHOLE", 100_000)
    monkeypatch.setattr(corpora, "BLOCK", 1000)
    monkeypatch.setattr(corpora, "SAMPLED", 8)
    write_text(tmp_path / "text", 80, 20_000)
    corpus = build_corpus(tmp_path / "corpus", tmp_path / "text")
    assert corpus.sample
    assert read_corpus(corpus.folder) == corpus
    train = corpus.folder / "train.bin"
    content = train.read_bytes()
    for changed in (content[:-1], b"#" + content[1:]):
        train.write_bytes(changed)
        with pytest.raises(UsageError, match="are not those that its corpus"):
            read_corpus(corpus.folder)
    train.write_bytes(content)
    assert read_corpus(corpus.folder) == corpus
