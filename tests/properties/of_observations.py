"""Observations: made with drawn settings, and asked for likelihoods, means and draws."""

from hypothesis import strategies as st
from properties._cases import LAYOUTS, Case, arrays, maybe, optional_seeds

from keras_disentangle import observations

INPUTS = tuple(name for name in LAYOUTS if name != "list")
pictures = arrays((2, 4, 4, 1), low=0.1, high=0.9, layouts=INPUTS)
observing = {"x": pictures, "prediction": pictures, "seed": optional_seeds}


class Means(observations.Observation):
    """The least that an observation must have."""

    negative_log_likelihood = sample = None


def observed(make):
    def call(x, prediction, seed, **settings):
        made = make(**settings)
        assert repr(type(made)(**made.get_config())) == repr(made)
        likelihood = made.negative_log_likelihood(x, prediction)
        return likelihood, made.mean(prediction), made.sample(prediction, seed=seed)

    return call


PACKAGES = ("observations",)

TABLE = {
    "Bernoulli": Case(
        observed(observations.Bernoulli),
        observing,
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "Gaussian": Case(
        observed(observations.Gaussian),
        {
            "scale": maybe(st.sampled_from(("scalar", "channel", "full"))),
            "min_log_std": maybe(st.sampled_from((None, -4, -0.5))),
            **observing,
        },
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "Laplace": Case(
        observed(observations.Laplace),
        {
            "scale": maybe(st.sampled_from(("scalar", "channel", "full"))),
            "min_log_scale": maybe(st.sampled_from((None, -4, -0.5))),
            **observing,
        },
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "DiscretizedLogistic": Case(
        observed(observations.DiscretizedLogistic),
        {
            "num_levels": maybe(st.sampled_from((2, 256))),
            "scale": maybe(st.sampled_from(("scalar", "channel", "full"))),
            "min_log_scale": maybe(st.sampled_from((None, -7, -0.5))),
            **observing,
        },
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "Categorical": Case(
        observed(observations.Categorical),
        {"num_categories": st.none(), **observing},
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "Poisson": Case(
        observed(observations.Poisson),
        observing,
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "NegativeBinomial": Case(
        observed(observations.NegativeBinomial),
        {
            "dispersion": maybe(st.sampled_from(("scalar", "channel", "full"))),
            "min_log_dispersion": maybe(st.sampled_from((None, -4, -0.5))),
            **observing,
        },
        lambda a: ((2,), (2, 4, 4, 1), (2, 4, 4, 1)),
        nan=True,
    ),
    "Observation": Case(
        lambda prediction: Means().mean(prediction),
        {"prediction": pictures},
        lambda a: (2, 4, 4, 1),
        nan=True,
    ),
}
