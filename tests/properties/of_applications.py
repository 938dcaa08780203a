"""Applications: refused, as a rule. Their networks are made in other tests: here it would take
most of the time, on JAX a minute for each.
"""

import tiny_networks
from hypothesis import strategies as st
from properties._cases import Case

from keras_disentangle import applications, losses

PACKAGES = ("applications",)


def constructed(make):
    """Says how large it is: no more is asked of it here."""
    return lambda **settings: make(**settings).count_params()


def features():
    classifier = tiny_networks.frozen_classifier((16, 16, 1))
    return losses.FeatureMatchingLoss(classifier, ["norm"])


SETTINGS = {
    "Autoencoder": {
        "method": st.sampled_from(("beta_vae", "qlae")),
        "image_shape": st.just((16, 16, 1)),
        "latent_dim": st.just(3),
        "strength": st.just(1.0),
        "networks": st.just("small"),
    },
    "BigGAN": {"image_size": st.just(128), "channels": st.just(4)},
    "BigGANDeep": {"image_size": st.just(128), "channels": st.just(4)},
    "DirectionDiscovery": {"preset": st.just("mnist"), "method": st.just("hessian_penalty")},
    "DiscriminativeVAE": {
        "feature_loss": st.builds(features),
        "image_shape": st.just((16, 16, 1)),
        "networks": st.just("small"),
        "pixel_scale": st.just("full"),
    },
    "InfoGAN": {"preset": st.just("mnist"), "information_weight": st.just({})},
    "ProVLAE": {
        "image_shape": st.just((32, 32, 1)),
        "rung_sizes": st.just((1, 1, 1)),
        "networks": st.just("small"),
    },
    "ProgressiveGAN": {"preset": st.just("small"), "hessian_penalty": st.just("auto")},
}

TABLE = {
    **{
        name: Case(constructed(getattr(applications, name)), settings, share=0.1, heavy=True)
        for name, settings in SETTINGS.items()
    },
    "available_weights": Case(lambda: len(applications.available_weights()), share=0.02),
}
