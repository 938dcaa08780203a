"""Settings as flags, and tables: needs no backend."""

from dataclasses import dataclass

import pytest

from keras_disentangle.applications._shared.parsers import Parser
from keras_disentangle.applications._shared.recipe import add_flags, given, of_json, setting
from keras_disentangle.applications._shared.tables import Column, means, table

pytestmark = pytest.mark.one_backend


@dataclass(frozen=True)
class Settings:
    steps: int = setting(help="training steps")
    sizes: tuple[int, ...] = setting((2, 1), help="sizes, 10% of them small")
    rate: float | None = setting(None, help="a rate")
    decays: bool = setting(False, help="whether it decays")
    options: dict | None = setting(None, help="as JSON")


def read(*words, **how):
    parser = Parser("test")
    add_flags(parser, Settings, **how)
    return given(parser.read([str(word) for word in words]), Settings)


def test_each_field_is_a_flag():
    assert read() == {}
    words = ("--steps", 3, "--sizes", 4, 5, "--rate", 0.5, "--decays", "--options", '{"a": [1]}')
    found = read(*words)
    assert found == {
        "steps": 3,
        "sizes": (4, 5),
        "rate": 0.5,
        "decays": True,
        "options": {"a": [1]},
    }
    assert read("--no-decays") == {"decays": False}
    assert read("--steps", 3, 4, "--decays", "true", "false", several=True) == {
        "steps": [3, 4],
        "decays": [True, False],
    }


def test_what_is_no_value_is_named_on_one_line(capsys):
    for words, message in (
        (("--steps", "many"), "argument --steps: invalid int value: 'many'"),
        (("--options", "{"), "argument --options"),
        (("--step", 3), "unknown --step 3; there are: --decays, --help"),
    ):
        with pytest.raises(SystemExit, match="2"):
            read(*words)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and message in line
    with pytest.raises(SystemExit, match="2"):
        read("--decays", "perhaps", several=True)
    assert "must be true or false, not 'perhaps'" in capsys.readouterr().err


def test_help_tells_defaults(capsys):
    with pytest.raises(SystemExit, match="0"):
        read("--help", defaults=True)
    assert "10% of them small ((2, 1))" in " ".join(capsys.readouterr().out.split())


def test_settings_come_back_from_json():
    assert of_json(Settings, {"steps": 3, "sizes": [4]}) == Settings(3, (4,))
    with pytest.raises(ValueError, match="some of .*'decays'"):
        of_json(Settings, {"steps": 3, "speed": 4})
    with pytest.raises(ValueError, match="incomplete: .*steps"):
        of_json(Settings, {"sizes": [4]})


def test_a_table():
    columns = {
        "error": Column("error", 1, 100, "%"),
        "nll.test": Column("NLL", 2),
        "information": Column("nats", 1),
        "seed": Column("seed"),
        "none": Column("none", 1),
    }
    rows = {
        "first": {"error": 0.25, "nll": {"test": -1.0}, "seed": 3},
        "b": {"information": [1.0, 0.04]},
    }
    assert table(rows, columns).splitlines() == [
        "model  error    NLL     nats  seed",
        "first  25.0%  -1.00        -     3",
        "b          -      -  1.0 0.0     -",
    ]


def test_means_are_over_seeds():
    def run(model, rate, score):
        return {"model": model, "settings": {"rate": rate}, "scores": {"nll": {"test": score}}}

    found = means(
        {"a": run("vae", 1, 2.0), "b": run("vae", 1, 4.0), "c": run("vae", 2, 5.0)}
        | {"d": run("gan", 1, [1, 2]), "e": run("gan", 1, [3, 4])}
    )
    assert found == {
        "vae rate 1, mean of 2": {"nll.test": 3.0},
        "gan, mean of 2": {"nll.test": [2.0, 3.0]},
    }
