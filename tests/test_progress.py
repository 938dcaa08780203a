"""Bars of what takes longer than a few seconds, with a clock that is told what time it is."""

import threading
from types import SimpleNamespace

import keras
import pytest

from keras_disentangle import _progress
from keras_disentangle._progress import progress, shown

pytestmark = pytest.mark.one_backend


class Screen:
    """A standard error of which it is known whether it is a terminal."""

    def __init__(self, terminal):
        self.terminal, self.text = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


@pytest.fixture
def screen(monkeypatch, request):
    screen = Screen(getattr(request, "param", True))
    monkeypatch.setattr(_progress, "sys", SimpleNamespace(stderr=screen, modules={}))
    return screen


def run(clock, seconds, count=10, what="votes"):
    for _ in progress(range(count), what):
        clock.now += seconds


def test_steps_are_those_of_the_loop():
    assert list(progress([3, 1, 2], "votes")) == [3, 1, 2]


def test_what_is_quick_shows_nothing(clock, screen):
    run(clock, 0.4)
    assert screen.text == ""


def test_a_terminal_has_a_bar_that_goes_when_all_is_done(clock, screen):
    run(clock, 2.0)
    lines = screen.text.split("\r")
    # Six seconds of twenty are over when the first is drawn.
    assert lines[1] == f"votes 3/10 [{'=' * 6:20}] 0:14 left"
    assert lines[-3].startswith(f"votes 10/10 [{'=' * 20}] 0:00 left")
    assert lines[-2].strip() == lines[-1] == "" and len(lines[-2]) >= len(lines[1])


@pytest.mark.parametrize("screen", [False], indirect=True)
def test_a_log_has_a_line_a_minute(clock, screen):
    run(clock, 500.0)
    assert screen.text.count("\n") == 10 and "\r" not in screen.text
    screen.text = ""
    run(clock, 25.0)
    lines = screen.text.splitlines()
    assert [line.split()[1] for line in lines] == ["3/10", "6/10", "9/10"]
    assert lines[0].endswith("2:55 left")


def test_loops_within_loops_are_one_line(clock, screen):
    for _ in progress(range(2), "runs"):
        run(clock, 900.0, 4)
    lines = screen.text.split("\r")
    assert lines[1].startswith(f"runs 0/2, votes 1/4 [{'==':20}] 1:45:00 left")
    # The whole is a half of the first run and a quarter of the second.
    found = [line for line in lines if line.startswith("runs 1/2, votes 1/4 ")]
    assert found[0].rstrip() == f"runs 1/2, votes 1/4 [{'=' * 12:20}] 45:00 left"


def test_an_error_ends_a_loop(clock, screen):
    def fail():
        for _ in progress(range(10), "runs"):
            clock.now += 50.0
            raise RuntimeError

    with pytest.raises(RuntimeError) as error:
        fail()
    screen.text = ""
    run(clock, 2.0)
    assert "votes 3/10" in screen.text and "runs" not in screen.text
    del error


def test_silence(clock, screen):
    with shown(0):
        run(clock, 50.0)
        with shown(1):
            run(clock, 50.0)
    keras.config.disable_interactive_logging()
    try:
        run(clock, 50.0)
    finally:
        keras.config.enable_interactive_logging()
    thread = threading.Thread(target=run, args=(clock, 50.0))
    thread.start()
    thread.join()
    assert screen.text == ""
    with shown("auto"):
        run(clock, 50.0)
    assert screen.text
