import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_networks import IMAGES, dense_ladder, flat_networks
from tiny_training import fit

import keras_disentangle as kd
from keras_disentangle.callbacks import InformationFlow, ProgressiveFadeIn
from keras_disentangle.models import VAE, ProgressiveLadderVAE

PIXELS = (255 * IMAGES).astype("uint8")


def flow(folder, **arguments):
    return InformationFlow(folder, PIXELS, num_samples=50, **arguments)


def test_each_stage_is_measured_at_its_end(tmp_path):
    model, callback = ProgressiveLadderVAE(**dense_ladder(), seed=1), flow(tmp_path, seed=3)
    fade_in = ProgressiveFadeIn(epochs_per_stage=2, fade_steps=3)
    fit(model, epochs=7, batch_size=4, callbacks=[fade_in, callback])
    assert [stage["step"] for stage in callback.stages] == [8, 16, 28]
    for stage in callback.stages:
        assert len(stage["rungs"]) == 3
        assert -0.1 <= stage["total"] <= np.log(len(PIXELS)) + 0.1
    mean, log_var = kd.encode_images(model, lambda i: PIXELS[i], len(PIXELS))
    expected = kd.metrics.latent_information(mean, log_var, rungs=(3, 2, 4), num_samples=50, seed=3)
    assert callback.stages[-1] == {"step": 28, "stage": 2, **expected}

    pictures = tmp_path / "pictures"
    assert Image.open(pictures / "information_flow.png").width > 100
    events = EventAccumulator(str(pictures)).Reload().Images("pictures/information_flow")
    assert [event.step for event in events] == [28]


@pytest.mark.one_backend
def test_a_run_that_goes_on_finds_the_stages_before_it(tmp_path):
    model, fade_in = (
        ProgressiveLadderVAE(**dense_ladder(), seed=1),
        ProgressiveFadeIn(2, fade_steps=3),
    )
    whole = flow(tmp_path)
    fit(model, epochs=6, batch_size=4, callbacks=[fade_in, whole])
    first, second, last = whole.stages
    assert (first["step"], second["step"], last["step"]) == (8, 16, 24)

    longer = flow(tmp_path)
    fit(model, epochs=1, batch_size=4, callbacks=[longer])
    assert longer.stages[:2] == [first, second]
    # The last stage as it is now.
    assert [(stage["step"], stage["stage"]) for stage in longer.stages[2:]] == [(28, 2)]
    # Back at an earlier step, what came after it is measured anew.
    model.step.assign(16)
    again = flow(tmp_path)
    fit(model, epochs=1, batch_size=4, callbacks=[again])
    assert again.stages[:2] == [first, second]
    assert [stage["step"] for stage in again.stages[2:]] == [20]
    # A new run, or a model of another shape, does not take them for its own.
    for other in (
        ProgressiveLadderVAE(**dense_ladder(), seed=2),
        VAE(**flat_networks(2), observation="gaussian"),
    ):
        callback = flow(tmp_path)
        other.step.assign(8 if isinstance(other, VAE) else 0)
        fit(other, epochs=1, batch_size=4, callbacks=[callback])
        assert [stage["step"] for stage in callback.stages] == [int(other.step)]


def test_a_model_without_stages_is_measured_at_the_end(tmp_path):
    callback = flow(tmp_path)
    fit(VAE(**flat_networks(2), observation="gaussian"), epochs=2, callbacks=[callback])
    assert [stage["step"] for stage in callback.stages] == [2]
    assert (tmp_path / "pictures" / "information_flow.png").exists()


@pytest.mark.parametrize(
    "images, message",
    [
        (IMAGES, "`images` must be uint8 images .* images.dtype=float32"),
        (PIXELS[:0], r"Received: images.shape=\(0, 8, 8, 1\)"),
        (PIXELS[0], r"Received: images.shape=\(8, 8, 1\)"),
    ],
)
def test_bad_images_are_named(tmp_path, images, message):
    with pytest.raises(ValueError, match=message):
        InformationFlow(tmp_path, images)
