"""A file is there whole or not at all, and what a kill leaves behind goes away."""

import errno
import os
import stat
import time

import pytest

from isoflop.files import remove_leftovers, write_atomic


def test_the_old_content_stays_until_the_new_is_whole(tmp_path, monkeypatch):
    target = tmp_path / "law.toml"
    write_atomic(target, "old")

    def torn(handle):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", torn)
    with pytest.raises(OSError, match="full"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["law.toml"]


def test_leftovers_go_and_a_write_under_way_stays(tmp_path):
    old, young = tmp_path / ".a.12ab.tmp", tmp_path / ".b.34cd.tmp"
    for path in (old, young):
        path.write_text("half")
    long_ago = time.time() - 120
    os.utime(old, (long_ago, long_ago))
    remove_leftovers(tmp_path)
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_forced_does_not_undo_a_write(tmp_path, monkeypatch, number, raised):
    force = os.fsync

    def only_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        force(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    target = tmp_path / "law.toml"
    if raised:
        with pytest.raises(OSError, match="error"):
            write_atomic(target, "new")
    else:
        write_atomic(target, "new")
    assert target.read_text() == "new"
