import io

from keras_disentangle.visualization._files import to_pillow, write_whole


def save_gif(path, frames, duration=80):
    """Writes frames as a GIF that repeats for ever, whole or not at all.

    Args:
        path: Where to; missing folders are made.
        frames: Sequence of uint8 arrays (h, w, c) of one shape, c one of 1, 3, 4.
        duration: Time that each frame stays, in milliseconds (a GIF rounds it to tens).

    Raises:
        ValueError: If there are no frames, their shapes differ, or one is not such an array.

    Example:

    >>> save_gif("pictures/traversal.gif", traversal_frames(decode, np.zeros(10)))
    """
    frames = list(frames)
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise ValueError(
            f"`frames` must be one or more images of one shape. Received: shapes {sorted(shapes)}"
        )
    first, *others = (to_pillow(frame, "frames") for frame in frames)
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=others, duration=duration, loop=0)
    write_whole(path, buffer.getvalue())
