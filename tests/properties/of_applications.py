"""Applications: without weights, and in the smallest settings they have."""

import tiny_models
from hypothesis import strategies as st
from properties._cases import Case, maybe, optional_seeds

from keras_disentangle import applications, losses

PACKAGES = ("applications",)
names = maybe(st.just("model"))


def constructed(make):
    """Says how large it is: no more is asked of it here."""
    return lambda **settings: make(**settings).count_params()


def features():
    classifier = tiny_models.frozen_classifier((16, 16, 1))
    return losses.FeatureMatchingLoss(classifier, ["norm"])


# Hardly one of the calls builds the whole of it, for that takes a second.
TABLE = {
    "BigGAN": Case(
        constructed(applications.BigGAN),
        {"image_size": st.just(128), "channels": st.just(4)},
        share=0.1,
        heavy=True,
    ),
    "BigGANDeep": Case(
        constructed(applications.BigGANDeep),
        {"image_size": st.just(128), "channels": st.just(4)},
        share=0.1,
        heavy=True,
    ),
    "DirectionDiscovery": Case(
        constructed(applications.DirectionDiscovery),
        {
            "weights": st.none(),
            "preset": st.just("mnist"),
            "generator_weights": st.none(),
            "method": maybe(st.just("hessian_penalty")),
            "seed": maybe(optional_seeds),
        },
        share=0.02,
    ),
    "DiscriminativeVAE": Case(
        constructed(applications.DiscriminativeVAE),
        {
            "weights": st.none(),
            "feature_loss": st.builds(features),
            "image_shape": st.just((16, 16, 1)),
            "latent_dim": st.just(2),
            "beta": maybe(st.sampled_from((0.5, 1))),
            "seed": maybe(optional_seeds),
        },
        share=0.02,
    ),
    "InfoGAN": Case(
        constructed(applications.InfoGAN),
        {
            "weights": maybe(st.none()),
            "preset": st.just("mnist"),
            "information_weight": maybe(st.sampled_from((0.5, 1))),
            "feedback": maybe(st.booleans()),
            "seed": maybe(optional_seeds),
        },
        share=0.02,
    ),
    "ProVLAE": Case(
        constructed(applications.ProVLAE),
        {
            "weights": maybe(st.none()),
            "image_shape": st.just((32, 32, 1)),
            "rung_sizes": maybe(st.sampled_from(((1, 1, 1), [2, 1, 1]))),
            "beta": maybe(st.sampled_from((0.5, 1))),
            "gamma": maybe(st.sampled_from((0, 0.5))),
            "seed": maybe(optional_seeds),
        },
        share=0.02,
    ),
    "ProgressiveGAN": Case(
        constructed(applications.ProgressiveGAN),
        {
            "weights": maybe(st.none()),
            "preset": st.just("small"),
            "latent_dim": maybe(st.just(4)),
            "seed": maybe(optional_seeds),
        },
        share=0.02,
    ),
    "available_weights": Case(lambda: len(applications.available_weights()), share=0.02),
}
