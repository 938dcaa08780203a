"""The runs of other projects' trackers, to which `ExperimentTracker` sends numbers and pictures."""

import importlib.util

from keras_disentangle._extras import install
from keras_disentangle.callbacks._scalars import GROUPS
from keras_disentangle.datasets._pictures import decode

STEP = "step"  # the horizontal axis in Weights & Biases


class WandbRun:
    """The run that `wandb.init()` began."""

    title, needs = "Weights & Biases", "`wandb.init()`"

    def __init__(self):
        import wandb

        self._wandb, self._run, self.failures = wandb, wandb.run, wandb.Error
        if self._run is None:
            raise LookupError
        # An axis of its own: W&B's drops what comes at an earlier step, as in a resumed training.
        for group in (*GROUPS, "pictures", "animations"):
            self._run.define_metric(f"{group}/*", step_metric=STEP)

    def __call__(self, numbers, pictures, step):
        shown = {
            name: self._wandb.Video(path, format="gif")
            if path.endswith(".gif")
            else self._wandb.Image(path)
            for name, path in pictures.items()
        }
        self._run.log({STEP: step, **numbers, **shown})


class MlflowRun:
    """The run that `mlflow.start_run()` began."""

    title, needs = "MLflow", "`mlflow.start_run()`"

    def __init__(self):
        import mlflow

        run = mlflow.active_run()
        if run is None:
            raise LookupError
        # Only this thread knows which run is active, and Keras may hand on batches in another one.
        self._id, self._client = run.info.run_id, mlflow.MlflowClient()
        self._log_metrics, self.failures = mlflow.log_metrics, mlflow.MlflowException

    def __call__(self, numbers, pictures, step):
        if numbers:
            self._log_metrics(numbers, step=step, run_id=self._id)
        for name, path in pictures.items():
            if path.endswith(".gif"):
                self._client.log_artifact(self._id, path, name.rpartition("/")[0])
                continue
            with open(path, "rb") as file:
                image, _ = decode(file.read())
            # At once, since the file may be written over, or the run end.
            self._client.log_image(self._id, image, key=name, step=step, synchronous=True)


TRACKERS = {"wandb": WandbRun, "mlflow": MlflowRun}


def check_installed(tracker):
    """Raises an ImportError that names the extra if the package of a tracker is missing."""
    spec = importlib.util.find_spec(tracker)
    # A folder of that name, such as W&B makes for its runs, is found too, without an origin.
    if spec is None or spec.origin is None:
        raise ImportError(
            f"`ExperimentTracker` needs {TRACKERS[tracker].title}: {install(tracker)}"
        )
