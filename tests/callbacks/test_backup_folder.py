import errno
import gc
import hashlib
import os
import shutil
import subprocess
import sys

import keras
import ml_dtypes
import numpy as np
import pytest
from backup_runs import assert_same, files, train

from keras_disentangle.callbacks._backup_folder import BackupFolder
from keras_disentangle.callbacks._backup_lock import FolderLock


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1])


def empty(file):
    file.write_bytes(b"")


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1000] ^= 4
    file.write_bytes(content)


def flip_in_the_header(file):
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"epoch": 3', b'"epoch": 1', 1))


def other_content(file):
    """What `ExactBackup` would not write, with a sum that is right."""
    content = b'{"arrays": []}'
    file.write_bytes(content + hashlib.sha256(content).digest())


def larger_than_it_is(file):
    line = b'{"header": {}, "arrays": [{"shape": [1000000, -1], "dtype": "float32"}]}\n'
    file.write_bytes(line + hashlib.sha256(line).digest())


DAMAGES = [truncate, empty, flip, flip_in_the_header, other_content, larger_than_it_is]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup(damage, finished, copied):
    before, newest = (copied / name for name in files(copied))
    damage(newest)
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged: .* {before.name}"):
        assert train(copied, (2, 3)) is None
    # It is still there, and gives way to whole ones.
    assert newest.name in files(copied)
    with pytest.warns(UserWarning, match="is damaged"):
        assert_same(train(copied, save_freq="epoch"), finished[1])
    assert files(copied) == [before.name, "backup-000005"]
    assert_same(train(copied), finished[1])


def test_nothing_begins_anew_over_damaged_backups(copied):
    for file in copied.iterdir():
        flip(file)
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    message = "whole.* Received: .*backup-000004 is damaged and backup-000003 is damaged"
    with pytest.raises(ValueError, match=message):
        train(copied)
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before


def test_an_unreadable_backup(finished, copied):
    before, newest = (copied / name for name in files(copied))
    newest.unlink()
    newest.mkdir()
    with pytest.warns(UserWarning, match=f"{newest.name} cannot be read .*: .* {before.name}"):
        assert_same(train(copied), finished[1])


def test_a_header_without_its_keys(copied):
    folder = BackupFolder(copied)
    state, arrays = folder.read()
    for change in ({"epoch": None}, {"random": [3, [1], None]}, {"memory": ["a"]}):
        folder.write({**state, **change}, arrays)
        file = folder.newest
        with pytest.raises(
            ValueError, match=f"`path` must hold backups .*{file.name}.*{[*change][0]}"
        ):
            train(copied)


@pytest.mark.one_backend
def test_one_process_at_a_time(copied, finished):
    code = (
        "import sys, keras_disentangle.callbacks._backup_lock as l; l = l.FolderLock(sys.argv[1]);"
        "print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(copied)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "held\n"
    (copied / "backup-000009.71.tmp").write_text("of the other")
    log = copied / "log.csv"
    log.write_text("of the other")
    with pytest.raises(ValueError, match=f"`path` must be .* in use by process {other.pid} on"):
        train(copied, before=[keras.callbacks.CSVLogger(log)])
    assert log.read_text() == "of the other"
    assert (copied / "backup-000009.71.tmp").exists()
    # Killed, it leaves the lock to the next.
    other.kill()
    other.communicate()
    assert_same(train(copied), finished[1])
    assert not (copied / "lock").exists()


def test_one_process_may_lock_again(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.release()
    assert (tmp_path / "lock").exists()
    del second  # as with a callback whose training was interrupted
    gc.collect()
    assert not (tmp_path / "lock").exists()
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    third = FolderLock(tmp_path)
    assert (tmp_path / "lock").exists()
    third.release()


def test_what_else_is_in_the_folder(finished, copied):
    for name in ("backup-000009.71.tmp", "notes.txt", "backup-1"):
        (copied / name).write_text("")
    assert_same(train(copied, epochs=4), train(epochs=4))
    assert files(copied) == ["backup-000005", "backup-000006", "backup-1", "notes.txt"]


@pytest.mark.parametrize("fail_from", [1, 3])
def test_a_full_disk_does_not_end_training(fail_from, tmp_path, monkeypatch, finished):
    sync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        # A backup that is written syncs twice: its file and the folder.
        if fail_from <= len(calls) < fail_from + 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    good = "there is no backup" if fail_from == 1 else "the newest backup is .*backup-000001"
    with pytest.warns(
        UserWarning, match=f"No backup .* No space left.* Training continues; {good}"
    ):
        result = train(tmp_path)
    assert_same(result, finished[1])
    # Later ones were written, and nothing half-written is left.
    assert files(tmp_path) == {1: ["backup-000001", "backup-000002"]}.get(
        fail_from, ["backup-000001", "backup-000002"]
    )
    assert_same(train(tmp_path), finished[1])


def test_a_path_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in ("file", "file/folder"):
        with pytest.raises(ValueError, match="`path` must be a folder .* Received: path=.*file"):
            train(tmp_path / path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match=r"`path` must be .* \(no permission\)"):
        train(tmp_path)


def test_files_hold_every_kind_of_array(tmp_path):
    arrays = [
        np.arange(6, dtype="float32").reshape(2, 3),
        np.array([1.5, -2.0], ml_dtypes.bfloat16),
        np.array(7, "int32"),
        np.array([[1, 2**32 - 1]], "uint32"),
        np.array([True, False]),
        np.zeros((0, 3), "float16"),
    ]
    header = {"a": 0.1, "b": [float("inf"), np.float32(0.1)], "c": np.arange(2), "d": object()}
    BackupFolder(tmp_path).write(header, arrays)
    read, again = BackupFolder(tmp_path).read()
    assert read["a"] == 0.1 and read["b"] == [float("inf"), float(np.float32(0.1))]
    assert read["c"] == [0, 1] and "object" in read["d"]
    for a, b in zip(arrays, again, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, strict=True)
