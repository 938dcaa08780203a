"""The file of a `keras.callbacks.CSVLogger`, without the rows written after a backup."""

from keras_disentangle._files import write_whole


def csv_content(logger):
    """The file as it is now, as bytes; None if there is none."""
    if logger.csv_file is not None and not logger.csv_file.closed:
        logger.csv_file.flush()
    try:
        with open(logger.filename, "rb") as file:
            return file.read()
    except OSError:
        return None


def set_csv_content(logger, content):
    """Restores the file's content, to which the next row is then appended."""
    if content is None:
        return
    is_open = logger.csv_file is not None and not logger.csv_file.closed
    if is_open:
        logger.csv_file.close()
    write_whole(logger.filename, content)
    if is_open:
        logger.csv_file = open(logger.filename, "a")
    logger.writer = None
    logger.append_header = not content
