"""How optional packages are installed, for errors that name the one that is missing."""

from pathlib import Path


def install(extra):
    """The command that installs an extra of this library.

    In a clone it names the clone: `pip install keras_disentangle[...]` would look in a package
    index, or at the extras that there were when the clone was installed.
    """
    root = Path(__file__).parents[1]
    if not (root / "pyproject.toml").is_file():
        return f'pip install "keras_disentangle[{extra}]"'
    return f'pip install -e "{"." if root == Path.cwd() else root}[{extra}]"'
