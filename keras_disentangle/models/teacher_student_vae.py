"""A student VAE with more latents, which keeps the disentangled latents of its teacher."""

import math

import keras
from keras import ops

from keras_disentangle._arguments import check_weight
from keras_disentangle.models._networks import check_shape, network_shapes, serialize
from keras_disentangle.models.vae import VAE


@keras.saving.register_keras_serializable("keras_disentangle")
class TeacherStudentVAE(VAE):
    r"""Student VAE under Jacobian supervision by a frozen teacher.

    The first $d_T$ dimensions of the student's code follow the teacher's code; the others are
    nuisance dimensions. With P the number of pixels times channels, the student's objective is its
    bound plus

    $$\lambda_z \frac{P}{d_T} \|\mu_S(x)_{1:d_T} - \mu_T(x)\|^2 +
      \lambda_J \|[G_S(z) - G_S(z')] - [G_T(z_{1:d_T}) - G_T(z'_{1:d_T})]\|^2,$$

    where z' is z with the shared dimensions of the next image in the batch: a finite difference
    that fits the student's Jacobian with respect to them to the teacher's.

    Departures from the publication: the bound of a VAE replaces the squared error; the student may
    have several dimensions more than its teacher; the term that decorrelates shared and nuisance
    dimensions (weight 1e-3) is omitted, and decorrelation is left to the KL.

    Args:
        teacher: a trained `VAE`; it is frozen (`trainable` becomes False).
        encoder, decoder: the student's networks, as in `VAE`.
        code_weight: $\lambda_z$, >= 0; 0.25 in the published code.
        jacobian_weight: $\lambda_J$, >= 0: the ramp `jacobian_weight`; 0.1 in the published code.
        beta, observation, seed: as in `VAE`.

    Raises:
        ValueError: if the teacher is not a `VAE`, the student does not have more latents, the
            shapes of their images differ, or a weight is negative.

    Example:

    >>> encoder = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(20)])
    >>> decoder = keras.Sequential(
    ...     [keras.Input((10,)), layers.Dense(784), layers.Reshape((28, 28, 1))]
    ... )
    >>> student = TeacherStudentVAE(model, encoder, decoder)
    >>> student.start_from_teacher()
    >>> student.compile("adam")

    Reference: Lezama, 2019 (Overcoming the disentanglement vs reconstruction trade-off via
    Jacobian supervision), section 3.
    """

    takes_labels = False

    def __init__(
        self,
        teacher,
        encoder,
        decoder,
        code_weight=0.25,
        jacobian_weight=0.1,
        beta=1.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        if not isinstance(teacher, VAE):
            raise ValueError(f"`teacher` must be a `VAE`. Received: teacher={teacher}")
        check_shape(
            "The input of `encoder`",
            teacher.image_shape,
            network_shapes("encoder", encoder, several=True)[0],
        )
        if teacher.labels is not None:
            raise ValueError(
                "`teacher` must not be conditional. "
                f"Received: a teacher made with labels={teacher.labels!r}"
            )
        jacobian_weight = check_weight("jacobian_weight", jacobian_weight)
        code_weight = check_weight("code_weight", code_weight)
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        if self.latent_dim <= teacher.latent_dim:
            raise ValueError(
                f"`encoder` must give more latents than `teacher` has, {teacher.latent_dim}. "
                f"Received: {self.latent_dim}"
            )
        self.teacher = teacher
        teacher.trainable = False
        self.code_weight = code_weight
        self.jacobian_weight = jacobian_weight
        self.add_ramp("jacobian_weight", jacobian_weight)
        self.add_terms("code_error", "jacobian_error")

    def start_from_teacher(self):
        """Copies the teacher's weights to the student wherever the networks agree.

        The networks must have the same layers. Of a layer that reads or outputs the code, only the
        part of the shared dimensions is copied; the nuisance dimensions keep their random weights.
        """
        pairs = [
            *zip(self.encoder.weights, self.teacher.encoder.weights, strict=True),
            *zip(self.decoder.weights, self.teacher.decoder.weights, strict=True),
        ]
        size, taught = self.latent_dim, self.teacher.latent_dim
        for mine, theirs in pairs:
            theirs, value = ops.convert_to_numpy(theirs), ops.convert_to_numpy(mine).copy()
            if value.shape == theirs.shape:
                value = theirs
            elif value.shape[-1] == 2 * size:  # means, then log variances
                value[..., :taught] = theirs[..., :taught]
                value[..., size : size + taught] = theirs[..., taught:]
            elif value.shape[0] == size:
                value[:taught] = theirs
            mine.assign(value)

    def further_terms(self, x, outputs, training):
        size = self.teacher.latent_dim
        code, reconstruction = outputs["code"], outputs["reconstruction"]
        shared, nuisance = code[:, :size], code[:, size:]
        swapped = ops.concatenate([self._of_next(shared), nuisance], axis=-1)
        student = self.image(reconstruction) - self.image(self.generate([swapped], training))

        teacher_image = self.teacher.decode(ops.stop_gradient(shared))
        teacher = ops.stop_gradient(teacher_image - self._of_next(teacher_image))
        teacher_mean = ops.stop_gradient(self.teacher.infer(x)[0][0])

        code_error = ops.sum(ops.square(outputs["mean"][:, :size] - teacher_mean), axis=-1)
        jacobian_error = ops.sum(ops.square(student - teacher), axis=(1, 2, 3))
        per_dimension = math.prod(self.image_shape) / size
        return {
            "code_error": (self.code_weight, ops.cast(per_dimension * code_error, "float32")),
            "jacobian_error": (self.ramps["jacobian_weight"](self.step), jacobian_error),
        }

    def _of_next(self, x):
        """What the next image of the global batch has, (batch, ...); the last one, of the first."""
        return self.on_global_batch(lambda x: ops.roll(x, -1, axis=0), x)()

    def get_config(self):
        teacher = serialize(self.teacher)
        teacher.pop("compile_config", None)  # It is no longer trained.
        return {
            **super().get_config(),
            "teacher": teacher,
            "code_weight": self.code_weight,
            "jacobian_weight": self.jacobian_weight,
        }
