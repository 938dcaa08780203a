"""All tables together, and the public names that they must cover."""

from properties import (
    of_applications,
    of_callbacks,
    of_datasets,
    of_explorer,
    of_layers,
    of_losses,
    of_metrics,
    of_models,
    of_observations,
    of_penalties,
    of_small_packages,
    of_visualization,
)

import keras_disentangle as kd

TABLES = (
    of_applications,
    of_callbacks,
    of_datasets,
    of_explorer,
    of_layers,
    of_losses,
    of_metrics,
    of_models,
    of_observations,
    of_penalties,
    of_small_packages,
    of_visualization,
)
PACKAGES = (
    "callbacks",
    "datasets",
    "explorer",
    "latents",
    "layers",
    "losses",
    "metrics",
    "models",
    "observations",
    "penalties",
    "schedules",
    "trainers",
    "visualization",
    "applications",
)


def cases():
    """Every case under the path of what it calls, such as "metrics.mig"."""
    found = {}
    for table in TABLES:
        for name, case in table.TABLE.items():
            public = name.split(".")[0]
            homes = [p for p in table.PACKAGES if public in home(p).__all__]
            if len(homes) != 1:
                raise ValueError(f"{name} of {table.__name__} is in the packages {homes}")
            found[f"{homes[0]}.{name}".removeprefix("keras_disentangle.")] = case
    return found


def home(package):
    return kd if package == "keras_disentangle" else getattr(kd, package)


def public_names():
    """Everything that the packages' `__all__` name, without the packages themselves."""
    names = {f"{p}.{name}" for p in PACKAGES for name in home(p).__all__}
    return names | {name for name in kd.__all__ if name not in PACKAGES}
