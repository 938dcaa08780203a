"""Conditional models: what labels do to the objectives, where they come from, and what is wrong."""

import contextlib

import keras
import numpy as np
import pytest
from factor_images import factor_images
from keras import layers, ops
from model_table import MODELS
from tiny_networks import (
    IMAGE_SHAPE,
    IMAGES,
    conditional_flat_networks,
    conditional_players,
    conv_ladder,
    dense,
    flat_networks,
    make_space,
    player_networks,
    progressive_networks,
)
from tiny_training import adams, numbers, weights

import keras_disentangle as kd
from keras_disentangle.latents import Labels
from keras_disentangle.layers import RandomAffine
from keras_disentangle.models import (
    DIPVAE,
    GAN,
    VAE,
    AdaGVAE,
    AnnealedVAE,
    BetaTCVAE,
    FactorVAE,
    InfoGAN,
    LadderVAE,
    ProgressiveGAN,
    SlowVAE,
)
from keras_disentangle.models.teacher_student_vae import TeacherStudentVAE

N, CLASSES = len(IMAGES), 4
LABELS = np.arange(N) % CLASSES
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
CODES = np.random.default_rng(0).normal(size=(N, 3)).astype("float32")
EAGER = {"run_eagerly": True}


def vae(**arguments):
    networks = conditional_flat_networks(3, CLASSES)
    return VAE(**networks, **{"labels": CLASSES, "seed": 1, **arguments})


def gan(**arguments):
    return GAN(**conditional_players(3, CLASSES), **{"labels": CLASSES, "seed": 1, **arguments})


@pytest.fixture(scope="module", params=["conditional_gan", "conditional_vae"])
def model(request):
    return MODELS[request.param].build()


def array(x):
    return ops.convert_to_numpy(x)


def copies(variables):
    return [np.array(value) for value in numbers(variables)]


# The objectives


def test_the_bound_given_labels():
    """-log p(x|z, y) + KL(q(z|x, y) || p(z)), by hand."""
    model = vae()
    outputs = {name: array(value) for name, value in model([IMAGES, LABELS]).items()}
    mean, log_var = np.split(array(model.encoder([IMAGES, ONE_HOT])), 2, axis=-1)
    logits = array(model.decoder([outputs["code"], LABELS[:, None].astype("float32")]))
    np.testing.assert_allclose(outputs["mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs["reconstruction"], logits, rtol=1e-5, atol=1e-6)
    nll = np.logaddexp(0, logits) - IMAGES * logits
    kl = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var)
    expected = nll.sum((1, 2, 3)).mean() + kl.sum(1).mean()
    outputs = {name: ops.convert_to_tensor(value) for name, value in outputs.items()}
    loss = model.compute_loss((IMAGES, LABELS), None, outputs, training=False)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def softplus(x):
    return np.logaddexp(0, x)


def test_the_losses_of_both_players():
    """Labels of real images go to both players; the classifier learns from both kinds of images."""
    model = gan(auxiliary_head=layers.Dense(CLASSES), auxiliary_weight=0.5)
    [part] = model.prepare((IMAGES, LABELS))
    np.testing.assert_array_equal(array(part["given"]["labels"]), LABELS)
    fake = array(model.share([part]))
    codes = array(part["codes"])
    np.testing.assert_allclose(fake, array(model.generator([codes, ONE_HOT])), rtol=1e-5)

    def judged(x):
        logits, features = map(array, model.discriminator([x, LABELS]))
        classes = array(model.auxiliary_head(features))
        log_p = classes - np.logaddexp.reduce(classes, axis=1, keepdims=True)
        return logits[:, 0], -log_p[np.arange(N), LABELS]

    (real, real_class), (made, made_class) = judged(IMAGES), judged(fake)
    expected = (softplus(-real) + softplus(made)).mean()
    expected += 0.5 * (real_class.mean() + made_class.mean())
    found = model.discriminator_objective(0, [part], ops.convert_to_tensor(fake))
    assert float(found) == pytest.approx(expected, rel=1e-4)
    expected = softplus(-made).mean() + 0.5 * made_class.mean()
    found = model.generator_objective([part], ops.convert_to_tensor(fake))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_each_discriminator_step_has_the_labels_of_its_images():
    model = gan(discriminator_steps=2)
    for i, part in enumerate(model.prepare((IMAGES, ONE_HOT))):
        rows = slice(i * N // 2, (i + 1) * N // 2)
        np.testing.assert_array_equal(array(part["real"]), IMAGES[rows])
        np.testing.assert_array_equal(array(part["given"]["labels"]), LABELS[rows])


@pytest.mark.parametrize("outputs", [None, ["dense"]])
@pytest.mark.parametrize("one_pass", [False, True])
def test_a_penalty_is_at_codes_and_labels(outputs, one_pass):
    """The Hessian of f(z, y) = y sum(z²) / 2 is y I, so v'Hv = 3 y for every v: variance 0; of
    f(z, y) = y z_1 z_2 it is 2 y v_1 v_2 = ±2 y."""
    z, index = keras.Input((2,)), keras.Input((1,))
    product = layers.Lambda(lambda z: z[:, :1] * z[:, 1:])(z) * index
    h = layers.Dense(4, kernel_initializer="ones", name="dense")(product)
    decoder = keras.Model([z, index], layers.Reshape((2, 2, 1))(h))
    penalty = kd.penalties.HessianPenalty(
        outputs, num_directions=8, method="finite_difference", one_pass=one_pass, unbiased=False
    )
    model = VAE(dense((2, 2, 1), 4), decoder, labels=CLASSES, penalties=[penalty], seed=0)
    x = np.zeros((N, 2, 2, 1), "float32")
    outputs = model([x, LABELS])
    directions = np.random.default_rng(1).choice([-1.0, 1.0], (N, 8, 2)).astype("float32")
    evaluate = model._evaluation(penalty, ops.convert_to_tensor(directions), x, outputs, False)
    [value] = evaluate().values()
    curvature = 2 * LABELS[:, None] * directions[..., 0] * directions[..., 1]
    assert float(value) == pytest.approx(curvature.var(axis=1).max(), rel=1e-2)


# Where labels come from


class Batches(keras.utils.PyDataset):
    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def __len__(self):
        return 4

    def __getitem__(self, i):
        rows = slice(4 * i, 4 * i + 4)
        return IMAGES[rows], self.labels[rows]


def as_tf(labels):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((IMAGES, labels)).batch(4)


def as_loader(labels):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    pairs = data.TensorDataset(torch.tensor(IMAGES), torch.tensor(labels))
    return data.DataLoader(pairs, batch_size=4)


SOURCES = {
    "arrays": lambda labels: {"x": IMAGES, "y": labels, "batch_size": 4},
    "a list": lambda labels: {"x": IMAGES, "y": labels.tolist(), "batch_size": 4},
    "PyDataset": lambda labels: {"x": Batches(labels)},
    "tf.data": lambda labels: {"x": as_tf(labels)},
    "DataLoader": lambda labels: {"x": as_loader(labels)},
    "generator": lambda labels: {
        "x": (Batches(labels)[i] for i in range(4)),
        "steps_per_epoch": 4,
    },
}
FORMS = {"column": LABELS[:, None], "one-hot": ONE_HOT, "floats": LABELS.astype("float32")}


@pytest.fixture(scope="module")
def trained_on():
    """Function from arguments of `fit` to the weights after it; traced once."""
    model = vae()
    model.compile("sgd")
    start = numbers(model.variables)

    def train(**given):
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
        model.fit(**given, shuffle=False, verbose=0)
        return weights(model)

    return train


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_of_labels_trains_alike(source, trained_on):
    expected, found = (trained_on(**SOURCES[name](LABELS)) for name in ("arrays", source))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    others = trained_on(**SOURCES["arrays"](3 - LABELS))
    assert any((a != b).any() for a, b in zip(expected, others, strict=True))


@pytest.mark.compiled(False)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_labels_is_the_same(form, model):
    batch = model.parted((CODES, FORMS[form]))[1]["labels"]
    np.testing.assert_array_equal(array(batch), LABELS)
    decoded = (array(model.decode(CODES, labels)) for labels in (LABELS, FORMS[form]))
    np.testing.assert_array_equal(*decoded)


def test_batches_of_images_with_labels():
    batches = kd.datasets.image_batches(np.uint8(255 * IMAGES), 4, seed=0, labels=LABELS)
    images, labels = batches[1]
    index = [int(np.argmin(np.square(x - IMAGES).sum((1, 2, 3)))) for x in images]
    np.testing.assert_array_equal(labels, LABELS[index])
    with pytest.raises(ValueError, match="`labels` must hold a label for each of the 16 images"):
        kd.datasets.image_batches(np.uint8(255 * IMAGES), 4, seed=0, labels=LABELS[1:])


# Use


def test_samples_are_of_the_labels(model):
    z = model.space.sample(3, seed=0)
    one = array(model.decode(z, 2))
    np.testing.assert_array_equal(one, array(model.decode(z, [2, 2, 2])))
    assert np.abs(one - array(model.decode(z, [2, 2, 3])))[2].max() > 1e-3
    same = (array(model.sample(3, seed=5, labels=labels)) for labels in (1, [1, 1, 1]))
    np.testing.assert_array_equal(*same)
    # Without labels, classes are drawn, independently of the codes.
    drawn = array(model.labels.sample(8, seed=7))
    same = (array(model.sample(8, 7, labels)) for labels in (None, drawn))
    np.testing.assert_array_equal(*same)


def test_an_encoder_without_labels_needs_none():
    z, index = keras.Input((3,)), keras.Input((1,))
    h = layers.Dense(64)(layers.Concatenate()([z, index]))
    decoder = keras.Model([z, index], layers.Reshape(IMAGE_SHAPE)(h))
    model = VAE(flat_networks(3)["encoder"], decoder, labels=CLASSES)
    mean, _ = model.encode(IMAGES)
    np.testing.assert_array_equal(array(mean), array(model.encode(IMAGES, LABELS)[0]))
    found, _ = kd.encode_images(model, lambda i: np.uint8(255 * IMAGES[i]), N, batch_size=5)
    assert found.shape == (N, 3)


@pytest.mark.one_backend
def test_scores_with_labels():
    """By one label for all images, or by those of their factors; without, a model needs them."""
    data, networks = factor_images(), conditional_flat_networks(3, CLASSES)
    model = VAE(**networks, labels=CLASSES, seed=1)
    settings = {"num_samples": 20, "num_votes": 5, "batch_size": 8}
    index = data.sample_index(20, np.random.default_rng(0))
    images, factors = np.float32(data.images(index)) / 255, data.factors(index)

    def kl(labels):
        mean, log_var = map(array, model.encode(images, labels))
        return array(ops.mean(kd.losses.gaussian_kl(mean, log_var)))

    for labels, given in ((2, 2), (lambda factors: factors[:, 0] % 4, factors[:, 0] % 4)):
        scores = kd.evaluate(model, data, labels=labels, **settings)
        assert scores["kl"] == [pytest.approx(kl(given), rel=1e-4)]
        assert ("factor_vae" in scores) == (labels == 2)
    with pytest.raises(ValueError, match="`labels` must be one label for all .*'factor_vae'"):
        kd.evaluate(model, data, ["factor_vae"], labels=lambda factors: factors[:, 0], **settings)
    with pytest.raises(ValueError, match="`labels` must hold the labels of a conditional model"):
        kd.evaluate(model, data, **settings)
    with pytest.raises(ValueError, match="`labels` must be None for a `model` that has no method"):
        kd.evaluate(lambda x: x[:, 0, :, 0], data, labels=2, **settings)
    with pytest.raises(ValueError, match="`labels` must be None: this VAE is not conditional"):
        kd.evaluate(VAE(**flat_networks(3)), data, labels=2, **settings)


def test_a_vae_gives_all_with_labels():
    model = vae()
    mean, log_var = model.encode(IMAGES, LABELS)
    decoded = array(model.decode(mean, LABELS))
    np.testing.assert_array_equal(array(model.reconstruct(IMAGES, LABELS)), decoded)
    paths = array(model.interpolate(IMAGES[:4], IMAGES[4:8], 3, labels=[0, 1, 2, 3]))
    ends = array(model.reconstruct(IMAGES[4:8], [0, 1, 2, 3]))
    np.testing.assert_allclose(paths[:, -1], ends, rtol=1e-4, atol=1e-5)
    likelihood = array(model.log_likelihood(IMAGES, mean, LABELS))
    expected = np.where(IMAGES > 0, np.log(decoded), 0) * IMAGES
    expected = (expected + (1 - IMAGES) * np.log(1 - decoded)).sum((1, 2, 3))
    np.testing.assert_allclose(likelihood, expected, rtol=1e-4)
    images = np.uint8(255 * IMAGES)
    found, _ = kd.encode_images(model, lambda i: images[i], N, batch_size=5, labels=LABELS)
    expected = array(model.encode(images / np.float32(255), LABELS)[0])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    model.compile(**EAGER)
    outputs = model.predict([IMAGES, LABELS], verbose=0)
    np.testing.assert_allclose(outputs["mean"], array(mean), rtol=1e-5, atol=1e-6)
    for outputs in (
        model.predict(Batches(LABELS), verbose=0),
        model.predict_on_batch([IMAGES, LABELS]),
    ):
        np.testing.assert_allclose(array(outputs["mean"]), array(mean), rtol=1e-5, atol=1e-6)


def test_statistics_of_samples_have_the_labels_of_the_data():
    """The decoder's normalisation sees the labels: their mean and variance are what it learns."""
    z, index = keras.Input((2,)), keras.Input((1,))
    h = layers.BatchNormalization(name="norm")(layers.Concatenate()([index, z]))
    decoder = keras.Model([z, index], layers.Reshape(IMAGE_SHAPE)(layers.Dense(64)(h)))
    model = VAE(flat_networks(2)["encoder"], decoder, labels=CLASSES)
    norm = decoder.get_layer("norm")
    for labels, expected in ((None, 1.5), ([3, 3, 3, 1], 2.5), (2, 2.0)):
        model.reestimate_batch_normalization(40, 50, seed=0, labels=labels)
        assert array(norm.moving_mean)[0] == pytest.approx(expected, abs=0.1)


def test_attributes():
    z, vector = keras.Input((3,)), keras.Input((2,))
    h = layers.Dense(64)(layers.Concatenate()([z, vector]))
    decoder = keras.Model([z, vector], layers.Reshape(IMAGE_SHAPE)(h))
    labels = Labels(num_attributes=2)
    model = VAE(flat_networks(3)["encoder"], decoder, labels=labels)
    attributes = np.random.default_rng(3).normal(size=(N, 2))
    outputs = model([IMAGES, attributes])
    np.testing.assert_allclose(array(outputs["labels"]), attributes, rtol=1e-6)
    assert model.sample(3, labels=[0.5, 1]).shape == (3, *IMAGE_SHAPE)
    assert model.decode(CODES, attributes).shape == IMAGES.shape
    with pytest.raises(ValueError, match="`labels` must be given: attributes have no known"):
        model.sample(3)
    with pytest.raises(ValueError, match=r"`labels` must be finite numbers \(n, 2\)"):
        model.decode(CODES, [np.nan, 1])
    with pytest.raises(ValueError, match=r"`labels` must be finite numbers \(n, 2\).*\(16,\)"):
        model.decode(CODES, LABELS)


def test_an_info_gan_with_labels():
    """Its Q head reads features and labels, and the bound is that of both."""
    space = make_space()
    features, index = keras.Input((5,)), keras.Input((CLASSES,))
    params = layers.Dense(space.num_params)(layers.Concatenate()([features, index]))
    model = InfoGAN(
        **conditional_players(space.dim, CLASSES),
        q_head=keras.Model([features, index], params),
        space=space,
        labels=CLASSES,
        seed=1,
    )
    [part] = model.prepare((IMAGES, LABELS))
    fake = model.share([part])
    _, features = model.discriminator([array(fake), LABELS])
    params = model.q_head([array(features), ONE_HOT])
    bound = kd.losses.information_lower_bound(space, params, part["codes"])
    found = model.code_objective("generator", part, fake, features)
    assert float(found) == pytest.approx(-array(bound).mean(), rel=1e-4)

    # The labels go along with images that are augmented.
    model.q_augmentation, part["augmentation"] = RandomAffine(), RandomAffine(0, 0, 0, 0).draw(N)
    again = model.code_objective("generator", part, fake, features)
    assert float(again) == pytest.approx(float(found), rel=1e-4)
    model.q_augmentation = None

    parts = model.encode(IMAGES, LABELS)
    assert set(parts) == {code.name for code in space.informative}
    assert model.classify(IMAGES, labels=LABELS).shape == (N,)
    assert np.abs(array(model.q_params(IMAGES, LABELS) - model.q_params(IMAGES, 0))).max() > 1e-3
    with pytest.raises(ValueError, match="`labels` must hold the labels of a conditional model"):
        model.encode(IMAGES)


def means_of_statistics(mean, log_var, code):
    """Each model's term of the codes that it inferred with the labels, and its weight."""
    kl = ops.sum(kd.losses.gaussian_kl(mean, log_var)) / N
    return {
        BetaTCVAE: ("total_correlation", kd.losses.decomposed_kl(code, mean, log_var)[1]),
        DIPVAE: ("dip", kd.losses.dip(mean, log_var, "i", 10.0)),
        AnnealedVAE: ("capacity_gap", kl),  # Its capacity is 0 at first.
    }


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", [BetaTCVAE, DIPVAE, AnnealedVAE])
def test_statistics_of_codes_with_labels(kind):
    model = kind(**conditional_flat_networks(3, CLASSES), labels=CLASSES, seed=1)
    outputs = model([IMAGES, LABELS])
    model.compute_loss((IMAGES, LABELS), None, outputs, training=False)
    name, expected = means_of_statistics(outputs["mean"], outputs["log_var"], outputs["code"])[kind]
    found = float(model.trackers[name].result())
    assert found == pytest.approx(array(expected).mean(), rel=1e-4) and found != 0
    others = array(model.encode(IMAGES, LABELS[::-1])[0])
    assert np.abs(others - array(outputs["mean"])).max() > 1e-3
    decoded = (array(model.decode(CODES, labels)) for labels in (LABELS, LABELS[::-1]))
    assert np.abs(np.subtract(*decoded)).max() > 1e-3
    before = copies(model.trainable_variables)
    model.compile(**adams(model), **EAGER)
    assert np.isfinite(model.train_on_batch(IMAGES, LABELS, return_dict=True)["loss"])
    after = copies(model.trainable_variables)
    assert all((a != b).any() for a, b in zip(after, before, strict=True))


def test_a_factor_vae_with_labels():
    """Its discriminator sees codes alone, those of the images and their labels."""
    model = FactorVAE(
        **conditional_flat_networks(3, CLASSES),
        discriminator=dense((3,), 2, None),
        labels=CLASSES,
        gamma=3.0,
        seed=1,
    )
    outputs = model([IMAGES, LABELS])
    ratio = kd.losses.log_density_ratio(model.discriminator(outputs["code"]))
    model.compute_loss((IMAGES, LABELS), None, outputs, training=False)
    found = float(model.trackers["total_correlation"].result())
    assert found == pytest.approx(array(ratio).mean(), rel=1e-4)
    others = array(model.encode(IMAGES, LABELS[::-1])[0])
    assert np.abs(others - array(outputs["mean"])).max() > 1e-3
    before = copies(model.trainable_variables)
    model.compile(**adams(model), run_eagerly=keras.backend.backend() != "jax")
    model.fit(IMAGES, LABELS, batch_size=N, verbose=0)
    after = copies(model.trainable_variables)
    assert len(after) == 8  # Those of three networks.
    assert all((a != b).any() for a, b in zip(after, before, strict=True))


def test_a_ladder_with_labels():
    networks = conv_ladder()
    z, index = keras.Input((3,)), keras.Input((1,))
    h = layers.Reshape((2, 2, 3))(layers.Dense(12)(layers.Concatenate()([z, index])))
    networks["latent_maps"][1] = keras.Model([z, index], h)
    with pytest.raises(ValueError, match=r"`latent_maps\[1\]` must have one input, a second one"):
        LadderVAE(**networks)
    model = LadderVAE(**networks, labels=CLASSES, seed=1)
    outputs = model([IMAGES, LABELS])
    assert np.isfinite(float(model.compute_loss((IMAGES, LABELS), None, outputs)))
    z = np.zeros((2, 5), "float32")
    assert np.abs(np.diff(array(model.decode(z, [0, 3])), axis=0)).max() > 1e-4


@pytest.mark.one_backend
@pytest.mark.parametrize("name", ["conditional_gan", "conditional_vae"])
def test_traversals_at_a_label(name, tmp_path):
    model = MODELS[name].build()
    asked = []
    decode = model.decode
    model.decode = lambda z, labels: asked.append(np.array(labels)) or decode(z, labels)
    labels, images = (3, None) if name == "conditional_gan" else (LABELS[1:4], IMAGES[1:4])

    def draw(model, **arguments):
        callback = kd.callbacks.LatentTraversal(tmp_path, steps=3, num_samples=2, **arguments)
        callback.set_model(model)
        callback.on_train_begin()
        callback.on_epoch_end(0)
        callback.on_train_end()

    draw(model, images=images, labels=labels)
    assert (tmp_path / "pictures" / "epoch_0001_traversal.png").exists()
    kinds = {tuple(np.unique(labels)) for labels in asked}
    assert kinds == ({(3,)} if images is None else {(1,), (1, 2, 3)})

    for wrong, message in ((None, "must hold the labels of a cond"), (7, "from 0 to 3")):
        with pytest.raises(ValueError, match=message):
            draw(MODELS[name].build(), labels=wrong)
    with pytest.raises(ValueError, match="`labels` must be None with a model that is not cond"):
        draw(MODELS["gan_r1"].build(), labels=1)


# What is wrong


def one_input():
    return flat_networks(3)["decoder"]


def players_without(name):
    return {**conditional_players(3, CLASSES), name: player_networks(3)[name]}


CONSTRUCTIONS = [
    (lambda: vae(labels=1), "`labels` must be None, a number of classes >= 2, or a .*labels=1"),
    (lambda: vae(labels="ten"), "`labels` must be None, a number of classes"),
    (lambda: vae(labels=True), "`labels` must be None, a number of classes"),
    (lambda: vae(labels=None), "`encoder` must have one input, a second one for labels only in"),
    (lambda: vae(labels=5), r"second input of `encoder` must take classes .* vectors \(batch, 5\)"),
    (
        lambda: vae(labels=Labels(num_attributes=1)),
        r"second input of `encoder` must take vectors \(batch, 1\), for Labels\(num_attributes=1",
    ),
    (
        lambda: VAE(flat_networks(3)["encoder"], one_input(), labels=4),
        "`decoder` must have a second input, for the labels",
    ),
    (
        lambda: LadderVAE(**conv_ladder(), labels=4),
        "`latent_maps` or `decoder_blocks` must have a second input",
    ),
    (
        lambda: GAN(**players_without("generator"), labels=4),
        "`generator` must have a second input, for the labels",
    ),
    (
        lambda: GAN(**players_without("discriminator"), labels=4),
        "`discriminator` must have a second input, for the labels",
    ),
    (
        lambda: ProgressiveGAN(**progressive_networks(), labels=4),
        "`labels` must be None: `ProgressiveGAN` cannot be conditional",
    ),
    (
        lambda: TeacherStudentVAE(VAE(**flat_networks(2)), **flat_networks(4), labels=4),
        "`encoder` must have|`labels` must be None: `TeacherStudentVAE` cannot",
    ),
    (
        lambda: AdaGVAE(**conditional_flat_networks(3, CLASSES), labels=4),
        "`labels` must be None: `AdaGVAE` cannot be conditional",
    ),
    (
        lambda: SlowVAE(**conditional_flat_networks(3, CLASSES), labels=4),
        "`labels` must be None: `SlowVAE` cannot be conditional",
    ),
    (lambda: TeacherStudentVAE(vae(), **flat_networks(4)), "`teacher` must not be conditional"),
    (
        lambda: GAN(**player_networks(3), auxiliary_head=layers.Dense(4)),
        "`auxiliary_head` must be None unless `labels` are classes",
    ),
    (lambda: gan(auxiliary_head=layers.Dense(3)), "a logit for each class, .*'batch', 4.*, 3"),
    (lambda: gan(auxiliary_head=4), "`auxiliary_head` must be a Keras layer"),
    (lambda: gan(auxiliary_weight=-1), "`auxiliary_weight` must be"),
    (lambda: Labels(), "`num_classes` or `num_attributes` must be given, and not both"),
    (lambda: Labels(2, 3), "`num_classes` or `num_attributes` must be given, and not both"),
    (lambda: Labels(1), "`num_classes` must be an integer >= 2"),
    (lambda: Labels(num_attributes=0), "`num_attributes` must be an integer >= 1"),
]


@pytest.mark.one_backend
@pytest.mark.parametrize("make, message", CONSTRUCTIONS)
def test_models_that_cannot_be_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


SHAPES = r"integers \(n,\) from 0 to 3, or one-hot vectors \(n, 4\)"
WRONG = {
    "too large": (LABELS + 1, f"must be {SHAPES}.*from 1 to 4"),
    "negative": (LABELS - 1, f"must be {SHAPES}.*from -1 to 2"),
    "fractions": (LABELS + 0.5, f"must be {SHAPES}"),
    "NaN": (np.full(N, np.nan), f"must be {SHAPES}"),
    "two classes at once": (np.ones((N, 4)), f"must be {SHAPES}"),
    "soft": (np.full((N, 4), 0.25), f"must be {SHAPES}"),
    "of another width": (np.eye(5)[LABELS], rf"must be {SHAPES}.*shape=.\d+, 5"),
    "of another rank": (LABELS[:, None, None], rf"must be {SHAPES}.*shape=.\d+, 1, 1"),
    "words": (np.array(["a"] * N), "must be an array of numbers"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_labels_are_refused(kind, model):
    labels, message = WRONG[kind]
    model.compile(**adams(model), **EAGER)
    with pytest.raises(ValueError, match=f"`y` {message}"):
        model.fit(IMAGES, labels, verbose=0)
    with pytest.raises(ValueError, match=f"`y` {message}"):
        model.fit(Batches(labels), verbose=0)
    with pytest.raises(ValueError, match=f"`labels` {message}"):
        model.decode(CODES, labels)


MISSING = "`y` must hold the labels of a conditional model, integers"


def test_missing_labels_are_refused(model):
    model.compile(**adams(model), **EAGER)
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match=MISSING):
            call(IMAGES)
    with pytest.raises(ValueError, match="`y` must hold a label for each of the 16 .* 3 labels"):
        model.fit(IMAGES, LABELS[:3])
    with pytest.raises(ValueError, match="`labels` must hold the labels of a conditional model"):
        model.decode(CODES)
    with pytest.raises(ValueError, match="`labels` must be one label, or 16 of them. .* 3 labels"):
        model.decode(CODES, [0, 1, 2])
    with pytest.raises(ValueError, match="called with a pair"):
        model(CODES)


def test_a_vae_that_is_evaluated_without_labels():
    model = vae()
    model.compile("sgd", **EAGER)
    for call in (model.evaluate, model.predict, model.test_on_batch):
        with pytest.raises(ValueError, match=MISSING):
            call(IMAGES)
    with pytest.raises(ValueError, match=MISSING):
        model.fit(IMAGES, LABELS, validation_data=IMAGES, verbose=0)
    for call in (model.encode, model.reconstruct):
        with pytest.raises(ValueError, match="`labels` must hold the labels"):
            call(IMAGES)


def test_labels_for_an_unconditional_model():
    for model in (VAE(**flat_networks(3)), GAN(**player_networks(3))):
        for call in (lambda m: m.decode(CODES, 1), lambda m: m.sample(2, labels=1)):
            with pytest.raises(ValueError, match="`labels` must be None: this .* not conditional"):
                call(model)
    with pytest.raises(ValueError, match="`labels` must be None"):
        VAE(**flat_networks(3)).encode(IMAGES, 1)


@pytest.mark.parametrize("name", ["conditional_gan", "conditional_vae"])
def test_a_later_batch_with_wrong_labels_ends_the_run(name):
    """The first batch is checked before training, the others inside the step."""
    model = MODELS[name].build()
    labels = LABELS.copy()
    labels[5] = 4  # of the second batch of four
    model.compile(**adams(model))
    with pytest.raises(ValueError, match=f"at training step 1: labels must be {SHAPES}"):
        model.fit(Batches(labels), shuffle=False, verbose=0)


@pytest.mark.one_backend
def test_classes_are_drawn_with_equal_probabilities():
    labels = Labels(3)
    drawn = array(labels.sample(3000, seed=0))
    assert drawn.dtype == np.int32
    np.testing.assert_allclose(np.bincount(drawn) / 3000, 1 / 3, atol=0.04)
    np.testing.assert_array_equal(drawn, array(labels.sample(3000, seed=0)))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(labels))
    assert again.num_classes == 3 and repr(again) == "Labels(num_classes=3)"


@pytest.mark.one_backend
def test_unconditional_training_is_as_before():
    """Nothing is drawn or computed for labels: the same steps, whether or not labels are given."""
    found = []
    for y in (None, LABELS):
        keras.utils.set_random_seed(0)
        model = GAN(**player_networks(3), seed=1)
        model.compile(**adams(model), **EAGER)
        with pytest.warns(UserWarning, match="no use of labels") if y is not None else nothing():
            model.fit(IMAGES, y, verbose=0, shuffle=False)
        found.append(weights(model))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def nothing():
    return contextlib.nullcontext()
