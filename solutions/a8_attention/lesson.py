# %% [markdown]
# # Attention
#
# Read this sentence slowly: *"Nora lent Ada her umbrella, since she had brought a second one."* To know who **she**
# is, you glanced back at **Nora**. You did not carry every word along in one crowded memory, as a recurrent network
# must; you looked where the answer was. Attention gives a network the same freedom: every position may look at every
# other one, and learns where looking pays off.
#
# By the end you will be able to
#
# - give a network a sense of order with **positional encoding**,
# - decide with **masks** who may look at whom,
# - write **scaled dot-product attention**: queries, keys, values and a softmax between them,
# - run many attentions side by side and pack them into a Keras layer, **`MultiHeadAttention`**, that trains, saves and loads.
#
# You need about three hours. There are seven questions, worth 100 points together. The layer is the heart of the transformer,
# which you build in the next assignment.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The
# check tries the *visible* cases, small enough for pen and paper. They are examples: *hidden* cases with other sizes
# hold most of the points, so write no size into your code. Examples in docstrings write arrays as lists; the checks pass
# tensors. Any way of writing is fine: functions may
# return tensors or NumPy arrays, masks may be booleans or 0/1 numbers. One exception: `MultiHeadAttention` is
# trained, so gradients must flow through it. There you stay with TensorFlow or `keras.ops` all the way, *also in the
# functions it calls*.
#
# | letter | meaning |
# | --- | --- |
# | $B$ | batch: sequences handled together |
# | $S$, $T$ | length of the sequence that asks, length of the sequence that answers |
# | $D$ | depth (width) of a position's vector, `d_model` |
# | $H$ | number of heads |

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import math

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from autograder import check, plots

plots.style()

# %% [markdown]
# ## 1. Where am I? Positional encoding
#
# Attention compares *contents*. Shuffle the words and each of them still finds the same partners: to attention, a
# sentence is a bag. So we add to each word's vector a second one that says where the word stands.
#
# A clock does this well. Its second hand tells neighbouring moments apart, its hour hand tells morning from noon, and
# together they name any moment of the day. Positional encoding is a clock with $D/2$ hands, each turning more slowly
# than the one before:
#
# $$P_{t,\,2i} = \sin\frac{t}{10000^{2i/D}} \qquad\qquad P_{t,\,2i+1} = \cos\frac{t}{10000^{2i/D}}$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $t$ | 0, 1, …, $T-1$ | position; the first one is 0 |
# | $i$ | 0, 1, … | which hand of the clock; it owns the columns $2i$ and $2i+1$ |
# | $P$ | $(T, D)$ | the encoding: one row per position |
#
# Angles are in radians. Both columns of a pair share one exponent. Columns alternate: sine, cosine, sine, cosine, …
# so that an odd depth ends with a sine that has no partner.

# %% question="positional_encoding"
def positional_encoding(length, depth):
    """Encode positions as sines and cosines of growing wavelength.

    >>> positional_encoding(2, 4)                        # at position 1: sin 1, cos 1, sin 1/100, cos 1/100
    [[0.0, 1.0, 0.0, 1.0], [0.8415, 0.5403, 0.01, 1.0]]

    Args:
        length: int, number of positions T.
        depth: int, columns D of the encoding; even or odd (an odd depth ends with a sine column).
    Returns:
        float32 (length, depth): sines in the even columns, cosines in the odd ones, base 10000. Row 0 is position 0.
    """
    ### BEGIN SOLUTION
    positions = np.arange(length)[:, np.newaxis]  # (T, 1)
    columns = np.arange(depth)  # (D,)
    angles = positions / 10000 ** (columns // 2 * 2 / depth)  # (T, D): 2i is the column, rounded down to even
    return tf.constant(np.where(columns % 2 == 0, np.sin(angles), np.cos(angles)), tf.float32)
    ### END SOLUTION


# %% [markdown]
# Left, each row is one position's vector; read it as the hands of a clock, fast ones at the left. Right, every
# position's dot product with five others, against how far apart they are: the curves lie exactly on one another. How
# alike two encodings are depends on their *distance* alone. That is trigonometry, summed over the hands: $\sin a \sin
# b + \cos a \cos b = \cos(a - b)$.

# %% tags=["demo"]
encoding = np.asarray(positional_encoding(100, 64))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), gridspec_kw={"width_ratios": [1.15, 1]})
image = left.imshow(encoding, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
left.set(xlabel="column of the encoding", ylabel="position", title="Every row is a clock face with 32 hands")
left.grid(False)
figure.colorbar(image, ax=left, label="value")
for width, here, colour in zip((9, 7, 5, 3, 1.2), (10, 30, 50, 70, 90), plots.PALETTE):
    distances = np.arange(100) - here
    right.plot(distances, encoding @ encoding[here], color=colour, lw=width, label=f"from {here}")
right.set(xlabel="distance to the other position", ylabel="dot product", title="Only the distance counts", xlim=(-60, 60))
right.legend(loc="upper left")
plt.show()

# %% [markdown]
# > **Going further.** The formula is from Vaswani et al., *Attention Is All You Need* (2017), section 3.5. They also
# > tried *learned* position vectors and found nearly identical results. For a fixed shift $k$, the row at $t + k$ is a
# > rotation of the row at $t$, the same for every $t$; Su et al., *RoFormer* (2021), build on it and rotate queries and
# > keys instead of adding to them.
#
# ## 2. Who may look at whom? Masks
#
# A mask is a table of permissions: **True, or 1, means "may attend"**. Two kinds do most of the work.
#
# A language model guesses the next word, so position $s$ must not peek at later ones. The **causal mask** allows
# itself and the past:
#
# $$C_{s,t} = \begin{cases} 1 & t \le s \\ 0 & t > s \end{cases}$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $s$ | row | the position that looks |
# | $t$ | column | the position looked at |
# | $C$ | $(T, T)$ | may $s$ look at $t$? |

# %% question="causal_mask"
def causal_mask(length):
    """Allow every position to attend to itself and to earlier ones.

    >>> causal_mask(3)
    [[True, False, False], [True, True, False], [True, True, True]]

    Args:
        length: int, number of positions T.
    Returns:
        bool (length, length), or the same as 0/1 numbers: entry (s, t) is True where position s may attend to position t.
    """
    ### BEGIN SOLUTION
    positions = tf.range(length)
    return positions[tf.newaxis, :] <= positions[:, tf.newaxis]  # (1, T) <= (T, 1) -> (T, T)
    ### END SOLUTION


# %% [markdown]
# Sentences of a batch differ in length; the short ones are filled up at the end with meaningless padding. The
# **padding mask** allows the real positions, for sequence $b$ of length $n_b$:
#
# $$M_{b,t} = \begin{cases} 1 & t < n_b \\ 0 & t \ge n_b \end{cases}$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $n$ | $(B,)$ | real length of each sequence |
# | $M$ | $(B, T)$ | is position $t$ of sequence $b$ real? |
#
# Not to be used: `tf.sequence_mask`, which is the answer. A comparison that broadcasts does it in a line.

# %% question="padding_mask"
def padding_mask(lengths, max_length):
    """Allow the real positions of padded sequences.

    >>> padding_mask([3, 1], 3)
    [[True, True, True], [True, False, False]]

    Args:
        lengths: int32 tensor (B,), the real length of each sequence, between 1 and max_length.
        max_length: int, number of positions T after padding at the end.
    Returns:
        bool (B, max_length), or the same as 0/1 numbers: True at real positions, False at padding.
    """
    ### BEGIN SOLUTION
    return tf.range(max_length)[tf.newaxis, :] < lengths[:, tf.newaxis]  # (1, T) < (B, 1) -> (B, T)
    ### END SOLUTION


# %% [markdown]
# Below, blue means "may attend". The third picture is what a language model on padded text needs: multiply (or `&`)
# the two, with the padding mask as one row $(1, T)$ that holds for every $s$.

# %% tags=["demo"]
causal = np.asarray(causal_mask(8)).astype(float)
padding = np.asarray(padding_mask(tf.constant([8, 5, 3, 6]), 8)).astype(float)
permissions = plt.matplotlib.colors.ListedColormap(["#eef1f5", plots.BLUE])
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5))
for ax, mask, title, ylabel in (
        (axes[0], causal, "Causal mask", "position that looks"),
        (axes[1], padding, "Padding, lengths 8, 5, 3, 6", "sequence of the batch"),
        (axes[2], causal * padding[1], "Both, for the length 5", "position that looks")):
    ax.imshow(mask, cmap=permissions, vmin=0, vmax=1)
    ax.set(xlabel="position looked at", ylabel=ylabel, title=title, xticks=range(8), yticks=range(len(mask)))
    ax.set_xticks(np.arange(9) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(mask) + 1) - 0.5, minor=True)
    ax.grid(False)
    ax.grid(True, which="minor", color="white", lw=2)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# > **Going further.** Section 3.2.3 of Vaswani et al. explains where the transformer masks and why. With causal masks a
# > single pass trains on *all* prefixes of a sentence at once: one sentence of 100 words holds 99 guesses. Keras can
# > make padding masks for you: `keras.layers.Embedding(mask_zero=True)`.
#
# ## 3. Looking things up: scaled dot-product attention
#
# A Python dictionary returns the value whose key *equals* your query. Attention is a dictionary that is never at a
# loss: it compares the query with *every* key, turns the similarities into shares that sum to 1, and returns the
# values mixed in those shares. Each step is smooth, so the network can learn what to ask, how to be found and what to
# tell.
#
# $$A = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) \qquad\qquad O = A\,V$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $Q$ | $(\dots, S, d)$ | queries: what each position looks for |
# | $K$ | $(\dots, T, d)$ | keys: how each position can be found |
# | $V$ | $(\dots, T, e)$ | values: what each position tells |
# | mask | broadcasts to $(\dots, S, T)$ | True or 1: may attend |
# | $A$ | $(\dots, S, T)$ | weights; every row sums to 1 over the keys |
# | $O$ | $(\dots, S, e)$ | output: one mixture of values per query |
#
# The dots are any leading axes, or none: batch, heads, both. A forbidden pair gets no weight at all and the allowed
# ones share the whole 1 among them, so the mask must have its say *before* the softmax. What score would the softmax
# turn into zero? You can rely on it that no query has all its keys forbidden. Masks come as booleans, integers or floats.
#
# Not to be used: `keras.ops.dot_product_attention` and Keras's attention layers (`keras.layers.Attention`,
# `AdditiveAttention`, `MultiHeadAttention`, `GroupQueryAttention`). `tf.nn.softmax`, `tf.matmul`, `tf.einsum`,
# `tf.where` and the like are yours to use. Later, `MultiHeadAttention` trains through this function: write it in
# TensorFlow and you can call it there.

# %% tags=["demo"]
from autograder import diagrams

diagrams.attention()

# %% question="scaled_dot_product_attention"
def scaled_dot_product_attention(q, k, v, mask=None):
    """Mix values by how well their keys match each query.

    >>> scaled_dot_product_attention([[ln 3]], [[1.0], [0.0]], [[4.0], [8.0]])  # the depth is 1, the scores are ln 3 and 0
    ([[5.0]], [[0.75, 0.25]])

    Args:
        q: float32 tensor (..., S, d), queries.
        k: float32 tensor (..., T, d), keys.
        v: float32 tensor (..., T, e), values.
        mask: None, or a bool, int32 or float32 tensor that broadcasts to (..., S, T); True or 1 means "may attend".
    Returns:
        (output, weights): float32 (..., S, e) and float32 (..., S, T). Weights are 0 where the mask forbids.
    """
    ### BEGIN SOLUTION
    scores = tf.matmul(q, k, transpose_b=True) / math.sqrt(q.shape[-1])  # (..., S, T)
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, -1e9)
    weights = tf.nn.softmax(scores, axis=-1)
    return tf.matmul(weights, v), weights
    ### END SOLUTION


# %% [markdown]
# ### Point at a word
#
# The sentence from the beginning, with queries and keys that somebody wrote by hand: four columns that stand for "is a
# person", "acts", "is a thing" and "is an action". The weights are from your function. *What do you expect?* At whom does
# *she* look, and how much at *Ada*? What does *another* look for? Point at a word, or move the slider.

# %% tags=["demo"]
from autograder import moving

WORDS = "Nora lent Ada her umbrella since she had brought another".split()
#          person, acts, thing, action
QUERIES = [(0, 0, 0, 4), (0, 5, 5, 0), (0, 0, 0, 4), (4, 4, 0, 0), (0, 0, 0, 4),
           (0, 0, 0, 5), (4, 4, 0, 0), (0, 0, 0, 5), (0, 4, 4, 0), (0, 0, 6, 0)]
KEYS = [(1, 1, 0, 0), (0, 0, 0, 1), (1, 0, 0, 0), (0.3, 0.3, 0, 0), (0, 0, 1, 0),
        (0, 0, 0, 0), (0.5, 0.5, 0, 0), (0, 0, 0, 0.3), (0, 0, 0, 1), (0, 0, 0.4, 0)]
queries, keys, values = (tf.constant(rows, tf.float32) for rows in (QUERIES, KEYS, np.eye(10)))
word_weights = np.asarray(scaled_dot_product_attention(queries, keys, values)[1])  # (10, 10)
print(f"she looks at Nora with {word_weights[6, 0]:.2f}, at Ada with {word_weights[6, 2]:.2f}")
moving.looks(WORDS, word_weights, start=6)

# %% [markdown]
# *She* asks for a person who acts. Nora is both, Ada only one of the two: 0.69 and 0.09. Nothing is ever looked at with 0,
# and nobody had to say *which* word is meant, or how far away it is: the query describes what is wanted, and whoever fits
# answers. In a network these columns have no names, and training finds them.

# %% [markdown]
# Why divide by $\sqrt d$? Take two vectors of independent entries with mean 0 and variance 1. Their dot product is a
# sum of $d$ such products, so its standard deviation is $\sqrt d$: 8 when $d = 64$. Scores that large make the
# softmax choose one key and ignore all others, and a softmax that is sure of itself has almost no gradient. On the
# left you see it happen, for 16 random keys. On the right, the same random scores without and with the causal mask:
# forbidden keys get nothing, and each row still sums to 1.

# %% tags=["demo"]
generator = np.random.default_rng(0)
depths = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
peaks = {"as in the formula": [], "without the division by √d": []}
for d in depths:
    q, k = generator.normal(size=(2, 200, 16, d)).astype("float32")
    for label, factor in zip(peaks, (1, math.sqrt(d))):
        _, weights = scaled_dot_product_attention(tf.constant(q * factor), tf.constant(k), tf.constant(k))
        peaks[label].append(np.max(weights, axis=-1).mean())

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), gridspec_kw={"width_ratios": [1.35, 1, 1]})
for (label, values), colour in zip(peaks.items(), (plots.BLUE, plots.ORANGE)):
    axes[0].plot(depths, values, "o-", color=colour, label=label)
axes[0].axhline(1 / 16, color=plots.GREY, ls="--", lw=1.2, label="equal shares, 1/16")
axes[0].set_xscale("log", base=2)
axes[0].set(xlabel="depth d of queries and keys", ylabel="largest weight of a row, mean", ylim=(0, 1),
            title="Unscaled scores decide too soon")
axes[0].legend(loc=(0.31, 0.29))
q, k = generator.normal(size=(2, 8, 4)).astype("float32")
for ax, mask, title in ((axes[1], None, "Weights, no mask"), (axes[2], causal_mask(8), "Weights, causal mask")):
    _, weights = scaled_dot_product_attention(tf.constant(q), tf.constant(k), tf.constant(k), mask)
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    ax.set(xlabel="key", ylabel="query", title=title, xticks=range(0, 8, 2), yticks=range(0, 8, 2))
    ax.grid(False)
figure.colorbar(image, ax=axes[2], label="weight")
plt.show()

# %% [markdown]
# > **Going further.** Bahdanau, Cho and Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*
# > (2015), brought attention to translation; their scores come from a small network (section 3.1 there) where ours are
# > dot products. Vaswani et al., section 3.2.1, compare the two and give the argument for $\sqrt d$ in a footnote.
# > Statisticians knew a cousin since 1964: the Nadaraya–Watson estimator, a mean of observed values weighted by how
# > near their inputs are.
#
# ## 4. Many pairs of eyes: splitting and merging heads
#
# One softmax gives one pattern of looking. A verb may want its subject *and* its object *and* the word before it: a
# single mixture would blur them. So we cut the depth into $H$ slices and let each slice, a **head**, attend on its
# own. Head $h$ gets the $D/H$ *neighbouring* columns from $hD/H$ on:
#
# $$\mathrm{split}(X)_{b,h,t,j} = X_{b,\,t,\,hD/H + j} \qquad 0 \le j < D/H$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $X$ | $(B, T, D)$ | one long vector per position |
# | $\mathrm{split}(X)$ | $(B, H, T, D/H)$ | per head, one short vector per position |
#
# The heads axis stands before time, so that attention, which works on the last two axes, treats heads as it treats
# the batch. Beware: a reshape never moves numbers, it only draws new borders between them. To make axes change
# places, you need another tool as well.
#
# One hint that will matter in part 5: inside a model the batch size is unknown, `x.shape[0]` is `None`. Write
# `tf.shape(x)[0]`, or let a `-1` in the reshape stand for it.

# %% question="split_heads"
def split_heads(x, heads):
    """Cut the depth into heads and put the heads axis before time.

    >>> split_heads([[[1, 2, 3, 4], [5, 6, 7, 8]]], heads=2)
    [[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]]

    Args:
        x: float32 tensor (B, T, D), where D is a multiple of heads; B may be unknown inside a model.
        heads: int, number of heads H.
    Returns:
        float32 (B, H, T, D/H); head h holds the columns h·D/H to (h+1)·D/H - 1.
    """
    ### BEGIN SOLUTION
    batch, length, depth = tf.shape(x)[0], tf.shape(x)[1], x.shape[2]
    x = tf.reshape(x, (batch, length, heads, depth // heads))  # (B, T, H, D/H)
    return tf.transpose(x, (0, 2, 1, 3))  # (B, H, T, D/H)
    ### END SOLUTION


# %% [markdown]
# Merging is the way back: lay the heads' vectors side by side again. Each number returns to where it was,
# $\mathrm{merge}(\mathrm{split}(X)) = X$.
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $Y$ | $(B, H, T, D/H)$ | what the heads found |
# | $\mathrm{merge}(Y)$ | $(B, T, D)$ | head 0's columns first, then head 1's, … |

# %% question="merge_heads"
def merge_heads(x):
    """Lay the heads' vectors side by side: the inverse of `split_heads`.

    >>> merge_heads([[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]])
    [[[1, 2, 3, 4], [5, 6, 7, 8]]]

    Args:
        x: float32 tensor (B, H, T, D/H); B may be unknown inside a model.
    Returns:
        float32 (B, T, D); the columns h·D/H to (h+1)·D/H - 1 are those of head h.
    """
    ### BEGIN SOLUTION
    batch, heads, length, depth = tf.shape(x)[0], x.shape[1], tf.shape(x)[2], x.shape[3]
    x = tf.transpose(x, (0, 2, 1, 3))  # (B, T, H, D/H)
    return tf.reshape(x, (batch, length, heads * depth))  # (B, T, D)
    ### END SOLUTION


# %% [markdown]
# A colour for each head's columns, a shade for each position: after splitting, every head should keep its own colour,
# dark at the top and light at the bottom. The last picture is the popular mistake, a bare reshape to $(B, H, T,
# D/H)$. It has the right shape and all the right numbers, in the wrong places.

# %% tags=["demo"]
hues = np.array([plt.matplotlib.colors.to_rgb(colour) for colour in plots.PALETTE[:3]]).repeat(2, axis=0)  # a row per column of x
shades = np.linspace(0, 0.75, 5)
cells = np.arange(30, dtype="float32").reshape(1, 5, 6)  # B = 1, T = 5, D = 6; each entry is its own number


def draw(ax, entries, title):
    """Show entries of `cells` in the colour of the column and the shade of the position they come from."""
    entries = np.asarray(entries).astype(int)
    position, column = np.divmod(entries, 6)
    colours = hues[column] + (1 - hues[column]) * shades[position][..., np.newaxis]
    ax.imshow(colours)
    for (row, col), entry in np.ndenumerate(entries):
        ax.text(col, row, entry, ha="center", va="center", fontsize=10.5, color="white" if position[row, col] < 2 else "#30343b")
    ax.set_title(title, fontsize=10.5, fontweight="normal")
    ax.set(xlabel="depth", xticks=range(entries.shape[1]), yticks=range(5))
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


figure = plt.figure(figsize=(11, 3.6))
groups = figure.subfigures(1, 3, width_ratios=[7, 7.5, 7.5], wspace=0.03)
for group, title, pieces in (
        (groups[0], "X", cells),
        (groups[1], "split_heads(X, 3)", np.asarray(split_heads(tf.constant(cells), 3))[0]),
        (groups[2], "A bare reshape", cells.reshape(3, 5, 2))):
    axes = np.atleast_1d(group.subplots(1, len(pieces)))
    group.suptitle(title, fontsize=11, fontweight="bold")
    for h, ax in enumerate(axes):
        draw(ax, pieces[h], f"head {h}" if len(pieces) > 1 else "all columns")
        ax.tick_params(labelleft=h == 0)
    axes[0].set_ylabel("position")
plt.show()
print("merging gives X back:", np.array_equal(merge_heads(split_heads(tf.constant(cells), 3)), cells))

# %% [markdown]
# > **Going further.** Section 3.2.2 of Vaswani et al. writes heads as separate small matrices $W_i^Q$. Side by side
# > they are one big matrix, and cutting its result into contiguous slices gives exactly their heads: one large
# > multiplication is faster than many small ones.
#
# ## 5. The layer: multi-head attention
#
# Everything is on the table; now put it together. Three dense maps turn the inputs into queries, keys and values, all
# heads at once. Each head attends. The results are merged, and a fourth dense map lets the heads mingle:
#
# $$Q = \mathrm{split}(q\, W_Q + b_Q) \qquad K = \mathrm{split}(k\, W_K + b_K) \qquad V = \mathrm{split}(v\, W_V + b_V)$$
#
# $$\mathrm{output} = \mathrm{merge}\big(\mathrm{attention}(Q, K, V)\big)\, W_O + b_O$$
#
# | symbol | shape | meaning |
# | --- | --- | --- |
# | $q$ | $(B, S, D)$ | the sequence that asks |
# | $v$ | $(B, T, D)$ | the sequence that is asked |
# | $k$ | $(B, T, D)$ | how it is found; $k = v$ unless given |
# | $W_Q, W_K, W_V, W_O$ | $(D, D)$ each | kernels of the four dense maps, with biases $(D,)$ |
# | mask | $(S, T)$, $(B, 1, T)$ or $(B, S, T)$ | one permission for all heads |
# | output | $(B, S, D)$ | one vector per asking position |
# | weights | $(B, H, S, T)$ | one map per head |
#
# Inside a head the depth is $D/H$, and that is the $d$ under the root. When all three inputs are one sequence, this
# is *self-attention*; when a translation asks the original, it is *cross-attention*, and $S \ne T$. Masks have no
# heads axis: the layer adds it where it belongs. The four maps have fixed names, because that is how the checks find
# your weights; create them in `__init__` or in `build`, as you like, but not in `call`, which runs anew for every
# batch.
#
# Not to be used: Keras's attention layers (`keras.layers.MultiHeadAttention`, `GroupQueryAttention`, `Attention`,
# `AdditiveAttention`) and `keras.ops.dot_product_attention`. `keras.layers.Dense` and your own functions from above
# are what you need. Remember: TensorFlow or `keras.ops` only, any batch size.

# %% question="MultiHeadAttention"
class MultiHeadAttention(keras.layers.Layer):
    """Attention of several heads, each on its own slice of the depth.

    >>> MultiHeadAttention(6, num_heads=2)(tf.zeros((5, 3, 6)), tf.zeros((5, 4, 6))).shape
    (5, 3, 6)

    The four dense maps are `keras.layers.Dense(d_model)` with bias and without activation, kept in the attributes `query_dense`,
    `key_dense`, `value_dense` and `output_dense`.

    Args:
        d_model: int, depth D of inputs and output.
        num_heads: int, number of heads H.
        **kwargs: what every Keras layer takes, such as `name`.
    Raises:
        ValueError: when constructed with a d_model that is not a multiple of num_heads.
    """

    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model must be a multiple of num_heads. Received: d_model={d_model}, num_heads={num_heads}")
        self.d_model = d_model
        self.num_heads = num_heads
        self.query_dense = keras.layers.Dense(d_model)
        self.key_dense = keras.layers.Dense(d_model)
        self.value_dense = keras.layers.Dense(d_model)
        self.output_dense = keras.layers.Dense(d_model)
        ### END SOLUTION

    def call(self, query, value, key=None, mask=None, return_attention=False):
        """Let every position of query attend to the positions of value.

        Args:
            query: float32 tensor (B, S, D).
            value: float32 tensor (B, T, D).
            key: float32 tensor (B, T, D); value serves as key when None.
            mask: None, or a bool, int32 or float32 tensor (S, T), (B, 1, T) or (B, S, T), the same for all heads;
                True or 1 means "may attend".
            return_attention: bool, return the weights too.
        Returns:
            float32 (B, S, D), or with return_attention the pair (output, weights), weights being float32 (B, H, S, T).
        """
        ### BEGIN SOLUTION
        key = value if key is None else key
        q = split_heads(self.query_dense(query), self.num_heads)  # (B, H, S, D/H)
        k = split_heads(self.key_dense(key), self.num_heads)  # (B, H, T, D/H)
        v = split_heads(self.value_dense(value), self.num_heads)  # (B, H, T, D/H)
        if mask is not None:
            mask = tf.expand_dims(mask, -3)  # (1, S, T) or (B, 1, S, T): the same for every head
        output, weights = scaled_dot_product_attention(q, k, v, mask)
        output = self.output_dense(merge_heads(output))  # (B, S, D)
        return (output, weights) if return_attention else output
        ### END SOLUTION

    def get_config(self):
        """Return what `from_config` needs to build the layer again: Keras's own entries and the arguments of __init__."""
        ### BEGIN SOLUTION
        return {**super().get_config(), "d_model": self.d_model, "num_heads": self.num_heads}
        ### END SOLUTION

    def compute_mask(self, inputs, previous_mask):
        """Nothing to write here: it tells Keras that our mask is for us, and not handed on to later layers."""
        return None


# %% [markdown]
# ### Does it learn where to look?
#
# A task that is nothing but looking: read ten random letters and write them **backwards**. Output $s$ needs the
# letter at $9 - s$ and no other. The model is an embedding plus your encoding, one head of your layer, and a dense
# map to letters. Nobody tells it where to look. After some seconds of training, watch where it does.

# %% tags=["demo"]
LETTERS, LENGTH, DEPTH = 12, 10, 32


def train_to_look(targets_of, num_heads, outputs, steps, positions=True):
    """Train embedding + positions + attention + dense on random letters; return the maps from letters to logits and weights."""
    keras.utils.set_random_seed(1)
    letters = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(LETTERS, DEPTH, embeddings_initializer=keras.initializers.RandomNormal(stddev=0.5))(letters)
    if positions:
        x = x + tf.cast(positional_encoding(LENGTH, DEPTH), tf.float32)[tf.newaxis]
    found, weights = MultiHeadAttention(DEPTH, num_heads)(x, x, return_attention=True)
    logits = keras.layers.Reshape((LENGTH, outputs, LETTERS))(keras.layers.Dense(outputs * LETTERS)(found))
    model, attention = keras.Model(letters, logits), keras.Model(letters, weights)
    x = np.random.default_rng(2).integers(0, LETTERS, size=(64 * steps, LENGTH))
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, targets_of(x), batch_size=64, epochs=1, verbose=0)
    fresh = np.random.default_rng(3).integers(0, LETTERS, size=(500, LENGTH))
    accuracy = np.mean(np.argmax(model(fresh), axis=-1) == targets_of(fresh))
    return accuracy, np.mean(attention(fresh), axis=0)  # weights (heads, S, T), mean over fresh sequences


def show_map(ax, weights, title):
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    ax.set(xlabel="position looked at", ylabel="position that looks", title=title, xticks=range(LENGTH), yticks=range(LENGTH))
    ax.grid(False)
    return image


def backwards(x):
    return x[:, ::-1, np.newaxis]


figure, axes = plt.subplots(1, 2, figsize=(9, 3.9))
for ax, positions, title in ((axes[0], True, "With positions"), (axes[1], False, "Without positions")):
    accuracy, weights = train_to_look(backwards, num_heads=1, outputs=1, steps=400, positions=positions)
    image = show_map(ax, weights[0], f"{title}: {accuracy:.0%} right")
figure.colorbar(image, ax=axes, label="weight, mean over new sequences")
plt.show()

# %% [markdown]
# The dark diagonal is the task itself, discovered from examples. (Some weight falls on the neighbours of the right place,
# whose encodings are much like its own.) Without positions the model cannot tell one place from another, and all it can do
# is guess among the letters it has seen. One thing it has learned even so: its own letter is never the one that is asked
# for, and the diagonal there is paler than the rest.
#
# ### Without positions, order does not exist
#
# Here is why. Feed a layer a sequence and the same sequence in another order: the outputs come out in that other
# order, and nothing else changes. Mathematicians say that self-attention is *equivariant* to permutations. Add
# positions and the tie is broken.

# %% tags=["demo"]
keras.utils.set_random_seed(0)
attend = MultiHeadAttention(6, 2)
sequence = np.random.default_rng(0).normal(size=(1, 4, 6)).astype("float32")
order = [2, 0, 3, 1]
places = np.asarray(positional_encoding(4, 6), dtype="float32")
for title, p in (("Without positions", 0 * places), ("With positions", places)):
    straight = np.asarray(attend(sequence + p, sequence + p))
    shuffled = np.asarray(attend(sequence[:, order] + p, sequence[:, order] + p))
    print(f"{title}, first three columns")
    print("     outputs, then reordered    reordered, then outputs")
    for before, after in zip(straight[0, order, :3], shuffled[0, :, :3]):
        print("  ", *(f"{number:7.3f}" for number in before), "  ", *(f"{number:7.3f}" for number in after))
    print(f"   largest difference: {np.abs(straight[:, order] - shuffled).max():.6f}\n")

# %% [markdown]
# ### Heads divide the work
#
# Now ask for two letters at every position: the mirrored one, as before, *and* the left neighbour's (the first
# position's left neighbour is the last letter). A single head has one softmax and must cut its attention in two. Two
# heads can share the job. Which head takes which half is up to the dice.

# %% tags=["demo"]
def mirrored_and_left(x):
    return np.stack([x[:, ::-1], np.roll(x, 1, axis=1)], axis=-1)


figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.8))
accuracy, weights = train_to_look(mirrored_and_left, num_heads=1, outputs=2, steps=700)
show_map(axes[0], weights[0], f"One head: {accuracy:.0%} right")
accuracy, weights = train_to_look(mirrored_and_left, num_heads=2, outputs=2, steps=700)
show_map(axes[1], weights[0], f"Two heads, {accuracy:.0%} right: head 0")
image = show_map(axes[2], weights[1], "Two heads: head 1")
figure.colorbar(image, ax=axes, label="weight, mean over new sequences")
plt.show()

# %% [markdown]
# > **Going further.** Section 3.2.2 of Vaswani et al. introduces heads, and figure 3 and those after it show what
# > trained ones look at. The base model there has $D = 512$ and $H = 8$: such a layer has 1,050,624 parameters with
# > biases, and the number of heads does not change that. Clark et al., *What Does BERT Look At?* (2019), find heads
# > that follow grammar; Michel et al., *Are Sixteen Heads Really Better than One?* (2019), find that many trained heads
# > can be removed. The price of looking everywhere is $S \cdot T$ scores per head; Dao et al., *FlashAttention* (2022),
# > compute the same result without ever storing them.
#
# ## What to take along
#
# - Attention is a dictionary that is never at a loss: a query is compared with all keys, softmax makes shares, values are
#   mixed.
# - Scores are divided by $\sqrt d$ so that softmax does not decide too soon. Masks speak before the softmax, never after.
# - Without positions a sequence is a bag. With them, distance can be asked for.
# - Heads are slices of the depth that look on their own; split and merge move axes, and a reshape alone does not.
#
# **To think about.**
#
# 1. A text becomes ten times as long. How do the numbers of weights, of scores and of multiplications in your layer grow,
#    and how would those of a recurrent network?
# 2. Set all queries to 0. What does your layer compute then, and what would a network of such layers be able to learn?
#
# You have built the part that gives the transformer its power. What is missing is a normalisation, a small network
# and some stacking. See you there.
