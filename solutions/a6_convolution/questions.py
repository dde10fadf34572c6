"""Cases and misconceptions of the convolution assignment."""

import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

# What cuts windows out of images in any library, and the TensorFlow operations it comes down to.
PATCHES = (
    "tf.image.extract_patches", "tf.extract_volume_patches", "tf.signal.frame", "keras.ops.image.extract_patches*",
    "keras.ops.extract_sequences", "numpy.lib.stride_tricks.*", "scipy.ndimage.*", "tf.nn.dilation2d", "tf.nn.erosion2d",
    "tf.raw_ops.ExtractImagePatches", "tf.raw_ops.ExtractVolumePatches", "tf.raw_ops.Dilation2D*")
CONVOLUTIONS = (
    *PATCHES, "tf.nn.conv*", "tf.nn.depthwise_conv2d*", "tf.nn.separable_conv2d", "tf.nn.atrous_conv2d*", "keras.ops.conv",
    "keras.ops.conv_transpose", "keras.ops.depthwise_conv", "keras.ops.separable_conv", "keras.ops.nn.*conv*",
    "keras.ops.correlate", "keras.layers.Conv*", "keras.layers.DepthwiseConv*", "keras.layers.SeparableConv*",
    "numpy.convolve", "numpy.correlate", "scipy.signal.*", "tf.raw_ops.Conv", "tf.raw_ops.Conv2D*", "tf.raw_ops.Conv3D*",
    "tf.raw_ops.DepthwiseConv2dNative*", "tf.raw_ops.Fused*Conv2D")
POOLINGS = (
    *PATCHES, "tf.nn.max_pool*", "tf.nn.pool", "tf.nn.fractional_max_pool", "keras.ops.max_pool", "keras.ops.adaptive_max_pool",
    "keras.ops.nn.*max_pool", "keras.layers.*MaxPool*", "tf.raw_ops.MaxPool*", "tf.raw_ops.FractionalMaxPool*")


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def images(rng, batch, *shape):
    """Three random images that come several times, in an order of their own."""
    return rng.random((3, *shape), np.float32)[rng.permutation([0, 1, 2, *rng.integers(0, 3, size=batch - 3)])]


# ---------------------------------------------------------------------------------------------------- output_size

output_size = Question(lesson.output_size)


@output_size.case(points=1, visible=True)
def two_windows(rng):
    """Seven pixels, a window of four, two pixels at a time, inside the image."""
    return 7, 4, 2, "valid"


@output_size.case(points=1, visible=True)
def four_windows(rng):
    """The same with zeros at the ends: every pixel is covered."""
    return 7, 4, 2, "same"


@output_size.case(points=2, probe=probes.each())
def pixel_by_pixel(rng):
    """Stride 1, inside the image, for several sizes."""
    sizes = zip(rng.integers(20, 40, 4), rng.integers(2, 9, 4))
    return {"calls": [[int(size), int(kernel), 1, "valid"] for size, kernel in sizes]}


@output_size.case(points=2, probe=probes.each())
def pixels_left_over(rng):
    """Strides 2 and 3, inside the image, where the last window ends before the image does."""
    rows = []
    for stride in (2, 3, 2, 3):
        kernel, places = int(rng.integers(3, 8)), int(rng.integers(4, 13))
        rows.append([(places - 1) * stride + kernel + stride - 1, kernel, stride, "valid"])
    return {"calls": rows}


@output_size.case(points=2, probe=probes.each())
def every_pixel_covered(rng):
    """Padding "same" with strides 1 to 3, on sizes that are no multiple of the stride."""
    return {"calls": [[stride * int(rng.integers(4, 13)) + rest, int(rng.integers(4, 8)), stride, "same"]
                      for stride, rest in ((1, 0), (2, 1), (3, 1), (3, 2))]}


@output_size.case(points=2, probe=probes.each())
def extremes(rng):
    """A window as large as the image, windows of one pixel, and a stride larger than the image."""
    n, m = rng.integers(5, 60, size=2).tolist()
    return {"calls": [[n, n, 1, "valid"], [m, m, 3, "valid"], [n, 1, 1, "valid"], [n, 1, n + 3, "valid"],
                      [m, 3, m + 3, "same"], [m, 1, 1, "same"], [1, 1, 1, "same"]]}


@output_size.misconception
def forgets_the_first_window(size, kernel, stride, padding):
    """Your "valid" sizes are one too small: the steps are counted, and the window at the start is a place as well."""
    return -(-size // stride) if padding == "same" else (size - kernel) // stride


@output_size.misconception
def forgets_the_first_window_everywhere(size, kernel, stride, padding):
    """All your sizes are one too small: the window at the start is a place as well."""
    return lesson.output_size(size, kernel, stride, padding) - 1


@output_size.misconception
def rounds_up(size, kernel, stride, padding):
    """Your "valid" sizes count a last window that hangs over the end of the image; round down there."""
    return -(-size // stride) if padding == "same" else -(-(size - kernel) // stride) + 1


@output_size.misconception
def rounds_same_down(size, kernel, stride, padding):
    """With "same" your last pixels are not covered when the stride does not divide the size; round up there."""
    return size // stride if padding == "same" else (size - kernel) // stride + 1


@output_size.misconception
def ignores_the_stride(size, kernel, stride, padding):
    """Your sizes are those of stride 1; the number of steps shrinks with the stride."""
    return lesson.output_size(size, kernel, 1, padding)


@output_size.misconception
def keeps_the_size_for_same(size, kernel, stride, padding):
    """With "same" you always return the size of the image; that holds for stride 1 only."""
    return size if padding == "same" else (size - kernel) // stride + 1


@output_size.misconception
def ignores_the_padding(size, kernel, stride, padding):
    """Your function returns the "valid" size for "same" too; look at the argument `padding`."""
    return (size - kernel) // stride + 1


@output_size.misconception
def pads_always(size, kernel, stride, padding):
    """Your function returns the "same" size for "valid" too; without zeros there are fewer places."""
    return -(-size // stride)


@output_size.misconception
def divides_first(size, kernel, stride, padding):
    """In "valid" you divide the size alone by the stride; take the kernel off first, then divide the difference."""
    return -(-size // stride) if padding == "same" else size // stride - kernel + 1


@output_size.misconception
def leaves_a_fraction(size, kernel, stride, padding):
    """Some of your sizes are fractions; windows are whole, so the division has to be rounded down or up."""
    return size / stride if padding == "same" else (size - kernel) / stride + 1


@output_size.variation({'padding == "same"': 'padding != "same"'})
def exchanges_the_paddings():
    """You take "same" for "valid" and the other way round: with "same", zeros at the ends make room for more windows."""


@output_size.variation({"(size - kernel)": "(size + kernel)"}, {"(size - kernel)": "size"},
                       {"(size - kernel)": "(kernel - size)"})
def takes_another_last_start():
    """The last start you count with is not the right one: without padding a window starts where all of it still fits."""


@output_size.variation({"(size - kernel) // stride + 1": "size - kernel + 1"})
def no_stride_inside_the_image():
    """Without padding your number does not depend on the stride: windows start `stride` apart with either padding."""


# ---------------------------------------------------------------------------------------------------- conv2d

conv2d = Question(lesson.conv2d, forbid=CONVOLUTIONS, uses=("output_size",))


def convolution_inputs(rng, x, kernel, *rest):
    """Images, kernel and bias of these shapes, and the other arguments."""
    return normal(rng, *x), normal(rng, *kernel), normal(rng, kernel[-1]), *rest


@conv2d.case(points=2, visible=True)
def four_places(rng):
    """The example of the docstring: an image of 3 × 4, a kernel of 2 × 3, and four places for it."""
    x = np.array([[1, 2, 0, 1], [0, 1, 3, 1], [2, 0, 1, 0]], np.float32)
    return x[np.newaxis, :, :, np.newaxis], np.array([[1, 0, -1], [2, 0, 0]], np.float32)[:, :, np.newaxis, np.newaxis], [10.0]


@conv2d.case(points=2, visible=True, probe=probes.gradients())
def zeros_at_the_end(rng):
    """A row of six pixels, a kernel of 1 × 3, stride 2 and padding "same": the one zero that is needed stands at the right. Of
    your map the slopes are asked for, too."""
    x = np.array([1, 2, 3, 4, 5, 6], np.float32).reshape(1, 1, 6, 1)
    return x, np.array([100, 10, 1], np.float32).reshape(1, 3, 1, 1), [0.0], 2, "same"


@conv2d.case(points=4)
def several_channels(rng):
    """Several images, channels and filters, stride 1, no padding."""
    return convolution_inputs(rng, (2, 9, 7, 3), (4, 2, 3, 5))


@conv2d.case(points=3)
def stride_three(rng):
    """Stride 3 without padding; some rows and columns are left over."""
    return convolution_inputs(rng, (4, 12, 9, 3), (2, 5, 3, 6), 3)


@conv2d.case(points=3)
def same_size(rng):
    """Padding "same" at stride 1 with an even kernel: the odd zero goes to the end."""
    return convolution_inputs(rng, (3, 6, 8, 2), (4, 3, 2, 5), 1, "same")


@conv2d.case(points=3)
def same_with_stride_two(rng):
    """Padding "same" at stride 2: how many zeros are needed depends on the stride, and on whether it divides the size."""
    return convolution_inputs(rng, (3, 9, 10, 2), (3, 5, 2, 4), 2, "same")


@conv2d.case(points=2)
def kernel_smaller_than_the_stride(rng):
    """Padding "same" at stride 3 with a kernel of 1 × 2: no zero is needed, and none is taken away."""
    return convolution_inputs(rng, (2, 8, 9, 5), (1, 2, 5, 3), 3, "same")


@conv2d.case(points=1)
def kernel_as_large_as_the_image(rng):
    """A kernel that covers the whole image has one place."""
    return convolution_inputs(rng, (5, 6, 4, 2), (6, 4, 2, 3))


@conv2d.case(points=6, probe=probes.gradients(), rtol=1e-3, atol=1e-4)
def gradients_of_all_inputs(rng):
    """Gradients with respect to images, kernel and bias, at stride 2 with padding "same"."""
    return convolution_inputs(rng, (2, 7, 6, 5), (3, 2, 5, 4), 2, "same")


@conv2d.misconception
def flips_the_kernel(x, kernel, bias, stride=1, padding="valid"):
    """Your kernel lies on the image upside down and left to right; multiply each weight with the pixel right under it."""
    return lesson.conv2d(x, kernel[::-1, ::-1], bias, stride, padding)


@conv2d.misconception
def turns_the_kernel(x, kernel, bias, stride=1, padding="valid"):
    """Your kernel's height and width have changed places; its first axis goes down the image, its second to the right."""
    return lesson.conv2d(x, tf.transpose(kernel, (1, 0, 2, 3)), bias, stride, padding)


@conv2d.misconception
def forgets_the_stride_of_the_start(x, kernel, bias, stride=1, padding="valid"):
    """Your map has the right size, but its windows lie side by side; window r starts at pixel r times the stride."""
    dense = lesson.conv2d(x, kernel, bias, 1, padding)
    rows = lesson.output_size(x.shape[1], kernel.shape[0], stride, padding)
    columns = lesson.output_size(x.shape[2], kernel.shape[1], stride, padding)
    return dense[:, :rows, :columns]


@conv2d.misconception
def ignores_the_stride_argument(x, kernel, bias, stride=1, padding="valid"):
    """Your maps are those of stride 1, whatever stride is asked for."""
    return lesson.conv2d(x, kernel, bias, 1, padding)


@conv2d.misconception
def ignores_the_padding_argument(x, kernel, bias, stride=1, padding="valid"):
    """Your maps for "same" are those of "valid"; put zeros around the image first."""
    return lesson.conv2d(x, kernel, bias, stride, "valid")


@conv2d.misconception
def puts_the_odd_zero_first(x, kernel, bias, stride=1, padding="valid"):
    """Your odd zero stands at the top or left; it goes to the bottom or right."""
    turned = lesson.conv2d(x[:, ::-1, ::-1], kernel[::-1, ::-1], bias, stride, padding)
    return turned[:, ::-1, ::-1]


@conv2d.misconception
def pads_both_ends_alike(x, kernel, bias, stride=1, padding="valid"):
    """You put half a kernel of zeros at both ends, whatever the stride; work out how many are needed, with the odd one at
    the bottom or right."""
    if padding == "valid":
        return lesson.conv2d(x, kernel, bias, stride)
    down, right = kernel.shape[0] // 2, kernel.shape[1] // 2
    rows = lesson.output_size(x.shape[1], kernel.shape[0], stride, padding)
    columns = lesson.output_size(x.shape[2], kernel.shape[1], stride, padding)
    x = tf.pad(x, [[0, 0], [down, down + stride], [right, right + stride], [0, 0]])
    return lesson.conv2d(x, kernel, bias, stride)[:, :rows, :columns]


@conv2d.misconception
def pads_as_at_stride_one(x, kernel, bias, stride=1, padding="valid"):
    """You put as many zeros around the image as stride 1 needs, and then take strides; larger strides need fewer, and the
    first window starts elsewhere."""
    return lesson.conv2d(x, kernel, bias, 1, padding)[:, ::stride, ::stride]


@conv2d.misconception
def pads_by_kernel_and_stride(x, kernel, bias, stride=1, padding="valid"):
    """The number of zeros follows from kernel and stride alone in your answer: what is left over of the size counts, too."""
    if padding == "valid":
        return lesson.conv2d(x, kernel, bias, stride)
    down, right = (max(size - stride, 0) for size in kernel.shape[:2])
    x = tf.pad(x, [[0, 0], [down // 2, down - down // 2], [right // 2, right - right // 2], [0, 0]])
    return lesson.conv2d(x, kernel, bias, stride)


@conv2d.misconception
def takes_zeros_away(x, kernel, bias, stride=1, padding="valid"):
    """Your padding fails where the kernel is smaller than the stride: the number of zeros is never below 0."""
    if padding == "valid":
        return lesson.conv2d(x, kernel, bias, stride)
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    down, right = (rows - 1) * stride + kernel.shape[0] - x.shape[1], (columns - 1) * stride + kernel.shape[1] - x.shape[2]
    x = tf.pad(x, [[0, 0], [down // 2, down - down // 2], [right // 2, right - right // 2], [0, 0]])
    return lesson.conv2d(x, kernel, bias, stride)


@conv2d.misconception
def looks_at_the_first_channel(x, kernel, bias, stride=1, padding="valid"):
    """Only the first channel of your images counts; a filter adds up over all of them."""
    return lesson.conv2d(x[..., :1], kernel[:, :, :1], bias, stride, padding)


@conv2d.misconception
def averages_over_the_channels(x, kernel, bias, stride=1, padding="valid"):
    """You take the mean over the channels of the images; a filter adds them up."""
    return (lesson.conv2d(x, kernel, 0 * bias, stride, padding) / x.shape[-1]) + bias


@conv2d.misconception
def keeps_the_channels_apart(x, kernel, bias, stride=1, padding="valid"):
    """Your maps still have an axis for the channels of the images; a filter adds up over them."""
    channels = [lesson.conv2d(x[..., m:m + 1], kernel[:, :, m:m + 1], bias, stride, padding) for m in range(x.shape[-1])]
    return tf.stack(channels, axis=3)


@conv2d.misconception
def leaves_out_the_bias(x, kernel, bias, stride=1, padding="valid"):
    """Your bias makes no difference; it is added to the map of its filter, at every place."""
    return lesson.conv2d(x, kernel, 0 * bias, stride, padding)


@conv2d.misconception
def adds_the_bias_for_every_weight(x, kernel, bias, stride=1, padding="valid"):
    """Your bias is added once for every position in the kernel; it belongs outside that loop, once per place."""
    return lesson.conv2d(x, kernel, bias * kernel.shape[0] * kernel.shape[1], stride, padding)


@conv2d.misconception
def lets_the_bias_differ_from_place_to_place(x, kernel, bias, stride=1, padding="valid"):
    """Your bias is not the same at every place of a map: there is one for each filter, and it goes along with the channels."""
    plain = lesson.conv2d(x, kernel, 0 * bias, stride, padding)
    along = tf.gather(bias, tf.range(plain.shape[2]) % bias.shape[0])  # (W',): one for each column
    return plain + along[:, tf.newaxis]


@conv2d.variation({"[down // 2, down - down // 2]": "[down, down - down // 2]"},
                  {"[right // 2, right - right // 2]": "[right, right - right // 2]"},
                  {"+ kh - height, 0)": "+ kh, 0)"}, {"+ kw - width, 0)": "+ kw, 0)"}, {"+ kw - width, 0)": "+ kw + width, 0)"},
                  {"(columns - 1) * stride + kw - width": "columns * stride + kw - width"},
                  {"(columns - 1) * stride + kw - width": "(columns + 1) * stride + kw - width"})
def pads_one_side_by_another_amount():
    """With padding "same" you add another number of zeros along the rows or the columns than the windows need: just so many that
    the last window ends with them."""


@conv2d.variation({"x[:, i:i +": "x[:, :i +"}, {"j:j + (columns": ":j + (columns"}, {"i:i + (rows": "i:(rows"},
                  {"j:j + (columns": "j:(columns"})
def slices_that_do_not_move():
    """For some entries of the kernel you look at the wrong pixels: where its pixels begin and end both move with an entry."""


@conv2d.variation({"total + tf.tensordot(seen, kernel[i, j], 1)": "total + 0 * tf.tensordot(seen, kernel[i, j], 1)"})
def bias_alone():
    """Your result is the bias everywhere: what the kernel sees is added to it."""


# ---------------------------------------------------------------------------------------------------- max_pool

max_pool = Question(lesson.max_pool, forbid=POOLINGS, uses=("output_size",))


SMALL_MAP = np.array([[1, 5, 2, 0, 7], [3, 4, 8, 1, 0], [9, 0, 6, 2, 2]], np.float32)[np.newaxis, :, :, np.newaxis]


@max_pool.case(points=1, visible=True)
def rows_and_columns_left_over(rng):
    """The first example of the docstring: two whole windows; the last row and the last column fill none."""
    return SMALL_MAP, 2, 2


@max_pool.case(points=1, visible=True)
def windows_side_by_side(rng):
    """The second example of the docstring: windows of 2 × 2 that move by one entry."""
    return SMALL_MAP, 2, 1


@max_pool.case(points=3)
def windows_that_overlap(rng):
    """Windows of 3 × 3 that move by 2, over several images and channels."""
    return normal(rng, 2, 7, 10, 3), 3, 2


@max_pool.case(points=2)
def windows_with_gaps(rng):
    """Windows of 2 × 2 that move by 3: some entries are in no window."""
    return normal(rng, 4, 8, 12, 3), 2, 3


@max_pool.case(points=2)
def negative_maps(rng):
    """All entries are negative."""
    return -rng.uniform(1, 3, size=(3, 5, 7, 2)).astype("float32"), 2, 2


@max_pool.case(points=1)
def window_as_high_as_the_map(rng):
    """A window as high as the map moves to the right only."""
    return normal(rng, 3, 4, 9, 2), 4, 1


@max_pool.case(points=1)
def windows_of_one(rng):
    """Windows of one entry that move by 3."""
    return normal(rng, 2, 8, 7, 5), 1, 3


@max_pool.case(points=3, probe=probes.gradients(), rtol=1e-3)
def gradient_of_the_maps(rng):
    """Gradient with respect to the maps, with overlapping windows."""
    return normal(rng, 2, 5, 8, 3), 3, 2


@max_pool.misconception
def takes_the_average(x, size, stride):
    """Your windows give their mean; keep the largest entry."""
    rows, columns = ((length - size) // stride + 1 for length in x.shape[1:3])
    seen = [x[:, i:i + (rows - 1) * stride + 1:stride, j:j + (columns - 1) * stride + 1:stride]
            for i in range(size) for j in range(size)]
    return tf.reduce_mean(tf.stack(seen), axis=0)


@max_pool.misconception
def takes_the_smallest(x, size, stride):
    """Your windows give their smallest entry; keep the largest."""
    return -lesson.max_pool(-x, size, stride)


@max_pool.misconception
def moves_by_the_size(x, size, stride):
    """Your windows always move by their own size; the stride is an argument of its own."""
    return lesson.max_pool(x, size, size)


@max_pool.misconception
def sees_as_much_as_it_moves(x, size, stride):
    """Your windows are as large as the stride; the size is an argument of its own."""
    rows, columns = ((length - size) // stride + 1 for length in x.shape[1:3])
    longer = tf.pad(x, [[0, 0], [0, stride], [0, stride], [0, 0]], constant_values=-1e9)
    return lesson.max_pool(longer, stride, stride)[:, :rows, :columns]


@max_pool.misconception
def takes_the_stride_for_the_size(x, size, stride):
    """Size and stride have changed places: windows are `size` entries high and wide, and move by `stride`."""
    return lesson.max_pool(x, stride, size)


@max_pool.misconception
def moves_by_one(x, size, stride):
    """Your windows move by one entry, whatever stride is asked for."""
    return lesson.max_pool(x, size, 1)


@max_pool.misconception
def forgets_the_stride_of_a_start(x, size, stride):
    """Your map has the right size, but its windows lie side by side; window r starts at row r times the stride."""
    rows, columns = ((length - size) // stride + 1 for length in x.shape[1:3])
    return lesson.max_pool(x, size, 1)[:, :rows, :columns]


@max_pool.misconception
def pads_with_zeros(x, size, stride):
    """Your map has windows that hang over the edge and are filled up with zeros; only whole windows count."""
    rows, columns = (-(-length // stride) for length in x.shape[1:3])
    down, right = (max((n - 1) * stride + size - length, 0) for n, length in zip((rows, columns), x.shape[1:3]))
    x = tf.pad(x, [[0, 0], [down // 2, down - down // 2], [right // 2, right - right // 2], [0, 0]])
    return lesson.max_pool(x, size, stride)


@max_pool.misconception
def keeps_windows_cut_short(x, size, stride):
    """Your map also has windows that are cut short by the end of the image; only whole windows count."""
    down, right = (-(length - size) % stride for length in x.shape[1:3])
    return lesson.max_pool(tf.pad(x, [[0, 0], [0, down], [0, right], [0, 0]], constant_values=-1e9), size, stride)


@max_pool.misconception
def starts_from_zero(x, size, stride):
    """Your maxima are never below 0, as if each search began with 0; begin with an entry of the window."""
    return tf.maximum(lesson.max_pool(x, size, stride), 0)


@max_pool.misconception
def turns_the_map(x, size, stride):
    """Your map has as many rows as it should have columns; the second axis of x is the height, the third the width."""
    return tf.transpose(lesson.max_pool(x, size, stride), (0, 2, 1, 3))


@max_pool.misconception
def pools_the_channels_too(x, size, stride):
    """Your maxima go over the channels as well; every channel is pooled on its own."""
    return tf.reduce_max(lesson.max_pool(x, size, stride), axis=-1, keepdims=True)


@max_pool.misconception
def pools_rows_only(x, size, stride):
    """Your windows are one entry wide; they reach over `size` columns as well."""
    rows, columns = ((length - size) // stride + 1 for length in x.shape[1:3])
    seen = [x[:, i:i + (rows - 1) * stride + 1:stride, :(columns - 1) * stride + 1:stride] for i in range(size)]
    return tf.reduce_max(tf.stack(seen), axis=0)


@max_pool.misconception
def leaves_tensorflow(x, size, stride):
    """Your maxima are right, but they were computed outside TensorFlow, where no gradient can follow; use tf functions or
    keras.ops from input to output."""
    return np.asarray(lesson.max_pool(tf.constant(np.asarray(x)), size, stride))


@max_pool.variation({"for i in range(size)": "for i in range(size - 1)"}, {"for i in range(size)": "for i in range(size + 1)"},
                    {"for j in range(size)": "for j in range(size - 1)"}, {"for j in range(size)": "for j in range(size + 1)"})
def looks_a_row_too_far_or_short():
    """Your windows are one row or one column too small or too large: they are `size` high and `size` wide."""


@max_pool.variation({"tf.stack(seen), axis=0": "tf.stack(seen), axis=-1"}, {"tf.stack(seen), axis=0": "tf.stack(seen)"})
def largest_over_another_axis():
    """Your maximum runs over another axis than the places in a window: images, places and channels stay apart."""


# ---------------------------------------------------------------------------------------------------- parameters

conv_parameters = Question(lesson.conv_parameters, probe=own.with_a_pair(use="call"))


@conv_parameters.case(points=1, visible=True)
def twenty_filters(rng):
    """Twenty filters of 5 × 5 on a grey image: 25 weights and a bias, twenty times."""
    return 5, 1, 20


@conv_parameters.case(points=1)
def from_channels_to_channels(rng):
    """A square kernel between so many channels that float32 could not count the weights."""
    return 3, 2 * int(rng.integers(700, 799)), 2 * int(rng.integers(700, 799)) + 1


@conv_parameters.case(points=2)
def kernels_with_two_sides(rng):
    """Kernels whose height and width differ."""
    return [int(rng.integers(2, 5)), int(rng.integers(5, 9))], int(rng.integers(9, 30)), int(rng.integers(31, 70))


@conv_parameters.case(points=1)
def kernel_of_one_pixel(rng):
    """A kernel of one pixel mixes channels only."""
    return 1, int(rng.integers(6, 50)), int(rng.integers(51, 120))


@conv_parameters.misconception
def counts_no_bias(kernel_size, cin, cout):
    """Your count leaves out the biases: there is one for each filter."""
    return lesson.conv_parameters(kernel_size, cin, cout) - cout


@conv_parameters.misconception
def counts_in_float32(kernel_size, cin, cout):
    """Your large counts are off by a few: float32 holds whole numbers up to 16 million only. Count with Python's integers."""
    return float(np.float32(lesson.conv_parameters(kernel_size, cin, cout)))


@conv_parameters.misconception
def counts_biases_of_the_inputs(kernel_size, cin, cout):
    """Your biases belong to the channels that come in: there is one for each filter."""
    return lesson.conv_parameters(kernel_size, cin, cout) - cout + cin


@conv_parameters.misconception
def counts_one_bias(kernel_size, cin, cout):
    """Your count has a single bias; every filter has one of its own."""
    return lesson.conv_parameters(kernel_size, cin, cout) - cout + 1


@conv_parameters.misconception
def counts_a_bias_per_input_channel(kernel_size, cin, cout):
    """Your count has biases for every input channel; a filter adds up all its channels and then one bias."""
    return lesson.conv_parameters(kernel_size, cin, cout) + (cin - 1) * cout


@conv_parameters.misconception
def counts_a_bias_per_position(kernel_size, cin, cout):
    """Your count has a bias for every position in the kernel; a filter has one in all, at whatever place it looks."""
    kh, kw = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return kh * kw * (cin + 1) * cout


@conv_parameters.misconception
def forgets_the_input_channels(kernel_size, cin, cout):
    """Your filters have one channel; a filter has weights for every channel that comes in."""
    return lesson.conv_parameters(kernel_size, 1, cout)


@conv_parameters.misconception
def takes_the_kernel_once(kernel_size, cin, cout):
    """Your count takes one side of the kernel; its weights fill height times width."""
    kh = kernel_size if isinstance(kernel_size, int) else kernel_size[0]
    return kh * cin * cout + cout


@conv_parameters.misconception
def squares_the_height(kernel_size, cin, cout):
    """Your kernels are squares even where a pair is given; multiply its height by its width."""
    return lesson.conv_parameters(kernel_size if isinstance(kernel_size, int) else kernel_size[0], cin, cout)


dense_parameters = Question(lesson.dense_parameters)


@dense_parameters.case(points=1, visible=True)
def thirty_units(rng):
    """Thirty units on a grey image of 28 × 28: 784 weights and a bias, thirty times."""
    return 28, 28, 1, 30


@dense_parameters.case(points=2)
def colour_images(rng):
    """An image that is not square, with several channels, and more units than float32 could count the weights of."""
    h, w, c = int(rng.integers(11, 25)), 2 * int(rng.integers(13, 20)), int(rng.integers(3, 6))
    return h, w, c, (17_000_000 // (h * w * c) | 1) + 2 * int(rng.integers(0, 99))


@dense_parameters.case(points=1)
def one_unit(rng):
    """A single unit on a row of pixels."""
    return 1, int(rng.integers(30, 2000)), 2, 1


@dense_parameters.misconception
def counts_no_biases(h, w, c, units):
    """Your count leaves out the biases: there is one for each unit."""
    return h * w * c * units


@dense_parameters.misconception
def counts_in_float32(h, w, c, units):  # noqa: F811
    """Your large counts are off by a few: float32 holds whole numbers up to 16 million only. Count with Python's integers."""
    return float(np.float32(lesson.dense_parameters(h, w, c, units)))


@dense_parameters.misconception
def counts_a_single_bias(h, w, c, units):
    """Your count has a single bias; every unit has one of its own."""
    return h * w * c * units + 1


@dense_parameters.misconception
def counts_a_bias_per_input(h, w, c, units):
    """Your biases belong to the inputs; every unit has one, added to its sum."""
    return h * w * c * units + h * w * c


@dense_parameters.misconception
def forgets_the_channels(h, w, c, units):
    """Your units have one weight per pixel; each of its channels has a weight of its own."""
    return h * w * units + units


@dense_parameters.misconception
def shares_the_weights(h, w, c, units):
    """Your units use the same weights at every pixel, as a convolution would; in a dense layer every pixel has its own."""
    return c * units + units


@conv_parameters.variation({"cout + cout": "cout - cout"})
def subtracts_the_biases():
    """Your biases are subtracted: they are parameters like the weights, so add them."""


@conv_parameters.variation({"kh * kw * cin * cout": "kh * kw * cin"}, {"kh * kw * cin * cout": "cin * cout"},
                           {"kh * kw * cin * cout": "kw * cin * cout"}, {"kh * kw * cin * cout": "cout"})
def forgets_a_factor():
    """A factor is missing in your number of weights: every filter has one for each place of its window and each input channel."""


@conv_parameters.variation({"* cin * cout": "* cin / cout"}, {"* cin * cout": "/ cin * cout"}, {"kh * kw": "kh / kw"})
def divides_by_a_factor():
    """You divide where you should multiply: the number of weights grows with each of the four sizes."""


@dense_parameters.variation({"units + units": "units - units"})
def subtracts_the_biases():  # noqa: F811
    """Your biases are subtracted: they are parameters like the weights, so add them."""


@dense_parameters.variation({"h * w * c * units": "h * w * c"}, {"h * w * c * units": "h * c * units"},
                            {"h * w * c * units": "w * c * units"},
                            {"h * w * c * units": "units"})
def forgets_a_factor():  # noqa: F811
    """A factor is missing in your number of weights: every unit has one for each entry of the flattened image."""


@dense_parameters.variation({"* c * units": "* c / units"}, {"* c * units": "/ c * units"}, {"h * w": "h / w"})
def divides_by_a_factor():  # noqa: F811
    """You divide where you should multiply: the number of weights grows with each of the four sizes."""


# ---------------------------------------------------------------------------------------------------- Convolution

Convolution = Question(lesson.Convolution, probe=own.with_a_pair(use="layer"), forbid=CONVOLUTIONS,
                       uses=("output_size", "conv2d"))


def layer_inputs(rng, x, kernel, **config):
    """The arguments of a layer, weights for it, and images, for shapes of images and kernel; a pair unless it says otherwise."""
    config = {"filters": kernel[-1], "kernel_size": list(kernel[:2]), **config}
    return {"config": config, "weights": {"kernel": normal(rng, *kernel) / 2, "bias": normal(rng, kernel[-1])},
            "call": [normal(rng, *x)]}


@Convolution.case(points=2, visible=True)
def one_filter(rng):
    """One filter of 2 × 2 with the bias 1 and ReLU on an image of 2 × 3, stride 2 and padding "same": two places."""
    return {"config": {"filters": 1, "kernel_size": 2, "stride": 2, "padding": "same", "activation": "relu"},
            "weights": {"kernel": np.array([[1, 2], [0, -1]], np.float32)[..., np.newaxis, np.newaxis],
                        "bias": np.ones(1, np.float32)},
            "call": [np.array([[1, 0, 2], [4, 3, 1]], np.float32)[np.newaxis, :, :, np.newaxis]]}


@Convolution.case(points=4)
def every_argument_at_once(rng):
    """A kernel that is no square, stride 2, padding "same" and ReLU."""
    return layer_inputs(rng, (4, 8, 9, 2), (3, 5, 2, 6), stride=2, padding="same", activation="relu")


@Convolution.case(points=3)
def linear_with_stride_three(rng):
    """Stride 3 without padding and without activation."""
    return layer_inputs(rng, (2, 7, 12, 3), (2, 4, 3, 5), stride=3)


@Convolution.case(points=4, probe=own.with_a_pair(use="layer_gradients"), rtol=1e-3, atol=1e-4)
def gradients_reach_the_weights(rng):
    """Gradients with respect to images, kernel and bias, through tanh at stride 2 with padding "same"."""
    return layer_inputs(rng, (2, 6, 5, 3), (4, 2, 3, 7), stride=2, padding="same", activation="tanh")


@Convolution.case(points=2, probe=own.keeps_its_weights())
def its_own_weights(rng):
    """Two weights that Keras knows, made once; the kernel has its shape, and the filters start out different."""
    return {"config": {"filters": 3, "kernel_size": [2, 4], "padding": "same"}, "call": [images(rng, 9, 5, 6, 4)]}


@Convolution.case(points=2, probe=own.with_a_pair(use="layer_in_model"))
def inside_a_model(rng):
    """In a functional model of unknown batch size, compiled by tf.function."""
    return layer_inputs(rng, (3, 6, 8, 2), (1, 3, 2, 4), stride=2, padding="same", activation="sigmoid")


@Convolution.case(points=2, visible=True, probe=own.with_a_pair(use="layer_config"))
def rebuilt_from_its_configuration(rng):
    """A copy made from `get_config` behaves the same with the same weights."""
    return layer_inputs(rng, (1, 3, 4, 1), (2, 3, 1, 2), stride=2, padding="same", activation="relu")


@Convolution.case(points=1, probe=own.with_a_pair(use="layer_saved"))
def saved_and_loaded(rng):
    """A model that contains the layer is saved, loaded and used."""
    return layer_inputs(rng, (2, 8, 5, 3), (2, 1, 3, 4), stride=2, padding="same", activation="tanh")


@Convolution.misconception
class makes_weights_in_every_call(lesson.Convolution):
    """Your layer makes new weights in every call, so nothing it learns lasts; make them once, in `build`."""

    def build(self, input_shape):
        self.shape = (*self.kernel_size, input_shape[-1], self.filters)

    def call(self, x):
        self.kernel = tf.Variable(tf.random.normal(self.shape))
        self.bias = tf.Variable(tf.zeros(self.filters))
        return super().call(x)


@Convolution.misconception
class hides_its_weights_from_keras(lesson.Convolution):
    """Keras does not know your weights, so that they are neither trained nor saved; make them with `self.add_weight`."""

    def build(self, input_shape):
        self.kernel = tf.Variable(tf.random.normal((*self.kernel_size, input_shape[-1], self.filters)))
        self.bias = tf.Variable(tf.zeros(self.filters))


@Convolution.misconception
class starts_all_filters_alike(lesson.Convolution):
    """Your filters all start out the same and get the same gradients, so they never become different; start with random
    weights."""

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel.assign(0 * self.kernel)


@Convolution.misconception
class leaves_the_bias_unused(lesson.Convolution):
    """Your bias makes no difference to the output; it is added before the activation."""

    def call(self, x):
        return self.activation(lesson.conv2d(x, self.kernel, 0 * self.bias, self.stride, self.padding))


@Convolution.misconception
class has_no_bias(lesson.Convolution):
    """Your layer has no weight `bias`; make one of shape (filters,) beside the kernel."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(*self.kernel_size, input_shape[-1], self.filters), name="kernel")

    def call(self, x):
        return self.activation(lesson.conv2d(x, self.kernel, tf.zeros(self.filters), self.stride, self.padding))


@Convolution.misconception
class forgets_the_activation(lesson.Convolution):
    """Your activation makes no difference to the output; apply it to what the convolution returns."""

    def call(self, x):
        return lesson.conv2d(x, self.kernel, self.bias, self.stride, self.padding)


@Convolution.misconception
class activates_before_the_bias(lesson.Convolution):
    """Your bias is added after the activation; it comes before."""

    def call(self, x):
        return self.activation(lesson.conv2d(x, self.kernel, 0 * self.bias, self.stride, self.padding)) + self.bias


@Convolution.misconception
class activates_always(lesson.Convolution):
    """Your layer applies ReLU whatever is asked for; the activation is an argument, and None means none."""

    def call(self, x):
        return tf.nn.relu(lesson.conv2d(x, self.kernel, self.bias, self.stride, self.padding))


@Convolution.misconception
class forgets_the_stride(lesson.Convolution):
    """Your layer moves by one pixel, whatever stride it was made with; hand the stride on to the convolution."""

    def call(self, x):
        return self.activation(lesson.conv2d(x, self.kernel, self.bias, 1, self.padding))


@Convolution.misconception
class forgets_the_padding(lesson.Convolution):
    """Your layer never pads, whatever it was made with; hand the padding on to the convolution."""

    def call(self, x):
        return self.activation(lesson.conv2d(x, self.kernel, self.bias, self.stride))


@Convolution.misconception
class takes_every_kernel_for_a_square(lesson.Convolution):
    """Your kernel is a square even where a pair is given; its shape is (kh, kw, Cin, filters)."""

    def build(self, input_shape):
        self.kernel_size = (self.kernel_size[0], self.kernel_size[0])
        super().build(input_shape)


@Convolution.misconception
class puts_the_width_first(lesson.Convolution):
    """Your kernel's height and width have changed places; the pair is (height, width), and so is the kernel's shape."""

    def build(self, input_shape):
        self.kernel_size = self.kernel_size[::-1]
        super().build(input_shape)


@Convolution.misconception
class puts_the_filters_before_the_channels(lesson.Convolution):
    """Your kernel has the shape (kh, kw, filters, Cin); channels that come in stand before channels that go out."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(*self.kernel_size, self.filters, input_shape[-1]), name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x):
        kernel = tf.transpose(tf.convert_to_tensor(self.kernel), (0, 1, 3, 2))
        return self.activation(lesson.conv2d(x, kernel, self.bias, self.stride, self.padding))


@Convolution.misconception
class reads_a_fixed_batch(lesson.Convolution):
    """Your layer fails where the batch size is unknown: inside a model x.shape[0] is None. Take tf.shape(x)[0], or a -1 in
    a reshape."""

    def call(self, x):
        return super().call(tf.reshape(x, (x.shape[0], x.shape[1], x.shape[2], x.shape[3])))


@Convolution.misconception
class leaves_the_configuration_to_keras(lesson.Convolution):
    """Your layer cannot be built again from its get_config; it has to hold every argument of __init__ by name."""

    def get_config(self):
        return keras.layers.Layer.get_config(self)


@Convolution.misconception
class forgets_some_of_its_configuration(lesson.Convolution):
    """Your get_config holds too little: a copy made from it falls back on defaults. Stride, padding and activation belong
    there as well."""

    def get_config(self):
        return {**keras.layers.Layer.get_config(self), "filters": self.filters, "kernel_size": self.kernel_size}


# ---------------------------------------------------------------------------------------------------- build_cnn

build_cnn = Question(lesson.build_cnn, probe=own.network())


def network_inputs(rng, input_shape, task, outputs, parts=("output",)):
    return {"input_shape": input_shape, "task": task, "outputs": outputs, "parts": list(parts),
            "images": images(rng, 9, *input_shape)}


@build_cnn.case(points=2, visible=True)
def names_a_digit(rng):
    """Classification of images of 8 × 12 with one channel into 3 classes."""
    return network_inputs(rng, [8, 12, 1], "classification", 3)


@build_cnn.case(points=2)
def classification(rng):
    """Classification: probabilities for another number of classes."""
    return network_inputs(rng, [12, 8, 2], "classification", 5)


@build_cnn.case(points=2)
def regression(rng):
    """Regression: any number may come out."""
    return network_inputs(rng, [8, 16, 3], "regression", 2)


@build_cnn.case(points=3)
def detection(rng):
    """Detection: a box inside the image, and a label."""
    return network_inputs(rng, [16, 12, 1], "detection", 3, ["box", "label"])


@build_cnn.case(points=3)
def segmentation(rng):
    """Segmentation: probabilities for every pixel of the input."""
    return network_inputs(rng, [12, 20, 2], "segmentation", 3)


@build_cnn.case(points=2, visible=True)
def control(rng):
    """Control: a mean and a positive scale."""
    return network_inputs(rng, [8, 12, 3], "control", 2, ["mean", "scale"])


@build_cnn.misconception
def gives_scores_for_probabilities(input_shape, task, outputs):
    """Your classification returns scores; it should return probabilities, positive and with the sum 1: a softmax."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "classification":
        return keras.Model(model.inputs, keras.layers.Dense(outputs)(model.layers[-2].output))
    return model


@build_cnn.misconception
def asks_yes_or_no_for_each_class(input_shape, task, outputs):
    """The probabilities of your classification do not sum to 1, as those of independent yes-or-no answers: the classes exclude
    one another."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "classification":
        return keras.Model(model.inputs, keras.layers.Dense(outputs, activation="sigmoid")(model.layers[-2].output))
    return model


@build_cnn.misconception
def squashes_the_regression(input_shape, task, outputs):
    """Your regression can only return numbers between 0 and 1; a linear head returns any number."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "regression":
        return keras.Model(model.inputs, keras.layers.Dense(outputs, activation="sigmoid")(model.layers[-2].output))
    return model


@build_cnn.misconception
def rectifies_the_regression(input_shape, task, outputs):
    """Your regression never returns a negative number; a linear head has no activation."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "regression":
        return keras.Model(model.inputs, keras.layers.Dense(outputs, activation="relu")(model.layers[-2].output))
    return model


@build_cnn.misconception
def lets_boxes_leave_the_image(input_shape, task, outputs):
    """Your boxes may lie outside the image; their four entries are shares from 0 to 1."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "detection":
        box = keras.layers.Dense(4)(model.layers[-3].output)
        return keras.Model(model.inputs, {"box": box, "label": model.output["label"]})
    return model


@build_cnn.misconception
def gives_label_scores(input_shape, task, outputs):
    """The label of your detection is not a list of probabilities; it is a classification like any other."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "detection":
        label = keras.layers.Dense(outputs)(model.layers[-3].output)
        return keras.Model(model.inputs, {"box": model.output["box"], "label": label})
    return model


@build_cnn.misconception
def returns_lists(input_shape, task, outputs):
    """Your detection and control return lists; return a dictionary, so that nobody has to remember an order."""
    model = lesson.build_cnn(input_shape, task, outputs)
    return keras.Model(model.inputs, list(model.output.values())) if isinstance(model.output, dict) else model


@build_cnn.misconception
def segments_at_the_pooled_size(input_shape, task, outputs):
    """Your segmentation is a quarter as high and as wide as the image; it should answer for every pixel of the input."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "segmentation":
        small = model.layers[4].output  # (B, H/4, W/4, 32)
        return keras.Model(model.inputs, keras.layers.Conv2D(outputs, 1, activation="softmax")(small))
    return model


@build_cnn.misconception
def gives_scores_for_pixels(input_shape, task, outputs):
    """Your segmentation returns scores; every pixel should have probabilities, positive and with the sum 1."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "segmentation":
        return keras.Model(model.inputs, keras.layers.Conv2D(outputs, 1)(model.layers[-2].output))
    return model


@build_cnn.misconception
def lets_scales_be_negative(input_shape, task, outputs):
    """Your scale can be negative; a standard deviation is above 0."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "control":
        scale = keras.layers.Dense(outputs)(model.layers[-3].output)
        return keras.Model(model.inputs, {"mean": model.output["mean"], "scale": scale})
    return model


@build_cnn.misconception
def convolves_once(input_shape, task, outputs):
    """Your body has one convolution and one pooling; two of each are asked for."""
    layers = keras.layers
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(x)
    if task == "segmentation":
        x = layers.UpSampling2D(2)(x)
        return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(x))
    x = layers.Flatten()(x)
    if task == "classification":
        return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(x))
    if task == "regression":
        return keras.Model(inputs, layers.Dense(outputs)(x))
    if task == "detection":
        return keras.Model(inputs, {"box": layers.Dense(4, activation="sigmoid")(x),
                                    "label": layers.Dense(outputs, activation="softmax")(x)})
    return keras.Model(inputs, {"mean": layers.Dense(outputs)(x), "scale": layers.Dense(outputs, activation="softplus")(x)})


@build_cnn.misconception
def uses_constants_for_the_scale(input_shape, task, outputs):
    """Your scale gets no gradient, or is the same for every image: it has to be computed from the features, as the mean is."""
    model = lesson.build_cnn(input_shape, task, outputs)
    if task == "control":
        scale = keras.layers.Lambda(lambda mean: tf.stop_gradient(tf.ones_like(mean)))(model.output["scale"])
        return keras.Model(model.inputs, {"mean": model.output["mean"], "scale": scale})
    return model


# ---------------------------------------------------------------------------------------------------- gaussian_nll

gaussian_nll = Question(lesson.gaussian_nll, forbid=("scipy.stats.*",))


@gaussian_nll.case(points=2, visible=True)
def six_commands(rng):
    """Three rows of two entries: one that is a scale off, and five that are met exactly."""
    return [[3.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [[2.0, 1.0], [1.0, 1.0], [1.0, 1.0]]


@gaussian_nll.case(points=2)
def batch_of_commands(rng):
    """A batch with several numbers to predict, each with a scale of its own."""
    return normal(rng, 5, 3), normal(rng, 5, 3), rng.uniform(0.4, 2.5, size=(5, 3)).astype("float32")


@gaussian_nll.case(points=2)
def far_off(rng):
    """Scale test: errors of 20 to 60 scales, where the density itself is 0 in float32."""
    mean, scale = normal(rng, 4, 6), rng.uniform(0.01, 30, size=(4, 6)).astype("float32")
    return mean + scale * rng.uniform(20, 60, size=(4, 6)).astype("float32"), mean, scale


@gaussian_nll.case(points=1)
def one_entry(rng):
    """A batch of one, with one number to predict."""
    return normal(rng, 1, 1), normal(rng, 1, 1), rng.uniform(2, 4, size=(1, 1)).astype("float32")


@gaussian_nll.misconception
def takes_the_scale_for_a_variance(y, mean, scale):
    """Your cost treats the scale as a variance; it is the standard deviation, whose square is the variance."""
    return lesson.gaussian_nll(y, mean, tf.sqrt(scale))


@gaussian_nll.misconception
def drops_the_constant(y, mean, scale):
    """Your cost lacks its constant: half the logarithm of 2π belongs to it."""
    return lesson.gaussian_nll(y, mean, scale) - math.log(2 * math.pi) / 2


@gaussian_nll.misconception
def takes_the_whole_constant(y, mean, scale):
    """Your constant is twice too large: it is half the logarithm of 2π."""
    return lesson.gaussian_nll(y, mean, scale) + math.log(2 * math.pi) / 2


@gaussian_nll.misconception
def sums_over_all_entries(y, mean, scale):
    """Your cost is the sum over the entries; take their mean."""
    return lesson.gaussian_nll(y, mean, scale) * tf.cast(tf.size(y), tf.float32)


@gaussian_nll.misconception
def sums_over_the_outputs(y, mean, scale):
    """Your cost is a mean over the batch but a sum over the columns; take the mean over all entries."""
    return lesson.gaussian_nll(y, mean, scale) * y.shape[1]


@gaussian_nll.misconception
def gives_the_likelihood(y, mean, scale):
    """Your cost has the wrong sign: it falls as the density falls."""
    return -lesson.gaussian_nll(y, mean, scale)


@gaussian_nll.misconception
def forgets_the_half(y, mean, scale):
    """Your squared errors count twice: their term is divided by 2σ²."""
    return lesson.gaussian_nll(y, mean, scale) + tf.reduce_mean(((y - mean) / scale) ** 2) / 2


@gaussian_nll.misconception
def forgets_the_logarithm_of_the_scale(y, mean, scale):
    """Your cost lacks ln σ: without it, an endless scale would cost nothing."""
    return lesson.gaussian_nll(y, mean, scale) - tf.reduce_mean(tf.math.log(scale))


@gaussian_nll.misconception
def logarithm_of_the_variance(y, mean, scale):
    """Your cost holds ln σ² where it should hold ln σ, or half of the former."""
    return lesson.gaussian_nll(y, mean, scale) + tf.reduce_mean(tf.math.log(scale))


@gaussian_nll.misconception
def leaves_errors_unscaled(y, mean, scale):
    """Your errors are not divided by their scales: an error counts less where a large one was announced."""
    return lesson.gaussian_nll(y, mean, scale) + tf.reduce_mean((y - mean) ** 2 / 2 - ((y - mean) / scale) ** 2 / 2)


@gaussian_nll.misconception(variants=[{"epsilon": 10.0 ** -n} for n in (6, 7, 8, 9, 10, 12)])
def takes_the_logarithm_of_the_density(y, mean, scale, epsilon=0.0):
    """Your cost breaks down when y is many scales off: the density underflows to 0. Simplify the logarithm first."""
    density = tf.exp(-((y - mean) / scale) ** 2 / 2) / (scale * math.sqrt(2 * math.pi))
    return -tf.reduce_mean(tf.math.log(density + epsilon))


@gaussian_nll.variation({"(y - mean) / scale) ** 2": "(y - mean) / scale)"},
                        {"(y - mean) / scale) ** 2": "(y - mean) / scale) ** 3"})
def does_not_square_the_error():
    """An error below the mean costs you another amount than one above: errors are squared."""


@gaussian_nll.variation({"(y - mean)": "(y + mean)"}, {"(y - mean)": "y"})
def measures_from_elsewhere():
    """Your cost is not lowest where y is the mean: an error is the difference of the two."""


@gaussian_nll.variation({"(y - mean) / scale)": "(y - mean) * scale)"})
def multiplies_by_the_scale():
    """Your errors are multiplied by their scales: they are divided, so that one counts less where a large one was announced."""


@gaussian_nll.variation({"/ 2 + tf.math.log(scale)": "/ 2 - tf.math.log(scale)"})
def rewards_large_scales():
    """Your cost falls without end as the scale grows: ln σ is added."""


@gaussian_nll.variation({"+ tf.math.log(scale)": "+ scale"}, {"tf.math.log(scale)": "tf.math.log1p(scale)"})
def adds_the_scale_otherwise():
    """What the scale itself costs is neither σ nor ln(1 + σ) but ln σ."""
