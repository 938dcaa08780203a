"""Models of tiny networks: made with drawn settings, and asked for all that they give."""

import functools

import model_table
import numpy as np
import tiny_networks
from hypothesis import strategies as st
from properties._cases import LAYOUTS, Case, arrays, maybe, optional_seeds

from keras_disentangle import latents, layers, losses, models, observations
from keras_disentangle.applications.progressive_gan.networks import q_network

SHAPE = tiny_networks.IMAGE_SHAPE
INPUTS = tuple(name for name in LAYOUTS if name != "list")  # Lists of numbers are refused.
images = arrays((2, *SHAPE), low=0, high=1, layouts=INPUTS)
batches = arrays((4, *SHAPE), low=0, high=1, layouts=("array", "float64", "read-only", "fortran"))
codes = arrays((2, 3), (1, 3), layouts=INPUTS)
counts = st.integers(1, 3)
weights = maybe(st.sampled_from((0, 0.5, np.float32(2))))
names = maybe(st.just("model"))
ranges = maybe(st.sampled_from(("auto", (-1, 1), [0.0, 1.0], None)))
objectives = maybe(st.sampled_from(("non_saturating", "hinge", "wasserstein", "saturating")))


@functools.cache
def parts(name):
    """Networks, made once: that a model is made of them changes none of them."""
    if name == "vae":
        return tiny_networks.flat_networks(3)
    if name == "quantized":
        decoder = tiny_networks.flat_networks(3)["decoder"]
        return {"encoder": tiny_networks.dense(SHAPE, 3, None), "decoder": decoder}
    if name == "ladder":
        return tiny_networks.conv_ladder()
    if name == "gan":
        return tiny_networks.player_networks(3)
    if name == "info_gan":
        space = tiny_networks.make_space()
        return tiny_networks.player_networks(space.dim, features=True)
    if name == "progressive":
        return tiny_networks.progressive_networks()
    if name == "progressive_info_gan":
        networks = tiny_networks.progressive_networks(5)
        space = SPACES[name]
        networks["q_head"] = q_network(networks["discriminator"], space.num_params)
        return networks
    if name == "contrast":
        return {"contrastive_discriminator": tiny_networks.dense((8, 8, 2), 4, None)}
    if name == "codes":
        return {"discriminator": tiny_networks.dense((3,), 2, None)}
    if name == "teacher":
        return {"teacher": model_table.trained_teacher()}
    if name == "frozen":
        return {"generator": tiny_networks.two_layer_generator(4, False)}
    return {"reconstructor": tiny_networks.reconstructor(4)}


SPACES = {
    "progressive_info_gan": latents.LatentSpace(
        [latents.Normal(2, informative=True, posterior_std=1.0), latents.Normal(3)]
    )
}


@functools.cache
def shared(name):
    """A model of the common tests, to call methods of."""
    return model_table.MODELS[name].build()


def given(name, *wanted):
    """Strategies for the networks of a model."""
    wanted = wanted or {
        "vae": ("encoder", "decoder"),
        "quantized": ("encoder", "decoder"),
        "ladder": ("encoder_blocks", "posteriors", "latent_maps", "decoder_blocks"),
    }.get(name, ("generator", "discriminator"))
    return {key: st.builds(lambda key=key: parts(name)[key]) for key in wanted}


def features():
    return losses.FeatureMatchingLoss(tiny_networks.frozen_classifier(), ["norm"])


def sampled(make):
    def call(**settings):
        return make(**settings).sample(2, seed=0)

    return call


def method(name, attribute, **defaults):
    def call(**arguments):
        return getattr(shared(name), attribute)(**{**defaults, **arguments})

    return call


def trained(make, **networks):
    """Compiles and trains for an epoch, not compiled; the logs."""

    def call(optimizer, x, batch_size, epochs, **settings):
        model = make(**{key: parts(name)[key] for key, name in networks.items()}, seed=0)
        optimizers = {f"{slot}_optimizer": optimizer for slot in SLOTS.get(make, ())}
        model.compile(**(optimizers or {"optimizer": optimizer}), run_eagerly=True)
        history = model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0, **settings)
        return history.history

    return call


SLOTS = {models.GAN: ("generator", "discriminator")}
training = {
    "x": batches,
    "batch_size": st.sampled_from((2, 4)),
    "epochs": st.just(1),
    "optimizer": st.sampled_from(("sgd", "adam")),
    "steps_per_epoch": maybe(st.just(1)),
    "shuffle": maybe(st.booleans()),
}


def stage(number, fade_steps, n, seed):
    model = shared("progressive_gan")
    model.set_stage(number, fade_steps)
    return model.sample(n, seed=seed)


vae = {
    "beta": weights,
    "observation": maybe(
        st.sampled_from(
            ("bernoulli", "gaussian", observations.Bernoulli(), observations.Gaussian("full"))
        )
    ),
    "seed": maybe(optional_seeds),
    "name": names,
}
gan = {
    "objective": objectives,
    "gradient_penalty": maybe(st.sampled_from((None, "r1", "wgan_gp"))),
    "penalty_weight": weights,
    "image_range": ranges,
    "seed": maybe(optional_seeds),
    "name": names,
}
two = lambda a: (2, *SHAPE)  # noqa: E731
sampling = {"n": counts, "seed": optional_seeds}


def n_images(a):
    return (a["n"], *SHAPE)


PACKAGES = ("models",)

TABLE = {
    "VAE": Case(sampled(models.VAE), {**given("vae"), **vae}, two, share=0.3, nan=True),
    "LadderVAE": Case(
        sampled(models.LadderVAE), {**given("ladder"), **vae}, two, share=0.1, nan=True
    ),
    "ProgressiveLadderVAE": Case(
        sampled(models.ProgressiveLadderVAE),
        {**given("ladder"), **vae, "gamma": weights},
        two,
        share=0.1,
        nan=True,
    ),
    "TeacherStudentVAE": Case(
        sampled(models.TeacherStudentVAE),
        {
            **given("teacher", "teacher"),
            "encoder": st.builds(lambda: student()["encoder"]),
            "decoder": st.builds(lambda: student()["decoder"]),
            **vae,
            "code_weight": weights,
            "jacobian_weight": weights,
        },
        two,
        share=0.1,
        nan=True,
    ),
    "FactorVAE": Case(
        sampled(models.FactorVAE),
        {
            **given("vae"),
            **given("codes", "discriminator"),
            **vae,
            "gamma": weights,
        },
        two,
        share=0.1,
        nan=True,
    ),
    "BetaTCVAE": Case(
        sampled(models.BetaTCVAE),
        {
            **given("vae"),
            **vae,
            "dataset_size": maybe(st.sampled_from((None, 50))),
            "estimator": maybe(st.sampled_from(("weighted", "stratified"))),
        },
        two,
        share=0.1,
        nan=True,
    ),
    "DIPVAE": Case(
        sampled(models.DIPVAE),
        {
            **given("vae"),
            **vae,
            "weight": weights,
            "kind": maybe(st.sampled_from(("i", "ii"))),
            "diagonal_weight": maybe(st.sampled_from((None, 2.0))),
        },
        two,
        share=0.1,
        nan=True,
    ),
    "AnnealedVAE": Case(
        sampled(models.AnnealedVAE),
        {
            **given("vae"),
            **{key: value for key, value in vae.items() if key != "beta"},
            "gamma": weights,
            "capacity": weights,
        },
        two,
        share=0.1,
        nan=True,
    ),
    "AdaGVAE": Case(
        sampled(models.AdaGVAE),
        {**given("vae"), **vae, "symmetric": maybe(st.booleans())},
        two,
        share=0.1,
        nan=True,
    ),
    "AdaMLVAE": Case(sampled(models.AdaMLVAE), {**given("vae"), **vae}, two, share=0.1, nan=True),
    "SlowVAE": Case(
        sampled(models.SlowVAE),
        {
            **given("vae"),
            **vae,
            "gamma": weights,
            "rate": maybe(st.sampled_from((0.5, 6))),
        },
        two,
        share=0.1,
        nan=True,
    ),
    "DiscriminativeVAE": Case(
        sampled(models.DiscriminativeVAE),
        {
            **given("vae"),
            "feature_loss": st.builds(features),
            **vae,
            "encoder_gradient": maybe(st.booleans()),
            "pixel_scale": maybe(st.sampled_from(("full", "channel", "scalar"))),
            "min_log_std": maybe(st.sampled_from((None, -4.0))),
        },
        two,
        share=0.1,
        nan=True,
    ),
    "QuantizedAutoencoder": Case(
        sampled(models.QuantizedAutoencoder),
        {
            **given("quantized"),
            "quantizer": st.builds(
                lambda levels: layers.FiniteScalarQuantization(levels), st.integers(2, 5)
            ),
            "observation": vae["observation"],
            "seed": vae["seed"],
            "name": names,
        },
        two,
        share=0.1,
        nan=True,
    ),
    "QLAE": Case(
        sampled(models.QLAE),
        {
            **given("quantized"),
            "num_values": maybe(st.integers(2, 5)),
            "quantization_weight": weights,
            "commitment_weight": weights,
            "observation": vae["observation"],
            "seed": vae["seed"],
            "name": names,
        },
        two,
        share=0.2,
        nan=True,
    ),
    "Tripod": Case(
        sampled(models.Tripod),
        {
            **given("quantized"),
            "num_levels": maybe(st.integers(2, 5)),
            "outputs": maybe(st.none()),
            "multi_information_weight": weights,
            "hessian_weight": weights,
            "num_directions": maybe(st.integers(2, 3)),
            "epsilon": maybe(st.sampled_from((0.1, 1))),
            "observation": vae["observation"],
            "seed": vae["seed"],
            "name": names,
        },
        two,
        share=0.1,
        nan=True,
    ),
    "QLAE.encode": Case(method("qlae", "encode"), {"x": images}, lambda a: (2, 3), nan=True),
    "QLAE.encode_indices": Case(
        method("qlae", "encode_indices"), {"x": images}, lambda a: (2, 3), nan=True
    ),
    # Its parts are for those who write a model of their own.
    "VariationalModel": Case(
        lambda **settings: models.VariationalModel(**settings).latent_dim,
        {
            "rung_sizes": st.sampled_from(((2,), [1, 2])),
            "rung_names": maybe(st.none()),
            "image_shape": st.sampled_from(((4, 4, 1), [2, 2, 3])),
            "beta": st.sampled_from((0, 1.0)),
            "observation": st.sampled_from(("bernoulli", "gaussian")),
            "pixel_scale": maybe(st.sampled_from(("full", "channel", "scalar"))),
            "min_log_std": maybe(st.sampled_from((None, -4.0))),
            "seed": maybe(optional_seeds),
        },
        share=0.2,
    ),
    "VAE.encode": Case(
        method("vae_bernoulli", "encode"), {"x": images}, lambda a: ((2, 3), (2, 3)), nan=True
    ),
    "VAE.decode": Case(
        method("vae_bernoulli", "decode"),
        {"z": codes},
        lambda a: (np.shape(a["z"])[0], *SHAPE),
        nan=True,
    ),
    "VAE.sample": Case(method("vae_bernoulli", "sample"), sampling, n_images),
    "VAE.reconstruct": Case(method("vae_bernoulli", "reconstruct"), {"x": images}, two, nan=True),
    "VAE.log_likelihood": Case(
        method("vae_gaussian", "log_likelihood"),
        {"x": images, "z": arrays((2, 3), layouts=INPUTS)},
        lambda a: (2,),
        nan=True,
    ),
    "VAE.interpolate": Case(
        method("vae_bernoulli", "interpolate"),
        {"a": images, "b": images, "steps": st.integers(2, 4)},
        lambda a: (2, a["steps"], *SHAPE),
        nan=True,
    ),
    "VAE.predict": Case(
        method("vae_bernoulli", "predict", verbose=0),
        {"x": batches, "batch_size": maybe(st.sampled_from((None, 2, 4)))},
        share=0.1,
        nan=True,
    ),
    "VAE.reestimate_batch_normalization": Case(
        method("discriminative_vae", "reestimate_batch_normalization"),
        {"num_batches": counts, "batch_size": st.integers(2, 4), "seed": optional_seeds},
        share=0.1,
    ),
    "VAE.fit": Case(
        trained(models.VAE, encoder="vae", decoder="vae"), training, share=0.1, nan=True
    ),
    "GAN": Case(
        sampled(models.GAN),
        {
            **given("gan"),
            "space": maybe(st.sampled_from((None, latents.LatentSpace([latents.Normal(3)])))),
            **gan,
            "discriminator_steps": maybe(counts),
            "ema_decay": maybe(st.sampled_from((None, 0.5))),
            "hessian_penalty": maybe(st.none()),
        },
        two,
        share=0.3,
        nan=True,
    ),
    "GAN.decode": Case(
        method("gan_r1", "decode"),
        {"z": codes},
        lambda a: (np.shape(a["z"])[0], *SHAPE),
        nan=True,
    ),
    "GAN.sample": Case(method("gan_tanh", "sample"), sampling, n_images),
    "GAN.fit": Case(
        trained(models.GAN, generator="gan", discriminator="gan"), training, share=0.1, nan=True
    ),
    "GAN.sample of classes": Case(
        method("conditional_gan", "sample"),
        {**sampling, "labels": st.sampled_from((None, 0, [3], np.array(2)))},
        n_images,
    ),
    "VAE.encode of classes": Case(
        method("conditional_vae", "encode"),
        {"x": images, "labels": st.sampled_from((1, [0, 3], np.eye(4)[:2]))},
        lambda a: ((2, 3), (2, 3)),
        nan=True,
    ),
    "InfoGAN": Case(
        sampled(models.InfoGAN),
        {
            **given("info_gan"),
            "q_head": st.builds(
                lambda: layers.QHead(
                    tiny_networks.make_space(), hidden=4, batch_normalization=False
                )
            ),
            "space": st.builds(tiny_networks.make_space),
            "information_weight": weights,
            "q_trained_with": maybe(st.sampled_from(("discriminator", "generator"))),
            "feedback": maybe(st.booleans()),
            "q_augmentation": maybe(st.sampled_from((None, layers.RandomAffine()))),
            **gan,
        },
        two,
        share=0.2,
        nan=True,
    ),
    "InfoGANCR": Case(
        sampled(models.InfoGANCR),
        {
            **given("info_gan"),
            **given("contrast", "contrastive_discriminator"),
            "q_head": st.builds(
                lambda: layers.QHead(
                    tiny_networks.make_space(), hidden=4, batch_normalization=False
                )
            ),
            "space": st.builds(tiny_networks.make_space),
            "contrastive_weight": weights,
            "gap": maybe(st.sampled_from((0, 0.5, 2))),
            "seed": maybe(optional_seeds),
        },
        two,
        share=0.1,
        nan=True,
    ),
    "InfoGAN.encode": Case(
        lambda x: list(shared("info_gan").encode(x).values()), {"x": images}, nan=True
    ),
    "InfoGAN.classify": Case(
        method("info_gan", "classify"),
        {"x": images, "code": maybe(st.none())},
        lambda a: (2,),
        nan=True,
    ),
    "InfoGAN.predict_codes": Case(
        lambda x: list(shared("info_gan").predict_codes(x).values()), {"x": images}, nan=True
    ),
    "ProgressiveGAN": Case(
        sampled(models.ProgressiveGAN),
        {
            **given("progressive"),
            **gan,
            "drift_weight": weights,
            "ema_half_life": maybe(st.sampled_from((None, 20))),
        },
        two,
        share=0.05,
        nan=True,
    ),
    "ProgressiveGAN.set_stage": Case(
        stage,
        {
            "number": st.integers(0, 1),
            "fade_steps": st.sampled_from((0, 5)),
            **sampling,
        },
        share=0.2,
    ),
    "ProgressiveInfoGAN": Case(
        sampled(models.ProgressiveInfoGAN),
        {
            **given("progressive_info_gan", "generator", "discriminator", "q_head"),
            "space": st.just(SPACES["progressive_info_gan"]),
            "information_weight": weights,
            "seed": maybe(optional_seeds),
        },
        two,
        share=0.05,
        nan=True,
    ),
    "DirectionDiscovery": Case(
        sampled(models.DirectionDiscovery),
        {
            **given("frozen", "generator"),
            "directions": maybe(st.none()),
            "space": maybe(st.none()),
            "labels": maybe(st.none()),
            "num_classes": maybe(st.none()),
            "argument": maybe(st.just(0)),
            "path_size": maybe(st.sampled_from((1, 5.0))),
            "image_range": ranges,
            "seed": maybe(optional_seeds),
        },
        two,
        share=0.2,
        nan=True,
    ),
    "DirectionDiscovery.edit": Case(
        method("direction_discovery", "edit"),
        {
            "z": arrays((2, 4), layouts=INPUTS),
            "direction": st.integers(0, 3),
            "amount": st.sampled_from((0.5, -1)),
            "orthogonal": st.booleans(),
        },
        lambda a: (2, 4),
        nan=True,
    ),
    "DirectionDiscovery.decode": Case(
        method("direction_discovery_classes", "decode"),
        {
            "z": arrays((2, 6), layouts=INPUTS),
            "labels": st.sampled_from(([0, 3], np.array([1, 2]))),
        },
        two,
        nan=True,
    ),
    "LatentCLR": Case(
        sampled(models.LatentCLR),
        {
            **given("frozen", "generator"),
            "outputs": maybe(st.sampled_from((None, "first", ["last"]))),
            "path_size": maybe(st.sampled_from((1, 0.1))),
            "temperature": maybe(st.sampled_from((0.5, 2))),
            "absolute": maybe(st.booleans()),
            "image_range": ranges,
            "seed": maybe(optional_seeds),
        },
        two,
        share=0.2,
        nan=True,
    ),
    "ShiftPrediction": Case(
        sampled(models.ShiftPrediction),
        {
            **given("frozen", "generator"),
            **given("reconstructor", "reconstructor"),
            "path_size": maybe(st.sampled_from((1, 5.0))),
            "min_step": maybe(st.sampled_from((0.1, 0.5))),
            "step_weight": weights,
            "image_range": ranges,
            "seed": maybe(optional_seeds),
        },
        two,
        share=0.2,
        nan=True,
    ),
}


@functools.cache
def student():
    return tiny_networks.flat_networks(4)
