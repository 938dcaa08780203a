"""A training run that has ended, for the tests of backups."""

import pytest
from backup_runs import train


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and the numbers of a run that has ended."""
    path = tmp_path_factory.mktemp("finished")
    return path, train(path)


@pytest.fixture
def copied(finished, tmp_path):
    """The folder of that run, to be changed at will."""
    for file in finished[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path
