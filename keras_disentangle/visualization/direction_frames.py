import math

from keras_disentangle.visualization._traverse import checked_values, traverse_directions
from keras_disentangle.visualization.image_grid import image_grid


def direction_frames(
    decode,
    latents,
    directions,
    values=None,
    *,
    span=5.0,
    steps=25,
    orthogonal=False,
    padding=1,
):
    """Draws movement along several directions at once, as frames that go there and back.

    In each frame, with its value eta, every cell shows decode(z + eta q) for another direction q:
    with one latent vector they fill a square row by row, with several vectors there is a row for
    each vector and a column for each direction.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, in the order of `direction_traversal`.
        latents: Array (d,) or (n, d), the vectors from which to set out.
        directions: Array (d,) or (m, d), the directions as rows.
        values: Values of eta, (steps,); by default `steps` of them from -`span` to `span`, in
            lengths of the directions.
        span: Half the width of the default range.
        steps: Number of default values.
        orthogonal: Whether each vector is first made orthogonal to the direction of its cell.
        padding: White pixels around each image.

    Returns:
        List of `Picture`, uint8 arrays (H, W, c), 2 * (steps - 1) of them: the first follows on the
        last.

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range, or a
            direction is 0.

    Example:

    >>> frames = direction_frames(model.decode, np.zeros(4), np.eye(4))
    >>> kd.visualization.save_gif("directions.gif", frames)

    Reference:
        Peebles et al., The Hessian Penalty, 2020, section 4.4.
    """
    values = checked_values(values, span, steps)
    images = traverse_directions(decode, latents, directions, values, orthogonal)
    number, rows = images.shape[:2]
    columns = math.ceil(math.sqrt(number)) if rows == 1 else number
    # Of each value, the cells by row.
    cells = images.transpose(2, 1, 0, 3, 4, 5).reshape(images.shape[2], -1, *images.shape[3:])
    frames = [image_grid(frame, columns, padding) for frame in cells]
    return frames + frames[-2:0:-1]
