# %% [markdown]
# # The transformer
#
# In 2017 eight people wrote a paper with a boast for a title, *Attention Is All You Need*. Out went recurrence, the
# way to read a text that everyone used; what remained was a single block, repeated six times. The boast held: the
# language models since then are, at heart, that block repeated more often.
#
# You know its main part already. Around attention the block puts three modest things: a **normalisation** that keeps
# numbers in range, a **small network** that works on each position by itself, and two **shortcuts** that carry the
# signal past both. Today you write each of them, put them together, stack the result, and let it loose on a book of
# sonnets. It will not be Shakespeare. But it will have begun to spell, to break lines and to sound like somebody
# from another century, in less time than it takes to read one of his poems aloud.
#
# By the end you will be able to
#
# - normalise each position with **layer normalisation** and say why deep stacks need it,
# - write the **feed-forward** network that makes up most of a transformer's weights,
# - assemble a **`TransformerBlock`** that trains, masks, saves and loads,
# - measure a language model by its **perplexity**,
# - stack blocks into a causal **`LanguageModel`**, and test that it cannot see the future,
# - compare an RNN, an LSTM and a transformer on the same text, honestly: perplexity against seconds.
#
# You need about three hours. There are five questions, worth 100 points together.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The
# check tries the *visible* cases, small enough for pen and paper. They are examples: *hidden* cases with other sizes
# hold most of the points. Examples in docstrings write arrays as lists; the checks pass tensors. All answers but
# `perplexity` are trained, so gradients count: stay with TensorFlow or `keras.ops` from input to output. Everything is
# float32.
#
# | letter | meaning |
# | --- | --- |
# | $B$ | batch: sequences handled together |
# | $T$ | length of a sequence |
# | $D$ | depth (width) of a position's vector, `d_model` |
# | $F$ | width of the hidden layer of the feed-forward network, `d_ff` |
# | $H$ | number of heads |
# | $V$ | number of different characters, `vocabulary_size` |
#
# **What you need from the attention assignment is supplied.** The file `layers.py` beside this notebook holds
# `positional_encoding`, `causal_mask`, `scaled_dot_product_attention` and `MultiHeadAttention`, with the names and
# arguments you know. An earlier mistake costs you nothing here.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import math
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from autograder import check, data, plots
from layers import MultiHeadAttention, causal_mask, positional_encoding, scaled_dot_product_attention

# Rather your own? Paste your MultiHeadAttention, and the functions it calls, into a new cell below this one:
# the last definition counts, here and in grading.

plots.style()

# %% [markdown]
# ## 1. Numbers in range: layer normalisation
#
# A deep network is a long chain of hands, each adding something to what it was given. If each makes the numbers only
# a little larger, the last ones drown in them; if each makes them smaller, nothing arrives. Layer normalisation is
# the referee that stands between: it takes **each position's vector by itself**, shifts it to mean 0, stretches it to
# variance 1, and then lets the network choose a scale $\gamma$ and an offset $\beta$ for each column.
#
# $$\mu = \frac1D \sum_{j} x_j \qquad \sigma^2 = \frac1D \sum_{j} (x_j - \mu)^2 \qquad
# y_j = \gamma_j\, \frac{x_j - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta_j$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $x$ | $(\dots, D)$ | input; each vector along the last axis is normalised by itself |
# | $\mu$, $\sigma^2$ | $(\dots, 1)$ | its mean and its variance: a plain mean of squares, divided by $D$ |
# | $\gamma$, $\beta$ | $(D,)$ | scale and offset, shared by all vectors |
# | $\varepsilon$ | number | keeps a vector of equal entries from dividing by 0; it stands *under the root* |
# | $y$ | $(\dots, D)$ | output |
#
# The dots are any leading axes: batch, time, both, or more. Take care with vectors whose mean is large and whose
# spread is small: $\frac1D\sum x_j^2 - \mu^2$ is the same number on paper, but in float32 it is the difference of two
# big ones that have already lost its digits.
#
# Not to be used: Keras's normalisation layers (`keras.layers.LayerNormalization`, `BatchNormalization`, …),
# `keras.ops.layer_normalization` and its relatives, `tf.nn.batch_normalization`. Means, variances and `tf.nn.moments`
# are yours to use.

# %% question="layer_norm"
def layer_norm(x, gamma, beta, epsilon=1e-6):
    """Normalise every vector along the last axis to mean 0 and variance 1, then scale and shift its columns.

    >>> layer_norm([[1, 3], [-2, 2]], gamma=[1, 10], beta=[0, 5])  # both rows normalise to (-1, 1), up to epsilon
    [[-1.0, 15.0], [-1.0, 15.0]]

    Args:
        x: float32 tensor (..., D), with one or more leading axes.
        gamma: float32 tensor (D,), scale of each column.
        beta: float32 tensor (D,), offset of each column.
        epsilon: float, added to the variance under the root.
    Returns:
        float32 (..., D).
    """
    ### BEGIN SOLUTION
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)  # (..., 1)
    variance = tf.reduce_mean(tf.square(x - mean), axis=-1, keepdims=True)  # (..., 1)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta
    ### END SOLUTION


# %% [markdown]
# Let us build the chain of hands: 24 layers with random weights, each *adding* its result to what it was given, as
# the layers of a transformer do. We follow the spread of the numbers, with your `layer_norm` after each addition and
# without.

# %% tags=["demo"]
generator = np.random.default_rng(0)
depth, width = 24, 64
start = tf.constant(generator.normal(size=(200, width)), tf.float32)
matrices = [tf.constant(generator.normal(size=(width, width)) * math.sqrt(2 / width), tf.float32) for _ in range(depth)]
ones, zeros = tf.ones(width), tf.zeros(width)
spreads = {"added, nothing else": [], "added, then layer_norm": []}
for label in spreads:
    x = start
    for matrix in matrices:
        spreads[label].append(float(tf.math.reduce_std(x)))
        x = x + tf.nn.relu(x) @ matrix
        if "norm" in label:
            x = layer_norm(x, ones, zeros)
    spreads[label].append(float(tf.math.reduce_std(x)))

figure, ax = plt.subplots(figsize=(7.5, 3.6))
for (label, values), colour in zip(spreads.items(), (plots.ORANGE, plots.BLUE)):
    ax.plot(range(depth + 1), values, "o-", ms=4, color=colour, label=label)
ax.set_yscale("log")
ax.set(xlabel="layers passed", ylabel="standard deviation of the numbers", title="A referee between the layers", ylim=(0.3, None))
ax.legend()
plt.show()
for label, values in spreads.items():
    print(f"{label:24s} spread at the start {values[0]:.2f}, after {depth} layers {values[-1]:,.2f}")

# %% [markdown]
# Without the referee, the spread of 1 has become more than 3,000 after 24 layers. Each layer adds something about as
# large as what it was given, so the variance doubles, and $\sqrt 2^{\,24}$ is 4,096. With it, every layer meets
# numbers of spread 1, the last one as well as the first.
#
# > **Going further.** Ba, Kiros and Hinton, *Layer Normalization* (2016). Batch normalisation (Ioffe and Szegedy,
# > 2015) takes its mean over the batch instead; while training, a sentence's result would then depend on which sentences
# > it happens to be batched with, and later one would have to fall back on averages of other texts. Zhang and Sennrich,
# > *Root Mean Square Layer Normalization* (2019), leave the mean out; most large models of today follow them.
#
# ## 2. Thinking alone: the feed-forward network
#
# Attention moves information *between* positions; all it does with it is to take averages. What a position then makes
# of what it has gathered is the work of a small network with one hidden layer of ReLU units, applied to **each
# position by itself**, the same weights everywhere:
#
# $$\mathrm{FFN}(x) = \max(0,\; x W_1 + b_1)\, W_2 + b_2$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $x$ | $(B, T, D)$ | one vector per position |
# | $W_1$, $b_1$ | $(D, F)$, $(F,)$ | to the hidden layer, usually wider: $F = 4D$ |
# | $W_2$, $b_2$ | $(F, D)$, $(D,)$ | and back |
# | output | $(B, T, D)$ | one vector per position again |
#
# Nothing is forbidden here; a line or two will do.

# %% question="feed_forward"
def feed_forward(x, w1, b1, w2, b2):
    """Pass every position through the same network with one hidden layer of ReLU units.

    >>> feed_forward([[[1, 2]]], w1=[[1, 1], [1, -1]], b1=[0, 0], w2=[[1, 2], [5, 5]], b2=[0, 1])  # hidden: (3, -1), then (3, 0)
    [[[3.0, 7.0]]]

    Args:
        x: float32 tensor (B, T, D).
        w1: float32 tensor (D, F).
        b1: float32 tensor (F,).
        w2: float32 tensor (F, D).
        b2: float32 tensor (D,).
    Returns:
        float32 (B, T, D); the second layer has no activation.
    """
    ### BEGIN SOLUTION
    return tf.nn.relu(x @ w1 + b1) @ w2 + b2
    ### END SOLUTION


# %% [markdown]
# What can such a network do that averages cannot? Bend. On the left, a network with $D = 1$ and six hidden units
# whose output weights were fitted to a wave: each unit is a straight line with one kink, and their sum can follow any
# curve, given enough kinks. On the right, eight positions pass through a network with random weights, twice: the
# second time position 3 was changed. Only its own output notices.

# %% tags=["demo"]
grid = np.linspace(-1, 1, 201, dtype="float32")
kinks = np.linspace(-1, 0.6, 6).astype("float32")
w1, b1 = np.ones((1, 6), "float32"), -kinks
hidden = np.maximum(0, grid[:, np.newaxis] @ w1 + b1)
wave = np.sin(3 * grid)
solution = np.linalg.lstsq(np.column_stack([hidden, np.ones_like(grid)]), wave, rcond=None)[0].astype("float32")
w2, b2 = solution[:-1, np.newaxis], solution[-1:]
fitted = np.asarray(feed_forward(grid[np.newaxis, :, np.newaxis], w1, b1, w2, b2))[0, :, 0]

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.7), gridspec_kw={"width_ratios": [1.3, 1]})
for unit in range(6):
    label = "one hidden unit, weighted" if unit == 0 else None
    left.plot(grid, hidden[:, unit] * w2[unit], color=plots.GREY, lw=0.9, alpha=0.7, label=label)
left.plot(grid, wave, color=plots.ORANGE, lw=5, alpha=0.45, label="sin 3x")
left.plot(grid, fitted, color=plots.BLUE, label="the network")
left.set(xlabel="x", ylabel="output", title="Kinks follow a wave (grey lines are cut off)", ylim=(-3, 2.2))
left.legend(loc="lower right")
figure.get_layout_engine().set(wspace=0.08)

generator = np.random.default_rng(1)
x = generator.normal(size=(1, 8, 16)).astype("float32")
changed = x.copy()
changed[0, 3] += generator.normal(size=16)
weights = [generator.normal(size=shape).astype("float32") / 4 for shape in ((16, 64), (64,), (64, 16), (16,))]
difference = np.abs(np.asarray(feed_forward(changed, *weights)) - np.asarray(feed_forward(x, *weights)))[0].max(axis=-1)
right.bar(range(8), difference, color=plots.BLUE)
right.set(xlabel="position", ylabel="largest change of the output", title="Position 3 was changed", xticks=range(8))
plt.show()
print("share of a block's weights in this network, D = 512 and F = 2048:",
      f"{(2 * 512 * 2048 + 2048 + 512) / (4 * (512 * 512 + 512) + 2 * 512 * 2048 + 2048 + 512 + 4 * 512):.0%}")

# %% [markdown]
# Straight pieces between a few kinks: the blue line already follows the wave, and one sees its corners (it is the sum of the
# grey lines and $b_2$; the first unit bends at the left edge). The single bar on the right is what "each position by itself"
# means. In the paper's sizes this little network holds two thirds of a block's weights; attention, for all its fame, the
# other third.
#
# > **Going further.** Vaswani et al., section 3.3, where $D = 512$ and $F = 2048$. Geva et al., *Transformer
# > Feed-Forward Layers Are Key-Value Memories* (2021), find that each column of $W_1$ recognises a pattern of text,
# > and that the matching row of $W_2$ says what is likely to come next. Large models swap the ReLU for smoother or
# > gated functions: Shazeer, *GLU Variants Improve Transformer* (2020), who offers no explanation of why they work
# > and attributes their success to "divine benevolence".
#
# ## 3. The block
#
# Now put the pieces together. The signal keeps to the road through the block; attention and the feed-forward network
# each stand beside it, take a look, and **add** what they found. After each addition comes a normalisation:
#
# $$Y = \mathrm{norm}_1\big(X + \mathrm{attention}(X, X, X)\big) \qquad Z = \mathrm{norm}_2\big(Y + \mathrm{FFN}(Y)\big)$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $X$ | $(B, T, D)$ | input: one vector per position |
# | $\mathrm{attention}$ | $(B, T, D)$ | multi-head self-attention: queries, keys and values are all $X$ |
# | $Y$ | $(B, T, D)$ | in the middle |
# | $\mathrm{FFN}$ | $(B, T, D)$ | two dense maps, ReLU after the first |
# | $Z$ | $(B, T, D)$ | output, of the same shape: so blocks can be stacked |
#
# The "$X\,+$" is called a residual connection. On the way back it leads the gradient past attention and network,
# however little they let through, and on the way forward a block that has learned nothing yet does little harm.
#
# **Who may look.** With `causal=True` no position sees a later one. A `mask` given to `call` restricts further:
# position $s$ may attend to $t$ only where *both* allow it. The mask may come as numbers: `tf.cast(mask, tf.bool)` turns
# them into truth values, and `&` broadcasts $(T, T)$ with $(B, 1, T)$. A mask that is given always lets every position
# attend to something. In a causal block nothing that happens at position $t$ can change an output before $t$; the second
# visible case tests exactly that.
#
# Names count here, since that is how the checks find and set your weights: `attention`, `norm1`, `norm2`, `dense1`,
# `dense2`. For the norms take `keras.layers.LayerNormalization(epsilon=1e-6)`, which is allowed here (its own default
# is $10^{-3}$), or a layer of your own with weights `gamma` and `beta`. There is no dropout. A `build` is not needed: the
# sublayers make their own weights. `get_config` is written as in `layers.py`: what `super().get_config()` holds, and the
# arguments of `__init__`, which you have to keep for it.
#
# Not to be used: Keras's attention layers (`keras.layers.MultiHeadAttention`, `GroupQueryAttention`, `Attention`,
# `AdditiveAttention`), `keras.ops.dot_product_attention` and the ready-made layers of KerasHub (`keras_hub`). The
# `MultiHeadAttention` of `layers.py`, or yours, is what you need:
#
# | call | gives |
# | --- | --- |
# | `MultiHeadAttention(d_model, num_heads)` | the layer |
# | `layer(query, value, mask=mask)` | `value` serves as key too; the mask is $(T, T)$, $(B, 1, T)$ or $(B, T, T)$, or `None` |
# | `causal_mask(length)` | bool $(T, T)$, True where attending is allowed |

# %% tags=["demo"]
from autograder import diagrams

diagrams.transformer_block()

# %% question="TransformerBlock"
class TransformerBlock(keras.layers.Layer):
    """Self-attention and a feed-forward network, each added to its input and then normalised (post-norm).

    Sublayers, by attribute:
        attention: a MultiHeadAttention(d_model, num_heads).
        norm1, norm2: layer normalisations with epsilon 1e-6, after the first and after the second addition.
        dense1, dense2: Dense(d_ff) with ReLU, and Dense(d_model) without activation.

    Args:
        d_model: int, depth D of input and output.
        num_heads: int, number of heads H.
        d_ff: int, width F of the hidden layer.
        causal: bool, whether positions attend to themselves and earlier ones only.
        **kwargs: what every Keras layer takes, such as `name`.
    """

    def __init__(self, d_model, num_heads, d_ff, causal=False, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.d_model, self.num_heads, self.d_ff, self.causal = d_model, num_heads, d_ff, causal
        self.attention = MultiHeadAttention(d_model, num_heads)
        self.norm1 = keras.layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = keras.layers.LayerNormalization(epsilon=1e-6)
        self.dense1 = keras.layers.Dense(d_ff, activation="relu")
        self.dense2 = keras.layers.Dense(d_model)

    def build(self, input_shape):  # optional: without it Keras finds the shapes by a trial run, which takes longer
        self.attention.build(input_shape, input_shape)
        for layer in (self.norm1, self.norm2, self.dense1):
            layer.build(input_shape)
        self.dense2.build((*input_shape[:-1], self.d_ff))
        ### END SOLUTION

    def call(self, x, mask=None):
        """Let positions look at one another, then think.

        Args:
            x: float32 tensor (B, T, D). Inside a model B may be unknown; T, which is x.shape[1], is known.
            mask: None, or a bool, int32 or float32 tensor (T, T), (B, 1, T) or (B, T, T); True or 1 means "may attend".
                A causal block obeys both the mask and the order.
        Returns:
            float32 (B, T, D).
        """
        ### BEGIN SOLUTION
        if self.causal:
            past = causal_mask(tf.shape(x)[1])  # (T, T)
            mask = past if mask is None else tf.logical_and(past, tf.cast(mask, tf.bool))  # (T, T) or (B, T, T)
        x = self.norm1(x + self.attention(x, x, mask=mask))
        return self.norm2(x + self.dense2(self.dense1(x)))
        ### END SOLUTION

    def get_config(self):
        """Return what `from_config` needs to build the layer again: Keras's own entries and the arguments of __init__."""
        ### BEGIN SOLUTION
        return {**super().get_config(), "d_model": self.d_model, "num_heads": self.num_heads, "d_ff": self.d_ff,
                "causal": self.causal}
        ### END SOLUTION

    def compute_mask(self, inputs, previous_mask):
        """Nothing to write here: it tells Keras that our mask is for us, and not handed on to later layers."""
        return None


# %% [markdown]
# ### Poke it and see who notices
#
# We change one position at a time and measure how much each output moves. Each row of a picture is one experiment.
# White means: not at all.

# %% tags=["demo"]
def ripples(layer, length=10, width=16):
    """How much each output changes when one position of the input is changed: (changed position, output)."""
    generator = np.random.default_rng(2)
    x = np.repeat(generator.normal(size=(1, length, width)), length + 1, axis=0).astype("float32")
    for t in range(length):
        x[t, t] += generator.normal(size=width)
    output = np.asarray(layer(x))
    return np.abs(output[:-1] - output[-1]).max(axis=-1)


figure, axes = plt.subplots(1, 2, figsize=(9, 3.9))
for ax, causal in zip(axes, (False, True)):
    keras.utils.set_random_seed(0)
    moved = ripples(TransformerBlock(16, 4, 64, causal=causal))
    image = ax.imshow(np.where(moved > 1e-5, moved, np.nan), cmap="Blues", norm=plt.matplotlib.colors.LogNorm(0.01, 3))
    ax.set(xlabel="output position", ylabel="input position that was changed", title=f"causal={causal}", xticks=range(10),
           yticks=range(10))
    ax.grid(False)
    print(f"causal={causal!s:5}: largest change before the changed position {np.tril(moved, -1).max():.4f}, "
          f"at it {np.diag(moved).mean():.2f} on average, after it {moved[np.triu_indices(10, 1)].mean():.2f}")
figure.colorbar(image, ax=axes, label="largest change of the output")
plt.show()

# %% [markdown]
# On the left everybody notices everything. On the right the lower triangle is empty: what is changed at a position is
# noticed there and later, and the largest change before it is 0.0000. That is why a causal model can be trained on
# all positions of a text in one pass: none of them can copy the answer.
#
# > **Going further.** Vaswani et al., section 3.1 and figure 1, whose left half is your block; residual connections
# > are from He et al., *Deep Residual Learning for Image Recognition* (2016). Normalising *after* the addition needs
# > care in deep stacks: their learning rate must start small. Xiong et al., *On Layer Normalization in the
# > Transformer Architecture* (2020), show why, and that normalising each part's *input* instead (pre-norm) removes
# > the need. GPT-2 and most models since are pre-norm.
#
# ## 4. How lost is it? Perplexity
#
# A language model gives every character a probability of coming next. The cross-entropy is its mean surprise, but in
# units that say little: is 1.9 good? Take the exponential and the number speaks:
#
# $$\mathrm{perplexity} = \exp\Big(-\frac1N \sum_{n=1}^{N} \ln p_n\Big)$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | logits | $(B, V)$ or $(B, T, V)$ | scores before softmax |
# | labels | $(B,)$ or $(B, T)$ | the characters that did come next |
# | $p_n$ | $N$ numbers, $N = B$ or $B \cdot T$ | the probability that the model's softmax gave to label $n$ |
# | perplexity | number | at least 1 |
#
# A model of perplexity 7 is as lost as somebody who throws a fair seven-sided die at every character. Knowing
# everything gives 1; guessing among $V$ characters gives $V$. The mean is taken *before* the exponential, and
# logarithm and exponential have the same base.
#
# Not to be used: `keras_hub` (its `Perplexity`). Cross-entropies of TensorFlow and Keras are welcome. No gradient
# is asked for.

# %% question="perplexity"
def perplexity(labels, logits):
    """The exponential of the mean cross-entropy, over all labels of the batch and of all positions.

    >>> perplexity([0, 1], [[0, 0], [ln 7, 0]])  # the softmax gives the labels 1/2 and 1/8, and √(2 · 8) is 4
    4.0

    Args:
        labels: int32 tensor (B,) or (B, T), from 0 to V - 1.
        logits: float32 tensor (B, V) or (B, T, V), any size: rows may be shifted by hundreds, a label's score may be a hundred
            below the others.
    Returns:
        float32 scalar, or a Python number.
    """
    ### BEGIN SOLUTION
    return tf.exp(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))
    ### END SOLUTION


# %% [markdown]
# ### What has to be beaten
#
# The text is twenty-six of Shakespeare's sonnets, 15,982 characters. A tenth at the end is kept for validation. How
# far does one get by counting? For each context of the last $n$ characters, count what followed it in the training
# text; add a tenth to every count, so that nothing is impossible; take the logarithm, and you have logits.

# %% tags=["demo"]
text = data.sonnets()
vocabulary = sorted(set(text))
number_of = {character: number for number, character in enumerate(vocabulary)}
ids = np.array([number_of[character] for character in text], "int32")
cut = len(ids) * 9 // 10
training, validation = ids[:cut], ids[cut:]
print(text[:text.index("\n\n", 100)], "\n")
print(f"{len(text):,} characters, {len(vocabulary)} different ones: {''.join(vocabulary)!r}")


def counted_logits(ids, context):
    """For each character after the first `context`, the logits of a model that counted the training text."""
    counts = {}
    for i in range(context, len(training)):
        counts.setdefault(training[i - context:i].tobytes(), np.zeros(len(vocabulary), "float32"))[training[i]] += 1
    nothing = np.zeros(len(vocabulary), "float32")
    return np.log([counts.get(ids[i - context:i].tobytes(), nothing) + 0.1 for i in range(context, len(ids))])


contexts = range(6)
counting = {"training text": [], "validation text": []}
for label, part in zip(counting, (training, validation)):
    for n in contexts:
        counting[label].append(float(perplexity(tf.constant(part[n:]), tf.constant(counted_logits(part, n)))))
best_count = min(counting["validation text"])

figure, ax = plt.subplots(figsize=(7.5, 3.7))
for (label, values), colour in zip(counting.items(), (plots.BLUE, plots.ORANGE)):
    ax.plot(contexts, values, "o-", color=colour, label=label)
ax.axhline(len(vocabulary), color=plots.GREY, ls="--", lw=1.2)
ax.text(5, len(vocabulary) * 0.97, "guessing among all characters", color=plots.GREY, ha="right", va="top", fontsize=10.5)
ax.set(xlabel="characters of context", ylabel="perplexity", title="Counting what came next", ylim=(0, None))
ax.legend(loc=(0.4, 0.5))
plt.show()
for n in contexts:
    print(f"context {n}: training {counting['training text'][n]:5.2f}   validation {counting['validation text'][n]:5.2f}")

# %% [markdown]
# How frequent each character is brings 59 down to 22; the character before it, to 10.7; the two before it, to 8.7. With
# three, training looks better still (beyond that the added tenth blurs it), and new text becomes a disaster: more than half
# of all runs of five characters have never been seen before, and about them a table has nothing to say. It does not know
# that *thy love* and *my love* are alike. A network may find out. **8.7 is the number to beat.**
#
# > **Going further.** Jelinek, Mercer, Bahl and Baker, *Perplexity, a Measure of the Difficulty of Speech Recognition
# > Tasks* (1977). Shannon, *Prediction and Entropy of Printed English* (1951), had people guess the next letter of a
# > text and put English at about one bit a letter: a perplexity of $2^1 = 2$. He used base 2 for both steps, we use
# > $e$ for both, and the perplexity is the same. Jurafsky and Martin, *Speech and Language Processing*, chapter 3,
# > tell more about counting.
#
# ## 5. The language model
#
# Stack the blocks. Below them, characters become vectors and learn where they stand; above them, a dense map turns
# each position's vector into a score for each character that could come next:
#
# $$X_0 = \mathrm{embedding}(\mathrm{ids}) + P \qquad X_{i} = \mathrm{block}_i(X_{i-1}) \qquad \mathrm{logits} = X_N\, W + b$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | ids | $(B, T)$ | characters as numbers below $V$; any $T$ up to `max_length` |
# | embedding | $(B, T, D)$ | a learned vector for each character |
# | $P$ | $(T, D)$ | positions: the first $T$ rows of `positional_encoding(max_length, d_model)`, or learned ones |
# | $X_i$ | $(B, T, D)$ | after block $i$; as many blocks as asked for, each with weights of its own, all *causal* |
# | logits | $(B, T, V)$ | at position $t$: scores for the character that follows ids $0 … t$ |
#
# No softmax at the end: the loss and the sampling want logits. Because every block is causal, the logits at position
# $t$ depend on nothing after it, and one pass trains on $T$ guesses at once.
#
# How you go about it is up to you: this model is graded on what it *does*, not on its numbers. The checks look at the
# shapes, at causality, at whether order matters (also the order of earlier characters), at the number of blocks and
# whether each of them learns, at saving and loading (the last of these in hidden cases alone). One piece of advice, from
# section 3.4 of the paper: multiply the embedding by $\sqrt D$. Keras starts embeddings small, and the positions would
# drown them.
#
# Mind two names: `get_config` has to return the number `blocks`, so call the list of blocks something else, and `layers`
# is taken by Keras.
#
# Not to be used: as in part 3. `keras.layers.Embedding` and `Dense` are what you need; layer norms are fine, too.

# %% question="LanguageModel"
class LanguageModel(keras.Model):
    """A causal transformer that scores the next character at every position.

    Args:
        vocabulary_size: int, number of different characters V.
        d_model: int, depth D.
        num_heads: int, heads H of each block.
        d_ff: int, width F of each block's hidden layer.
        blocks: int, number of transformer blocks, at least 1.
        max_length: int, the longest sequence the model will be given.
        **kwargs: what every Keras model takes, such as `name`.
    """

    def __init__(self, vocabulary_size, d_model, num_heads, d_ff, blocks, max_length, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.arguments = dict(vocabulary_size=vocabulary_size, d_model=d_model, num_heads=num_heads, d_ff=d_ff, blocks=blocks,
                              max_length=max_length)
        self.embedding = keras.layers.Embedding(vocabulary_size, d_model)
        self.scale = math.sqrt(d_model)
        self.positions = positional_encoding(max_length, d_model)
        self.blocks = [TransformerBlock(d_model, num_heads, d_ff, causal=True) for _ in range(blocks)]
        self.to_logits = keras.layers.Dense(vocabulary_size)

    def build(self, input_shape):  # optional, as in the block
        self.embedding.build(input_shape)
        for layer in (*self.blocks, self.to_logits):
            layer.build((*input_shape, self.arguments["d_model"]))
        ### END SOLUTION

    def call(self, ids):
        """Score what comes next.

        Args:
            ids: int32 tensor (B, T), T at most max_length. In `fit` B is unknown; T, which is ids.shape[1], is known.
        Returns:
            float32 (B, T, V), the logits.
        """
        ### BEGIN SOLUTION
        x = self.embedding(ids) * self.scale + self.positions[:ids.shape[1]]  # (B, T, D) + (T, D)
        for block in self.blocks:
            x = block(x)
        return self.to_logits(x)  # (B, T, V)
        ### END SOLUTION

    def get_config(self):
        """Return what `from_config` needs to build the model again: Keras's own entries and the arguments of __init__."""
        ### BEGIN SOLUTION
        return {**super().get_config(), **self.arguments}
        ### END SOLUTION


# %% [markdown]
# Before any training, a look from outside: a model that has learned nothing should be about as lost as somebody who
# guesses, or more so (its scores are random rather than equal, and random confidence costs), and it must not see the
# future. Here we change the last character of a line and compare the logits before it.

# %% tags=["demo"]
LENGTH = 64


def encode(text):
    """A text as ids, (1, T)."""
    return np.array([[number_of[character] for character in text]], "int32")


keras.utils.set_random_seed(0)
untrained = LanguageModel(len(vocabulary), 64, num_heads=4, d_ff=256, blocks=2, max_length=LENGTH)
line = "My mistress' eyes are nothing like the sun"
ids_of_line = encode(line)
print(f"perplexity before training: {perplexity(ids_of_line[:, 1:], untrained(ids_of_line[:, :-1])):.1f}, "
      f"of a guess among all characters: {len(vocabulary)}")
changed = np.abs(untrained(encode(line[:-1] + "m")) - untrained(ids_of_line))[0].max(axis=-1)
print(f"largest change of the logits before the last character: {changed[:-1].max():.6f}, at it: {changed[-1]:.2f}")
print(f"weights: {untrained.count_params():,}")

# %% [markdown]
# > **Going further.** The recipe, blocks of a decoder alone, trained on nothing but the next token, is Radford et
# > al., *Improving Language Understanding by Generative Pre-Training* (2018); its twelve blocks of depth 768 hold 117
# > million weights. The idea of predicting text one character at a time is Shannon's, *A Mathematical Theory of
# > Communication* (1948), section 3, where he writes the first samples by hand, with a book opened at random. Haviv
# > et al., *Transformer Language Models without Positional Encodings Still Learn Positional Information* (2022),
# > explain why one of the checks looks at a model with a single block: behind a causal mask, a stack of them can find
# > out where it is.
#
# ## 6. Three readers of the same book
#
# Now the race. An RNN, an LSTM and your transformer, each with about a hundred thousand weights, read the sonnets in
# windows of 64 characters: the same windows, in the same order, with the same optimizer. After every epoch each of
# them is tested on the tenth it has not seen, and writes a line, so that you can watch it learn to spell. The clock
# runs while they train, and stops while they write; each takes about half a minute.
#
# To write, take the logits of the last character, divide them by a *temperature* (below 1: bolder in what it thinks
# likely), throw the dice, append, repeat. A window that is not full yet is filled up at the *end*: all three models
# are causal, so what comes later changes nothing.

# %% tags=["demo"]
EPOCHS, STEPS, BATCH = 12, 40, 32


def windows(ids, starts):
    """Inputs and targets (B, LENGTH) from the given starts; a target is the next character."""
    rows = ids[np.asarray(starts)[:, np.newaxis] + np.arange(LENGTH + 1)]
    return rows[:, :-1], rows[:, 1:]


def write(scores, start, characters, temperature=0.6, seed=1, texts=1):
    """Continue a text one character at a time, `texts` times side by side; `scores` gives the logits of ids (texts, LENGTH)."""
    generator = np.random.default_rng(seed)
    ids = np.repeat(encode(start), texts, axis=0)
    for _ in range(characters):
        window = ids[:, -LENGTH:]
        padded = np.pad(window, ((0, 0), (0, LENGTH - window.shape[1])))
        logits = scores(padded)[:, window.shape[1] - 1].numpy() / temperature  # (texts, V)
        drawn = np.argmax(logits + generator.gumbel(size=logits.shape), axis=1)  # the largest, so disturbed, is a draw by softmax
        ids = np.concatenate([ids, drawn[:, np.newaxis].astype("int32")], axis=1)
    return ["".join(vocabulary[i] for i in row) for row in ids]


def race(name, make, learning_rate=0.002):
    """Train a model; return its history, and its logits with the weights of its best epoch."""
    keras.utils.set_random_seed(3)
    model = make()
    model.compile(keras.optimizers.Adam(learning_rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    unseen, targets = windows(validation, range(0, len(validation) - LENGTH, LENGTH))
    model.fit(*windows(training, range(BATCH)), batch_size=BATCH, verbose=0)  # compiles, with one step, before the clock starts
    scores = tf.function(model, input_signature=[tf.TensorSpec([None, LENGTH], tf.int32)], autograph=False)
    generator, seconds, history, best = np.random.default_rng(4), 0.0, [], None
    print(f"{name}: {model.count_params():,} weights")
    for epoch in range(EPOCHS):
        inputs, labels = windows(training, generator.integers(0, len(training) - LENGTH, size=STEPS * BATCH))
        start = time.perf_counter()
        loss = model.fit(inputs, labels, batch_size=BATCH, verbose=0).history["loss"][0]
        seconds += time.perf_counter() - start
        history.append((seconds, math.exp(loss), float(perplexity(targets, model(unseen)))))
        if best is None or history[-1][2] < min(test for _, _, test in history[:-1]):
            best = model.get_weights()
        sample = write(scores, "When ", 40)[0].replace("\n", " / ")
        _, train, test = history[-1]
        print(f"  epoch {epoch + 1:2d}  {seconds:5.1f} s  training {train:5.2f}  validation {test:5.2f}  {sample}", flush=True)
    model.set_weights(best)
    return np.array(history), scores, model


def recurrent(layer):
    return keras.Sequential([keras.layers.Embedding(len(vocabulary), 64), layer, keras.layers.Dense(len(vocabulary))])


rnn = race("RNN", lambda: recurrent(keras.layers.SimpleRNN(256, return_sequences=True)))

# %% tags=["demo"]
lstm = race("LSTM", lambda: recurrent(keras.layers.LSTM(128, return_sequences=True)))

# %% tags=["demo"]
transformer = race("transformer", lambda: LanguageModel(len(vocabulary), 64, 4, 256, 2, LENGTH))

# %% tags=["demo"]
results = {"RNN": rnn, "LSTM": lstm, "transformer": transformer}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
for (name, (history, *_)), colour in zip(results.items(), (plots.GREEN, plots.ORANGE, plots.BLUE)):
    seconds, train, test = history.T
    best = test.argmin()
    left.plot(seconds, train, "o-", ms=3.5, color=colour, label=name)
    right.plot(seconds, test, "o-", ms=3.5, color=colour, label=name)
    right.plot(seconds[best], test[best], "o", ms=11, mfc="none", mec=colour, mew=1.8)
    print(f"{name:12s} best validation loss {np.log(test[best]):.2f} (perplexity {test[best]:.2f}) after epoch {best + 1}, "
          f"{seconds[best]:.0f} s; training loss at the end, {seconds[-1]:.0f} s, {np.log(train[-1]):.2f} "
          f"(perplexity {train[-1]:.2f})")
right.axhline(best_count, color=plots.GREY, ls="--", lw=1.2, label="counting, at its best")
right.plot([], [], "o", ms=11, mfc="none", mec=plots.GREY, mew=1.8, label="best epoch")
for ax, ticks, title in ((left, (3, 5, 10, 20), "On the text they train on"),
                         (right, (8, 9, 10, 12, 15, 20), "On the tenth they have not seen")):
    ax.set_yscale("log")  # the loss is the logarithm
    ax.set_yticks(ticks, ticks)
    ax.minorticks_off()
    ax.set(xlabel="seconds of training", ylabel="perplexity", title=title)
left.legend()
right.legend()
plt.show()

# %% [markdown]
# On the text they train on, all three go on improving, and the RNN fastest. On the tenth they have not seen that is worth
# nothing: look at the printout for the epoch after which each of them learns the sonnets by heart. The RNN comes to it
# first, and is hardly better than counting two characters was. The transformer gets further, and then turns as well. The
# LSTM learns most slowly and ends best. So the machine of this lesson does *not* win on this text. (Your seconds and last
# digits will be others.)
#
# Was the boast empty? Two things are missing here. *Text:* an LSTM is built to believe that what came last matters
# most, and for spelling that is true from the first step; a transformer must learn from examples where to look at
# all, and 14,000 characters are few. *Parallel hardware:* an RNN takes 64 steps one after the other, a transformer a
# few large ones. Two processor cores make nothing of that; a graphics processor does. And there is a third: a task in
# which it matters to find one thing again, far back. Such a task comes next.
#
# > **Going further.** Kaplan et al., *Scaling Laws for Neural Language Models* (2020), ran this race with a million
# > times the text: LSTMs keep up with transformers on the first words of a context and fall behind on the later ones,
# > and the transformer's loss falls as a power of text, weights and computing. Karpathy, *The Unreasonable
# > Effectiveness of Recurrent Neural Networks* (2015), shows what LSTMs write when they have all of Shakespeare to
# > read.
#
# ### A book in which one looks things up
#
# Read a telephone book of ten entries, each a letter and a digit. Then comes a letter once more, without its digit: what
# was it? Every book is new, so there is nothing to learn by heart; what can be learned is *how to look something up*.
# One of your blocks, without positions, against an LSTM with twice as many weights. What do you expect? Each is trained
# three times, from other weights and on other books; bands reach from the worst to the best.

# %% tags=["demo"]
NAMES, DIGITS, ENTRIES = 26, 10, 10


def attention_weights(model, inputs):
    """Each attention layer that a model runs through, with its weights: a list of pairs (layer, array (B, H, T, T))."""
    found, original = [], MultiHeadAttention.call

    def call(self, query, value, key=None, mask=None, return_attention=False):
        output, weights = original(self, query, value, key, mask, return_attention=True)
        found.append((self, np.asarray(weights)))
        return (output, weights) if return_attention else output

    MultiHeadAttention.call = call  # looking over its shoulder, for one call of the model
    try:
        model(inputs)
    finally:
        MultiHeadAttention.call = original
    return found


def phone_books(examples, seed):
    """Books of different letters with a digit each, at last a letter to look up: two (examples, ENTRIES + 1); the answers."""
    generator = np.random.default_rng(seed)
    names = np.argsort(generator.random((examples, NAMES)), axis=1)[:, :ENTRIES]
    digits = generator.integers(0, DIGITS, size=(examples, ENTRIES))
    rows, asked = np.arange(examples), generator.integers(0, ENTRIES, size=examples)
    return (np.column_stack([names, names[rows, asked]]).astype("int32"),
            np.column_stack([digits, np.full(examples, DIGITS)]).astype("int32")), digits[rows, asked].astype("int32")


class Reader(keras.Model):
    """An entry is the sum of two vectors, its letter's and its digit's; the answer is read at the place of the question."""

    def __init__(self, layer):
        super().__init__()
        self.names, self.digits = keras.layers.Embedding(NAMES, 64), keras.layers.Embedding(DIGITS + 1, 64)
        self.reads, self.scores = layer, keras.layers.Dense(DIGITS)

    def call(self, inputs):
        return self.scores(self.reads(self.names(inputs[0]) + self.digits(inputs[1]))[:, -1])


def look_up(make, seed, tests=12):
    """Train a reader on new books; the shares of right answers after every 50 batches, and the reader."""
    keras.utils.set_random_seed(seed)
    reader, shares = Reader(make()), []
    reader.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False,
                   steps_per_execution=10)
    unseen, answers = phone_books(500, seed=0)
    for part in range(tests):
        reader.fit(*phone_books(50 * 32, seed=100 * seed + part), batch_size=32, verbose=0)
        shares.append(np.mean(np.argmax(reader(unseen), axis=-1) == answers))
    return shares, reader


figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=(1.25, 1))
for name, make, colour in (("one transformer block", lambda: TransformerBlock(64, 4, 256), plots.BLUE),
                           ("LSTM", lambda: keras.layers.LSTM(128, return_sequences=True), plots.ORANGE)):
    runs = [look_up(make, seed) for seed in (1, 2, 3)]
    shares = np.array([shares for shares, _ in runs])
    left.plot(50 * np.arange(1, 13), np.median(shares, axis=0), "o-", ms=3.5, color=colour, label=name)
    left.fill_between(50 * np.arange(1, 13), shares.min(axis=0), shares.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    print(f"{name:22s} {runs[0][1].count_params():,} weights; right at the end {shares[:, -1].min():.2f} to "
          f"{shares[:, -1].max():.2f} of new books")
    if name != "LSTM":
        reader = runs[0][1]
commonest = np.mean([np.bincount(book[:-1]).max() for book in phone_books(500, seed=0)[0][1]]) / ENTRIES
print(f"always naming the digit that the book has most often would be right in {commonest:.2f} of them")
left.axhline(commonest, color=plots.GREY, ls=":", lw=1.5, label="the book's commonest digit")
left.axhline(1 / DIGITS, color=plots.GREY, ls="--", lw=1.2, label="guessing")
left.set(xlabel="batches of 32 books", ylabel="right answers, new books", title="Looking up a number", ylim=(0, 1.05))
left.legend(loc="center right")

inputs, _ = phone_books(1, seed=7)
_, weights = attention_weights(reader, inputs)[0]
looks = weights[0, :, -1]  # (heads, entries + 1): from the place of the question
right.imshow(looks, cmap="Blues", vmin=0, vmax=1, aspect="auto")
entries = [f"{chr(97 + name)}\n{digit if digit < DIGITS else '?'}" for name, digit in zip(inputs[0][0], inputs[1][0])]
right.set(title="Where the heads look from the question", ylabel="head", xticks=range(ENTRIES + 1), yticks=range(len(looks)),
          xticklabels=entries, yticklabels=range(1, len(looks) + 1), xlabel="entries, and the question")
right.grid(False)
plt.show()

# %% [markdown]
# The block learns it and is then nearly always right. The LSTM, given the same books, is right about as often as one is
# by naming the digit that the book has most often, as if it knew which digits it has read and not whose they are. The
# picture on the right shows the reason: from the question the heads look at the entry with the *same letter* (and at itself),
# which a product of query and key finds in one step, wherever it stands. The LSTM has to carry all ten pairs in its
# state, before it knows which one will be wanted. (It could: 128 numbers are enough for ten digits. It does not find
# out how, in so little time.) So this is what attention is for: to fetch one thing from far back, exactly. Where what
# comes next is a summary of what came last, as in spelling, it has no such advantage.
#
# ### What they write
#
# Each with the weights of its best epoch, from the same start and with the same dice; then twelve texts from each, to
# measure how long their lines are.

# %% tags=["demo"]
def line_lengths(texts):
    """The lengths of all complete lines; the first, which was begun for them, does not count."""
    return np.array([len(line) for text in texts for line in text.split("\n")[1:-1] if line])


def described(lengths):
    share = np.mean((lengths >= 30) & (lengths <= 60))
    return f"{lengths.mean():3.0f} ± {lengths.std():2.0f} characters a line, {share:4.0%} of them 30 to 60"


for name, (_, scores, _) in results.items():
    print(f"--- {name} ---\n{write(scores, 'When I do ', 300, seed=5)[0]}\n")
for name, (_, scores, _) in results.items():
    print(f"{name:12s} {described(line_lengths(write(scores, 'When I do ', 500, seed=6, texts=12)))}")
print(f"{'Shakespeare':12s} {described(line_lengths([text]))}")

# %% [markdown]
# None of it makes sense. All three have learned to spell a little and to begin a line with a capital. But look at the
# lengths. The transformer's lines are nearly all of the length of a verse; the RNN's and the LSTM's vary far more, and most
# end when it pleases them. Whoever wants to end a line in time must know where it began, forty characters ago. A recurrent
# network would have to keep count over forty steps. A transformer can look. Does it?
#
# ### Where its heads look
#
# The transformer has read sixty characters of the unseen part, up to the end of a line, and is about to guess what
# follows. Above, a row for each head: how much it looks at each character (↵ is a line break). Below, means over all
# windows of the unseen part: how far back does each head look, and how much of its weight falls on line breaks?

# %% tags=["demo"]
_, scores, model = transformer
end = text.index("\n", text.index("\n", text.index("My mistress' eyes")) + 1)  # of the second line of that sonnet
phrase = text[end - 60:end]
last = np.concatenate([weights[0, :, -1] for _, weights in attention_weights(model, encode(phrase))])  # (heads of all blocks, T)

unseen, _ = windows(validation, range(0, len(validation) - LENGTH, LENGTH))
breaks = unseen == number_of["\n"]  # (B, T)
HALF = LENGTH // 2  # look at positions that have at least so many characters before them
distances, on_breaks = [], []
for _, weights in attention_weights(model, unseen):
    for head in np.moveaxis(weights[:, :, HALF:], 1, 0):  # (B, HALF, T)
        mean = head.mean(axis=0)
        distances.append([np.mean([mean[s, HALF + s - distance] for s in range(HALF)]) for distance in range(17)])
        on_breaks.append(np.mean(np.sum(head * breaks[:, np.newaxis], axis=-1)))
fair = np.mean([breaks[:, :t + 1].mean() for t in range(HALF, LENGTH)])  # what equal shares would give
heads = len(last) // 2
names = [f"{block}, {head}" for block in (1, 2) for head in range(1, heads + 1)]

figure = plt.figure(figsize=(11, 6.2))
above, below = figure.subfigures(2, 1, height_ratios=[1, 1.05])
ax = above.subplots()
image = ax.imshow(last, cmap="Blues", vmin=0, vmax=0.7, aspect="auto")
ax.set(title="Which characters it looks at, to guess what follows", ylabel="block, head", xticks=range(len(phrase)),
       yticks=range(len(last)), xticklabels=phrase.replace(" ", "·").replace("\n", "↵"), yticklabels=names)
ax.tick_params(axis="x", labelsize=9)
ax.grid(False)
above.colorbar(image, ax=ax, label="weight", pad=0.01)
axes = below.subplots(1, 3, width_ratios=[1, 1, 1.1])
axes[1].sharey(axes[0])
for block, ax in enumerate(axes[:2]):
    for head, curve in enumerate(distances[block * heads:(block + 1) * heads]):
        ax.plot(range(17), curve, "o-", ms=3, color=plots.PALETTE[head], label=f"head {head + 1}")
    ax.set(xlabel="characters back (0: itself)", title=f"Block {block + 1}: how far back")
    ax.legend()
axes[0].set_ylabel("weight, mean")
axes[2].bar(names, on_breaks, color=plots.BLUE)
axes[2].axhline(fair, color=plots.GREY, ls="--", lw=1.2, label="equal shares")
axes[2].set(xlabel="block, head", ylabel="weight, mean", title="On line breaks")
axes[2].legend()
plt.show()
for name, curve, share in zip(names, distances, on_breaks):
    print(f"block, head {name}: most weight {int(np.argmax(curve))} back ({max(curve):.2f}); on line breaks {share:.3f}")
print(f"equal shares would put {fair:.3f} on line breaks")

# %% [markdown]
# Most heads look at the last few characters, and above all at the one just before: that is how one spells. But one of them
# (which one, is up to the dice) puts far more of its weight on line breaks than equal shares would. Nobody told it to. Is it
# what keeps the lines in shape? Take it away and see: a head speaks through its own rows of the last dense map of its
# attention, and rows of zeros say nothing. One head of its block at a time:

# %% tags=["demo"]
attention, _ = attention_weights(model, unseen)[np.argmax(on_breaks) // heads]
whole = attention.output_dense.kernel.numpy()  # (D, D): rows of head 1, rows of head 2, ...
targets = windows(validation, range(0, len(validation) - LENGTH, LENGTH))[1]
size = len(whole) // heads
for head in (*range(1, heads + 1), 0):  # 0 takes none away, and leaves the model as it was
    kernel = whole.copy()
    if head:
        kernel[(head - 1) * size:head * size] = 0
    attention.output_dense.kernel.assign(kernel)
    lengths = line_lengths(write(scores, "When I do ", 500, seed=6, texts=12))
    print(f"{f'without head {head}' if head else 'all heads':14s} perplexity {float(perplexity(targets, model(unseen))):.2f}, "
          f"{described(lengths)}")

# %% [markdown]
# Find the head of the picture above in the printout. Without it the lines fall apart, and vary as much as those of the two
# recurrent networks. Other heads can go with less harm to the lines, though each costs perplexity too. Those heads
# spell; this one keeps time.
#
# ### Point at a character
#
# The head that keeps time, on the same sixty characters. *What do you expect* of a character in the middle of a word, of
# the first of a line, of the last? Point at one, or move the slider.

# %% tags=["demo"]
from autograder import moving

keeper = int(np.argmax(on_breaks))
_, maps = attention_weights(model, encode(phrase))[keeper // heads]
moving.looks(phrase.replace(" ", "·").replace("\n", "↵"), maps[0, keeper % heads], start=len(phrase) - 1, wide=22,
             name="the character that looks")

# %% [markdown]
# A bar stands over every character that gets more than a fiftieth of its attention. Wherever you point after the line
# break, it keeps returning there, from characters that have nothing to do with one another.
#
# > **Going further.** Olsson et al., *In-context Learning and Induction Heads* (2022), find in transformers of every
# > size heads that search for the last time the present character occurred and look at what followed it then; two
# > blocks are the least they need, and two is what yours has. Elhage et al., *A Mathematical Framework for
# > Transformer Circuits* (2021), take such small models apart to the last weight.
#
# ### A page of its own
#
# The same transformer, with the weights of its best epoch, at six temperatures. *What do you expect?* Do its lines keep their
# length when its words fall apart? Find the page that you would sign.

# %% tags=["demo"]
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.3)


def verses(lines=8):
    """The first complete lines of what the transformer writes at each temperature, all side by side."""
    texts = write(scores, "When I do ", 50 * lines, np.array(TEMPERATURES)[:, np.newaxis], seed=8, texts=len(TEMPERATURES))
    return ["\n".join([line for line in text.split("\n")[:-1] if line][:lines]) for text in texts]


moving.pages(dict(zip(TEMPERATURES, verses())), start=0.6, title="By a transformer of your own making")

# %% [markdown]
# That is a transformer, every part of it your own. GPT-2 is this model with pre-norm, 48 blocks of depth 1,600, words
# cut into pieces instead of characters, and eight million web pages instead of twenty-six sonnets. Try what you like
# now: one block or four, a head more, a temperature of 1.2, a text of your own.
#
# ## What to take along
#
# - A block is attention and a small network, each added to its input and normalised: positions look at one another, then each
#   thinks by itself.
# - Shortcuts carry the signal and the gradient past both; normalisation keeps numbers in range.
# - A causal model is trained on all positions at once, and perplexity says among how many it hesitates.
# - Attention fetches one thing from far back, exactly. On little text, where what comes last matters most, an LSTM may win.
# - Take a part away and measure: that is how you find out what it was for.
#
# **To think about.**
#
# 1. Your model has read windows of 64 characters. What happens at the 65th, and which part of the model would you have to
#    change to let it read a thousand?
# 2. Every character of the sonnets is replaced by another one, always by the same, and the three readers start anew. Whose
#    perplexity changes? And if each character is replaced by two, always the same two?
#
# Nine lessons ago a neuron fired when a sum was above 0. Everything since then was sums of that kind, a bend, and a slope
# to follow.
