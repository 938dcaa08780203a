"""Bad input meets a ValueError that names the argument and shows what came."""

import keras
import numpy as np
import pytest
from tiny_networks import IMAGE_SHAPE, IMAGES, conv_ladder, dense, dense_ladder, flat_networks

from keras_disentangle.datasets import image_batches
from keras_disentangle.models import VAE, LadderVAE, ProgressiveLadderVAE, TeacherStudentVAE

LADDER = dense_ladder()


def vae(**changed):
    return VAE(**{**flat_networks(3), **changed})


def ladder(model=LadderVAE, **changed):
    return model(**{**LADDER, **changed})


def replaced(name, index, network):
    networks = list(LADDER[name])
    networks[index] = network
    return {name: networks}


def student(latent_dim=3, teacher=None, **changed):
    teacher = VAE(**flat_networks(2)) if teacher is None else teacher
    return TeacherStudentVAE(teacher, **flat_networks(latent_dim), **changed)


two_outputs = keras.Model(x := keras.Input(IMAGE_SHAPE), [x, x])

CONSTRUCTORS = [
    (lambda: vae(beta=-1), "`beta` must be .* >= 0. Received: beta=-1"),
    (lambda: vae(beta=float("nan")), "`beta` .* Received: beta=nan"),
    (lambda: vae(observation="poisson"), "`observation` must be .* Received: .*'poisson'"),
    (
        lambda: vae(decoder=flat_networks(4)["decoder"]),
        r"The input of `decoder` must have the shape \(3,\). Received: \(4,\)",
    ),
    (
        lambda: vae(decoder=flat_networks(3, (8, 8, 3))["decoder"]),
        r"The output of `decoder` must have the shape \(8, 8, 1\). Received: \(8, 8, 3\)",
    ),
    (
        lambda: vae(encoder=dense(IMAGE_SHAPE, 7)),
        r"`encoder` must give mean and log variance.* Received: .*\(batch, 7\)",
    ),
    (
        lambda: vae(encoder=dense(IMAGE_SHAPE, 6, reshape=(2, 3))),
        r"`encoder` must give mean and log variance.* Received: .*\(batch, 2, 3\)",
    ),
    (
        lambda: vae(encoder=keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(6)])),
        "`encoder` must be a built Keras model",
    ),
    (lambda: vae(encoder=None), "`encoder` must be .* Received: encoder=None"),
    (lambda: vae(encoder=two_outputs), "`encoder` must give mean and log variance"),
    (lambda: ladder(posteriors=LADDER["posteriors"][:2]), "for each rung.*'posteriors': 2"),
    (lambda: ladder(**dict.fromkeys(LADDER, [])), "at least one. Received: .*0"),
    (
        lambda: ladder(**replaced("encoder_blocks", 1, dense((7,), 5))),
        r"The input of `encoder_blocks\[1\]` must have the shape \(6,\). Received: \(7,\)",
    ),
    (
        lambda: ladder(**replaced("posteriors", 2, dense((9,), 6))),
        r"The input of `posteriors\[2\]` must have the shape \(4,\). Received: \(9,\)",
    ),
    (
        lambda: ladder(**replaced("posteriors", 0, dense((6,), 5))),
        r"`posteriors\[0\]` must give mean and log variance.*\(batch, 5\)",
    ),
    (
        lambda: ladder(**replaced("latent_maps", 1, dense((3,), 5))),
        r"The input of `latent_maps\[1\]` must have the shape \(2,\). Received: \(3,\)",
    ),
    (
        lambda: ladder(**replaced("decoder_blocks", 1, dense((9,), 6))),
        r"The input of `decoder_blocks\[1\]` must have the shape \(10,\). Received: \(9,\)",
    ),
    (
        lambda: ladder(**replaced("decoder_blocks", 0, dense((12,), 64))),
        r"The output of `decoder_blocks\[0\]` must .* \(8, 8, 1\). Received: \(64,\)",
    ),
    (
        lambda: LadderVAE(
            **{
                **(blocks := conv_ladder()),
                "latent_maps": [dense((2,), 12, reshape=(2, 2, 3)), blocks["latent_maps"][1]],
            }
        ),
        r"The output of `latent_maps\[0\]` must have the shape \(4, 4\). Received: \(2, 2\)",
    ),
    (lambda: ladder(beta=-0.1), "`beta` .* Received: beta=-0.1"),
    (
        lambda: ladder(ProgressiveLadderVAE, gamma=-2),
        "`gamma` must be a finite number >= 0. Received: gamma=-2",
    ),
    (lambda: student(2), "`encoder` must give more latents than `teacher` has, 2. Received: 2"),
    (
        lambda: student(teacher=VAE(**flat_networks(2, (8, 8, 3)))),
        r"The input of `encoder` must have the shape \(8, 8, 3\). Received: \(8, 8, 1\)",
    ),
    (lambda: student(code_weight=-1), "`code_weight` .* Received: code_weight=-1"),
    (lambda: student(jacobian_weight=-1), "`jacobian_weight` .* Received: jacobian_weight=-1"),
]


@pytest.mark.parametrize("make, message", CONSTRUCTORS, ids=range(len(CONSTRUCTORS)))
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def with_pixel(value):
    images = IMAGES.copy()
    images[7, 3, 2, 0] = value
    return images


@pytest.fixture(scope="module")
def compiled():
    model = vae()
    model.compile("adam")
    gaussian = vae(observation="gaussian")
    gaussian.compile("adam")
    return {"bernoulli": model, "gaussian": gaussian}


@pytest.mark.parametrize(
    "images, message",
    [
        (with_pixel(np.nan), "`x` must hold finite numbers. Received: NaN"),
        (with_pixel(np.inf), "`x` must hold finite numbers. Received: NaN or inf"),
        (with_pixel(1.5), r"`x` must lie in \[0, 1\].* Received: values in \[.*, 1.5\]"),
        (with_pixel(-0.5), r"`x` must lie in \[0, 1\].* Received: values in \[-0.5, "),
        ((255 * IMAGES).astype("uint8"), r"divide uint8 images by 255.* Received: values in \[0, "),
        (np.zeros_like(IMAGES), "`x` must not be constant. Received: 0.0 in every pixel"),
        (IMAGES[:, :, :4], r"`x` must hold images .*8, 8, 1.* Received: x.shape=\(16, 8, 4, 1\)"),
        (IMAGES[..., 0], r"`x` must hold images .* Received: x.shape=\(16, 8, 8\)"),
        (IMAGES[:0], r"`x` must hold images .*n > 0. Received: x.shape=\(0, 8, 8, 1\)"),
        ([IMAGES[:0]], r"`x` must hold images .*n > 0. Received: x.shape=\(0, 8, 8, 1\)"),
        (
            image_batches(np.uint8(255 * np.tile(IMAGES, (1, 1, 2, 1))), 4, 0),
            r"`x` must hold images .* Received: x.shape=\(4, 8, 16, 1\)",
        ),
    ],
)
def test_images_to_train_on(compiled, images, message):
    with pytest.raises(ValueError, match=message):
        compiled["bernoulli"].fit(images, verbose=0)
    assert int(compiled["bernoulli"].step) == 0


def test_images_to_validate_on(compiled):
    with pytest.raises(ValueError, match=r"`validation_data` must lie in \[0, 1\]"):
        compiled["bernoulli"].fit(IMAGES, validation_data=(255 * IMAGES,), verbose=0)


def test_gaussian_images_have_no_bounds_but_are_finite(compiled):
    with pytest.raises(ValueError, match="`x` must hold finite numbers"):
        compiled["gaussian"].fit(with_pixel(np.nan), verbose=0)
    compiled["gaussian"].fit(with_pixel(-3.0), verbose=0)


@pytest.mark.parametrize(
    "method, value, message",
    [
        ("encode", IMAGES[0], r"`x` must have the shape \('n', 8, 8, 1\). Received: .*\(8, 8, 1\)"),
        ("encode", IMAGES[:, :4], r"Received: x.shape=\(16, 4, 8, 1\)"),
        ("reconstruct", IMAGES[..., 0], r"Received: x.shape=\(16, 8, 8\)"),
        ("decode", np.zeros(3), r"`z` must have the shape \('n', 3\). Received: z.shape=\(3,\)"),
        ("decode", np.zeros((2, 4)), r"Received: z.shape=\(2, 4\)"),
    ],
)
def test_inputs(compiled, method, value, message):
    with pytest.raises(ValueError, match=message):
        getattr(compiled["bernoulli"], method)(value)
