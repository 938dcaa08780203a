"""A bar with the time left, for whatever takes longer than a few seconds."""

import contextlib
import inspect
import sys
import threading
import time
import weakref
from dataclasses import dataclass

import keras

_AFTER = 5.0  # Seconds without a bar.
_REDRAWN, _WRITTEN = 0.2, 60.0  # Seconds between two states: in a terminal, in a log.
_WIDTH = 20

_hidden = False
_loops = []  # weak references to those that run, the outermost first
_due = 0.0  # when the bar is to be drawn next
_drawn = 0  # the length of the bar that stands in the terminal


@dataclass(eq=False)
class _Loop:
    what: str
    total: int
    started: float
    frame: object  # in which the loop stands
    done: int = 0


@contextlib.contextmanager
def shown(verbose):
    """Within, there are no bars if `verbose` is 0."""
    global _hidden
    before, _hidden = _hidden, _hidden or verbose != "auto" and not verbose
    try:
        yield
    finally:
        _hidden = before


def progress(steps, what):
    """Yields the steps of a long loop, and shows on the standard error how far it has come.

    Nothing is shown in the first five seconds. Then a bar is redrawn in a terminal or a notebook,
    with the time that all loops around it have left; elsewhere, as in a log, a line is written each
    minute. Without a word run loops within `shown(0)`, those of other threads, and all after
    `keras.config.disable_interactive_logging()`.

    Args:
        steps: what is looped over, of known length.
        what: plural of what the steps are, such as "votes".
    """
    global _due, _drawn
    quiet = _hidden or not keras.config.is_interactive_logging_enabled()
    if quiet or threading.current_thread() is not threading.main_thread():
        yield from steps
        return
    now = time.monotonic()
    loop = _Loop(what, len(steps), now, inspect.currentframe().f_back)
    _loops[:] = map(weakref.ref, [*_running(), loop])
    if len(_loops) == 1:
        _due = now + (_AFTER if _in_terminal() else _WRITTEN)
    try:
        for step in steps:
            yield step
            loop.done += 1
            if time.monotonic() >= _due:
                _show(_running())
    finally:
        if _drawn and len(_running()) <= 1:
            _put("\r" + " " * _drawn + "\r")
            _drawn = 0


def _running():
    """The loops that run, the outermost first: one that was left by an error may still exist."""
    stack, frame = set(), inspect.currentframe().f_back
    while frame is not None:
        stack.add(frame)
        frame = frame.f_back
    loops = [reference() for reference in _loops]
    return [loop for loop in loops if loop is not None and loop.frame in stack]


def _show(loops):
    global _due, _drawn
    now = time.monotonic()
    line = _line(loops, now)
    if _in_terminal():
        # Spaces cover what is left of a longer line.
        _put("\r" + line.ljust(_drawn))
        _drawn, _due = max(_drawn, len(line)), now + _REDRAWN
    else:
        _put(line + "\n")
        _due = now + _WRITTEN


def _in_terminal():
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _line(loops, now):
    share = 0.0
    for loop in reversed(loops):
        share = min(1.0, (loop.done + share * (loop.done < loop.total)) / loop.total)
    seconds = round((now - loops[0].started) * (1 - share) / share)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    left = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    bar = "=" * int(share * _WIDTH)
    where = ", ".join(f"{loop.what} {loop.done:,}/{loop.total:,}" for loop in loops)
    return f"{where} [{bar:{_WIDTH}}] {left} left"


def _put(text):
    sys.stderr.write(text)
    sys.stderr.flush()
