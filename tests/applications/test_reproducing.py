"""How the tables of the cards were measured, and that it can be done again."""

import json
import re
import shlex
from pathlib import Path

import pytest

from keras_disentangle.__main__ import main
from keras_disentangle.applications._shared import reproducing
from keras_disentangle.applications._shared.parsers import Parser

pytestmark = pytest.mark.one_backend
ROOT = Path(__file__).parents[2]
TABLES = reproducing.tables()


class Understood(Exception):
    """A command and its flags are what the parsers take."""


@pytest.mark.parametrize("table", TABLES)
def test_the_commands_are_those_of_today(table, monkeypatch):
    read = Parser.read

    def stop(self, arguments):
        read(self, arguments)
        raise Understood

    monkeypatch.setattr(Parser, "read", stop)
    assert TABLES[table]["commands"]
    for line in TABLES[table]["commands"]:
        program, *words = shlex.split(line)
        if program == "python":
            assert (ROOT / words[0]).is_file()
            continue
        assert program == "keras-disentangle"
        with pytest.raises(Understood):
            main(words)


@pytest.mark.parametrize("table", TABLES)
def test_the_circumstances_are_said(table):
    content = TABLES[table]
    assert all(isinstance(seed, int) for seed in content["seeds"]) and content["seeds"]
    assert content["about"] and content["commit"] and content["hardware"]


def test_all_are_listed(capsys):
    main(["reproduce"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(TABLES)


def test_one_is_printed(capsys):
    main(["reproduce", "discriminative_vae/fashion_mnist", "--data-dir", "my data"])
    out = capsys.readouterr().out
    assert "seeds    0, 1\n" in out and "\ntime     5.4 and 6.2 minutes" in out
    assert "--model classifier --data-dir 'my data' --log-dir runs/classifier\n" in out
    main(["reproduce", "info_gan/mnist_seeds", "--json"])
    assert json.loads(capsys.readouterr().out) == TABLES["info_gan/mnist_seeds"]


def test_commands_run_until_one_fails(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "provlae" / "results" / "tables"
    folder.mkdir(parents=True)
    lines = ["print(1)", "raise SystemExit(3)", "print(2)"]
    for i, line in enumerate(lines):
        (tmp_path / f"{i}.py").write_text(line)
    commands = [f"python {tmp_path}/{i}.py" for i in range(3)]
    (folder / "small.json").write_text(json.dumps({"commands": commands}))
    found = reproducing.tables(tmp_path)
    monkeypatch.setattr(reproducing, "tables", lambda: found)
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", "provlae/small", "--run"])
    assert stopped.value.code == 3
    assert capfd.readouterr().out.splitlines() == [commands[0], "1", commands[1]]


@pytest.mark.parametrize(
    "words, message",
    [
        (["provlae/none"], "the table must be one of: .*provlae/shapes3d.*; not 'provlae/none'"),
        (["provlae/mnist", "--run"], "`--data-dir` must name the folder of the data"),
    ],
)
def test_refused(words, message, capsys):
    with pytest.raises(SystemExit) as error:
        main(["reproduce", *words])
    found = f"{error.value.code} {capsys.readouterr().err}"
    assert re.search(message, found)


def test_outside_of_the_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(reproducing, "tables", lambda: {})
    with pytest.raises(SystemExit, match="in the repository, not in the installed package"):
        main(["reproduce"])
