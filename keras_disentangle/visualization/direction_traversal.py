from keras_disentangle._arguments import check_flag
from keras_disentangle._tensors import to_numpy
from keras_disentangle.visualization._labelled_grid import check_labels, labelled_grid, texts_of
from keras_disentangle.visualization._traverse import checked_values, traverse_directions


def direction_traversal(
    decode,
    latents,
    directions,
    values=None,
    *,
    span=5.0,
    steps=9,
    orthogonal=False,
    labels=None,
    value_labels=False,
    padding=1,
):
    """Draws what directions of a latent space do: a column for each value eta, decode(z + eta q).

    There is a row for each direction q and latent vector z: with one vector, a row for each
    direction, as in Figure 6 of Peebles et al. (2020); with one direction, a row for each vector,
    as in Figure 7; with several of both, for each direction a group of rows, one for each vector.

    Args:
        decode: Function from latents (n, d) to images (n, h, w, c) in [0, 1], beyond which
            they are clipped with a warning; called once, with all values of the first vector along
            the first direction, those of the second vector, and so on, then along the second
            direction.
        latents: Array (d,) or (n, d), the vectors from which to set out.
        directions: Array (d,) or (m, d), the directions as rows.
        values: Values of eta, (steps,); by default `steps` of them from -`span` to `span`, in
            lengths of the directions: for unit directions, in the latent's own units.
        span: Half the width of the default range.
        steps: Number of default values.
        orthogonal: Whether each vector is first made orthogonal to the direction of its row, so
            that all of them start alike in what the direction moves, as in Figure 7.
        labels: A text for each direction, which stands before its first row; by default "w1",
            "w2" and so on, or none if there is one direction (d,).
        value_labels: Whether the values stand above the columns.
        padding: White pixels around each image.

    Returns:
        `Picture`, a uint8 array (H, W, c).

    Raises:
        ValueError: If an argument, or what `decode` returns, has another shape or range, or a
            direction is 0.

    Example:

    >>> decode = lambda z: np.broadcast_to(z[:, :1, None, None] / 12 + 0.5, (len(z), 28, 28, 1))
    >>> picture = direction_traversal(decode, np.zeros(4), np.eye(4)[:2])

    Reference:
        Peebles et al., The Hessian Penalty, 2020, section 4.4.
    """
    values = checked_values(values, span, steps)
    images = traverse_directions(decode, latents, directions, values, orthogonal)
    number, rows = images.shape[:2]
    if labels is None:
        is_one = to_numpy("directions", directions).ndim == 1
        labels = [""] if is_one else [f"w{index}" for index in range(1, number + 1)]
    labels = check_labels("labels", labels, number, "direction")
    texts = [text for label in labels for text in [label, *[""] * (rows - 1)]]
    groups = [number] if rows == 1 else [rows] * number
    images = images.reshape(-1, *images.shape[2:])
    above = texts_of(values) if check_flag("value_labels", value_labels) else None
    return labelled_grid(images, groups, texts if any(texts) else None, padding, above)
