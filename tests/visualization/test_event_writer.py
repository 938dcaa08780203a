import io
import os
import pickle
import sys
import threading

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_disentangle.visualization import EventWriter


def test_tensorboard_reads_scalars_and_images_back(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype="uint8")
    writer = EventWriter(tmp_path)
    for step in (3, 10):
        writer.scalar("loss", np.float32(step / 4), np.int64(step))
    writer.image("picture", image, 10)
    writer.flush()  # and not yet closed
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(3, 0.75), (10, 2.5)]
    (event,) = events.Images("picture")
    assert (event.step, event.width, event.height) == (10, 7, 5)
    saved = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    np.testing.assert_array_equal(saved, image)
    writer.close()


def test_tensorflow_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # importing it would now fail
    writer = EventWriter(tmp_path)
    writer.image("picture", np.zeros((2, 2, 1), "uint8"), 1)
    writer.close()
    assert len(os.listdir(tmp_path)) == 1


def test_files_are_made_only_for_events_and_anew_after_close(tmp_path):
    writer = EventWriter(tmp_path / "run")
    writer.flush()
    writer.close()
    assert not (tmp_path / "run").exists()
    for step in (1, 2):
        writer.scalar("loss", step, step)
        writer.close()
    assert len(os.listdir(tmp_path / "run")) == 2


def test_threads_do_not_tear_events(tmp_path):
    writer = EventWriter(tmp_path)

    def write(first):
        for step in range(first, first + 100):
            writer.scalar("loss", step, step)

    threads = [threading.Thread(target=write, args=(100 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    assert sorted(event.step for event in events) == list(range(400))
    assert all(event.value == event.step for event in events)


def test_bad_input_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`log_dir` must be a folder"):
        EventWriter(tmp_path / "file")
    with pytest.raises(ValueError, match="`image` must be uint8"):
        EventWriter(tmp_path).image("picture", np.zeros((2, 2)), 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_after_a_full_disk_another_file_is_begun(tmp_path):
    writer = EventWriter(tmp_path)
    writer._file = writer._RecordWriter(open("/dev/full", "wb"))
    writer.scalar("a", 1.0, step=1)
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    writer.scalar("a", 2.0, step=2)
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("a")
    assert [(event.step, event.value) for event in events] == [(2, 2.0)]


def test_a_copy_writes_a_file_of_its_own(tmp_path):
    writer = EventWriter(tmp_path)
    writer.scalar("a", 1.0, step=1)
    for one in (pickle.loads(pickle.dumps(writer)), writer):
        one.scalar("a", 2.0, step=2)
        one.close()
    assert len(os.listdir(tmp_path)) == 2
