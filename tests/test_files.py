"""Files are written whole or not at all."""

import hashlib
import zipfile

import pytest

from keras_disentangle._files import open_zip, replacing, sha256, write_whole

pytestmark = pytest.mark.one_backend


def test_a_file_is_replaced_once_all_is_written(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    write_whole(path, b"old")
    with replacing(path, suffix=".txt", durable=True) as temporary:
        assert temporary.endswith(".txt")
        with open(temporary, "wb") as file:
            file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("begun", [False, True])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(begun, tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        if begun:
            with open(temporary, "wb") as file:
                file.write(b"ne")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="`path` must be a file, not a folder. Received: path="):
        write_whole(tmp_path, b"new")


def test_checksum(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 5000)
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("number", [0, 3, 65_535, 65_537])
def test_a_zip_lists_as_many_members_as_it_declares(number, tmp_path):
    with zipfile.ZipFile(path := tmp_path / "a.zip", "w") as archive:
        for i in range(number):
            archive.writestr(str(i), b"")
        archive.comment = b"PK" * 1000
    with open_zip(path) as archive:
        assert len(archive.namelist()) == number


def test_members_that_a_wrong_size_hides_are_missed(tmp_path):
    with zipfile.ZipFile(path := tmp_path / "a.zip", "w") as archive:
        for i in range(3):
            archive.writestr(str(i), b"content")
    content = bytearray(path.read_bytes())
    comment = content.index(b"PK\1\2") + 32  # The length of the first member's.
    content[comment : comment + 2] = b"\xff\xff"
    path.write_bytes(content)
    assert zipfile.ZipFile(path).namelist() == ["0"]
    with pytest.raises(ValueError, match="a.zip declares 3 members and lists 1"), open_zip(path):
        pass
