import pytest

from keras_disentangle.__main__ import main


@pytest.fixture
def command():
    """Runs the command `keras-disentangle` within this process; gives its exit status, or its last
    words."""

    def run(*arguments):
        try:
            main(list(map(str, arguments)))
        except SystemExit as end:
            return end.code
        return 0

    return run
