"""A student VAE with more latents that keeps what a teacher with few has disentangled."""

import keras
from keras import ops

from keras_disentangle.models._networks import check_shape, network_shapes, serialize
from keras_disentangle.models._training_terms import checked_weight
from keras_disentangle.models.vae import VAE


@keras.saving.register_keras_serializable("keras_disentangle")
class TeacherStudentVAE(VAE):
    r"""Student VAE under Jacobian supervision by a frozen teacher.

    The first $d_T$ dimensions of the student's code are the teacher's; the others are nuisance
    dimensions. To the student's bound are added, with sums over dimensions and pixels,

    $$\lambda_z \|\mu_S(x)_{1:d_T} - \mu_T(x)\|^2 +
      \lambda_J \|[G_S(z) - G_S(z')] - [G_T(z_T) - G_T(z_T')]\|^2,$$

    where z' is z with the shared dimensions of another image of the batch (the next one): a
    finite difference that makes the student's Jacobian with respect to them the teacher's.

    Args:
        teacher: a trained `VAE`; it is frozen (`trainable` becomes False).
        encoder, decoder: the student's networks, as in `VAE`.
        code_weight: $\lambda_z$, >= 0.
        jacobian_weight: $\lambda_J$, >= 0: the ramp `jacobian_weight`.
        beta, observation, seed: as in `VAE`.

    Raises:
        ValueError: if the student has not more latents than the teacher, the images differ, or a
            weight is negative.

    Reference: Lezama, 2019 (Overcoming the disentanglement vs reconstruction trade-off via
    Jacobian supervision), with the bound of a VAE in place of the squared error.
    """

    def __init__(
        self,
        teacher,
        encoder,
        decoder,
        code_weight=1.0,
        jacobian_weight=1.0,
        beta=1.0,
        observation="bernoulli",
        seed=None,
        **kwargs,
    ):
        if not isinstance(teacher, VAE):
            raise ValueError(f"`teacher` must be a `VAE`. Received: teacher={teacher}")
        check_shape(
            "The input of `encoder`", teacher.image_shape, network_shapes("encoder", encoder)[0]
        )
        jacobian_weight = checked_weight("jacobian_weight", jacobian_weight)
        code_weight = checked_weight("code_weight", code_weight)
        super().__init__(encoder, decoder, beta=beta, observation=observation, seed=seed, **kwargs)
        if self.latent_dim <= teacher.latent_dim:
            raise ValueError(
                "The student must have more latents than the teacher. "
                f"Received: {self.latent_dim}, the teacher has {teacher.latent_dim}"
            )
        self.teacher = teacher
        teacher.trainable = False
        self.code_weight = code_weight
        self.jacobian_weight = jacobian_weight
        self.add_ramp("jacobian_weight", jacobian_weight)
        for name in ("code_error", "jacobian_error"):
            self.term_trackers[name] = keras.metrics.Mean(name=name)

    def penalties(self, x, outputs):
        size = self.teacher.latent_dim
        code, reconstruction = outputs["code"], outputs["reconstruction"]
        shared, nuisance = code[:, :size], code[:, size:]
        swapped = ops.concatenate([ops.roll(shared, -1, axis=0), nuisance], axis=-1)
        student = self.image(reconstruction) - self.image(self.generate([swapped]))

        teacher_mean = self.teacher.infer(x)[0][0]
        teacher_image = self.teacher.decode(teacher_mean)
        teacher = ops.stop_gradient(teacher_image - ops.roll(teacher_image, -1, axis=0))

        code_error = ops.square(outputs["mean"][:, :size] - ops.stop_gradient(teacher_mean))
        return {
            "code_error": (self.code_weight, ops.sum(code_error, axis=-1)),
            "jacobian_error": (
                self.ramps["jacobian_weight"](self.step),
                ops.sum(ops.square(student - teacher), axis=(1, 2, 3)),
            ),
        }

    def get_config(self):
        teacher = serialize(self.teacher)
        teacher.pop("compile_config", None)  # It is not trained any more.
        return {
            **super().get_config(),
            "teacher": teacher,
            "code_weight": self.code_weight,
            "jacobian_weight": self.jacobian_weight,
        }
