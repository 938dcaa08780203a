"""Which layers are regularised, with respect to what, and what is computed for it."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_disentangle.layers import ConditionalBatchNormalization, PixelNormalization, UpConv2D
from keras_disentangle.losses import HessianPenaltyLoss, hessian_penalty
from keras_disentangle.losses.hessian_penalty_loss import check_layers

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(4, 5)).astype("float32")
LABELS = np.eye(3, dtype="float32")[[0, 1, 2, 0]]


class Counted(layers.Layer):
    """Gives what it is given and counts its calls."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = 0

    def call(self, x):
        self.calls += 1
        return x


def sequential():
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, name="linear"),
            layers.LeakyReLU(0.2, name="leaky"),
            PixelNormalization(name="norm"),
            layers.Dense(4, "tanh", name="tanh"),
            Counted(name="counted"),
            layers.Dense(3, name="last"),
        ]
    )


def conditional(as_dict=False):
    """z and labels to an image and its logit; "label_branch" does not depend on z."""
    z, labels = keras.Input((5,), name="z"), keras.Input((3,), name="labels")
    branch = layers.Dense(5, "tanh", name="label_branch")(labels)
    x = layers.Dense(6, "tanh", name="hidden")(layers.Concatenate(name="both")([z, branch]))
    image = layers.Dense(4, name="image")(x)
    logit = layers.Dense(1, name="logit")(x)
    inputs = {"z": z, "labels": labels} if as_dict else [labels, z]
    return keras.Model(inputs, {"image": image, "logit": logit} if as_dict else [image, logit])


def value(fn, z=Z, seed=0, **settings):
    return float(hessian_penalty(fn, z, seed=seed, **settings))


def values(loss, inputs=Z, **arguments):
    found = loss.per_output(inputs, **arguments)
    np.testing.assert_allclose(
        float(loss(inputs, **arguments)), sum(map(float, found.values())), rtol=1e-5
    )
    return {name: float(penalty) for name, penalty in found.items()}


def up_to(model, name):
    """`model` up to a layer, as one would write it by hand."""

    def fn(z):
        for layer in model.layers:
            z = layer(z)
            if layer.name == name:
                return z

    return fn


def test_chosen_layers():
    model = sequential()
    loss = HessianPenaltyLoss(model, [model.get_layer("norm"), "tanh", "leaky"], seed=0)
    expected = {name: value(up_to(model, name)) for name in ("norm", "tanh", "leaky")}
    found = values(loss)
    assert list(found) == loss.layers == list(expected)
    for name, penalty in expected.items():
        assert penalty > 1e-3
        np.testing.assert_allclose(found[name], penalty, rtol=1e-3)
    single = HessianPenaltyLoss(model, "tanh", seed=0)
    np.testing.assert_allclose(float(single(Z)), expected["tanh"], rtol=1e-3)


def test_nothing_beyond_the_deepest_is_computed():
    model = sequential()
    counted = model.get_layer("counted")
    before = counted.calls
    HessianPenaltyLoss(model, ["norm", "tanh"], num_directions=3, seed=0)(Z)
    assert counted.calls == before
    HessianPenaltyLoss(model, ["norm", "last"], num_directions=3, seed=0)(Z)
    assert counted.calls == before + 6


def test_settings_are_those_of_the_function():
    model = sequential()
    for settings in (
        {"num_directions": 4, "epsilon": 0.05, "reduction": "mean", "unbiased": False},
        {"one_pass": True, "reduction": lambda x: ops.sum(x)},
        {"method": "exact"},
    ):
        found = float(HessianPenaltyLoss(model, "tanh", seed=0, **settings)(Z))
        np.testing.assert_allclose(found, value(up_to(model, "tanh"), **settings), rtol=1e-3)
    assert HessianPenaltyLoss(model).settings == hessian_penalty.__kwdefaults__
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        HessianPenaltyLoss(model, k=3)


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("one_pass", [False, True])
def test_one_of_several_inputs(as_dict, one_pass):
    model = conditional(as_dict)
    z, labels = map(ops.convert_to_tensor, (Z, LABELS))
    image = keras.Model(
        [model.get_layer(n).output for n in ("z", "labels")], model.get_layer("image").output
    )
    expected = {
        "z": value(lambda x: image([x, labels])),
        "labels": value(lambda x: image([z, x]), LABELS),
    }
    inputs = {"z": Z, "labels": LABELS, "unused": None} if as_dict else [LABELS, Z]
    names = [x.name for x in model.inputs]
    assert sorted(names) == ["labels", "z"]
    for name in names:
        for argument in (name, names.index(name)):
            loss = HessianPenaltyLoss(model, argument=argument, one_pass=one_pass, seed=0)
            found = values(loss, inputs)
            assert list(found) == ["image", "logit"]
            np.testing.assert_allclose(found["image"], expected[name], rtol=1e-3)
    if not as_dict:
        found = values(loss, {"z": Z, "labels": LABELS})
        np.testing.assert_allclose(found["image"], expected[name], rtol=1e-3)


def test_a_layer_that_is_used_twice_counts_twice():
    z = keras.Input((5,))
    shared = layers.Dense(5, "tanh", name="shared")
    once = shared(z)
    model = keras.Model(z, layers.Dense(2)(shared(once)))
    # In another model too, which does not matter.
    keras.Model(z, shared(2 * z))
    found = values(HessianPenaltyLoss(model, "shared", seed=0))
    first, second = shared, lambda x: shared(shared(x))
    np.testing.assert_allclose(found["shared"], value(first) + value(second), rtol=1e-3)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3, "tanh")

    def call(self, z, training=False):
        x = self.dense(z)
        return {"image": [x], "logit": ops.sum(x, axis=1)}


def test_a_model_without_a_graph():
    model = Subclassed()
    loss = HessianPenaltyLoss(model, seed=0)
    with pytest.raises(ValueError, match="`model` must be built. Received: model=<Subclassed"):
        loss(Z)
    model(Z)
    found = values(loss)
    assert set(found) == {"image/0", "logit"} and loss.layers == []
    np.testing.assert_allclose(found["logit"], value(lambda z: model(z)["logit"]), rtol=1e-3)
    alone = keras.Sequential([layers.Dense(3, "tanh")])
    late = HessianPenaltyLoss(alone, seed=0)
    alone.build((None, 5))
    assert list(values(late)) == [""]


# Keras says so of every functional model that is given a mask.
@pytest.mark.filterwarnings("ignore:.*does not support masking")
def test_further_arguments_are_passed_on():
    model = keras.Sequential(
        [keras.Input((None, 5)), layers.Dropout(0.5, seed=0), layers.LSTM(3, name="lstm")]
    )
    z = np.repeat(Z[:, None], 3, axis=1)
    mask = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]], bool)
    mask = ops.convert_to_tensor(mask)
    cell = keras.Model(model.inputs, model.outputs)
    settings = {"reduction": "mean", "seed": 0}
    penalties = {}
    for name, arguments in {
        "plain": {},
        "masked": {"mask": mask},
        "trained": {"training": True},
    }.items():
        penalties[name] = float(HessianPenaltyLoss(model, "lstm", **settings)(z, **arguments))
        expected = value(lambda z, a=arguments: cell(z, **a), z, **settings)
        np.testing.assert_allclose(penalties[name], expected, rtol=1e-3)
    assert len(set(penalties.values())) == 3
    one_pass = HessianPenaltyLoss(model, "lstm", one_pass=True, **settings)
    np.testing.assert_allclose(float(one_pass(z, mask=mask)), penalties["masked"], rtol=1e-3)


# In a model that trains


class Penalised(keras.Model):
    def __init__(self, network, **settings):
        super().__init__()
        self.network = network
        self.seed_generator = keras.random.SeedGenerator(0)
        self.penalty = HessianPenaltyLoss(network, seed=self.seed_generator, **settings)

    def call(self, z):
        return self.network(z)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.penalty(x)


def test_training(tmp_path):
    model = Penalised(sequential(), outputs=["norm", "tanh"], reduction="mean")
    before = [ops.convert_to_numpy(v) for v in model.network.trainable_variables]
    model.compile(keras.optimizers.Adam(0.01))
    z = np.tile(Z, (8, 1))
    losses = model.fit(z, batch_size=8, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    moved = [
        not np.array_equal(ops.convert_to_numpy(v), b)
        for v, b in zip(model.network.trainable_variables, before, strict=True)
    ]
    # Not the last layer, which is beyond.
    assert moved == [True, True, True, True, False, False]
    # What the loss holds is not saved a second time.
    assert len(model.variables) == len(model.network.variables) + 1
    model.save_weights(tmp_path / "model.weights.h5")
    other = Penalised(sequential(), outputs=["norm"])
    other(Z)
    other.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(model.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# Advice and bad input


def test_linear_layers_are_warned_about():
    z = keras.Input((4, 4, 2))
    x = UpConv2D(2, 4, strides=2, name="up")(z)
    x = layers.Conv2D(2, 3, name="conv")(x)
    x = layers.Conv2D(2, 3, activation="relu", name="curved")(x)
    x = layers.Dense(2, name="dense")(PixelNormalization(name="norm")(x))
    model = keras.Model(z, layers.Conv2D(3, 1, name="image")(x))
    with pytest.warns(UserWarning, match=r"\['up', 'conv', 'dense'\] are .* after normalization"):
        HessianPenaltyLoss(model, ["up", "curved", "conv", "norm", "dense", "image"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HessianPenaltyLoss(model, ["curved", "norm", "image"])
        HessianPenaltyLoss(model)


@pytest.mark.parametrize(
    "layer, is_linear",
    [
        (lambda: layers.Reshape((2, 8, 2)), True),
        (layers.Flatten, True),
        (lambda: layers.Permute((2, 1, 3)), True),
        (layers.Identity, True),
        (lambda: layers.Dropout(0.5), True),
        (lambda: layers.Cropping2D(1), True),
        (lambda: layers.ZeroPadding2D(1), True),
        (lambda: layers.UpSampling2D(interpolation="bilinear"), True),
        (lambda: layers.AveragePooling2D(2), True),
        (layers.GlobalAveragePooling2D, True),
        (lambda: layers.MaxPooling2D(2), False),
        (layers.ReLU, False),
        (layers.LeakyReLU, False),
        (lambda: layers.Activation("tanh"), False),
        (layers.BatchNormalization, False),
        (PixelNormalization, False),
    ],
)
def test_what_comes_right_after_a_linear_layer_is_warned_about(layer, is_linear):
    z = keras.Input((4, 4, 2))
    x = layer()(layers.Reshape((4, 4, 2))(layers.Dense(2)(z)))
    model = keras.Model(z, layers.Dense(1, name="end")(layers.Flatten()(x)))
    name = model.layers[3].name
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        HessianPenaltyLoss(model, [name, "end"])
    assert [f"['{name}'] are linear" in str(warning.message) for warning in found] == (
        [True] if is_linear else []
    )


def test_what_the_output_has_its_scale_from_may_be_linear():
    z = keras.Input((5,))
    x = layers.Dense(6, name="moved")(layers.Reshape((5,), name="input_moved")(z))
    model = keras.Model(z, layers.Reshape((2, 3), name="end")(layers.Dropout(0.5)(x)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HessianPenaltyLoss(model, ["input_moved", "moved", "end"])


def nested():
    z = keras.Input((5,))
    return keras.Model(z, layers.Dense(2, name="outer")(sequential()(z)))


@pytest.mark.parametrize(
    "model, arguments, message",
    [
        (
            sequential,
            {"outputs": "none"},
            r"`outputs` must be layers.*'none', not one of \['linear",
        ),
        (sequential, {"outputs": [layers.Dense(1, name="x")]}, "Received: <Dense name=x, built=F"),
        (sequential, {"outputs": [3]}, "Received: 3, not one of"),
        (sequential, {"outputs": []}, r"`outputs` must name at least one layer. Received: \[\]"),
        (conditional, {"outputs": "z"}, "Received: 'z', not one of"),
        (nested, {"outputs": "norm"}, "inside another model .* as `model`. Received: 'norm'"),
        (
            conditional,
            {"outputs": ["hidden", "label_branch"], "argument": "z"},
            "depend on the input 'z'. Received: 'label_branch', which does not",
        ),
        (
            conditional,
            {"argument": 2},
            r"`argument` must .*\['labels', 'z'\]. Received: argument=2",
        ),
        (conditional, {"argument": "image"}, "Received: argument='image'"),
        (
            Subclassed,
            {"outputs": "dense"},
            "`outputs` must be None unless .*outputs=dense, model=<S",
        ),
        (sequential, {"num_directions": 1}, "`num_directions` must be an integer >= 2"),
        (sequential, {"reduction": "sum"}, "Received: reduction='sum'"),
    ],
)
def test_bad_arguments_are_named(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        HessianPenaltyLoss(model(), **arguments)


@pytest.mark.parametrize(
    "arguments, inputs, message",
    [
        ({}, [LABELS], r"`inputs` must be the model's inputs \['labels', 'z'\]"),
        ({}, {"labels": LABELS}, "`inputs` must be .* Received: inputs={'labels'"),
        ({"argument": "labels"}, [LABELS.astype("int32"), Z], "`z` must be a float.*dtype=int32"),
    ],
)
def test_bad_inputs_are_named(arguments, inputs, message):
    with pytest.raises(ValueError, match=message):
        HessianPenaltyLoss(conditional(), **{"argument": "z", **arguments})(inputs)


@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 5), (4, 2, 4), (3, 2, 5), (2, 4, 5), (4, 2)])
def test_directions_of_another_shape_are_refused(shape):
    model = sequential()
    message = r"`directions` must .* \(4, 2, 5\). Received: directions.shape=\(" + f"{shape[0]}, "
    with pytest.raises(ValueError, match=message):
        HessianPenaltyLoss(model)(Z, np.ones(shape, "float32"))


def test_a_model_without_a_graph_has_no_such_input():
    model = Subclassed()
    model(Z)
    with pytest.raises(ValueError, match="one of the 1 inputs. Received: argument='z'"):
        HessianPenaltyLoss(model, argument="z")(Z)


@pytest.mark.parametrize(
    "layer, training",
    [
        (layers.BatchNormalization, True),
        (layers.BatchNormalization, False),
        (lambda: layers.GroupNormalization(2), False),
        (layers.LayerNormalization, False),
        (layers.RMSNormalization, False),
        (layers.UnitNormalization, False),
    ],
)
def test_exact_second_derivatives_of_normalisation(layer, training):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(16), layer()])
    settings = {"reduction": "mean", "seed": 0}
    exact = HessianPenaltyLoss(model, method="exact", **settings)
    near = HessianPenaltyLoss(model, epsilon=0.01, **settings)
    found, expected = (float(loss(Z, training=training)) for loss in (exact, near))
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [lambda: layers.Dropout(0.5), layers.BatchNormalization, ConditionalBatchNormalization],
)
def test_one_pass_is_refused_where_points_would_differ(layer):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, "tanh"), layer()])
    loss = HessianPenaltyLoss(model, one_pass=True, seed=0)
    np.testing.assert_allclose(float(loss(Z)), value(model), rtol=1e-3)
    with pytest.raises(ValueError, match="`one_pass` must be False .* Received: the layer '"):
        loss(Z, training=True)


@pytest.mark.parametrize(
    "layer, settings, message",
    [
        (layers.GaussianNoise, {"one_pass": True, "training": True}, "`one_pass`.*'part'"),
        (layers.GaussianNoise, {"one_pass": True}, None),
        (layers.GaussianNoise, {"training": True}, None),
        (layers.GroupNormalization, {"one_pass": True, "training": True}, None),
        (layers.LayerNormalization, {}, None),
    ],
)
def test_layers_of_any_network_are_checked(layer, settings, message):
    part = layer(1, name="part")
    model = keras.Sequential([keras.Input((5,)), keras.Sequential([layers.Dense(4), part])])
    settings = {"one_pass": False, "training": False, **settings}
    refused = pytest.raises(ValueError, match=message) if message else contextlib.nullcontext()
    with refused:
        check_layers(model._flatten_layers(), **settings)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
def test_half_precision_is_put_aside(policy):
    def built(dtype):
        parts = [
            keras.Input((5,)),
            layers.Dense(16, dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.LeakyReLU(0.2, dtype=dtype),
            keras.Sequential([layers.Dense(8, "tanh", dtype=dtype)], name="part"),
            PixelNormalization(dtype=dtype),
        ]
        return keras.Sequential(parts)

    wide, half = built("float32"), built(policy)
    wide.set_weights([ops.convert_to_numpy(w).astype("float32") for w in half.weights])
    types = [layer.compute_dtype for layer in half.layers]
    assert keras.backend.standardize_dtype(half(Z).dtype) == types[-1] != "float32"
    for training in (False, True):
        expected, found = (
            float(HessianPenaltyLoss(model, seed=0)(Z, training=training)) for model in (wide, half)
        )
        np.testing.assert_allclose(found, expected, rtol=0.05)
    # As a function of its own too, and for that time alone.
    np.testing.assert_allclose(value(half), value(wide), rtol=0.05)
    assert [layer.compute_dtype for layer in half.layers] == types


def test_a_function_that_gives_half_precision_meets_a_warning():
    layer = layers.Dense(4, dtype="mixed_bfloat16")
    layer.build((None, 5))
    with pytest.warns(UserWarning, match="`fn` computes in bfloat16"):
        value(lambda z: layer(z))


@pytest.mark.parametrize("bad", [np.ones(2), ops.ones((2, 2)), 1.5, None, [0]], ids=str)
def test_what_is_neither_an_index_nor_a_layer_is_named(bad):
    with pytest.raises(ValueError, match="`argument` must be the index or the name"):
        HessianPenaltyLoss(sequential(), argument=bad)
    if bad is not None:
        with pytest.raises(ValueError, match="`outputs` must be layers of the model"):
            HessianPenaltyLoss(sequential(), [bad])
