"""Directions in a frozen generator's latent space with independent effects."""

from functools import partial

import keras
from keras import ops

from keras_disentangle.losses._layer_activations import LayerActivations
from keras_disentangle.models._hessian_shorthand import as_penalties
from keras_disentangle.models.frozen_generator_model import FrozenGeneratorModel
from keras_disentangle.penalties import GeneratorPenalty
from keras_disentangle.trainers import Phase


@keras.saving.register_keras_serializable("keras_disentangle")
class DirectionDiscovery(FrozenGeneratorModel):
    r"""Learns orthonormal directions $Q$ of a frozen generator by the Hessian Penalty.

    It minimises the penalty of $G(z + w Q)$ with respect to $w$, at steps $w = \eta e_i$ along a
    direction drawn at random, $\eta \sim U[-s, s]$:

    $$\min_A \mathbb{E}_{z, i, \eta} \operatorname{Var}_v (v^T H_w v), \quad Q = \mathrm{GS}(A)$$

    so that a move along one direction does not change the effect of a move along another. Only the
    matrix $A$ of `directions` is trained, by Adam(0.01) unless `compile` is given another
    optimizer.

    Args:
        generator: network from latents (batch, d), and optionally a class, to images. It must be
            built and frozen (`generator.trainable = False`), is called with `training=False`, and
            does not change. The class may be an index, (batch,) or (batch, 1), or a one-hot vector;
            a class-conditional generator that is not a functional model is called with the list
            [latents, indices].
        directions: the `LatentDirections`; by default as many as the space has dimensions. If
            `space` has codes that are not continuous, restrict them to a block of the others.
        space: the `LatentSpace` of the generator; by default normal, as wide as its input.
        labels: class or classes for which directions are learnt, drawn uniformly; all by default.
        num_classes: number of classes, if it follows neither from the generator nor from its input.
        argument: index or name of the generator's input for the latents.
        path_size: s, the largest step, in units of the latent space.
        hessian_penalty: dict of keywords of `kd.penalties.HessianPenalty`, with its defaults except
            for the reduction, which is `"mean"`. By default it is `{}` unless `penalties` are
            given.
        image_range: as in `kd.models.GAN`.
        seed: integer seed of all random draws, and of the default directions, or `None`.
        penalties: list of `kd.penalties.GeneratorPenalty` objects to minimise, each of which must
            use random directions (`num_directions`).

    Raises:
        ValueError: if the generator is not built and frozen, its inputs do not fit space,
            directions or labels, or a class or another argument is out of range.

    Example:

    >>> generator.trainable = False
    >>> model = DirectionDiscovery(generator, seed=0)
    >>> model.compile()
    >>> model.fit(steps=1000, epochs=50, batch_size=32)
    >>> z = model.space.sample(6, seed=1)
    >>> images = model.decode(model.edit(z, direction=3, amount=5.0))

    Reference: Peebles et al., 2020 (The Hessian Penalty), section 4.4 and appendix A.2.
    """

    learning_rate = 0.01
    penalty_kinds = (GeneratorPenalty,)

    def __init__(
        self,
        generator,
        directions=None,
        space=None,
        labels=None,
        num_classes=None,
        argument=0,
        path_size=5.0,
        hessian_penalty=None,
        image_range="auto",
        seed=None,
        penalties=(),
        **kwargs,
    ):
        super().__init__(
            generator,
            directions,
            space,
            labels,
            num_classes,
            argument,
            path_size,
            image_range,
            seed,
            **kwargs,
        )
        self.hessian_penalty = hessian_penalty
        self.add_penalties(penalties)
        if hessian_penalty is None and not self.penalties:
            hessian_penalty = {}
        # It is the whole objective, so its weight needs no ramp.
        alone = {"weight": None, "reduction": "mean"}
        self.add_penalties(as_penalties(hessian_penalty, "outputs", **alone), given=False)
        for penalty in self.penalties:
            if not penalty.num_directions:
                raise ValueError(
                    "`penalties` must use random directions (`num_directions`), which are "
                    f"combinations of the learnt ones. Received: {penalty!r}"
                )

    def activations(self, outputs):
        return LayerActivations(self.generator, outputs, argument=self._index)

    def phases(self):
        return [Phase("directions", (self.directions,), self.objective)]

    def prepare(self, x):
        n, seed = ops.shape(x)[0], self.seed_generator
        width = self.directions.num_directions
        return {**super().prepare(x), "along": self.draw_directions(n, width, seed)}

    def objective(self, batch, shared):
        matrix = self.directions.matrix()
        z = batch["z"] + ops.matmul(self.steps_along(batch), matrix)
        # With labels, a generator without a graph takes the list [latents, labels].
        inputs, loss = self.inputs(z, batch["labels"]), ops.zeros(())
        for penalty, along in zip(self.penalties, batch["along"], strict=True):
            # The change of z for a joint change of all w.
            moves = ops.matmul(along, matrix)
            evaluate = partial(self.generator_penalty, penalty, inputs, moves, training=False)
            loss = self.penalised(loss, penalty, evaluate)
        return loss

    def get_config(self):
        return {**super().get_config(), "hessian_penalty": self.hessian_penalty}
