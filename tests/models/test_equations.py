"""The objectives in NumPy, written from the papers' equations."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from keras import ops
from tabled_random import noise_table
from tiny_networks import IMAGES, dense, dense_ladder
from tiny_training import assign_by_hand, fit, weights

from keras_disentangle.models import VAE, LadderVAE, ProgressiveLadderVAE, TeacherStudentVAE

# A few steps each; the compiled ones of every model are those of the shared table.
pytestmark = pytest.mark.compiled(False)


def apply(network, x):
    """A network of one dense layer: tanh, or nothing if it is linear."""
    layer = next(layer for layer in network.layers if isinstance(layer, keras.layers.Dense))
    kernel, bias = (ops.convert_to_numpy(w).astype("float64") for w in (layer.kernel, layer.bias))
    y = x.reshape(len(x), -1) @ kernel + bias
    return np.tanh(y) if layer.activation is keras.activations.tanh else y


def kl(mean, log_var):
    return 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(1).mean()


def draw(parameters):
    mean, log_var = np.split(parameters, 2, axis=1)
    return mean + np.exp(log_var / 2) * noise_table(mean.shape[1])[: len(mean)], mean, log_var


def bernoulli(x, logits):
    x, logits = x.reshape(len(x), -1), logits.reshape(len(x), -1)
    log_p = x * scipy.special.log_expit(logits) + (1 - x) * scipy.special.log_expit(-logits)
    return -log_p.sum(1).mean()


def ladder_terms(model, alphas):
    """Equations 4, 6, 7 and 9; `alphas` by level, None for a rung that has not joined."""
    h, codes, kls = IMAGES.astype("float64"), {}, {}
    for level in (1, 2, 3):
        h = apply(model.encoder_blocks[level - 1], h)
        read = h if alphas[level] is None else alphas[level] * h
        codes[level], *posterior = draw(apply(model.posteriors[level - 1], read))
        kls[level] = kl(*posterior)
    g = apply(model.decoder_blocks[2], apply(model.latent_maps[2], codes[3]))
    for level in (2, 1):
        feature_map = (alphas[level] or 0) * apply(model.latent_maps[level - 1], codes[level])
        g = apply(model.decoder_blocks[level - 1], np.concatenate([feature_map, g], axis=1))
    return bernoulli(IMAGES, g), kls


STAGES = [
    # step, alpha_2, alpha_1
    (0, None, None),
    (3, None, None),
    (4, 0.0, None),
    (6, 0.5, None),
    (7, 0.75, None),
    (8, 1.0, 0.0),
    (9, 1.0, 0.25),
    (12, 1.0, 1.0),
    (50, 1.0, 1.0),
]


def test_progressive_ladder(progressive, evaluate, assert_terms):
    for step, alpha_2, alpha_1 in STAGES:
        progressive.step.assign(step)
        alphas = {3: 1.0, 2: alpha_2, 1: alpha_1}
        reconstruction, kls = ladder_terms(progressive, alphas)
        beta, gamma = 2 + 4 * min(step / 10, 1), 0.5
        # Equations 8, 10 and 11.
        loss = reconstruction + sum(
            (gamma if alphas[level] is None else beta) * kls[level] for level in (1, 2, 3)
        )
        expected = {
            "loss": loss,
            "reconstruction": reconstruction,
            **{f"kl_{level}": kls[level] for level in kls},
            "beta": beta,
            "alpha_2": alpha_2 or 0.0,
            "alpha_1": alpha_1 or 0.0,
        }
        assert_terms(evaluate(progressive), expected)
        assert int(progressive.step) == step


def test_ladder_is_the_progressive_one_with_all_rungs(evaluate, assert_terms):
    ladder = LadderVAE(**dense_ladder(), beta=3.0)
    assign_by_hand(ladder)
    reconstruction, kls = ladder_terms(ladder, {3: 1.0, 2: 1.0, 1: 1.0})
    expected = {
        "loss": reconstruction + 3 * sum(kls.values()),
        "reconstruction": reconstruction,
        **{f"kl_{level}": kls[level] for level in kls},
        "beta": 3.0,
    }
    received = evaluate(ladder)
    assert_terms(received, expected)
    progressive = ProgressiveLadderVAE(**dense_ladder(), beta=3.0)
    assign_by_hand(progressive)
    same = evaluate(progressive)
    assert (same.pop("alpha_1"), same.pop("alpha_2")) == (1.0, 1.0)
    assert_terms(same, received)


@pytest.mark.parametrize("observation", ["bernoulli", "gaussian"])
def test_vae(evaluate, assert_terms, observation):
    encoder, decoder = flat(3)
    model = VAE(encoder, decoder, beta=4.0, observation=observation)
    assign_by_hand(model)
    z, mean, log_var = draw(apply(encoder, IMAGES))
    y = apply(decoder, z).reshape(IMAGES.shape)
    if observation == "bernoulli":
        reconstruction = bernoulli(IMAGES, y)
    else:
        model.log_std.assign(-0.5)
        log_p = scipy.stats.norm.logpdf(IMAGES, y, np.exp(-0.5))
        reconstruction = -log_p.sum((1, 2, 3)).mean()
    divergence = kl(mean, log_var)
    expected = {"loss": reconstruction + 4 * divergence, "reconstruction": reconstruction}
    expected |= {"kl": divergence, "beta": 4.0}
    assert_terms(
        evaluate(model), expected | ({"log_std": -0.5} if observation == "gaussian" else {})
    )


def flat(latent_dim):
    shape = IMAGES.shape[1:]
    return dense(shape, 2 * latent_dim, None), dense((latent_dim,), 64, None, reshape=shape)


def test_a_ladder_with_one_rung_is_a_vae(evaluate, assert_terms):
    ladder = LadderVAE(**dense_ladder((3,), (6,)), beta=2.0)
    assign_by_hand(ladder)
    encoder = keras.Sequential([*ladder.encoder_blocks, *ladder.posteriors])
    decoder = keras.Sequential([*ladder.latent_maps, *ladder.decoder_blocks])
    received = evaluate(ladder)
    received["kl"] = received.pop("kl_1")
    assert_terms(received, evaluate(VAE(encoder, decoder, beta=2.0)))


def test_teacher_and_student(evaluate, assert_terms):
    teacher = VAE(*flat(2))
    student = TeacherStudentVAE(teacher, *flat(5), code_weight=3.0, jacobian_weight=0.5, beta=2.0)
    assign_by_hand(student)

    def shifted(a):
        return np.concatenate([a[1:], a[:1]])

    z, mean, log_var = draw(apply(student.encoder, IMAGES))
    mean_t, _ = np.split(apply(teacher.encoder, IMAGES), 2, axis=1)
    z_swapped = np.concatenate([shifted(z[:, :2]), z[:, 2:]], axis=1)
    image, image_swapped, image_t = (
        scipy.special.expit(apply(network, code))
        for network, code in (
            (student.decoder, z),
            (student.decoder, z_swapped),
            (teacher.decoder, z[:, :2]),
        )
    )
    difference = (image - image_swapped) - (image_t - shifted(image_t))
    expected = {
        "reconstruction": bernoulli(IMAGES, apply(student.decoder, z)),
        "kl": kl(mean, log_var),
        "code_error": (64 / 2) * ((mean[:, :2] - mean_t) ** 2).sum(1).mean(),
        "jacobian_error": (difference**2).sum(1).mean(),
    }
    assert expected["jacobian_error"] > 0.1
    factors = {"reconstruction": 1, "kl": 2, "code_error": 3, "jacobian_error": 0.5}
    expected["loss"] = sum(factor * expected[name] for name, factor in factors.items())
    expected |= {"beta": 2.0, "jacobian_weight": 0.5}
    assert_terms(evaluate(student), expected)


def test_the_teacher_stays_as_it_is():
    teacher = VAE(*flat(2), seed=1)
    fit(teacher)
    before = weights(teacher)
    student = TeacherStudentVAE(teacher, *flat(3), code_weight=100.0, jacobian_weight=100.0)
    mine = {
        id(variable)
        for network in (student.encoder, student.decoder)
        for variable in network.trainable_variables
    }
    assert {id(variable) for variable in student.trainable_variables} == mine
    history = fit(student, epochs=5)
    for old, new in zip(before, weights(teacher), strict=True):
        np.testing.assert_array_equal(old, new)
    # It is the student that follows.
    assert history["code_error"][-1] < history["code_error"][0]


def test_a_student_that_is_its_teacher_has_no_error(evaluate):
    teacher = VAE(*flat(2), seed=1)
    fit(teacher)
    student = TeacherStudentVAE(teacher, *flat(5), seed=1)
    student.start_from_teacher()
    mute = student.decoder.layers[0]
    kernel = ops.convert_to_numpy(mute.kernel).copy()
    kernel[2:] = 0  # the nuisance dimensions change nothing
    mute.kernel.assign(kernel)
    terms = evaluate(student)
    assert abs(terms["code_error"]) < 1e-5 and abs(terms["jacobian_error"]) < 1e-5
    np.testing.assert_allclose(
        ops.convert_to_numpy(student.encode(IMAGES)[1])[:, :2],
        ops.convert_to_numpy(teacher.encode(IMAGES)[1]),
        rtol=1e-5,
    )


def test_regularisers_of_the_networks_count(evaluate):
    encoder, decoder = flat(3)
    plain = evaluate(VAE(encoder, decoder))["loss"]
    kernel = encoder.layers[-1].kernel
    encoder.layers[-1].kernel_regularizer = keras.regularizers.L2(10.0)
    kernel.regularizer = encoder.layers[-1].kernel_regularizer
    extra = 10 * (ops.convert_to_numpy(kernel).astype("float64") ** 2).sum()
    np.testing.assert_allclose(evaluate(VAE(encoder, decoder))["loss"], plain + extra, rtol=1e-5)
