"""What all applications share, each with a recipe of a few pixels and steps."""

import json

import pytest

from keras_disentangle.applications._shared import registry

APPLICATIONS = registry.names()
COMMANDS = ["train", "evaluate", "compare", "traverse", "ship"]

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_command_explains_itself(name, command, capsys):
    flags = {"ship": "--recipe", "train": "--dry-run", "compare": "--seed"}
    for word in COMMANDS:
        assert command(word, name, "--help") == 0
        assert flags.get(word, "--weights") in capsys.readouterr().out


def test_what_there_is_not_is_listed_on_one_line(command, capsys):
    def told(*words):
        assert command(*words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        return line

    assert "list, train, evaluate" in told("explore")
    assert "list, train, evaluate" in told()
    for word in COMMANDS:
        assert ", ".join(APPLICATIONS[:2]) in told(word, "cars")
    assert "biggan" in told("convert", "info_gan")
    assert command("train", "--help") == 0
    assert "info_gan" in capsys.readouterr().out
    for name in APPLICATIONS:
        assert "--log-dir" in told("train", name, "--speed", "3")
        assert "--out" in told("evaluate", name, "--weights", "cars", "--speed", "3")
        assert "choose from" in told("train", name, "--recipe", "cars")
        assert "a .keras file" in told("evaluate", name, "--weights", "cars")
        assert "expected" in told("train", name, "--seed")
        assert "name" in told("ship", name)


def test_the_list(command, capsys):
    assert command("list") == 0
    printed = capsys.readouterr().out
    assert command("list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= {*APPLICATIONS, "biggan"}
    for name in APPLICATIONS:
        assert name in printed and found[name]["recipes"] and found[name]["weights"]
    assert "D_R 3.37" in printed
