"""A trained model with everything that one asks of it while looking at its latents."""

import itertools

import numpy as np

from keras_disentangle._arguments import check_int, check_seed
from keras_disentangle._tensors import to_numpy
from keras_disentangle.explorer._data import Pictures
from keras_disentangle.explorer._subject import Subject
from keras_disentangle.explorer.controls import (
    Point,
    controls_of_directions,
    controls_of_labels,
    controls_of_space,
)
from keras_disentangle.metrics import activeness
from keras_disentangle.metrics._information import most_told, told_shares
from keras_disentangle.visualization import enlarge, image_grid
from keras_disentangle.visualization._colour_scale import colorize, with_scale_bar
from keras_disentangle.visualization._labelled_grid import labelled_grid, rows_of, texts_of

_ENOUGH = 100  # Fewer images tell little of which latent knows what.


class Explorer:
    """What the page of `kd.explore` shows, as functions of points in a latent space.

    Attributes:
        controls: list of `Control`s, those that tell most or do most first within each group; at
            most `max_controls`.
        space: the model's `LatentSpace`.
        image_shape: (h, w, c) of its images.
        is_encoder: whether it encodes images.
        num_images: number of images of `data` that can be encoded, 0 without.
        activeness: dict from a control's name to the activeness of its latent (of categories, of
            the code as a whole): the variance of pixels in [0, 1] as the latent changes.
        factor_names: tuple of the names of the factors of `data`, empty if there are none.
        shares: dict from a control's name to the shares (k,) of each factor's entropy that it tells
            of; empty without factors, or an encoder, or with fewer than 100 images.
        information: dict from a control's name to (factor, share): the largest of its shares.

    Args:
        model: a model of this library; an object with `decode`, and `encode` if it encodes, whose
            codes have the width `latent_dim`; or a network from codes (n, d) to images.
        data: `None`; images (n, h, w, c), uint8 or floats in [0, 1]; or a `FactorDataset` or
            `LabelledImages`, whose factors are compared with the latents.
        max_controls: how many latents can be moved, >= 1.
        num_images: how many images are encoded for the information.
        seed: of what is drawn.

    Raises:
        ValueError: if the model has no decoder, its latents are not vectors, its images have more
            than 1024 pixels a side, or data do not fit it.

    Example:

    >>> explorer = kd.explorer.Explorer(model)
    >>> point = explorer.moved(explorer.start(), "z1", 2.0)
    >>> explorer.image(point).shape
    (28, 28, 1)
    """

    def __init__(self, model, data=None, *, max_controls=32, num_images=1000, seed=0):
        self._subject = subject = Subject(model)
        self.space, self.image_shape = subject.space, subject.image_shape
        self.is_encoder = subject.is_encoder
        max_controls = check_int("max_controls", max_controls)
        self._seed = check_seed("seed", seed, optional=False)
        self._pictures = Pictures(data, self.image_shape)
        self.num_images = len(self._pictures) if self.is_encoder else 0
        if subject.directions is not None:
            found = controls_of_directions(*subject.directions)
        else:
            found = controls_of_space(self.space)
        scores = self._activeness()
        self.activeness = {c.name: float(scores[c.component]) for c in found}
        self.factor_names = self._pictures.factor_names
        self.shares = self._shares(found, check_int("num_images", num_images))
        self.information = {
            name: (self.factor_names[shares.argmax()], float(shares.max()))
            for name, shares in self.shares.items()
        }
        # What is left out does least; those of a group then stand together.
        found = sorted(found, key=self._rank)[:max_controls]
        order = sorted(
            found, key=lambda control: (not self._is_informative(control), control.component)
        )
        order = list(dict.fromkeys(control.group for control in order))
        found.sort(key=lambda control: order.index(control.group))
        labels = controls_of_labels(subject.classes, subject.num_attributes)
        self.controls = [*found, *labels]
        self._by_name = {control.name: control for control in self.controls}

    # Points.

    def start(self):
        """The middle of the space: zeros, the first categories, the first class."""
        code = np.zeros(self.space.dim, "float32")
        for control in controls_of_space(self.space):
            if control.choices is not None:
                code = control.write(Point(code), 0).code
            elif control.low > 0 or control.high < 0:
                code = control.write(Point(code), (control.low + control.high) / 2).code
        return Point(code, self._subject.first_label())

    def first_points(self):
        """The two with which pages and reports begin.

        They are those of two images of the data; without, of a model that encodes, the middle of
        the space and a point drawn from the prior; of others, two such points.

        Returns:
            List of two pairs: the `Point`, and the number of its image in the data or `None`.
        """
        if self.num_images:
            # Neighbours may look alike.
            rng = np.random.default_rng(self._seed)
            numbers = rng.choice(self.num_images, 2, replace=self.num_images == 1).tolist()
            return [(self.of_number(number), number) for number in numbers]
        first = self.start() if self.is_encoder else self.sample(self._seed)
        return [(first, None), (self.sample(self._seed + 1), None)]

    def sample(self, seed=None, label=None):
        """A point drawn from the prior, with the label that is given."""
        code = to_numpy("space.sample(n)", self.space.sample(1, seed))[0].astype("float32")
        return Point(code, self._subject.first_label() if label is None else label)

    def of_number(self, number, point=None):
        """The point of an image of the data, by its number from 0; as `of_image`."""
        if not self.num_images:
            raise ValueError(
                "`number` needs `data`, and a model that encodes them. "
                f"Received: number={number} of no images"
            )
        if not 0 <= number < self.num_images:
            raise ValueError(
                f"`number` must lie in 0..{self.num_images - 1}. Received: number={number}"
            )
        return self.of_image(self._pictures.images(np.array([number]))[0], point)

    def of_image(self, image, point=None):
        """The point of a uint8 image (h, w, c).

        What the model does not infer, such as the noise of an InfoGAN or the label, is that of
        `point`, by default of `start`.
        """
        if not self.is_encoder:
            raise ValueError(
                f"`model` must encode images. Received: {type(self._subject.model).__name__}"
            )
        point = self.start() if point is None else point
        code = self._subject.codes(image[None], point.label, point.code)[0]
        if code.shape != (self.space.dim,):
            raise ValueError(
                f"`model` must encode images as codes of the width {self.space.dim}. "
                f"Received: a code of the shape {code.shape}"
            )
        return Point(code, point.label)

    def of_file(self, content, point=None):
        """The point of an image file, read by `read_image`."""
        return self.of_image(self.read_image(content), point)

    def read_image(self, content):
        """An image file (PNG, JPEG, ...), given as bytes, as the model sees it: cropped around its
        centre and scaled to the model's images, uint8 (h, w, c).

        Raises:
            ValueError: if it is not such a file, is damaged, has more than 20 MB, or declares far
                more pixels than it holds.
        """
        return self._pictures.read(content)

    def about(self, name):
        """What a control tells about in a few words: a factor, or how active it is."""
        if name in self.shares:
            return most_told(self.shares[name], self.factor_names)
        return f"activeness {self.activeness[name]:.2g}" if name in self.activeness else ""

    def data_images(self, numbers):
        """The images of the data with these numbers, uint8 (n, h, w, c)."""
        return self._pictures.images(np.asarray(numbers))

    def decode(self, codes):
        """Decoded images of codes (n, d) with the first label, as the model gives them."""
        return self._subject.decoded(to_numpy("codes", codes), self._subject.first_label())

    def directions(self, controls):
        """The directions (m, d) in latent space along which these controls move."""
        found = self._subject.directions
        matrix = np.eye(self.space.dim, dtype="float32") if found is None else found[0]
        return matrix[[control.component for control in controls]]

    def control(self, name):
        """The control with a name."""
        if name not in self._by_name:
            raise ValueError(
                f"`name` must be one of {list(self._by_name)}. Received: name={name!r}"
            )
        return self._by_name[name]

    def moved(self, point, name, value):
        """The point with one of its controls at a value (of choices, their index)."""
        return self.control(name).write(point, value)

    def swapped(self, a, b, names):
        """The point `a` with some of its controls, by name, as in `b`."""
        for name in names:
            a = self.moved(a, name, self.control(name).read(b))
        return a

    # Pictures.

    def image(self, point):
        """The decoded image of a point, uint8 (h, w, c)."""
        return self.images([point])[0]

    def images(self, points):
        """The same of several points, (n, h, w, c)."""
        labels = [point.label for point in points]
        codes = np.stack([point.code for point in points])
        if all(np.array_equal(label, labels[0]) for label in labels):
            return self._subject.images(codes, labels[0])
        pairs = zip(codes, labels, strict=True)
        return np.concatenate([self._subject.images(code[None], label) for code, label in pairs])

    def traversal(self, point, name, values):
        """The uint8 images (n, h, w, c) of a point at the values of a control."""
        return self.images([self.moved(point, name, value) for value in values])

    def strip(self, point, name, steps=9):
        """A row of images along a control, with its values below."""
        values = self.control(name).values(steps)
        return self._row(self.traversal(point, name, values), name, values)

    def traversals(self, point, steps=9, num=None, **layout):
        """A row of images for each of the first `num` controls, by default all: its name and what
        it tells about beside it, its values below. `layout` is that of `image_grid`."""
        controls = self.controls[:num]
        values = [control.values(steps) for control in controls]
        pairs = list(zip(controls, values, strict=True))
        images = rows_of([self.traversal(point, control.name, found) for control, found in pairs])
        labels = [f"{control.name}\n{self.about(control.name)}".strip() for control in controls]
        texts = [_texts(control, found) for control, found in pairs]
        groups = [control.group for control in controls]
        sizes = [len(list(same)) for _, same in itertools.groupby(groups)]
        return labelled_grid(images, sizes, labels, texts, "value", **layout)

    def frames(self, point, name, steps=17):
        """The same as frames that run forth and back, for a GIF."""
        images = enlarge(self.traversal(point, name, self.control(name).values(steps)), 256)
        frames = list(images)
        return frames + frames[-2:0:-1]

    def movement(self, point, name, steps=9):
        """A heat map of what moves along a control: the standard deviation of each pixel."""
        images = self.traversal(point, name, self.control(name).values(steps)) / 255
        spread = images.std(axis=0).mean(axis=-1)
        limit = float(spread.max()) or 1.0
        return with_scale_bar(enlarge(colorize(spread, limit)[None], 256)[0], limit, "spread")

    def path(self, a, b, steps=9):
        """A row of images on the straight way from `a` to `b`; choices change half-way."""
        points, shares = [], np.linspace(0, 1, steps)
        for share in shares:
            point = Point(a.code + np.float32(share) * (b.code - a.code), a.label)
            for control in self.controls:
                if control.choices is not None or control.group == "labels":
                    point = control.write(point, control.read(b if share >= 0.5 else a))
            points.append(point)
        images = self.images(points)
        texts = [f"{share:.2f}" for share in shares]
        return image_grid(images, len(images), column_labels=texts)

    def network(self):
        """The decoder as a functional `keras.Model`, which is exported.

        Raises:
            ValueError: if the model is neither of this library nor a network.
        """
        return self._subject.network()

    def python(self, point, source="model = ...  # the model that is explored"):
        """Lines of Python that decode a point."""
        numbers = ", ".join(f"{number:.4g}" for number in point.code)
        label = ""
        if point.label is not None:
            label = f", labels={np.atleast_1d(point.label).tolist()}"
        call = f"model.decode(z{label})" if hasattr(self._subject.model, "decode") else "model(z)"
        code = f'z = np.array([[{numbers}]], "float32")'
        return "\n".join(["import numpy as np", "", source, code, f"image = {call}", ""])

    # Parts.

    def _row(self, images, name, values):
        texts = _texts(self.control(name), values)
        return image_grid(images, len(images), row_labels=[name], column_labels=texts)

    def _activeness(self):
        """That of each dimension or direction."""
        label = self._subject.first_label()
        settings = {"num_samples": 4, "seed": self._seed, "batch_size": 64}
        if self._subject.directions is not None:
            settings["directions"] = self._subject.directions[0]

        def decode(z):
            return self._subject.images(to_numpy("z", z), label).astype("float32") / 255

        return activeness(decode, self.space, **settings)

    def _shares(self, controls, num_images):
        pictures, subject = self._pictures, self._subject
        if not (self.is_encoder and pictures.factor_names and len(pictures) >= _ENOUGH):
            return {}
        index = pictures.sample(num_images, self._seed)
        start = self.start()
        parts = [
            subject.codes(pictures.images(index[i : i + 250]), start.label, start.code)
            for i in range(0, len(index), 250)
        ]
        codes, factors = np.concatenate(parts), pictures.factors(index)
        values = np.stack(
            [[float(c.read(Point(code, start.label))) for c in controls] for code in codes]
        )
        shares = told_shares(values, factors)
        return {control.name: row for control, row in zip(controls, shares, strict=True)}

    def _rank(self, control):
        """Informative codes first, then what tells or does most."""
        return not self._is_informative(control), -self.score(control)

    def _is_informative(self, control):
        if self._subject.directions is not None:
            return True
        parts = [self.space.slices[code.name] for code in self.space.informative]
        return any(part.start <= control.component < part.stop for part in parts)

    def score(self, control):
        """By which controls are sorted: the share of information, or the activeness."""
        if self.information:
            return self.information[control.name][1]
        return self.activeness[control.name]


def _texts(control, values):
    """The values of a control as they stand below its images."""
    return list(control.choices) if control.choices is not None else texts_of(values)
