# %% [markdown]
# # Convolution
#
# Where is the cat? Top left or bottom right, it is the same cat, and nobody learns to see it anew in every corner. A
# dense network does: each of its neurons has its own weight for every pixel, so whatever it learns about one corner
# says nothing about the next. Convolution makes one simple change. It looks through a **small window**, and it uses
# the **same weights wherever it looks**. With that, 520 numbers do what would otherwise take nine million, and
# networks learned to see.
#
# By the end you will be able to
#
# - say how large a feature map is, whatever the kernel, the stride and the padding;
# - write a **convolution** and a **max pooling** yourself, and explain what they do to an edge, to a shift, to a gradient;
# - count the parameters that **shared weights** save;
# - pack your convolution into a Keras layer that trains, saves and loads;
# - put **five different heads** on the same small network: what is it, how much of it, where, which pixels, and how sure?
#
# You need about three hours. There are eight questions, worth 100 points together.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The
# check tries small examples that you can redo with pen and paper; hidden cases of other sizes hold most of the
# points, so write no size into your code: images are rarely square, and neither are kernels. Examples in docstrings
# write arrays as lists; the checks pass tensors. Write your answers any way you like. Only `conv2d`, `max_pool`,
# `Convolution` and `gaussian_nll` are trained through, so **gradients** have to pass: stay with TensorFlow or
# `keras.ops` there, from input to output.
#
# Some letters stay the same throughout. All arrays are float32, batch first, **channels last**.
#
# | letter | meaning |
# | --- | --- |
# | $B$ | batch: images handled together |
# | $H$, $W$ | height (rows) and width (columns) of an image; height always comes first |
# | $C_{in}$, $C_{out}$ | channels that come in (1 for grey, 3 for colour), channels that go out (one per filter) |
# | $k_h$, $k_w$ | height and width of the kernel |
# | $s$ | stride: how many pixels the window moves from one place to the next, the same downwards and to the right |

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import math
import tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from autograder import check, data, plots

plots.style()

# %% [markdown]
# ## 1. How many places does a window have?
#
# Slide a window of $k$ pixels along a row of $n$ pixels, $s$ pixels at a time. How often can you put it down? There
# are two conventions, and TensorFlow and Keras give them names.
#
# **`"valid"`**: the window stays inside the image. The first one starts at pixel 0, the next at $s$, then at $2s$, as
# long as it fits. Pixels at the end that no whole window reaches are left out:
#
# $$\text{places} = \left\lfloor \frac{n - k}{s} \right\rfloor + 1.$$
#
# **`"same"`**: the row is first made longer by zeros, so that there is one place for every $s$ pixels, and one for
# what is left of them at the end. At stride 1 the output is as long as the input, hence the name:
#
# $$\text{places} = \left\lceil \frac{n}{s} \right\rceil.$$
#
# | name | type | |
# | --- | --- | --- |
# | `size` $n$ | int | height or width of the image, at least 1 |
# | `kernel` $k$ | int | height or width of the window; with `"valid"` never larger than the image |
# | `stride` $s$ | int | at least 1 |
# | `padding` | str | `"valid"` or `"same"` |
# | returned | int | height or width of the output |
#
# Here $\lfloor\cdot\rfloor$ rounds down (`//` does it) and $\lceil\cdot\rceil$ rounds up. The formulas hold for
# height and width alike; for an image you call this function twice.

# %% question="output_size"
def output_size(size, kernel, stride, padding):
    """How many places a window has along one side of an image.

    >>> output_size(7, 4, 2, "valid")  # windows start at 0 and 2
    2
    >>> output_size(7, 4, 2, "same")   # with zeros at the ends there is one for every two pixels, and one for the last
    4

    Args:
        size: int, pixels along that side.
        kernel: int, pixels of the window along that side; at most `size` when padding is "valid".
        stride: int, pixels from one place to the next.
        padding: "valid" or "same".
    Returns:
        int, the number of places.
    """
    ### BEGIN SOLUTION
    if padding == "same":
        return -(-size // stride)  # rounded up
    return (size - kernel) // stride + 1
    ### END SOLUTION

# %% [markdown]
# Below, a row of eight pixels and every window of three that has a place on it, for three strides. Dashed squares are
# the zeros that `"same"` adds. Their number is no mystery either: the last window starts at $(\text{places} - 1)\,s$
# and needs $k$ pixels from there on, so
#
# $$\text{zeros} = \max\big((\text{places} - 1)\,s + k - n,\; 0\big), \qquad
# \text{before} = \left\lfloor \frac{\text{zeros}}{2} \right\rfloor, \qquad \text{after} = \text{zeros} - \text{before}.$$
#
# Half of them go to each end, and **an odd one goes to the end of the row**. You will need this in the next question.

# %% tags=["demo"]
def draw_places(ax, size, kernel, stride, padding):
    places = output_size(size, kernel, stride, padding)
    zeros = max((places - 1) * stride + kernel - size, 0) if padding == "same" else 0
    before = zeros // 2
    for pixel in range(-before, size + zeros - before):
        inside = 0 <= pixel < size
        ax.add_patch(plt.Rectangle((pixel, 0), 0.94, 0.94, facecolor="#dbe6f3" if inside else "white",
                                   edgecolor=plots.BLUE if inside else plots.GREY, linestyle="-" if inside else "--"))
        ax.text(pixel + 0.47, 0.45, pixel if inside else 0, ha="center", va="center", fontsize=10.5,
                color="#30343b" if inside else plots.GREY)
    for place in range(places):
        start, height = place * stride - before, -0.35 - 0.42 * place
        ax.plot([start + 0.05, start + kernel - 0.11], [height, height], color=plots.ORANGE, lw=5, solid_capstyle="butt")
    ax.set(xlim=(-1.2, size + 1.2), ylim=(-2.75 if padding == "valid" else -3.5, 1.1), aspect="equal", anchor="NW",
           xticks=[], yticks=[], title=f'"{padding}", stride {stride}: {places} places')
    ax.grid(False)
    ax.spines[:].set_visible(False)


figure, axes = plt.subplots(2, 3, figsize=(10.5, 3.9), height_ratios=(3.85, 4.6))
for row, padding in zip(axes, ("valid", "same")):
    for ax, stride in zip(row, (1, 2, 3)):
        draw_places(ax, 8, 3, stride, padding)
plt.show()

# %% [markdown]
# With stride 2 and `"valid"` the last pixel is never seen. With `"same"` it is, and since one zero is enough, it
# stands at the end alone. At stride 3 no window overlaps another.
#
# > **Going further.** Dumoulin and Visin, [*A guide to convolution arithmetic for deep
# > learning*](https://arxiv.org/abs/1603.07285) (2016), draw every combination of kernel, stride and padding. Beware of
# > one difference between frameworks: PyTorch is told a number of zeros and puts as many at the beginning as at the end
# > (its `"same"` is for stride 1 only); TensorFlow computes it from the stride, as above.

# %% [markdown]
# ## 2. Convolution
#
# A **filter** is a small pattern of weights: the kernel. Lay it on the image, multiply each weight with the pixel
# under it, add everything up and add a bias. The sum is large where the image looks like the pattern. Do so at every
# place and you have a **feature map**: a picture of where the pattern was found. The neuron behind one pixel of the
# map sees only the window it was laid on, its **receptive field**, and all neurons of a map share the same weights.
#
# An image has channels, so a filter has a weight for every channel and adds up over them as well. And one filter is not
# enough; $C_{out}$ of them give a map with $C_{out}$ channels. With $\tilde x$ for the image after padding,
#
# $$y_{b,r,c,o} = \text{bias}_o + \sum_{i=0}^{k_h - 1} \sum_{j=0}^{k_w - 1} \sum_{m=0}^{C_{in} - 1}
# \text{kernel}_{i,j,m,o} \cdot \tilde x_{b,\; rs + i,\; cs + j,\; m}.$$
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(B, H, W, Cin)` | a batch of images |
# | `kernel` | `(kh, kw, Cin, Cout)` | one filter per output channel |
# | `bias` | `(Cout,)` | one number per output channel, the same at every place |
# | $\tilde x$ | `(B, H + zeros, W + zeros, Cin)` | for `"valid"` just `x`; for `"same"`, `x` with the zeros of part 1 around it |
# | returned $y$ | `(B, H', W', Cout)` | $H'$ and $W'$ are `output_size` of height and width |
#
# Zeros are worked out for each side on its own: from $H$ and $k_h$ for top and bottom, from $W$ and $k_w$ for left and
# right. An odd one goes to the bottom, or to the right.
#
# In mathematics a convolution turns the kernel upside down first. Networks learn their kernels and do not care, so no
# framework does it, and neither do you: what is called convolution here is really a *cross-correlation*.
#
# How to write it? The formula suggests a loop over all places; that is right, and slow. Look at the sums again: for
# one pair $(i, j)$, *all* places together need the pixels `x[:, i::s, j::s]` of the image with its zeros, cut so that $H'$
# rows and $W'$ columns are left: one slice. So a loop over the few positions **inside the kernel** will do, with one product
# over the channels in each. Your loop runs in a few milliseconds, and gradients flow through it by themselves. Inside a model
# the batch size is unknown (`x.shape[0]` is `None`), while height, width and channels are ordinary numbers.
#
# Useful: `tf.pad`, slices with a step, `tf.matmul`, `tf.einsum`, `tf.tensordot`, and your `output_size` (a mistake there
# that the check can name is not counted twice).
#
# Not to be used: ready-made convolution, correlation or patch extraction of any library. That is `tf.nn.conv*` and
# its relatives (`depthwise_conv2d`, `separable_conv2d`, `atrous_conv2d`, …), `tf.image.extract_patches`,
# `tf.extract_volume_patches`, `tf.signal.frame`, `tf.nn.dilation2d`, Keras's convolution layers and `keras.ops.conv`,
# `depthwise_conv`, `separable_conv`, `conv_transpose`, `image.extract_patches`, `correlate`, and their counterparts
# in `scipy.signal`, `scipy.ndimage` and NumPy (`convolve`, `correlate`, `sliding_window_view`).

# %% tags=["demo"]
from autograder import diagrams

diagrams.kernel_over_window()

# %% question="conv2d"
def conv2d(x, kernel, bias, stride=1, padding="valid"):
    """Convolve a batch of images with a set of filters (without flipping them) and add a bias.

    >>> x = [[1, 2, 0, 1],            # one image of one channel, 3 × 4,
    ...      [0, 1, 3, 1],            # written without its batch and channel axes
    ...      [2, 0, 1, 0]]
    >>> kernel = [[1, 0, -1],         # one filter for one channel, 2 × 3
    ...           [2, 0,  0]]
    >>> conv2d(x, kernel, bias=[10])  # top left: 1·1 + 0·2 - 1·0 + 2·0 + 0·1 + 0·3 + 10
    [[11, 13],
     [11, 10]]

    Args:
        x: float32 tensor (B, H, W, Cin); B may be unknown inside a model.
        kernel: float32 tensor, or weight of a layer, (kh, kw, Cin, Cout).
        bias: float32 tensor, or weight of a layer, (Cout,).
        stride: int, at least 1, the same in both directions.
        padding: "valid", or "same" for zeros around the image (an odd one at the bottom or right).
    Returns:
        float32 tensor (B, H', W', Cout), differentiable with respect to x, kernel and bias.
    """
    ### BEGIN SOLUTION
    kh, kw = kernel.shape[:2]
    height, width = x.shape[1:3]
    rows, columns = output_size(height, kh, stride, padding), output_size(width, kw, stride, padding)
    if padding == "same":
        down = max((rows - 1) * stride + kh - height, 0)
        right = max((columns - 1) * stride + kw - width, 0)
        x = tf.pad(x, [[0, 0], [down // 2, down - down // 2], [right // 2, right - right // 2], [0, 0]])
    total = bias
    for i in range(kh):
        for j in range(kw):
            seen = x[:, i:i + (rows - 1) * stride + 1:stride, j:j + (columns - 1) * stride + 1:stride]  # (B, H', W', Cin)
            total = total + tf.tensordot(seen, kernel[i, j], 1)  # (B, H', W', Cout)
    return total
    ### END SOLUTION

# %% [markdown]
# ### Slide the window yourself
#
# A digit of 8 × 8 pixels, a kernel that asks "more ink on the right than on the left?", and your `conv2d`. *What do you
# expect?* Where on the stroke is the sum largest, where is it most negative, and what is it on plain paper?

# %% tags=["demo"]
from autograder import moving

images, labels = data.digits()
moving.kernel(conv2d, images[7], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])

# %% [markdown]
# On the left flank of a stroke there is ink on the right and none on the left: orange. On its right flank it is the other
# way round: blue. Where all nine pixels are equal the kernel's weights cancel, on paper as well as in the middle of thick
# ink. The map has two rows and two columns fewer than the picture, since the window has fewer places.

# %% [markdown]
# ### What filters see
#
# Nobody trained the filters below; they are made by hand, three by three, to answer simple questions. Is there more
# ink on the right than on the left? More below than above? More towards the bottom right? The last one asks whether a
# pixel stands out from its neighbours. Orange is a strong yes, blue a strong no, each filter on a scale of its own.

# %% tags=["demo"]
images, labels = data.digits()
FILTERS = {
    "ink to the right": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "ink below": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "ink down to the right": [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]],
    "ink alone": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}
found_colours = plt.matplotlib.colors.LinearSegmentedColormap.from_list("found", [plots.BLUE, "white", plots.ORANGE])


def show_pixels(ax, pixels, cmap="Greys", limit=None, title=None, border="#c9ced6"):
    """Show one channel without ticks; with a limit, colours run from -limit to limit."""
    scale = dict(vmin=0, vmax=1) if limit is None else dict(vmin=-limit, vmax=limit)
    ax.imshow(pixels, cmap=cmap, interpolation="nearest", **scale)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set(visible=True, color=border)
    if title:
        ax.set_title(title, fontsize=10.5, fontweight="normal", loc="center")


kernel = np.stack(list(FILTERS.values()), axis=-1)[:, :, np.newaxis].astype("float32")  # (3, 3, 1, 4)
digits = images[[0, 7, 4], :, :, np.newaxis]  # (3, 8, 8, 1): a 0, a 7 and a 4
maps = np.asarray(conv2d(tf.constant(digits), tf.constant(kernel), tf.zeros(4), padding="same"))  # (3, 8, 8, 4)
figure, axes = plt.subplots(4, 5, figsize=(9, 7.2))
axes[0, 0].axis("off")
axes[0, 0].text(0.5, 0.5, "filters →\n\ndigits ↓", ha="center", va="center", color="#30343b")
for f, name in enumerate(FILTERS):
    show_pixels(axes[0, f + 1], kernel[:, :, 0, f], found_colours, np.abs(kernel[..., f]).max(), name)
    for (row, column), weight in np.ndenumerate(kernel[:, :, 0, f]):
        axes[0, f + 1].text(column, row, f"{weight:.0f}".replace("-", "−"), ha="center", va="center", fontsize=10.5)
for d in range(3):
    show_pixels(axes[d + 1, 0], digits[d, ..., 0])
    for f in range(4):
        show_pixels(axes[d + 1, f + 1], maps[d, ..., f], found_colours, np.abs(maps[..., f]).max())
plt.show()
print("from", digits.shape, "with", kernel.shape, "to", maps.shape)

# %% [markdown]
# Follow one column: the first filter colours the left flank of every stroke orange and the right flank blue, and
# leaves horizontal bars pale. One filter finds its pattern in all digits, at every place, with the same nine weights.
# The batch of three images went through four filters at once; each filter became a channel.
#
# ### Move the input, and the map moves along
#
# Shared weights have a consequence worth a name: convolution is **translation equivariant**. Shift the image and the
# feature map shifts by as much; otherwise nothing happens to it.

# %% tags=["demo"]
canvas = np.zeros((2, 16, 24, 1), "float32")
canvas[0, 2:10, 3:11] = digits[1]
canvas[1, 5:13, 12:20] = digits[1]  # the same 7, three rows further down and nine columns further right
edges = tf.constant(kernel[..., :1])
maps = np.asarray(conv2d(tf.constant(canvas), edges, tf.zeros(1), padding="same"))
moved = np.roll(maps[0], (3, 9), axis=(0, 1))
figure, axes = plt.subplots(2, 2, figsize=(8.6, 5.6))
for column, (title, image, found) in enumerate((("the 7", canvas[0], maps[0]), ("the 7, moved", canvas[1], maps[1]))):
    show_pixels(axes[0, column], image[..., 0], title=title)
    show_pixels(axes[1, column], found[..., 0], found_colours, np.abs(maps).max(), f"feature map of {title}")
plt.show()
print(f"largest difference between the moved map and the map of the moved 7: {np.abs(moved - maps[1]).max():g}")
weights = np.random.default_rng(0).normal(size=(16 * 24, 16 * 24)).astype("float32") / 16  # a dense layer of as many outputs
dense = np.reshape(canvas.reshape(2, -1) @ weights, (2, 16, 24))
moved = np.roll(dense[0], (3, 9), axis=(0, 1))
print(f"the same for a dense layer with random weights: {np.abs(moved - dense[1]).max():.1f}, "
      f"where the largest of its answers is {np.abs(dense).max():.1f}")

# %% [markdown]
# The maps are the same to the last bit. A dense layer, whose every weight belongs to one pixel, answers the moved digit
# with something entirely different, and would have to learn it again. (Near the border equivariance ends: zeros are
# not part of the picture.)
#
# > **Going further.** Hubel and Wiesel found cells in the cat's visual cortex that answer to edges of one direction in
# > one small part of the field of view (*Receptive fields, binocular interaction and functional architecture in the
# > cat's visual cortex*, 1962). Fukushima's *Neocognitron* (1980) made a network of them, LeCun and others trained one
# > by backpropagation (*Backpropagation applied to handwritten zip code recognition*, 1989). Nielsen's [chapter
# > 6](http://neuralnetworksanddeeplearning.com/chap6.html) introduces local receptive fields, shared weights and
# > pooling in this order. Libraries turn the windows into rows of one large matrix and multiply once: Chellapilla, Puri
# > and Simard, *High performance convolutional neural networks for document processing* (2006).

# %% [markdown]
# ## 3. Max pooling
#
# A map says where a feature is, pixel by pixel. Often that is more than one wants to know: *somewhere up here* is
# enough, and costs less. **Max pooling** keeps the strongest answer in each window and forgets where exactly it was:
#
# $$y_{b,r,c,m} = \max_{0 \le i < k,\; 0 \le j < k} x_{b,\; rs + i,\; cs + j,\; m}.$$
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(B, H, W, C)` | feature maps; entries may well be negative |
# | `size` $k$ | int | height and width of the window, which is a square |
# | `stride` $s$ | int | on its own: smaller than the size (windows overlap), equal, or larger (gaps) |
# | returned | `(B, H', W', C)` | $H'$ and $W'$ as for a `"valid"` kernel of $k$ pixels |
#
# Windows are always whole (`"valid"`): nothing is padded, and rows or columns left over at the end are dropped.
# Channels are pooled each on its own. There is nothing to learn here, but gradients must get through, since layers
# further down have something to learn: use TensorFlow or `keras.ops`.
#
# Not to be used: ready-made pooling or patch extraction (`tf.nn.max_pool*`, `tf.nn.pool`, `tf.nn.dilation2d`,
# `keras.ops.max_pool`, `keras.layers.MaxPool*` and `GlobalMaxPool*`, and the patch extractors named in part 2). Fine:
# `tf.maximum`, `tf.reduce_max`, `tf.stack`, your `output_size`.

# %% question="max_pool"
def max_pool(x, size, stride):
    """The largest entry of every whole window, for each channel on its own.

    >>> x = [[1, 5, 2, 0, 7],  # one image of one channel, 3 × 5, without its batch and channel axes
    ...      [3, 4, 8, 1, 0],
    ...      [9, 0, 6, 2, 2]]
    >>> max_pool(x, 2, 2)      # the last row and the last column fill no window
    [[5, 8]]
    >>> max_pool(x, 2, 1)
    [[5, 8, 8, 7],
     [9, 8, 8, 2]]

    Args:
        x: float32 tensor (B, H, W, C); B may be unknown inside a model.
        size: int, height and width of the window, at most H and at most W.
        stride: int, at least 1, pixels from one window to the next in both directions.
    Returns:
        float32 tensor (B, H', W', C), differentiable with respect to x.
    """
    ### BEGIN SOLUTION
    rows, columns = (output_size(length, size, stride, "valid") for length in x.shape[1:3])
    seen = [x[:, i:i + (rows - 1) * stride + 1:stride, j:j + (columns - 1) * stride + 1:stride]  # (B, H', W', C)
            for i in range(size) for j in range(size)]
    return tf.reduce_max(tf.stack(seen), axis=0)
    ### END SOLUTION

# %% [markdown]
# ### Receptive fields grow with depth
#
# A neuron of the first map sees 3 × 3 pixels. One of the second map sees 3 × 3 neurons of the first, and through them
# more of the image. How much? Ask the gradient: wherever the derivative of one output with respect to a pixel is not
# zero, the neuron sees that pixel. All kernels below are ones, so that the derivative counts the paths from pixel to
# neuron (darker is more; each picture has its own scale). The second row halves the maps in between, as pooling does.

# %% tags=["demo"]
def paths_to_the_middle(layers):
    """How many paths lead from each of 28 × 28 pixels to the middle neuron after layers of (kernel size, stride)."""
    x = tf.zeros((1, 28, 28, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for size, stride in layers:
            y = conv2d(y, tf.ones((size, size, 1, 1)), tf.zeros(1), stride)
        middle = y[0, y.shape[1] // 2, y.shape[2] // 2, 0]
    return np.asarray(tape.gradient(middle, x))[0, :, :, 0]


CONV, HALVE = (3, 1), (2, 2)
figure, axes = plt.subplots(2, 5, figsize=(10.5, 4.8))
for row, layers, names in ((axes[0], [CONV] * 5, ["conv 3×3"] * 5),
                           (axes[1], [CONV, HALVE, CONV, HALVE, CONV], ["conv 3×3", "pool 2×2"] * 2 + ["conv 3×3"])):
    sides = []
    for depth, ax in enumerate(row, 1):
        paths = paths_to_the_middle(layers[:depth])
        sides.append(int((paths > 0).any(axis=0).sum()))
        title = f"{'+ ' if depth > 1 else ''}{names[depth - 1]}: {sides[-1]} × {sides[-1]}"
        show_pixels(ax, paths / paths.max(), "Purples", title=title)
    print(" → ".join(names), "see", ", ".join(map(str, sides)), "pixels across")
plt.show()

# %% [markdown]
# Five convolutions see 11 pixels across, two more with each. Where two of the five are poolings it is 18, two thirds of the
# picture: after a pooling, each step to the side is twice as wide. The dark middle says something else: pixels at the
# rim of a receptive field have few paths and little influence.
#
# ### A small shift is forgotten
#
# Pooling after a convolution makes the answer a little indifferent to place. We move a digit by one pixel and see how
# much its feature maps change (after a ReLU), before and after pooling: the length of the difference, all numbers taken as
# one vector, relative to the length of the maps.

# %% tags=["demo"]
pictures = np.zeros((500, 12, 12, 1), "float32")
pictures[:, 2:10, 2:10, 0] = images[:500]
shifted = np.roll(pictures, 1, axis=2)  # one pixel to the right


def change(before, after):
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


strokes = [np.maximum(conv2d(tf.constant(x), tf.constant(kernel), tf.zeros(4)), 0)  # (500, 10, 10, 4)
           for x in (pictures, shifted)]
changes = {"pixels": change(pictures, shifted), "feature maps": change(*strokes)}
for size in (2, 3, 5):
    changes[f"pooled {size} × {size}"] = change(*(np.asarray(max_pool(tf.constant(x), size, size)) for x in strokes))
figure, ax = plt.subplots(figsize=(7.5, 3))
bars = ax.barh(list(changes), list(changes.values()), color=[plots.GREY, plots.BLUE] + [plots.ORANGE] * 3, height=0.65)
ax.bar_label(bars, [f"{value:.0%}" for value in changes.values()], padding=4, fontsize=10.5)
ax.set(xlabel="change when 500 digits move by one pixel, relative to their size", xlim=(0, 1.1),
       title="What a small shift changes")
ax.xaxis.set_major_formatter(plt.matplotlib.ticker.PercentFormatter(1))
ax.invert_yaxis()
ax.grid(axis="y", visible=False)
plt.show()

# %% [markdown]
# When a digit moves by one pixel, its picture changes by four fifths, and its feature maps by even more: edges are thin.
# Pooling windows of 2 brings the change down to two thirds, windows of 5 to one third. The price is that a window of
# 5 no longer knows where in it the edge was.
#
# > **Going further.** Luo, Li, Urtasun and Zemel, *Understanding the effective receptive field in deep convolutional
# > neural networks* (2016), show that the dark middle approaches a Gaussian whose width grows like the root of the
# > depth. Is pooling needed at all? Springenberg and others, *Striving for simplicity: the all convolutional net*
# > (2015), replace it by strides. And it only blunts a shift, as you saw; Zhang, *Making convolutional networks
# > shift-invariant again* (2019), blurs before subsampling, as signal processing has always advised.

# %% [markdown]
# ## 4. Shared weights, counted
#
# A convolution has one kernel $(k_h, k_w, C_{in}, C_{out})$ and one bias per output channel, **whatever the size of the
# image**:
#
# $$\text{parameters} = k_h\, k_w\, C_{in}\, C_{out} + C_{out}.$$
#
# | name | type | |
# | --- | --- | --- |
# | `kernel_size` | int or pair of ints | an int $k$ stands for $k \times k$, a pair is `(kh, kw)`, as a tuple or a list |
# | `cin`, `cout` | int | channels in and out |
# | returned | int | number of weights and biases together |

# %% question="conv_parameters"
def conv_parameters(kernel_size, cin, cout):
    """The number of parameters of a convolution layer, biases included.

    >>> conv_parameters(5, 1, 20)  # 25 weights and a bias, twenty times
    520

    Args:
        kernel_size: int k for a kernel of k × k, or a pair (kh, kw), tuple or list.
        cin: int, input channels.
        cout: int, output channels: the number of filters.
    Returns:
        int.
    """
    ### BEGIN SOLUTION
    kh, kw = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return kh * kw * cin * cout + cout
    ### END SOLUTION

# %% [markdown]
# A dense layer connects every unit with every entry of the image, in all its channels, and gives each unit one bias:
#
# $$\text{parameters} = H\, W\, C \cdot \text{units} + \text{units}.$$
#
# | name | type | |
# | --- | --- | --- |
# | `h`, `w`, `c` | int | height, width and channels of the image |
# | `units` | int | neurons of the layer |
# | returned | int | number of weights and biases together |

# %% question="dense_parameters"
def dense_parameters(h, w, c, units):
    """The number of parameters of a dense layer on a flattened image, biases included.

    >>> dense_parameters(28, 28, 1, 30)  # 784 weights and a bias, thirty times
    23550

    Args:
        h, w, c: ints, height, width and channels of the image.
        units: int, neurons of the layer.
    Returns:
        int.
    """
    ### BEGIN SOLUTION
    return h * w * c * units + units
    ### END SOLUTION

# %% tags=["demo"]
side = output_size(28, 5, 1, "valid")  # of the 20 maps
counts = {
    "convolution, 20 filters of 5 × 5": conv_parameters(5, 1, 20),
    "dense, 30 units": dense_parameters(28, 28, 1, 30),
    f"dense, as many outputs\nas the convolution ({side}·{side}·20)": dense_parameters(28, 28, 1, side * side * 20),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1.25, 1))
bars = left.barh(list(counts), list(counts.values()), color=(plots.BLUE, plots.ORANGE, plots.RED), height=0.6)
left.bar_label(bars, [f"{count:,}" for count in counts.values()], padding=4, fontsize=10.5)
left.set_xscale("log")
left.set(xlim=(100, 3e8), xlabel="parameters", title="On an image of 28 × 28")
left.invert_yaxis()
left.grid(axis="y", visible=False)
sides = np.array([28, 56, 112, 224, 448])
right.plot(sides, [dense_parameters(int(n), int(n), 1, 30) for n in sides], "o-", color=plots.ORANGE, label="dense, 30 units")
right.plot(sides, [conv_parameters(5, 1, 20) for n in sides], "o-", color=plots.BLUE, label="convolution, 20 filters")
right.set_yscale("log")
right.set_xscale("log", base=2)
right.set_xticks(sides, sides)
right.set(xlabel="side of the image in pixels", ylabel="parameters", title="On larger images", ylim=(100, 3e7))
right.legend(loc="center right")
plt.show()
print(f"{counts['convolution, 20 filters of 5 × 5']:,} shared weights stand for {list(counts.values())[2]:,} of a dense layer")

# %% [markdown]
# The convolution computes 11,520 numbers with 520 parameters. A dense layer with as many outputs needs nine million,
# and each of them has to be learned from the pixels of one place alone. When the side of the image doubles, the dense
# layer grows fourfold; the convolution does not notice.
#
# > **Going further.** In the language of Goodfellow, Bengio and Courville, [*Deep Learning*, chapter
# > 9](https://www.deeplearningbook.org/contents/convnets.html), a convolution is a dense layer with an infinitely
# > strong prior: weights outside the window are zero, and those inside are the same everywhere. A prior helps when it
# > is true. Where the place of a pixel matters (a face in a passport photograph), sharing can be the wrong idea.

# %% [markdown]
# ## 5. The layer
#
# Now make it a building block. A Keras layer owns its weights: it makes them once, when it learns how many channels
# come in, and uses them in every call.
#
# $$\text{output} = \text{activation}\big(\mathrm{conv2d}(x, \text{kernel}, \text{bias}, \text{stride}, \text{padding})\big)$$
#
# | name | shape | |
# | --- | --- | --- |
# | `kernel` | `(kh, kw, Cin, filters)` | starts random, so that filters differ: Keras's default `"glorot_uniform"` is fine |
# | `bias` | `(filters,)` | usually starts at 0 |
# | input | `(B, H, W, Cin)` | any batch size |
# | output | `(B, H', W', filters)` | |
#
# The weights have fixed names, because that is how the check finds them: keep them in the attributes `kernel` and `bias`,
# and make them with `self.add_weight(shape=…, initializer=…, name=…)`, so that Keras knows them when it trains or saves a
# model. The place for it is `build(self, input_shape)`, which Keras calls once, before the first call, with the shape of
# the input, (B, H, W, Cin), in which B may be `None`. `call` runs for every batch: a weight made there would be a new one
# each time.
# `keras.activations.get("relu")` turns a name into a function, and `None` into the identity.
#
# `get_config` makes saving possible: it returns a dictionary from which Keras builds the layer anew, what
# `super().get_config()` holds and every argument of `__init__` under its own name. It passes through JSON on the way, so
# store plain values (the name of an activation, not the function), and expect a pair saved as a tuple to come back as a
# list: your `__init__` should take both.
#
# Not to be used: Keras's own convolution layers, and the convolutions and patch extractors named in part 2. Your `conv2d`
# is what you need (a mistake there that the check can name is not counted twice).

# %% question="Convolution"
class Convolution(keras.layers.Layer):
    """A convolution layer with trainable weights `kernel` (kh, kw, Cin, filters) and `bias` (filters,).

    >>> layer = Convolution(20, (5, 3), stride=2, padding="same", activation="relu")
    >>> layer(tf.zeros((7, 28, 24, 1))).shape
    (7, 14, 12, 20)
    >>> layer.kernel.shape, layer.bias.shape
    (5, 3, 1, 20), (20,)

    Args:
        filters: int, output channels.
        kernel_size: int k for k × k, or a pair (kh, kw), tuple or list.
        stride: int, at least 1.
        padding: "valid" or "same", as for `conv2d`.
        activation: None, or the name of a Keras activation such as "relu", applied after the bias.
        **kwargs: what every Keras layer takes, such as `name`.
    """

    def __init__(self, filters, kernel_size, stride=1, padding="valid", activation=None, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.filters = filters
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.stride = stride
        self.padding = padding
        self.activation = keras.activations.get(activation)
        ### END SOLUTION

    def build(self, input_shape):
        """Make the weights: called once by Keras, with the shape of the input, (B, H, W, Cin); B may be None."""
        ### BEGIN SOLUTION
        self.kernel = self.add_weight(shape=(*self.kernel_size, input_shape[-1], self.filters),
                                      initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        ### END SOLUTION

    def call(self, x):
        """Return the feature maps: float32 (B, H, W, Cin) -> float32 (B, H', W', filters)."""
        ### BEGIN SOLUTION
        return self.activation(conv2d(x, self.kernel, self.bias, self.stride, self.padding))
        ### END SOLUTION

    def get_config(self):
        """Return Keras's own entries and the five arguments of __init__ under their names, as plain values."""
        ### BEGIN SOLUTION
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size, "stride": self.stride,
                "padding": self.padding, "activation": keras.activations.serialize(self.activation)}
        ### END SOLUTION

# %% [markdown]
# ### A network that is all yours
#
# Convolution, pooling, convolution, pooling, and ten softmax neurons on top: your layer, your pooling, on 1,300
# handwritten digits drawn at random. The other 497 tell how well it reads digits it has never seen. Nobody gives it
# filters this time.

# %% tags=["demo"]
shuffled = np.random.default_rng(0).permutation(len(images))
SEEN, UNSEEN = shuffled[:1300], shuffled[1300:]


def train_digit_reader():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        Convolution(12, 3, padding="same", activation="relu", name="first"),
        keras.layers.Lambda(lambda x: max_pool(x, 2, 2)),
        Convolution(24, 3, padding="same", activation="relu", name="second"),
        keras.layers.Lambda(lambda x: max_pool(x, 2, 2)),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = images[..., np.newaxis]
    history = model.fit(x[SEEN], labels[SEEN], batch_size=32, epochs=12, validation_data=(x[UNSEEN], labels[UNSEEN]), verbose=0)
    return model, history.history


reader, history = train_digit_reader()
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
epochs = range(1, 13)
left.plot(epochs, history["loss"], color=plots.BLUE, label="training")
left.plot(epochs, history["val_loss"], color=plots.ORANGE, label="unseen digits")
left.set(xlabel="epoch", ylabel="cross-entropy", title="Cost", ylim=(0, None))
left.legend()
right.plot(epochs, history["accuracy"], color=plots.BLUE, label="training")
right.plot(epochs, history["val_accuracy"], color=plots.ORANGE, label="unseen digits")
right.set(xlabel="epoch", ylabel="share of digits read right", title="Accuracy", ylim=(0.5, 1.01))
right.legend(loc="lower right")
plt.show()
print(f"{reader.count_params():,} parameters; {history['val_accuracy'][-1]:.1%} of the unseen digits are right")

first = keras.Sequential([keras.Input((8, 8, 1)), reader.get_layer("first")])
with tempfile.TemporaryDirectory() as folder:
    first.save(f"{folder}/first.keras")
    loaded = keras.models.load_model(f"{folder}/first.keras", custom_objects={"Convolution": Convolution})
print(f"its first layer, saved and loaded: {loaded.layers[0].get_config()['activation']}, largest difference "
      f"{np.abs(loaded(images[:9, ..., np.newaxis]) - first(images[:9, ..., np.newaxis])).max():g}")

# %% tags=["demo"]
filters = np.asarray(reader.get_layer("first").kernel)[:, :, 0]  # (3, 3, 12)
example = images[:1, :, :, np.newaxis]
found = np.asarray(reader.get_layer("first")(example))[0]  # (8, 8, 12)
figure, axes = plt.subplots(2, 13, figsize=(11, 2.3))
show_pixels(axes[1, 0], example[0, ..., 0])
axes[0, 0].axis("off")
axes[0, 0].text(0.5, 0.5, "filters →\n\ndigit ↓\nmaps →", ha="center", va="center", fontsize=10.5, color="#30343b")
for f in range(12):
    show_pixels(axes[0, f + 1], filters[..., f], found_colours, np.abs(filters).max())
    show_pixels(axes[1, f + 1], found[..., f] / found.max(), "Oranges")
figure.suptitle("Twelve filters that it found by itself, and what they find in a 0", fontsize=11, fontweight="bold",
                x=0.01, ha="left")
plt.show()

guesses = np.argmax(reader.predict(images[UNSEEN][..., np.newaxis], verbose=0), axis=1)
wrong = guesses != labels[UNSEEN]
figure, axes = plt.subplots(1, 8, figsize=(11, 1.9))
for ax in axes:
    ax.axis("off")
for ax, i, guess in zip(axes, UNSEEN[wrong], guesses[wrong]):
    ax.axis("on")
    show_pixels(ax, images[i], title=f"a {labels[i]}, read as {guess}")
figure.suptitle("Some that it misreads", fontsize=11, fontweight="bold", x=0.01, ha="left")
plt.show()

# %% [markdown]
# About 98 in 100 unseen digits are read right, by a network of 3,706 parameters. (In the first epochs it does better on
# unseen digits than in training: unseen ones are counted at the end of an epoch, those of training while it runs, by a network
# that has not learned as much yet.) Some of its filters look
# like the ones we made by hand: orange on one side and blue on the other, an edge detector. Nobody asked for edges; they
# are simply what helps. Some of the digits it misreads are not easy for us either.
#
# > **Going further.** Zeiler and Fergus, *Visualizing and understanding convolutional networks* (2014), show what the
# > deeper layers of a large network look for: edges first, then textures, then parts, then things. LeCun, Bottou,
# > Bengio and Haffner, *Gradient-based learning applied to document recognition* (1998), is the paper of LeNet, conv,
# > pool, conv, pool, as here.

# %% [markdown]
# ## 6. One body, five heads
#
# The part of a network that turns pixels into features does not care what the features are for. What the network is
# *for* is decided by its last layers, the **head**: their shape, their range, and later the cost. Five tasks, five
# heads on the same body:
#
# | task | question | what the model returns | range |
# | --- | --- | --- | --- |
# | `"classification"` | what is it? | `(B, n)` | softmax: positive, each row sums to 1 |
# | `"regression"` | how much of it? | `(B, n)` | linear: any number |
# | `"detection"` | what is it, and where? | `{"box": (B, 4), "label": (B, n)}` | box entries from 0 to 1, label a softmax |
# | `"segmentation"` | which pixels? | `(B, H, W, n)` | softmax over the last axis, one for **every pixel of the input** |
# | `"control"` | what to do, and how sure? | `{"mean": (B, n), "scale": (B, n)}` | mean any number, scale **above 0** |
#
# Here $n$ is the argument `outputs`. A box always has 4 entries, whatever $n$ is: left, top, right and bottom edge,
# as shares of the width and the height.
#
# The body is convolution, pooling, convolution, pooling (at least two of each). How many filters, which activation, what
# exactly the head consists of: your choice. Keras's own layers are all allowed, and so are yours; a function such as your
# `max_pool` goes into a `keras.layers.Lambda`, as in part 5. Some helpful facts:
#
# - `keras.Model(inputs, {"box": a, "label": b})` makes a model that returns a dictionary.
# - After two poolings of 2, maps are a quarter as high and as wide. A segmentation has to find the way back:
#   `keras.layers.UpSampling2D` repeats pixels, and `keras.layers.Conv2DTranspose(filters, 2, strides=2)` learns to
#   enlarge. `padding="same"` keeps sizes simple. What a pixel belongs to depends on what lies around it: how far does
#   your body see?
# - `sigmoid` maps any number into 0 to 1; `softplus`, $\ln(1 + e^z)$, maps any number above 0. ReLU can return 0 itself.
#
# The check gives your model weights of its own and looks at what comes out: shapes for several batch sizes, ranges,
# sums; and whether every weight gets a gradient.

# %% question="build_cnn"
def build_cnn(input_shape, task, outputs):
    """A small convolutional network with the head that a task needs.

    >>> build_cnn((24, 32, 1), "segmentation", 4)(tf.zeros((7, 24, 32, 1))).shape
    (7, 24, 32, 4)
    >>> sorted(build_cnn((24, 32, 1), "detection", 3)(tf.zeros((7, 24, 32, 1))))
    ["box", "label"]

    Args:
        input_shape: tuple (H, W, C) of one image; H and W are multiples of 4, at least 8, and need not be equal.
        task: "classification", "regression", "detection", "segmentation" or "control".
        outputs: int n, the number of classes or of numbers to predict.
    Returns:
        keras.Model from float32 (B, H, W, C), any B, to one tensor or a dictionary of two: see the table above.
    """
    ### BEGIN SOLUTION
    layers = keras.layers
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)  # (B, H/4, W/4, 32)
    if task == "segmentation":
        x = layers.Conv2D(32, 5, padding="same", activation="relu")(x)  # sees 26 pixels: a whole thing, not only its edge
        x = layers.Conv2DTranspose(32, 2, strides=2, activation="relu")(x)  # (B, H/2, W/2, 32)
        x = layers.Conv2DTranspose(8, 2, strides=2, activation="relu")(x)  # (B, H, W, 8)
        return keras.Model(inputs, layers.Conv2D(outputs, 1, activation="softmax")(x))
    x = layers.Flatten()(x)
    x = layers.Dense(32, activation="relu")(x)
    if task == "classification":
        return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(x))
    if task == "regression":
        return keras.Model(inputs, layers.Dense(outputs)(x))
    if task == "detection":
        return keras.Model(inputs, {"box": layers.Dense(4, activation="sigmoid")(x),
                                    "label": layers.Dense(outputs, activation="softmax")(x)})
    if task == "control":
        return keras.Model(inputs, {"mean": layers.Dense(outputs)(x),
                                    "scale": layers.Dense(outputs, activation="softplus")(x)})
    raise ValueError(f"task must be classification, regression, detection, segmentation or control. Received: {task!r}")
    ### END SOLUTION

# %% [markdown]
# Something to look at: pictures of a disc, a square or a triangle in fog, made by a function, 24 pixels high and 32
# wide. For each we know the answer to all five questions. Soon your networks will be asked for them.

# %% tags=["demo"]
NAMES = ("disc", "square", "triangle")


def make_shapes(count, seed):
    """Pictures of one shape each, and everything one may ask about them.

    Returns a dictionary: images (count, 24, 32, 1); label, 0 to 2; box (count, 4), left, top, right, bottom as shares of width
    and height; pixels (count, 24, 32), 0 for background or 1 + label; area, share of the picture; brightness; offset of its
    middle, -1 to 1; command and noise, see part 7.
    """
    generator = np.random.default_rng(seed)
    label, radius = generator.integers(0, 3, count), generator.uniform(4, 8, count)
    middle_x, middle_y = generator.uniform(radius, 32 - radius), generator.uniform(radius, 24 - radius)
    brightness = generator.uniform(0.4, 1, count)
    rows, columns = np.mgrid[:24, :32] + 0.5
    dx = columns - middle_x[:, np.newaxis, np.newaxis]  # (count, 24, 32)
    dy = rows - middle_y[:, np.newaxis, np.newaxis]
    r = radius[:, np.newaxis, np.newaxis]
    insides = [dx ** 2 + dy ** 2 < r ** 2, np.maximum(abs(dx), abs(dy)) < 0.85 * r, (abs(dx) < (dy + r) / 2) & (dy < r)]
    inside = np.choose(label[:, np.newaxis, np.newaxis], insides)
    picture = inside * brightness[:, np.newaxis, np.newaxis] + generator.normal(0, 0.08, inside.shape)
    across, down = inside.any(axis=1), inside.any(axis=2)  # (count, 32), (count, 24)
    box = np.stack([across.argmax(axis=1) / 32, down.argmax(axis=1) / 24,
                    1 - across[:, ::-1].argmax(axis=1) / 32, 1 - down[:, ::-1].argmax(axis=1) / 24], axis=1)
    noise = 0.05 + 0.8 * (1 - brightness) ** 2
    command = middle_x / 16 - 1 + noise * generator.normal(size=count)
    made = dict(images=picture[..., np.newaxis], label=label, box=box, pixels=inside * (1 + label[:, np.newaxis, np.newaxis]),
                area=inside.mean(axis=(1, 2)), brightness=brightness, offset=middle_x / 16 - 1, command=command, noise=noise)
    return {name: value.astype("int32" if value.dtype.kind in "iu" else "float32") for name, value in made.items()}


def show_shape(ax, picture, title=""):
    show_pixels(ax, 0.2 + 0.8 * picture[..., 0], "bone", title=title)  # a little fog


shapes, fresh = make_shapes(4000, seed=1), make_shapes(400, seed=2)
figure, axes = plt.subplots(1, 6, figsize=(11, 1.75))
for i, ax in enumerate(axes):
    show_shape(ax, shapes["images"][i], f"{NAMES[shapes['label'][i]]}, area {shapes['area'][i]:.0%}")
plt.show()
for task, n in (("classification", 3), ("regression", 2), ("detection", 3), ("segmentation", 4), ("control", 1)):
    model = build_cnn((24, 32, 1), task, n)
    answer = model(shapes["images"][:5])
    shown = {"": answer} if not isinstance(answer, dict) else answer
    shapes_of = "   ".join(f"{name} {tuple(part.shape)}".strip() for name, part in shown.items())
    print(f"{task:15}{model.count_params():8,} parameters   {shapes_of}")

# %% [markdown]
# > **Going further.** Detection of many things in one picture is a field of its own: Girshick and others, *Rich feature
# > hierarchies for accurate object detection and semantic segmentation* (2014), look at proposed regions one by one;
# > Redmon and others, *You only look once* (2016), answer for all places at once. Long, Shelhamer and Darrell, *Fully
# > convolutional networks for semantic segmentation* (2015), grow the answer back to the size of the input, and
# > Ronneberger, Fischer and Brox, *U-Net* (2015), help it with shortcuts from the early layers. Bojarski and others,
# > *End to end learning for self-driving cars* (2016), steer with a network of only 250,000 parameters.

# %% [markdown]
# ## 7. How sure? The Gaussian negative log likelihood
#
# The first four heads have costs you know: cross-entropy for what sums to 1, the mean squared error for numbers. The
# fifth returns a *distribution*: a normal one with mean $\mu$ and standard deviation $\sigma$, the scale. A good
# distribution gives what really happened, $y$, a high density. As with cross-entropy, the cost is minus its
# logarithm:
#
# $$-\ln \left( \frac{1}{\sigma\sqrt{2\pi}}\, e^{-\frac{(y - \mu)^2}{2\sigma^2}} \right)
# = \frac{(y - \mu)^2}{2\sigma^2} + \ln \sigma + \frac{1}{2} \ln 2\pi.$$
#
# The first term punishes errors, the less the larger you say your scale is. The second makes a large scale expensive.
# The cheapest way out is to be honest. The third is a constant, and part of the contract.
#
# | name | shape | |
# | --- | --- | --- |
# | `y` | `(B, n)` | what happened |
# | `mean` $\mu$ | `(B, n)` | what was expected |
# | `scale` $\sigma$ | `(B, n)` | the standard deviation, not the variance; above 0 |
# | returned | scalar | the mean over **all** $B \cdot n$ entries |
#
# The right-hand side never computes the density itself, which is 0 in float32 once $y$ is some 14 scales off. You will
# train with your function, so write it in TensorFlow or `keras.ops`. Not to be used: `scipy.stats`.

# %% question="gaussian_nll"
def gaussian_nll(y, mean, scale):
    """The mean negative log density of normal distributions at y.

    >>> gaussian_nll([[3.0], [1.0]], [[1.0], [1.0]], [[2.0], [1.0]])  # one scale off, and spot on
    1.5155                                                            # ((1/2 + ln 2) + 0) / 2 + ln(2π) / 2

    Args:
        y: float32 tensor (B, n).
        mean: float32 tensor (B, n).
        scale: float32 tensor (B, n), standard deviations above 0.
    Returns:
        float32 scalar, the mean over all entries.
    """
    ### BEGIN SOLUTION
    return tf.reduce_mean(((y - mean) / scale) ** 2 / 2 + tf.math.log(scale)) + math.log(2 * math.pi) / 2
    ### END SOLUTION

# %% tags=["demo"]
def nll(error, scale):
    return float(gaussian_nll(tf.constant([[error]], tf.float32), tf.zeros((1, 1)), tf.constant([[scale]], tf.float32)))


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
scales = np.geomspace(0.2, 8, 80)
for error, colour in ((0.5, plots.GREEN), (1.0, plots.BLUE), (2.0, plots.ORANGE)):
    left.plot(scales, [nll(error, scale) for scale in scales], color=colour, label=f"error {error:g}")
    left.plot(error, nll(error, error), "o", color=colour)
left.set_xscale("log")
left.set_xticks([0.25, 0.5, 1, 2, 4, 8], ["¼", "½", "1", "2", "4", "8"])
left.set(xlabel="scale that was claimed", ylabel="cost", ylim=(0, 6), title="The best scale is the error itself")
left.minorticks_off()
left.legend()
errors = np.linspace(-4, 4, 81)
for scale, colour in ((0.5, plots.RED), (1.0, plots.BLUE), (3.0, plots.GREY)):
    right.plot(errors, [nll(error, scale) for error in errors], color=colour, label=f"scale {scale:g}")
right.set(xlabel="error y − mean", ylabel="cost", ylim=(0, 9), title="Sure and wrong is expensive")
right.legend(loc="upper center")
plt.show()

# %% [markdown]
# Every curve on the left has its lowest point where the claimed scale equals the error. A network that makes errors
# of many sizes in similar situations learns their typical size: that is the standard deviation.
#
# ### The five heads at work
#
# Now train all five. The steering task first: a driver steers towards the shape. The right command is the shape's
# offset from the middle, −1 at the left edge to 1 at the right; but the drivers we learn from tremble, and the more
# the fainter the shape is. Nobody tells the network how much. Each head has its own cost; everything else is the same
# few lines.

# %% tags=["demo"]
def label_cost(labels, probabilities):
    return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities))


def squared_error(targets, predictions):
    return tf.reduce_mean((targets - predictions) ** 2)


HEADS = {  # task -> outputs, targets, cost(targets, answer)
    "classification": (3, ["label"], lambda t, a: label_cost(t["label"], a)),
    "regression": (2, ["area", "brightness"], lambda t, a: squared_error(tf.stack([t["area"], t["brightness"]], axis=1), a)),
    # Entries of a box lie between 0 and 1, and their squared errors are small: the factor 50 makes them count.
    "detection": (3, ["box", "label"], lambda t, a: 50 * squared_error(t["box"], a["box"]) + label_cost(t["label"], a["label"])),
    "segmentation": (4, ["pixels"], lambda t, a: label_cost(t["pixels"], a)),
    "control": (1, ["command"], lambda t, a: gaussian_nll(t["command"][:, tf.newaxis], a["mean"], a["scale"])),
}


def train_head(task, steps, batch=32):
    """Train one network on the shapes, and print its cost on fresh ones before and after."""
    outputs, names, cost = HEADS[task]
    keras.utils.set_random_seed(5)
    model, optimizer = build_cnn((24, 32, 1), task, outputs), keras.optimizers.Adam(0.005)
    training, test = ({name: tf.constant(made[name]) for name in ["images", *names]} for made in (shapes, fresh))

    @tf.function
    def step(rows):
        chosen = {name: tf.gather(values, rows) for name, values in training.items()}
        with tf.GradientTape() as tape:
            value = cost(chosen, model(chosen["images"], training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)

    before = float(cost(test, model(test["images"])))
    generator = np.random.default_rng(6)
    for _ in range(steps):
        step(tf.constant(generator.integers(0, len(shapes["images"]), batch)))
    after = float(cost(test, model(test["images"])))
    print(f"{task:15} cost on {len(fresh['images'])} fresh shapes {before:7.3f} → {after:7.3f}")
    return model


trained = {task: train_head(task, steps) for task, steps in (("classification", 350), ("detection", 400), ("segmentation", 500))}

# %% tags=["demo"]
SHADES = plt.matplotlib.colors.ListedColormap(["#00000000", plots.BLUE, plots.ORANGE, plots.GREEN])
probabilities = np.asarray(trained["classification"](fresh["images"]))
found = {name: np.asarray(part) for name, part in trained["detection"](fresh["images"]).items()}
pixels = np.argmax(trained["segmentation"](fresh["images"]), axis=-1)

figure, axes = plt.subplots(3, 6, figsize=(11, 5.5))
for column in range(6):
    picture = fresh["images"][column]
    best, guess, truth = int(np.argmax(probabilities[column])), int(np.argmax(found["label"][column])), fresh["label"][column]
    show_shape(axes[0, column], picture, f"{NAMES[best]}, {probabilities[column, best]:.0%}")
    show_shape(axes[1, column], picture, NAMES[guess])
    axes[0, column].title.set_color("#30343b" if best == truth else plots.RED)
    axes[1, column].title.set_color("#30343b" if guess == truth else plots.RED)
    for box, colour, line in ((fresh["box"][column], "white", ":"), (found["box"][column], plots.ORANGE, "-")):
        left, top, right, bottom = box * (32, 24, 32, 24) - 0.5
        frame = plt.Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, lw=2, ls=line)
        axes[1, column].add_patch(frame)
    show_shape(axes[2, column], picture)
    axes[2, column].imshow(pixels[column], cmap=SHADES, vmin=0, vmax=3, alpha=0.75, interpolation="nearest")
for row, name in zip(axes[:, 0], ("classification:\nwhat is it?", "detection:\nwhat, and where?",
                                  "segmentation:\nwhich pixels?")):
    row.set_ylabel(name, fontsize=10.5)
legend = [plt.Rectangle((0, 0), 1, 1, color=SHADES(i)) for i in (1, 2, 3)]
legend += [plt.Line2D([], [], color=plots.ORANGE, lw=2), plt.Line2D([], [], color=plots.GREY, lw=2, ls=":")]
names = [*(f"pixels of a {name}" for name in NAMES), "box found", "true box (white)"]
figure.legend(legend, names, loc="outside lower center", ncols=5)
plt.show()


def overlap_of(boxes, others):
    """The area that two boxes share, as a share of the area that they cover together."""
    area = lambda low, high: np.prod(np.maximum(0, high - low), axis=1)  # noqa: E731
    shared = area(np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:]))
    return shared / (area(boxes[:, :2], boxes[:, 2:]) + area(others[:, :2], others[:, 2:]) - shared)


named_right = np.mean(np.argmax(probabilities, axis=1) == fresh["label"])
print(f"classification: {named_right:.1%} of {len(fresh['label'])} fresh shapes named right")
named_right = np.mean(np.argmax(found["label"], axis=1) == fresh["label"])
print(f"detection:      {named_right:.1%} named right; box and true box share {overlap_of(found['box'], fresh['box']).mean():.0%}"
      " of the area they cover together, on average")
print(f"segmentation:   {np.mean(pixels == fresh['pixels']):.1%} of the pixels right; "
      f"{np.mean((pixels == fresh['pixels'])[fresh['pixels'] > 0]):.1%} of those inside a shape")

# %% [markdown]
# With 16 and 32 filters in the body and a head that flattens, nearly every shape gets the right name (a wrong one is red),
# and boxes sit where they should, give or take two pixels: what a box and the true one share is about four fifths of what
# they cover together. Segmentation asks for one thing more: to call a pixel in the middle of a disc a *disc*, the network
# must see as far as the rim. Two convolutions of 3 × 3 and two poolings see 10 pixels across, and the shapes measure up
# to 16: their inside comes out speckled with other names. One more convolution after the second pooling, with a large
# kernel, and nearly every pixel is right.
#
# Next the two heads that return plain numbers: regression predicts area and brightness, control predicts a command
# and how sure it is.

# %% tags=["demo"]
trained |= {task: train_head(task, steps) for task, steps in (("regression", 400), ("control", 800))}
measured = np.asarray(trained["regression"](fresh["images"]))
steering = {name: np.asarray(part)[:, 0] for name, part in trained["control"](fresh["images"]).items()}
figure, axes = plt.subplots(2, 2, figsize=(10, 7.4))
for ax, k, name, colour in ((axes[0, 0], 0, "area", plots.BLUE), (axes[0, 1], 1, "brightness", plots.ORANGE)):
    ends = [fresh[name].min(), fresh[name].max()]
    ax.plot(ends, ends, color=plots.GREY, lw=1.2, ls="--", label="exactly right")
    ax.scatter(fresh[name], measured[:, k], s=9, color=colour, alpha=0.6, label="a fresh shape")
    ax.set(xlabel=f"true {name}", ylabel=f"predicted {name}", title=f"Regression: {name}")
    ax.legend(loc="upper left")
ax = axes[1, 0]
order = np.argsort(fresh["offset"])
faint, bright = order[fresh["brightness"][order] < 0.5], order[fresh["brightness"][order] > 0.9]
for rows, name, colour in ((faint, "faint shapes", plots.ORANGE), (bright, "bright shapes", plots.BLUE)):
    rows = rows[::2]  # every second one, so that bars can be told apart
    ax.errorbar(fresh["offset"][rows], steering["mean"][rows], 2 * steering["scale"][rows], fmt="o", ms=3, lw=0.9,
                color=colour, alpha=0.7, label=name)
ax.plot([-0.8, 0.8], [-0.8, 0.8], color=plots.GREY, lw=1.2, ls="--", label="offset of the shape")
ax.set(xlabel="offset of the shape", ylabel="steering: mean ± 2 scales", title="Control: what to do, and how sure",
       xlim=(-0.8, 0.8), ylim=(-1.4, 1.4))
ax.legend(loc="upper left")
ax = axes[1, 1]
order = np.argsort(fresh["brightness"])
ax.scatter(fresh["brightness"], steering["scale"], s=9, color=plots.PURPLE, alpha=0.6, label="scale that the network claims")
ax.plot(fresh["brightness"][order], fresh["noise"][order], color=plots.GREY, lw=1.6, ls="--", label="how much drivers tremble")
ax.set(xlabel="brightness of the shape", ylabel="standard deviation", title="It found out how sure it can be", ylim=(0, None))
ax.legend()
plt.show()
for rows, name in ((order[:20], "faintest"), (order[-20:], "brightest")):
    print(f"the {name} 20 shapes: scale {steering['scale'][rows].mean():.3f} on average, drivers tremble by "
          f"{fresh['noise'][rows].mean():.3f}")
inside = np.abs(fresh["command"] - steering["mean"]) < 2 * steering["scale"]
print(f"{inside.mean():.0%} of the drivers' commands lie within two scales of the mean; for a normal distribution 95 % should")

# %% [markdown]
# Regression measures brightness well and area roughly. The steering network follows the offset, and it has learned
# something that was in none of its targets: how much its teachers trembled. Its scale falls along the dashed truth, from
# nearly a quarter for the faintest shapes, where it is too sure of itself (drivers tremble by 0.33), to 0.07 for the
# brightest, and more than nine of ten commands lie within two scales of its mean. The only place where that knowledge
# could come from is the cost you wrote.
#
# > **Going further.** Nix and Weigend, *Estimating the mean and variance of the target probability distribution*
# > (1994), let a network predict its own noise in this way. Kendall and Gal, *What uncertainties do we
# > need in Bayesian deep learning for computer vision?* (2017), distinguish such noise in the data from what the
# > network does not know because it has never seen it: show yours a hexagon, and it will be sure of itself all the
# > same. Amini, Rosman, Karaman and Rus, *Variational end-to-end navigation and localization* (2019), steer a car with
# > a distribution.
#
# ## 8. A photograph through your filters
#
# Eight by eight pixels are little to look at. Here is a photograph, and your `conv2d` works on it as it is: no line of it
# knows how large an image is. The lady is Grace Hopper, who wrote one of the first compilers; the picture is the Navy's, of
# 1984, in grey. *What do you expect* of each filter: the stars, the rim of the glasses, the plain jacket?

# %% tags=["demo"]
photograph = data.photograph()[np.newaxis, :, :, np.newaxis]  # (1, 240, 205, 1)
ASKED = {**FILTERS, "a mean of 5 × 5: blur": np.full((5, 5), 1 / 25)}


def looked_at(weights):
    kernel = tf.constant(np.asarray(weights, "float32")[:, :, np.newaxis, np.newaxis])
    return np.asarray(conv2d(tf.constant(photograph), kernel, tf.zeros(1), padding="same"))[0, ..., 0]  # (240, 205)


seen = {name: looked_at(weights) for name, weights in ASKED.items()}
across, down = seen["ink to the right"], seen["ink below"]
sketch = np.sqrt(across ** 2 + down ** 2)  # how strong an edge is, whatever its direction
pooled = np.asarray(max_pool(tf.constant(sketch[np.newaxis, :, :, np.newaxis]), 4, 4))[0, ..., 0]

figure, axes = plt.subplots(2, 4, figsize=(11, 6.6))
show_pixels(axes[0, 0], photograph[0, ..., 0], "gray", title="the photograph")
for ax, (name, found) in zip(axes.flat[1:], seen.items()):
    if "blur" in name:
        show_pixels(ax, found, "gray", title=name)
    else:
        show_pixels(ax, found, found_colours, np.quantile(np.abs(found), 0.99), name.replace("ink", "light"))
show_pixels(axes[1, 2], sketch / np.quantile(sketch, 0.99), "Greys", title="all edges: a drawing")
show_pixels(axes[1, 3], pooled / np.quantile(pooled, 0.99), "Greys", title="the drawing, pooled 4 × 4")
plt.show()
print(f"{photograph.size:,} pixels, nine weights a filter; the pooled drawing has {pooled.size:,} numbers left")

# %% [markdown]
# (Light is the large number here, as ink was before.) Stars and medals answer to every filter, the plain jacket and the
# empty wall behind her to none. The root of the two squares asks for an edge of any direction, and draws her in pencil; pooled,
# the drawing has a sixteenth of the numbers, and you still know who it is. Nobody trained anything: your function, and
# weights that fit on a stamp. Try a photograph of your own: `plt.imread` reads it, a mean over the last axis makes it grey.
#
# ### The digits of all the books, if you have them
#
# Most books begin with MNIST: 70,000 digits of 28 × 28 pixels. They are too many to come with this notebook. If they are on
# your computer, the next cell trains a network of your layer and your pooling on 6,000 of them; if not, it says in one line
# how to get them. *What do you expect?* Twelve times the pixels: are more digits read right, or fewer, than of the small ones?

# %% tags=["demo"]
def read_large_digits(seen=6000, epochs=3):
    try:
        (x, y), (fresh, answers) = data.mnist()
    except FileNotFoundError as error:
        print(f"MNIST is not here, and nothing else needs it: {error}")
        return
    keras.utils.set_random_seed(4)
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        Convolution(12, 3, padding="same", activation="relu"),
        keras.layers.Lambda(lambda x: max_pool(x, 2, 2)),
        Convolution(24, 3, padding="same", activation="relu"),
        keras.layers.Lambda(lambda x: max_pool(x, 2, 2)),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x[:seen, ..., np.newaxis], y[:seen], batch_size=32, epochs=epochs, verbose=0)
    guesses = np.argmax(model.predict(fresh[..., np.newaxis], batch_size=500, verbose=0), axis=1)
    wrong = np.flatnonzero(guesses != answers)
    figure, axes = plt.subplots(1, 8, figsize=(11, 1.9))
    for ax, i in zip(axes, wrong):
        show_pixels(ax, fresh[i], title=f"a {answers[i]}, read as {guesses[i]}")
    figure.suptitle("Large ones that it misreads", fontsize=11, fontweight="bold", x=0.01, ha="left")
    plt.show()
    print(f"{model.count_params():,} parameters, {seen:,} digits to learn from; "
          f"{1 - len(wrong) / len(fresh):.1%} of {len(fresh):,} unseen digits are right")


read_large_digits()

# %% [markdown]
# It is the network of part 5: no line of your layer knows how large a digit is, and its kernels have as many weights as they
# had for the small ones. Only the dense layer at the end has grown with the picture. With `seen=60000` it has ten times as
# many digits to learn from, and takes ten times as long.
#
# ## What to take along
#
# - A convolution is a small window of weights, the same at every place. So it needs few of them, and a shift of the image
#   shifts the map.
# - Pooling keeps the strongest answer and forgets where exactly it was; with depth, neurons see more of the image.
# - A head decides what a network is for: its shape, its range and its cost.
# - A network that is asked how sure it is, and pays for being sure and wrong, learns how sure it can be.
#
# **To think about.**
#
# 1. Chess positions are 8 × 8 squares, like our digits. Which of the assumptions of a convolution hold on a chess board,
#    and which do not?
# 2. You turn all digits upside down before you train, and again before you test. Does anything change for a convolutional
#    network? And if you shuffle the pixels, in the same way for all digits? For a dense one?
#
# Convolution is what a network knows about space before it has seen anything: near things belong together, and a
# thing is the same wherever it stands. Next comes time.
