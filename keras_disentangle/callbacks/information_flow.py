"""Records how information moves between the rungs as a progressive model grows."""

import io
import json
import os
import warnings

import numpy as np
from keras import ops

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._files import open_npz, write_whole
from keras_disentangle._tensors import to_numpy
from keras_disentangle.callbacks._pictures import check_log_dir
from keras_disentangle.callbacks._watching import WatchingCallback
from keras_disentangle.evaluation import encode_images
from keras_disentangle.metrics import latent_information
from keras_disentangle.schedules import read
from keras_disentangle.visualization import EventWriter, image_grid, information_flow, save_png
from keras_disentangle.visualization._rungs import sample_rungs, split_rungs


class InformationFlow(WatchingCallback):
    """Measures I(x; z_l) at the end of each stage and draws Figure 5 of pro-VLAE.

    A stage ends where the next rung's ramp begins (noticed at the end of the epoch that reaches it)
    and where training ends. The picture, one column for each stage with the rungs' samples beside
    their bars, goes to `log_dir/pictures/information_flow.png` and to TensorBoard. A resumed run
    reads the earlier stages from the file beside the picture, `information_flow.npz`: use one
    folder for each run.

    Args:
        log_dir: folder of the logs.
        images: uint8 images (n, h, w, c) to measure on. I(x; z) cannot exceed log(n).
        num_samples: number of latents drawn by the estimator.
        seed: seed of the draws.

    Attributes:
        stages: list of dicts with `step`, `stage`, `total` and `rungs` (nats, the most abstract
            first), for each stage that has ended, and for the one in which training ended.

    Raises:
        ValueError: if `images` is empty or not uint8 images, `log_dir` is a file, or a number is
            out of range; when training begins, if the model lacks rungs or ramps, gives no
            posteriors, or does not take `images`.

    Example:

    >>> data = kd.datasets.DSprites(image_size=32)
    >>> images = data.images(range(64))
    >>> model = kd.applications.ProVLAE(image_shape=data.image_shape)
    >>> model.compile("adam")
    >>> fade_in = kd.callbacks.ProgressiveFadeIn(epochs_per_stage=1, fade_steps=2)
    >>> flow = InformationFlow("logs", images)
    >>> model.fit(images / 255.0, epochs=3, callbacks=[fade_in, flow])

    Reference: Li et al., 2020, Figure 5 and Tables 3-8.
    """

    def __init__(self, log_dir, images, num_samples=10_000, seed=0):
        super().__init__()
        images = to_numpy("images", images)
        if images.ndim != 4 or not len(images) or images.dtype != np.uint8:
            raise ValueError(
                "`images` must be uint8 images (n, h, w, c), n > 0. "
                f"Received: images.shape={images.shape}, images.dtype={images.dtype}"
            )
        self.log_dir = check_log_dir(log_dir)
        self.images = images
        self.num_samples = check_int("num_samples", num_samples)
        self.seed = check_seed("seed", seed, optional=False)
        self.stages = []
        self._samples = []

    def on_train_begin(self, logs=None):
        self._check_model(["encode", "decode", "rung_sizes", "ramps", "step"])
        super().on_train_begin(logs)
        self._step = None

    def _try(self):
        mean, log_var = encode_images(self.model, lambda i: self.images[i], 1, verbose=0)
        sizes = tuple(self.model.rung_sizes)
        if log_var is None or mean.shape[1] != sum(sizes):
            raise ValueError(
                f"`InformationFlow` needs a model that encodes images as (mean, log_var), each of "
                f"{sum(sizes)} dimensions, the sum of its `rung_sizes`. Received: {self.model!r}, "
                f"which gives a mean of {mean.shape[1]}, {'no' if log_var is None else 'a'} log_var"
            )
        image_grid(self._rung_samples(np.nan_to_num(mean[0]))[0], 1)

    def on_epoch_begin(self, epoch, logs=None):
        # Not when training begins: a callback that restores a run may come after this one.
        if self._step is None:
            self._begin(read(self.model.step))

    def on_epoch_end(self, epoch, logs=None):
        step = read(self.model.step)
        if any(self._step < start <= step for start in self._starts()):
            self._measure(step)
        self._step = step

    def on_train_end(self, logs=None):
        step = read(self.model.step)
        if self._step is None:  # No epoch was left to train.
            self._begin(step)
        if not self.stages or self.stages[-1]["step"] != step:
            self._measure(step)
        if not (self.stages and self._writes):
            return
        picture = information_flow(self.stages, images=self._samples)
        with self._writing():
            save_png(self._path("information_flow.png"), picture)
            writer = EventWriter(self._path())
            writer.image("pictures/information_flow", picture, step)
            writer.close()

    def _path(self, *name):
        return os.path.join(self.log_dir, "pictures", *name)

    def _begin(self, step):
        """Reads the stages that ended by this step, if the run is resumed."""
        self._step, self.stages, self._samples = step, [], []
        path = self._path("information_flow.npz")
        if not os.path.exists(path):
            return
        try:
            with open_npz(path) as file:
                stages, samples = json.loads(str(file["stages"])), file["samples"]
                same = tuple(file["rung_sizes"]) == tuple(self.model.rung_sizes)
            if same and samples.shape[3:] == self.images.shape[1:]:
                self.stages = [stage for stage in stages if stage["step"] <= step]
                self._samples = list(samples[: len(self.stages)])
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            # The run itself is not affected.
            warnings.warn(f"{path} is damaged: its stages are left out ({error})", stacklevel=2)

    def _starts(self):
        """First steps of the rungs that join while the model trains."""
        ramps = self.model.ramps.items()
        return [read(ramp.first_step) for name, ramp in ramps if name.startswith("alpha_")]

    def _measure(self, step):
        mean, log_var = encode_images(
            self.model, lambda i: self.images[i], len(self.images), verbose=0
        )
        if not (np.isfinite(mean).all() and np.isfinite(log_var).all()):
            warnings.warn(f"The codes at step {step} are not finite: not measured", stacklevel=2)
            return
        information = latent_information(
            mean,
            log_var,
            rungs=self.model.rung_sizes,
            num_samples=self.num_samples,
            seed=self.seed,
        )
        # The stage that has just ended, also in a run that was resumed in the middle.
        stage = sum(start < step for start in self._starts())
        if self.stages and self.stages[-1]["stage"] == stage:  # Training was resumed within it.
            del self.stages[-1], self._samples[-1]
        self.stages.append({"step": step, "stage": stage, **information})
        self._samples.append(self._rung_samples(mean[0]))
        if not self._writes:
            return
        file = io.BytesIO()
        np.savez_compressed(
            file,
            stages=json.dumps(self.stages),
            samples=np.stack(self._samples),
            rung_sizes=self.model.rung_sizes,
        )
        with self._writing():
            write_whole(self._path("information_flow.npz"), file.getvalue())

    def _rung_samples(self, mean):
        """Images (rungs, 5, h, w, c): in row l rung l is sampled, the others stay as in `mean`."""
        latents = sample_rungs(*split_rungs(mean, self.model.rung_sizes), 5, self.seed)
        flat = ops.convert_to_tensor(latents.reshape(-1, latents.shape[-1]))
        images = np.nan_to_num(to_numpy("model.decode(z)", self.model.decode(flat)))
        return images.clip(0, 1).reshape(*latents.shape[:2], *images.shape[1:])
