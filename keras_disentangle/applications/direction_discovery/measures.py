"""How diagonal directions make a generator's Hessian, and what steps along them do."""

import numpy as np
from keras import ops

import keras_disentangle as kd
from keras_disentangle.applications._shared.calls import in_batches

NUMBERS = ("penalty", "max_on_diagonal", "diagonal_ratio", "pooled_ratio", "top_activeness")
RANDOM_SEEDS = (1000, 1001, 1002)


def matrix(model):
    """The learnt directions as rows, a float64 array (N, d)."""
    return ops.convert_to_numpy(model.directions.matrix()).astype("float64")


def other_directions(model, initializer, seed=None):
    """As many directions in the same block of the latent space, not learnt: (N, d)."""
    settings = model.directions.get_config()
    settings.update(initializer=initializer, seed=seed)
    return ops.convert_to_numpy(kd.layers.LatentDirections.from_config(settings).matrix())


def decoder(model):
    """A function from latents (n, d) to images, a NumPy array; of large ones a few at a time."""
    pixels = np.prod(model.generator.output_shape[1:3])
    batch_size = max(4, 250 * 32**2 // int(pixels))
    return lambda z: in_batches(model.decode, np.asarray(z, "float32"), batch_size)


def scores(model, directions, num_codes=10, seed=0):
    """How diagonal directions make the Hessian of the generator, and what they do.

    Args:
        directions: array (N, d), orthonormal rows.
        num_codes: random codes at which Hessians are taken.
        seed: of all codes.

    Returns:
        A dict: "penalty", the Hessian Penalty with respect to w, averaged over codes and pixels,
        from 64 random vectors; "max_on_diagonal", "diagonal_ratio" and "pooled_ratio" as
        `kd.metrics.hessian_diagonality`; "activeness", of each direction, in their order; and
        "top_activeness", the largest one's share of their sum.
    """
    decode, z = decoder(model), _codes(model, num_codes, seed)
    found = kd.metrics.hessian_diagonality(decode, z, directions=directions, batch_size=512)
    found = {name: value for name, value in found.items() if name in NUMBERS}
    moves = np.asarray(directions, "float32")
    penalty = kd.losses.hessian_penalty(
        lambda w: model.decode(ops.add(z, ops.matmul(w, moves))),
        np.zeros((num_codes, len(moves)), "float32"),
        num_directions=64,
        reduction="mean",
        seed=seed,
    )
    found["penalty"] = float(penalty)
    activeness = kd.metrics.activeness(
        decode, model.space, num_samples=100, directions=directions, seed=seed, batch_size=512
    )
    found["activeness"] = activeness.tolist()
    found["top_activeness"] = float(activeness.max() / activeness.sum())
    return found


def position_explained(model, directions, num_codes=100, num_values=9, seed=1):
    """How well the most active direction tells where the red cube of CLEVR-1FOV is, in [0, 1].

    Codes are made orthogonal to the direction, then moved along it by the same steps from -2 to 2:
    the share of the variance of the cube's column that is between the steps. Figure 7 in a number:
    1 if all codes show the cube at the same place at the same step.
    """
    decode, z = decoder(model), _codes(model, num_codes, seed)
    activeness = kd.metrics.activeness(
        decode, model.space, num_samples=100, directions=directions, batch_size=512
    )
    direction = np.asarray(directions)[activeness.argmax()]
    start = ops.convert_to_numpy(kd.latents.orthogonalize(z, direction))
    steps = np.linspace(-2, 2, num_values)[:, None] * direction
    column = red_column(decode((start[:, None] + steps).reshape(-1, z.shape[1])))
    column = column.reshape(num_codes, num_values)
    return float(column.mean(axis=0).var() / column.var())


def red_column(images):
    """The mean column (n,) of what is red in images (n, h, w, 3), in pixels."""
    red = images[..., 0] - images[..., 1:].mean(axis=-1)
    weight = np.where(red > 0.15, red, 0).sum(axis=1)
    return (weight * np.arange(images.shape[2])).sum(axis=1) / (weight.sum(axis=1) + 1e-9)


def compare(models, num_codes=10, seed=0, position=False):
    """Scores of several models' directions, on one generator, beside the axes and random ones.

    Args:
        models: dict from name to model, all with equal generators.
        num_codes, seed: as for `scores`.
        position: whether to add "position", `position_explained`: for generators of CLEVR-1FOV.

    Returns:
        Dict from name to what `scores` gives; the same for "axes"; and "random", the mean of each
        number over three draws, with their standard deviations in "random_deviation".
    """

    def measure(model, directions):
        found = scores(model, directions, num_codes, seed)
        if position:
            found["position"] = position_explained(model, directions)
        return found

    table = {name: measure(model, matrix(model)) for name, model in models.items()}
    model = next(iter(models.values()))
    table["axes"] = measure(model, other_directions(model, "axes"))
    draws = [measure(model, other_directions(model, "random", seed)) for seed in RANDOM_SEEDS]
    numbers = [*NUMBERS, *["position"] * position]
    table["random"] = {name: float(np.mean([d[name] for d in draws])) for name in numbers}
    table["random_deviation"] = {name: float(np.std([d[name] for d in draws])) for name in numbers}
    return table


def _codes(model, num_codes, seed):
    return ops.convert_to_numpy(model.space.sample(num_codes, seed=seed))
