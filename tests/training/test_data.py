"""The corpus on disk, its windows and their order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import DataError, UsageError
from isoflop.training.data import STANDARD_LIBRARY, Corpus, Windows, build_corpus, read_corpus

WriteText = Callable[[Path, int, int], None]


def test_the_digest_depends_on_the_text_and_not_on_where_it_lies(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "here", 70, 20_000)
    write_text(tmp_path / "there" / "deep", 70, 20_000)
    for i, path in enumerate(sorted((tmp_path / "there" / "deep").iterdir())):
        path.rename(tmp_path / "there" / f"{70 - i}.md")
    here = build_corpus(tmp_path / "a", tmp_path / "here")
    there = build_corpus(tmp_path / "b", tmp_path / "there")
    assert here.digest == there.digest
    (tmp_path / "here" / "document0.txt").write_text("x = 1\n" * 3000)
    assert build_corpus(tmp_path / "c", tmp_path / "here").digest != here.digest


def test_no_document_is_in_both_halves_and_none_is_lost(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 70, 20_000)
    corpus = build_corpus(tmp_path / "corpus", tmp_path / "text")
    train, validation = corpus.train().tobytes(), corpus.validation().tobytes()
    documents = [path.read_bytes() for path in (tmp_path / "text").iterdir()]
    assert len(train) + len(validation) == sum(map(len, documents))
    assert all((document in train) != (document in validation) for document in documents)


def test_what_is_dropped_is_counted(tmp_path: Path, write_text: WriteText) -> None:
    source = tmp_path / "text"
    write_text(source, 70, 20_000)
    (source / "stub.txt").write_text("short")
    (source / "copy.txt").write_bytes((source / "document0.txt").read_bytes())
    (source / "image.png").write_bytes(bytes(range(256)) * 10)
    (source / "latin1.txt").write_bytes("é".encode("latin-1") * 1000)
    (source / ".hidden").mkdir()
    (source / ".hidden" / "secret.txt").write_text("x" * 1000)
    corpus = build_corpus(tmp_path / "corpus", source)
    assert corpus.dropped == {"duplicate": 1, "not UTF-8 text": 2, "too short": 1}
    assert corpus.files == 70


def test_what_cannot_be_read_is_counted_and_a_dead_link_is_no_file(
    tmp_path: Path, write_text: WriteText, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "text"
    write_text(source, 70, 20_000)
    (source / "gone.py").symlink_to(source / "nowhere.py")
    read_bytes = Path.read_bytes

    def one_is_locked(path: Path) -> bytes:
        if path.name == "document7.txt":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", one_is_locked)
    corpus = build_corpus(tmp_path / "corpus", source)
    assert (corpus.files, corpus.dropped) == (69, {"unreadable": 1})
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(source))
    for path in source.glob("*.txt"):
        path.rename(path.with_suffix(".py"))
    assert build_corpus(tmp_path / "library").files == 70


def test_one_long_book_is_cut_and_split(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 1, 2_000_000)
    corpus = build_corpus(tmp_path / "corpus", tmp_path / "text")
    assert corpus.train_tokens + corpus.val_tokens == 2_000_000
    assert corpus.val_tokens >= 1024 * 128 + 1


def test_a_corpus_is_built_once(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 70, 20_000)
    first = build_corpus(tmp_path / "corpus", tmp_path / "text")
    stamp = (tmp_path / "corpus" / "train.bin").stat().st_mtime_ns
    assert build_corpus(tmp_path / "corpus", tmp_path / "text") == first == read_corpus(tmp_path / "corpus")
    assert (tmp_path / "corpus" / "train.bin").stat().st_mtime_ns == stamp


def test_half_a_corpus_is_built_anew(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 70, 20_000)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train.bin").write_bytes(b"half")
    corpus = build_corpus(tmp_path / "corpus", tmp_path / "text")
    assert corpus.train().size == corpus.train_tokens


def test_what_a_kill_left_in_the_making_is_removed_later(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 70, 20_000)
    old, young = (tmp_path / f".corpus-{name}.making" for name in ("old", "young"))
    for left in (old, young):
        left.mkdir()
        (left / "train.bin").write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    build_corpus(tmp_path / "corpus", tmp_path / "text")
    assert not old.exists()
    assert young.exists()


def test_the_standard_library_is_the_default_source(tmp_path: Path) -> None:
    corpus = build_corpus(tmp_path / "corpus")
    assert corpus.source == STANDARD_LIBRARY
    assert corpus.train_tokens > 5_000_000
    assert corpus.val_tokens == pytest.approx(0.04 * (corpus.train_tokens + corpus.val_tokens), rel=0.2)


def test_too_little_text_says_how_much_there_is_and_is_needed(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 20, 20_000)
    with pytest.raises(DataError, match=r"there is 0\.40 MB of usable text .* needs about 1\.3 MB"):
        build_corpus(tmp_path / "corpus", tmp_path / "text")
    assert not (tmp_path / "corpus").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere"):
        build_corpus(tmp_path / "corpus", tmp_path / "nowhere")


def test_another_source_does_not_silently_reuse_the_corpus(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds a corpus of the text files under .* is not that text"):
        build_corpus(corpus.folder, None)


def test_changed_bytes_are_noticed(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path / "text", 70, 20_000)
    build_corpus(tmp_path / "corpus", tmp_path / "text")
    content = bytearray((tmp_path / "corpus" / "val.bin").read_bytes())
    content[0] ^= 1
    (tmp_path / "corpus" / "val.bin").write_bytes(content)
    with pytest.raises(UsageError, match="are not those that its corpus"):
        read_corpus(tmp_path / "corpus")


def test_an_epoch_sees_every_window_once_and_targets_are_the_next_tokens() -> None:
    text = np.arange(250, dtype=np.uint8)
    windows = Windows(text, context=8, seed=3)
    batches = [windows.batch(step, 2) for step in range(windows.count // 2)]
    assert all((targets == inputs + 1).all() for inputs, targets in batches)
    starts = sorted(int(row[0]) for inputs, _ in batches for row in inputs)
    assert len(set(starts)) == len(starts)
    assert set(starts) <= set(range(0, 248, 8))


def test_epochs_differ_seeds_differ_and_each_repeats() -> None:
    text = np.random.default_rng(0).integers(0, 256, 10_000).astype(np.uint8)

    def order(seed: int, first_step: int) -> bytes:
        windows = Windows(text, context=16, seed=seed)
        return b"".join(windows.batch(first_step + step, 4)[0].tobytes() for step in range(20))

    per_epoch = Windows(text, context=16, seed=0).count // 4
    assert order(0, 0) == order(0, 0)
    assert len({order(0, 0), order(1, 0), order(0, per_epoch)}) == 3


def test_reading_and_building_a_corpus_needs_no_torch() -> None:
    code = "import sys, isoflop.training.data; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
