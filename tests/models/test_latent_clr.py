"""The objective in NumPy, what is learnt, and generators and batches that do not fit."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from tiny_networks import conditional_generator, network, two_layer_generator
from tiny_training import fit, numbers

from keras_disentangle.latents import orthogonalize
from keras_disentangle.layers import LatentDirections
from keras_disentangle.losses import direction_contrast
from keras_disentangle.models import LatentCLR

# That backends agree is tested by the shared table.
pytestmark = pytest.mark.one_backend


@pytest.mark.filterwarnings("error::UserWarning")  # A frozen layer may be linear.
@pytest.mark.parametrize("outputs, depth", [(None, 2), ("first", 1), (["pixels"], 2)])
def test_objective_in_numpy(outputs, depth):
    directions = LatentDirections(4, 3, seed=2)
    model = LatentCLR(
        two_layer_generator(4, False), directions, outputs=outputs, path_size=0.7, seed=1
    )
    batch = model.prepare(np.zeros(6, "float32"))
    a, b, c, d = numbers(model.generator.weights)

    def activations(z):
        first = np.tanh(z @ a + b)
        return first if depth == 1 else 1 / (1 + np.exp(-(first @ c + d)))

    z, matrix = numbers([batch["z"], directions.matrix()])
    expected = np.stack([activations(z + 0.7 * q) - activations(z) for q in matrix], axis=1)
    changes = numbers([model.changes(batch)])[0]
    np.testing.assert_allclose(changes, expected, rtol=1e-3, atol=1e-6)
    loss = numbers([direction_contrast(expected)])[0]
    found = float(numbers([model.objective(batch, ())])[0])
    assert found == pytest.approx(loss.mean(), rel=1e-3)
    accuracy = float(model.trackers["contrastive_accuracy"].result())
    assert accuracy == pytest.approx((loss < 0).mean())


def test_classes_go_with_their_latents():
    model = LatentCLR(conditional_generator(6, 4), labels=(3, 1), num_classes=4, seed=1)
    batch = model.prepare(np.zeros(5, "float32"))
    changes = numbers([model.changes(batch)])[0]
    z, labels, matrix = (
        ops.convert_to_tensor(x) for x in (batch["z"], batch["labels"], model.directions.matrix())
    )
    for k in (0, 4):
        there, here = (numbers([model.generator([x, labels])])[0] for x in (z + 0.1 * matrix[k], z))
        np.testing.assert_allclose(
            changes[:, k], (there - here).reshape(5, -1), rtol=1e-3, atol=1e-6
        )


def test_it_learns_directions_with_effects_of_their_own():
    """Three features, each of a hidden direction of the latent space, which is turned."""
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    generator = network((3,), layers.Dense(3), layers.Reshape((1, 1, 3)))
    # With such weights only the true directions have effects that are orthogonal.
    generator.set_weights([turned * np.array([1.0, 3.0, 9.0]), np.zeros(3)])
    generator.trainable = False
    model = LatentCLR(generator, LatentDirections(3, seed=1), path_size=1.0, seed=1)
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(150, batch_size=4, epochs=1, verbose=0).history
    found = numbers([model.directions.matrix()])[0]
    shares = np.abs(found @ turned)
    assert shares.max(axis=0).min() > 0.95
    assert history["contrastive_accuracy"][-1] > 0.9
    z = np.ones((2, 3), "float32")
    moved = model.edit(z, 0, 0.0, orthogonal=True)
    np.testing.assert_allclose(
        numbers([moved])[0], numbers([orthogonalize(z, found[0])])[0], rtol=1e-5
    )


def test_by_default_it_is_trained_as_by_the_authors():
    model = LatentCLR(two_layer_generator(4, False))
    model.compile()
    (optimizer,) = model.optimizer.slots.values()
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    assert (model.path_size, model.temperature, model.absolute) == (0.1, 2.0, True)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda g: LatentCLR(g, LatentDirections(4, 1)),
            "`directions` must be at least two.* Received: 1",
        ),
        (lambda g: LatentCLR(g, path_size=0.0), "`path_size` must be a finite number > 0"),
        (lambda g: LatentCLR(g, temperature=-1), "`temperature` must be a finite number > 0"),
        (lambda g: LatentCLR(g, absolute=None), "`absolute` must be True or False"),
        (lambda g: LatentCLR(g, outputs="third"), "`outputs` must be layers of the model"),
        (lambda g: LatentCLR(two_layer_generator(4)), "`generator` must be frozen"),
        (lambda g: fit(LatentCLR(g), batch_size=1), "`batch_size` must be an integer >= 2"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make(two_layer_generator(4, False))
