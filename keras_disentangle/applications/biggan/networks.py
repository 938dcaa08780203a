r"""The generators of BigGAN and BigGAN-deep as graphs of layers that are all within reach by name.

Both begin with a 4×4 map of `project` and double its side up to the image's, with the feature maps
of the paper's tables (`WIDTHS`). "embedding" is the table of the classes' embeddings; a block i =
1, 2, ... has the layers "block_i_norm_j", "block_i_relu_j", "block_i_conv_j", "block_i_upsample"
and "block_i_add", and beside them "block_i_shortcut" (BigGAN: a 1×1 convolution) or
"block_i_shortcut_channels" (BigGAN-deep, where channels are dropped), and
"block_i_shortcut_upsample". "attention" comes where the maps have 64×64 pixels. At the end are
"output_norm", "output_relu", "output_conv" and "output_tanh", which gives float32 under mixed
precision too.

`project` gives its units in the order (row, column, channel).
"""

import keras
from keras import layers

from keras_disentangle._image_format import check_channels_last
from keras_disentangle.layers import (
    ConditionalBatchNormalization,
    SelfAttention2D,
    SpectralConv2D,
    SpectralDense,
    Truncation,
)
from keras_disentangle.layers._spectral import another

# Feature maps at 4², 8², ... up to the image's size, in units of `channels`.
WIDTHS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
DEEP_SIZES = (128, 256, 512)  # those that BigGAN-deep was published for
SMALLEST = 4
ATTENTION_SIZE = 64
REDUCTION = 4
NUM_STATISTICS = 51


def biggan(image_size, channels, chunk_dim, embedding_dim, num_classes, kernel_initializer, dtype):
    """The graph of BigGAN: z in chunks, the first into `project`, another into each block.

    Args:
        image_size: pixels a side: a key of `WIDTHS`.
        channels: feature maps of the last block.
        chunk_dim: width of a chunk of z.
        embedding_dim: width of the classes' embeddings.
        num_classes: number of classes.
        kernel_initializer: of all kernels and of the embeddings.
        dtype: dtype policy of the layers, or `None` for the global one.

    Returns:
        [z (batch, chunks · chunk_dim), label (batch,)] and images in [-1, 1].
    """
    make = _Layers(1e-6, 1e-5, 1, kernel_initializer, dtype)
    start, *widths = (channels * width for width in WIDTHS[image_size])
    z = keras.Input((chunk_dim * (1 + len(widths)),), name="z")
    label = keras.Input((), dtype="int32", name="label")
    embedding = make.embedding(num_classes, embedding_dim)(label)

    def chunk(i):
        part = LastAxisSlice(i * chunk_dim, chunk_dim, dtype=dtype, name=f"z_{i}")
        return part(z)

    x = make.start(start)(chunk(0))
    size = SMALLEST
    for i, width in enumerate(widths, start=1):
        condition = make.concatenate(f"block_{i}_condition")([embedding, chunk(i)])
        y = make.norm(f"block_{i}_norm_1")(x, condition)
        y = make.relu(f"block_{i}_relu_1")(y)
        y = make.upsample(f"block_{i}_upsample")(y)
        y = make.conv(width, 3, f"block_{i}_conv_1")(y)
        y = make.norm(f"block_{i}_norm_2")(y, condition)
        y = make.relu(f"block_{i}_relu_2")(y)
        y = make.conv(width, 3, f"block_{i}_conv_2")(y)
        # The release enlarges before the 1×1 convolution: equal values, four times the work.
        x = make.conv(width, 1, f"block_{i}_shortcut")(x)
        x = make.upsample(f"block_{i}_shortcut_upsample")(x)
        x = make.add(f"block_{i}_add")([y, x])
        size *= 2
        if size == ATTENTION_SIZE:
            x = make.attention()(x)
    x = make.relu("output_relu")(make.norm("output_norm")(x))
    return [z, label], make.tanh()(make.conv(3, 3, "output_conv")(x))


def biggan_deep(
    image_size, channels, latent_dim, num_classes, interpolation, kernel_initializer, dtype
):
    """The graph of BigGAN-deep: z and an embedding as wide go into `project` and each block.

    All normalisations read the rows of their statistics that the layer "truncation" names.

    Args:
        image_size: pixels a side: a key of `WIDTHS`.
        channels: feature maps of the last block.
        latent_dim: width of z.
        num_classes, kernel_initializer, dtype: as for `biggan`.
        interpolation: as for `Truncation`.

    Returns:
        [z (batch, latent_dim), label (batch,)] and images in [-1, 1].
    """
    make = _Layers(1e-4, 1e-4, NUM_STATISTICS, kernel_initializer, dtype)
    start, *widths = (channels * width for width in WIDTHS[image_size])
    z = keras.Input((latent_dim,), name="z")
    label = keras.Input((), dtype="int32", name="label")
    embedding = make.embedding(num_classes, latent_dim)(label)
    condition = make.concatenate("condition")([z, embedding])
    rows = Truncation(NUM_STATISTICS, interpolation, name="truncation")(z)

    def block(i, x, width, doubled):
        old = x.shape[-1]
        y, hidden = x, old // REDUCTION
        convs = [(hidden, 1), (hidden, 3), (hidden, 3), (width, 1)]
        for j, (filters, kernel_size) in enumerate(convs, start=1):
            y = make.norm(f"block_{i}_norm_{j}")(y, condition, rows)
            y = make.relu(f"block_{i}_relu_{j}")(y)
            if doubled and j == 2:
                y = make.upsample(f"block_{i}_upsample")(y)
            y = make.conv(filters, kernel_size, f"block_{i}_conv_{j}")(y)
        if width != old:
            x = LastAxisSlice(0, width, dtype=dtype, name=f"block_{i}_shortcut_channels")(x)
        if doubled:
            x = make.upsample(f"block_{i}_shortcut_upsample")(x)
        return make.add(f"block_{i}_add")([y, x])

    x = make.start(start)(condition)
    size, i = SMALLEST, 0
    for width in widths:
        x = block(i + 1, x, x.shape[-1], doubled=False)
        x = block(i + 2, x, width, doubled=True)
        size, i = 2 * size, i + 2
        if size == ATTENTION_SIZE:
            x = make.attention()(x)
    x = make.norm("output_norm")(x, statistics_weights=rows)
    x = make.relu("output_relu")(x)
    # The release has as many filters here as feature maps, and looks at three of them.
    image = make.conv(widths[-1], 3, "output_conv", kind=LeadingConv2D, leading=3)(x)
    return [z, label], make.tanh()(image)


@keras.saving.register_keras_serializable("keras_disentangle")
class LastAxisSlice(keras.layers.Layer):
    """Of the last axis, `size` components from `start` on.

    Call arguments:
        x: tensor (..., channels).

    Example:

    >>> LastAxisSlice(2, 3)(np.zeros((8, 10))).shape
    (8, 3)
    """

    def __init__(self, start, size, **kwargs):
        super().__init__(**kwargs)
        self.start, self.size = start, size
        self.built = True

    def call(self, x):
        return x[..., self.start : self.start + self.size]

    def compute_output_shape(self, x_shape):
        return (*x_shape[:-1], self.size)

    def get_config(self):
        return {**super().get_config(), "start": self.start, "size": self.size}


@keras.saving.register_keras_serializable("keras_disentangle")
class LeadingConv2D(SpectralConv2D):
    """A `SpectralConv2D` of which only the first `leading` feature maps are computed.

    Weights and singular value are those of all the filters.

    Args:
        filters, kernel_size, ...: as in `SpectralConv2D`.
        leading: number of feature maps that it gives.

    Call arguments:
        inputs, training: as in `SpectralConv2D`.

    Example:

    >>> LeadingConv2D(128, 3, leading=3)(np.zeros((1, 8, 8, 128))).shape
    (1, 8, 8, 3)
    """

    def __init__(self, filters, kernel_size, leading, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.leading = leading

    def call(self, inputs, training=False):
        kernel = self.normalized_kernel(training)[..., : self.leading]
        x = self.convolution_op(inputs, kernel)
        return x + keras.ops.cast(self.bias[: self.leading], x.dtype)

    def compute_output_shape(self, input_shape):
        return (*super().compute_output_shape(input_shape)[:-1], self.leading)

    def get_config(self):
        return {**super().get_config(), "leading": self.leading}


class _Layers:
    """Makes the layers that both generators consist of."""

    def __init__(self, spectral_epsilon, epsilon, num_statistics, kernel_initializer, dtype):
        check_channels_last("BigGAN")
        self.spectral_epsilon = spectral_epsilon
        self.epsilon = epsilon
        self.num_statistics = num_statistics
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.dtype = dtype

    def embedding(self, num_classes, dim):
        start = another(self.kernel_initializer)
        return layers.Embedding(
            num_classes, dim, embeddings_initializer=start, dtype=self.dtype, name="embedding"
        )

    def start(self, width):
        project = SpectralDense(
            SMALLEST**2 * width,
            epsilon=self.spectral_epsilon,
            kernel_initializer=another(self.kernel_initializer),
            dtype=self.dtype,
            name="project",
        )
        shape = (SMALLEST, SMALLEST, width)
        reshape = layers.Reshape(shape, dtype=self.dtype, name="project_reshape")
        return lambda x: reshape(project(x))

    def conv(self, filters, kernel_size, name, kind=SpectralConv2D, **settings):
        return kind(
            filters,
            kernel_size,
            epsilon=self.spectral_epsilon,
            kernel_initializer=another(self.kernel_initializer),
            dtype=self.dtype,
            name=name,
            **settings,
        )

    def norm(self, name):
        return ConditionalBatchNormalization(
            self.num_statistics,
            epsilon=self.epsilon,
            spectral_epsilon=self.spectral_epsilon,
            kernel_initializer=another(self.kernel_initializer),
            dtype=self.dtype,
            name=name,
        )

    def attention(self):
        return SelfAttention2D(
            self.spectral_epsilon,
            another(self.kernel_initializer),
            dtype=self.dtype,
            name="attention",
        )

    def relu(self, name):
        return layers.ReLU(dtype=self.dtype, name=name)

    def upsample(self, name):
        return layers.UpSampling2D(2, dtype=self.dtype, name=name)

    def add(self, name):
        return layers.Add(dtype=self.dtype, name=name)

    def concatenate(self, name):
        return layers.Concatenate(dtype=self.dtype, name=name)

    def tanh(self):
        return layers.Activation("tanh", dtype="float32", name="output_tanh")
