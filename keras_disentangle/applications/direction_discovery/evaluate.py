"""How diagonal learnt directions make a generator's Hessian, beside axes and random directions."""

from pathlib import Path

from keras_disentangle.applications import _runs
from keras_disentangle.applications.direction_discovery import _trained


def main(arguments=None):
    """Command line of `scripts/evaluate.py direction_discovery`."""
    parser = _trained.parser(
        "evaluate",
        "Prints the Hessian penalty, D% and D_R with respect to steps along the directions, beside "
        "those of the axes and of three random orthonormal sets.",
    )
    parser.add_argument("--codes", type=int, default=10, help="codes at which Hessians are taken")
    parser.add_argument("--seed", type=int, default=0, help="of the codes")
    parser.add_argument(
        "--position",
        action="store_true",
        help="also how well the most active direction tells where the cube of CLEVR-1FOV is; with "
        "shipped directions, that comes by itself",
    )
    parser.add_argument("--json", help="also write the scores to this file")
    options = parser.parse_args(arguments)
    position = options.position or options.weights.startswith("clevr_1fov")
    found = _trained.compare(
        {"learnt": _trained.load(options.weights)}, options.codes, options.seed, position
    )
    print(_trained.table(found))
    if options.json:
        _runs.write_json(Path(options.json), found)
