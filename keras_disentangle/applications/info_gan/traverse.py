"""Pictures of what the codes of a trained InfoGAN do: the paper's Figure 2."""

from pathlib import Path

from keras import ops

from keras_disentangle.applications.info_gan import _trained
from keras_disentangle.latents import Categorical
from keras_disentangle.visualization import code_traversal, enlarge, save_png


def main(arguments=None):
    """Command line of `scripts/traverse.py info_gan`."""
    parser = _trained.parser("traverse", "Draws one picture for each code: rows are random draws.")
    parser.add_argument("--rows", type=int, default=5, help="random draws of everything else")
    parser.add_argument("--steps", type=int, default=10, help="values of a continuous code")
    parser.add_argument(
        "--extent", type=float, default=2.0, help="continuous codes go so far beyond their range"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--out", default="runs/traversal", help="folder for the pictures")
    options = parser.parse_args(arguments)
    out = Path(options.out)
    names = draw(
        _trained.load(options.weights),
        out,
        rows=options.rows,
        steps=options.steps,
        extent=options.extent,
        seed=options.seed,
    )
    print(f"{', '.join(names)} are in {out}")


def draw(model, out, *, rows=5, steps=10, extent=2.0, seed=0):
    """Writes `<code>.png` for each categorical code and `<code>_<i>.png` for each dimension of a
    continuous one into the folder `out`; returns the names."""

    def decode(z):
        return enlarge(ops.convert_to_numpy(model.decode(z)).clip(0, 1))

    options = {"rows": rows, "steps": steps, "extent": extent, "seed": seed}
    options["value_labels"] = True
    written = []
    for code in model.space.informative:
        is_categorical = isinstance(code, Categorical)
        for dim in range(1 if is_categorical else code.dim):
            name = f"{code.name}.png" if is_categorical else f"{code.name}_{dim + 1}.png"
            picture = code_traversal(decode, model.space, code.name, dim, **options)
            save_png(out / name, picture)
            written.append(name)
    return written
