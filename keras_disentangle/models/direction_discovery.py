"""Directions of a frozen generator that do not change what the others do."""

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

    so that moving along one direction does not change what moving along another does. Only the
    matrix $A$ of `directions` is trained, by Adam(0.01) unless `compile` says otherwise.

    Args:
        generator: network from latents (batch, d), and maybe a class, to images. It must be built
            and frozen (`generator.trainable = False`), is called with `training=False`, and stays
            as it is. The class may be an index, (batch,) or (batch, 1), or a one-hot vector; one
            that is no functional model takes the list [latents, indices], if it takes classes.
        directions: the `LatentDirections`; by default as many as the space has dimensions. Where
            `space` has codes that are not continuous, restrict it to a block of the others.
        space: the `LatentSpace` of the generator; by default normal of the input's width.
        labels: class or classes for which directions are learnt, drawn uniformly; all by default.
        num_classes: of the generator, where neither it nor its input tells.
        argument: which input of the generator the latents are: its index or its name.
        path_size: s, how far the steps go at most, in units of the latent space.
        hessian_penalty: dict of keywords of `kd.penalties.HessianPenalty`, with its defaults but
            for the reduction, which is `"mean"`. By default it is `{}` unless `penalties` are
            given.
        image_range: as in `kd.models.GAN`.
        seed: integer seed of all that is drawn, and of the default directions, or `None`.
        penalties: list of `kd.penalties.GeneratorPenalty` objects to minimise, each of which looks
            along directions that are drawn (`num_directions`).

    Raises:
        ValueError: if the generator is not built and frozen, or its inputs do not fit space,
            directions or labels; a class is out of range; another argument is.

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
        # The whole objective: without a ramp.
        alone = {"weight": None, "reduction": "mean"}
        self.add_penalties(as_penalties(hessian_penalty, "outputs", **alone), given=False)
        for penalty in self.penalties:
            if not penalty.num_directions:
                raise ValueError(
                    "`penalties` must look along directions that are drawn (`num_directions`): "
                    f"those that are learnt. Received: {penalty!r}"
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
        # With labels, a generator without a graph takes a list of the two.
        inputs, loss = self.inputs(z, batch["labels"]), ops.zeros(())
        for penalty, along in zip(self.penalties, batch["along"], strict=True):
            # A change of all w at once, as it moves z.
            moves = ops.matmul(along, matrix)
            evaluate = partial(self.generator_penalty, penalty, inputs, moves, training=False)
            loss = self.penalised(loss, penalty, evaluate)
        return loss

    def get_config(self):
        return {**super().get_config(), "hessian_penalty": self.hessian_penalty}
