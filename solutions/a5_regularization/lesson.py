# %% [markdown]
# # Regularization
#
# Somebody can pass an exam in two ways: by understanding the subject, or by learning last year's answers by heart,
# misprints included. A network with thousands of weights and two hundred examples has room enough for the second way, and
# nothing in the cost forbids it. This lesson is about noticing it (*validation*), about making it expensive
# (*regularization*), and, at the end, about how much a network could learn by heart if one let it: every continuous
# function, as long as its inputs keep within bounds (*universality*).
#
# By the end you will be able to
#
# - split data so that the score you report means something;
# - point at the epoch from which a network only gets better at what it has already seen;
# - add an L2 penalty to a cost, to a step of gradient descent and to a Keras layer, and translate the three conventions
#   for $\lambda$ that books and libraries use;
# - choose $\lambda$ from a picture, and defend the choice;
# - write down, without any training, the weights of a network that computes a given function.
#
# You need about three hours. There are eight questions, worth 90 points together, and a written answer worth 10.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The check
# tries small examples that you can redo with pen and paper; hidden cases of other sizes hold most of the points. Examples in
# docstrings write arrays as lists; the checks pass tensors. Write your
# answers any way you like, with TensorFlow or with NumPy: what counts is what they return. Three answers are part of a cost
# that is going to be differentiated, `l2_penalty`, `regularized_loss` and `L2`: there, stay with TensorFlow or `keras.ops`
# from the inputs to the output. Cells with pictures follow each question; they use what you wrote, so answer first.
#
# | word | here it means |
# | --- | --- |
# | weights, kernel | the numbers that multiply inputs; *biases* are not among them |
# | $\lambda$, `lam` | the price of a squared weight (`lambda` is a reserved word in Python) |
# | $\eta$, `learning_rate` | the length of a step |
# | $n$ | how many examples, or bumps, there are: each question says which |

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
# ## 1. Keep some examples back
#
# The only fair examination uses questions that nobody has practised. So before anything is trained, part of the data is put
# aside: the *validation set*. The network never learns from it; we only measure on it.
#
# Two accidents spoil the measurement. Data often comes in an order (by class, by writer, by date), and a cut through an
# ordered list compares two different kinds of thing: so *shuffle all rows first*. And a row must not be in both parts, or
# the practised question is in the exam.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(n, …)` | NumPy array, one row per example; a row may itself be an image |
# | `y` | `(n,)` | NumPy array: `y[i]` belongs to `x[i]`, and goes wherever `x[i]` goes |
# | `fraction` | number in (0, 1) | $k$ rows are held back, $k$ = `round(fraction * n)` with Python's own `round` |
# | `seed` | whole number | decides the shuffle, and nothing else does |
# | returned | | `(x_train, y_train, x_val, y_val)`, of $n - k$, $n - k$, $k$ and $k$ rows |
#
# The same seed gives the same split every time, whatever other random numbers your program has drawn; another seed gives
# another one. `np.random.default_rng(seed)` makes such a generator. Which of the many possible shuffles you get does not
# matter. You are never asked for an empty part.
#
# Not to be used: `sklearn.model_selection`, `keras.utils.split_dataset`.

# %% question="split"
def split(x, y, fraction, seed):
    """Shuffle examples and hold some of them back for validation.

    >>> x, y = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]), np.array([0, 10, 20, 30, 40])
    >>> split(x, y, fraction=0.4, seed=7)                        # 2 of 5 rows; yours may be other rows
    ([[4.0], [0.0], [3.0]], [40, 0, 30], [[1.0], [2.0]], [10, 20])

    Args:
        x: NumPy array (n, ...), one row per example.
        y: NumPy array (n,), the target of each row.
        fraction: float between 0 and 1; round(fraction * n) rows go into the validation set.
        seed: int; the same seed gives the same split.
    Returns:
        (x_train, y_train, x_val, y_val), in this order. Every row of x is in one of the two parts, once, with its own y.
    """
    ### BEGIN SOLUTION
    order = np.random.default_rng(seed).permutation(len(x))
    k = round(fraction * len(x))
    train, val = order[k:], order[:k]
    return x[train], y[train], x[val], y[val]
    ### END SOLUTION

# %% [markdown]
# ### How much to hold back?
#
# Take 120 handwritten digits and the simplest classifier that there is: the mean picture of each class, and the nearest
# mean wins. Split, measure, and do it again with another seed, two hundred times for each fraction.

# %% tags=["demo"]
def nearest_mean_accuracy(x_train, y_train, x_val, y_val):
    classes = np.unique(y_train)
    means = np.stack([x_train[y_train == c].mean(axis=0) for c in classes])  # (classes, 64)
    distance = ((x_val[:, None] - means) ** 2).sum(axis=2)  # (validation rows, classes)
    return np.mean(classes[distance.argmin(axis=1)] == y_val)


def plot_fractions():
    images, labels = data.digits()
    rng = np.random.default_rng(5)
    rows = rng.permutation(len(labels))[:120]
    x, y = images[rows].reshape(-1, 64), labels[rows]
    fractions = [0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85]
    scores = [[nearest_mean_accuracy(*map(np.asarray, split(x, y, fraction, seed))) for seed in range(200)]
              for fraction in fractions]

    figure, axis = plt.subplots(figsize=(8.5, 3.8))
    for place, (fraction, values) in enumerate(zip(fractions, scores)):
        jitter = place + rng.uniform(-0.28, 0.28, size=len(values))
        axis.plot(jitter, values, ".", color=plots.BLUE, alpha=0.2, markersize=5, markeredgewidth=0)
        axis.plot([place - 0.32, place + 0.32], [np.mean(values)] * 2, color=plots.ORANGE, linewidth=2.5)
        print(f"{round(fraction * 120):3} held back: mean accuracy {np.mean(values):.3f}, "
              f"from {np.min(values):.2f} to {np.max(values):.2f}, standard deviation {np.std(values):.3f}")
    axis.set_xticks(range(len(fractions)), [f"{round(fraction * 120)} of 120" for fraction in fractions])
    axis.set(title="200 splits each: the score depends on who sits the exam", xlabel="rows held back for validation",
             ylabel="validation accuracy", ylim=(0.3, 1.03))
    axis.grid(axis="x", visible=False)
    plt.show()


plot_fractions()

# %% [markdown]
# Each dot is an honest score, and the dots of one column should agree. (Your `split` shuffles in its own way, so that your
# numbers may differ a little from these.) With 6 rows held back they run from 0.50 to 1.00 (standard deviation 0.124):
# such a score says little. With 24 rows the deviation is 0.070, about what chance alone would
# give, $\sqrt{p(1 - p)/k}$ for an accuracy $p$ measured on $k$ rows. Hold back 102 and the score suffers for another
# reason: with 18 digits to learn from, 0.61 is all that can be had. One row in five is a common compromise.
#
# > **Going further.** With little data one can let every row sit the exam once: cut the data into five parts, train five
# > times, each time with another part held back, and average. This is *cross-validation*: Mervyn Stone, *Cross-validatory
# > choice and assessment of statistical predictions* (1974); Hastie, Tibshirani and Friedman, *The Elements of
# > Statistical Learning*, section 7.10, also say how it goes wrong.

# %% [markdown]
# ## 2. The epoch after which it only learns by heart
#
# Train long enough and the cost on the training set goes on falling, while the cost on the validation set turns round and
# rises. From there on, what the network still learns is of use for the examples that it has seen and, on the whole, harmful
# for all others. This is *overfitting*, and the remedy that costs nothing is to keep the weights of the best epoch.
#
# Real curves are ragged. One bad epoch is no turning point, so we wait: an epoch counts only when the next `patience`
# epochs have all failed to improve on it. To be exact, epoch $e$ (the first is epoch 0) is a turning point when all three
# hold:
#
# 1. `val_loss[e]` is lower than every validation loss before it (epoch 0 has nothing before it, so it qualifies);
# 2. the next `patience` epochs exist (a list may be too short for that), and each of them has a validation loss of
#    `val_loss[e]` *or more*: a tie is no improvement;
# 3. in the meantime training went on: `train_loss[e + patience] < train_loss[e]`. If both losses rise, the network does
#    not overfit: it diverges.
#
# The answer is the *first* such epoch; `None` when there is none. What happens after epoch $e$ + `patience` does not count.
#
# | name | shape | |
# | --- | --- | --- |
# | `train_loss`, `val_loss` | `(epochs,)` | lists of floats, one loss per epoch |
# | `patience` | whole number | 1 or more |
# | returned | whole number or `None` | the index $e$ |
#
# Not to be used: `keras.callbacks`.

# %% question="first_overfitting_epoch"
def first_overfitting_epoch(train_loss, val_loss, patience):
    """Find the best epoch before a network starts to learn by heart.

    >>> train = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    >>> val   = [0.9, 0.7, 0.8, 0.6, 0.7, 0.6, 0.9]
    >>> first_overfitting_epoch(train, val, patience=1)     # 0.8 after 0.7 is enough
    1
    >>> first_overfitting_epoch(train, val, patience=2)     # epoch 1 is beaten two epochs later; epoch 3 is not
    3
    >>> first_overfitting_epoch(train, val, patience=4)     # after epoch 3 there are only three epochs left
    None

    Args:
        train_loss: list of floats, the training loss of every epoch.
        val_loss: list of floats of the same length, the validation loss of every epoch.
        patience: int, 1 or more: how many epochs in a row must fail to improve.
    Returns:
        int, the index of the epoch counted from 0, or None when there is no such epoch.
    """
    ### BEGIN SOLUTION
    best = math.inf
    for epoch in range(len(val_loss) - patience):
        if val_loss[epoch] >= best:
            continue
        best = val_loss[epoch]
        following = val_loss[epoch + 1:epoch + 1 + patience]
        if min(following) >= best and train_loss[epoch + patience] < train_loss[epoch]:
            return epoch
    return None
    ### END SOLUTION

# %% [markdown]
# ### Watch it happen
#
# Two hundred digits are for training, three hundred for validation. A tired assistant has typed in the labels of the
# training set, and one in five is wrong: those forty can be learnt in no other way than by heart. The network has 64
# inputs, 50 tanh units and 10 outputs, 3,760 parameters in all, and takes plain steps of gradient descent on the whole
# training set. We look at it after every ten steps, and call that an epoch.

# %% tags=["demo"]
def noisy_digits(seed):
    """200 training digits, one in five with a wrong label, and 300 validation digits with the right ones."""
    images, labels = data.digits()
    order = np.random.default_rng(seed).permutation(500)  # not your `split`, so that everybody sees the same numbers
    val, train = order[:300], order[300:]
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(200)[:40]
    y_train = labels[train]
    y_train[wrong] = (y_train[wrong] + rng.integers(1, 10, size=40)) % 10
    return images[train].reshape(-1, 64), y_train, images[val].reshape(-1, 64), labels[val]


def plain_loss(loss, layers, lam):
    return loss


def train_network(sets, lam=0.0, cost=plain_loss, epochs=60, learning_rate=0.4, seed=0):
    """Train a 64-50-10 network on `cost(loss, layers, lam)`.

    Returns the history (epochs, 4), which is training loss, validation loss, training accuracy and validation accuracy, and
    the kernels.
    """
    x_train, y_train, x_val, y_val = (tf.constant(part) for part in sets)
    rng = np.random.default_rng(seed)
    sizes = [(64, 50), (50, 10)]
    kernels = [tf.Variable(rng.normal(size=size, scale=size[0] ** -0.5), dtype=tf.float32) for size in sizes]
    biases = [tf.Variable(tf.zeros(size[1])) for size in sizes]
    variables = kernels + biases

    def logits(x):
        return tf.tanh(x @ kernels[0] + biases[0]) @ kernels[1] + biases[1]

    def loss(x, y):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(x)))

    def accuracy(x, y):
        return tf.reduce_mean(tf.cast(tf.argmax(logits(x), axis=1, output_type=y.dtype) == y, tf.float32))

    @tf.function
    def epoch():
        for _ in tf.range(10):
            with tf.GradientTape() as tape:
                total = cost(loss(x_train, y_train), list(zip(kernels, biases)), lam)
            for variable, gradient in zip(variables, tape.gradient(total, variables)):
                variable.assign_sub(learning_rate * gradient)
        return loss(x_train, y_train), loss(x_val, y_val), accuracy(x_train, y_train), accuracy(x_val, y_val)

    history = np.array([[float(value) for value in epoch()] for _ in range(epochs)])
    return history, [kernel.numpy() for kernel in kernels]


def plot_overfitting():
    history, _ = train_network(noisy_digits(0), epochs=150)
    train_loss, val_loss, train_accuracy, val_accuracy = history.T
    best = first_overfitting_epoch(train_loss.tolist(), val_loss.tolist(), patience=5)
    for epoch in (best, 149):
        print(f"epoch {epoch:3}: loss {train_loss[epoch]:.3f} in training and {val_loss[epoch]:.3f} in validation, "
              f"accuracy {train_accuracy[epoch]:.3f} and {val_accuracy[epoch]:.3f}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8))
    for axis, (train, val) in [(left, (train_loss, val_loss)), (right, (train_accuracy, val_accuracy))]:
        axis.axvspan(best, 149, color=plots.ORANGE, alpha=0.08, linewidth=0)
        axis.axvline(best, color=plots.GREY, linewidth=1, linestyle=":")
        axis.plot(train, color=plots.BLUE, label="training set")
        axis.plot(val, color=plots.ORANGE, label="validation set")
        axis.plot(best, val[best], "o", color=plots.ORANGE)
        axis.set(xlabel="epoch", xlim=(0, 149))
    left.annotate(f"best epoch: {best}", (best, val_loss[best]), (8, 24), textcoords="offset points", color=plots.ORANGE)
    left.set(title="The losses part company", ylabel="cross-entropy", ylim=(0, None))
    left.legend(loc="upper right")
    right.axhline(0.8, color=plots.GREY, linewidth=1, linestyle="--")
    right.text(147, 0.785, "all that can be known: 0.8 of the training labels are right", color="#5b616b", ha="right", va="top",
               fontsize=10.5)
    right.set(title="Above the dashed line, blue learns errors by heart", ylabel="accuracy", ylim=(0.5, 1.02))
    plt.show()


plot_overfitting()

# %% [markdown]
# Until epoch 17 both losses fall. Then the validation loss turns round, from 0.442 to 0.662 in the end, and the
# validation accuracy goes down with it, from 0.907 to 0.810; meanwhile the training loss falls from 0.554 to 0.025 as if
# all were well. The picture on the right says what was learnt in between: four training labels in five are right, and an
# accuracy above 0.8 can only come from learning wrong ones by heart. At epoch 149 the network knows every one of them.
#
# > **Going further.** Lutz Prechelt, *Early stopping, but when?* (1998), compares fourteen ways of waiting; yours is the
# > kind that Keras offers as `keras.callbacks.EarlyStopping`. How much a network can learn by heart was shown by Zhang et
# > al., *Understanding deep learning requires rethinking generalization* (2017): they gave every picture of CIFAR-10
# > a random label, and the training accuracy still reached 100 %.

# %% [markdown]
# ## 3. A price on weights
#
# To bend sharply around a single example, a network needs large weights: only they turn a small change of the input into a
# large change of the output. So let large weights cost something. The *L2 penalty* is
#
# $$P(\lambda) = \lambda \sum_{w} w^2,$$
#
# where the sum runs over all entries of all the tensors. **Mind the conventions:** there is no ½ in it, no root, and no
# division by the number of weights or examples. In this course $\lambda$ is the price of one squared weight, whole.
#
# | name | shape | |
# | --- | --- | --- |
# | `weights` | list of tensors | of any shapes, mixed; an empty list costs 0 |
# | `lam` | number | $\lambda$, 0 or more |
# | returned | scalar | differentiable with respect to every tensor |
#
# Not to be used: the penalties in `keras.regularizers`. Fine: `tf.reduce_sum`, `tf.square`, and also `tf.nn.l2_loss`, if
# you look up what it computes. The penalty is going to be differentiated: no NumPy here.

# %% question="l2_penalty"
def l2_penalty(weights, lam):
    """The price of all weights together: lam times the sum of their squares.

    >>> l2_penalty([[[1.0, 2.0], [3.0, 0.0]], [2.0, -1.0]], lam=0.5)     # 0.5 (1 + 4 + 9 + 0 + 4 + 1)
    9.5

    Args:
        weights: list of float32 tensors of any shapes; the list may be empty.
        lam: Python float, 0 or more.
    Returns:
        float32 scalar; gradients flow from it to every tensor.
    """
    ### BEGIN SOLUTION
    return lam * sum(tf.reduce_sum(tf.square(w)) for w in weights)
    ### END SOLUTION

# %% [markdown]
# ### Large weights are sharp bends
#
# Twelve noisy points on a gentle curve, and a polynomial of degree 11, which has just enough coefficients to pass through
# all of them. For each $\lambda$ we take the coefficients for which mean squared error plus penalty is smallest (for
# polynomials there is a formula).

# %% tags=["demo"]
def plot_bends():
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(-1, 1, size=12))
    y = np.sin(2.5 * x) + rng.normal(scale=0.2, size=12)
    powers, line = np.arange(12), np.linspace(-1, 1, 400)
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.5), sharey=True)
    for axis, lam, colour in zip(axes, (0.0, 1e-3, 1.0), (plots.RED, plots.BLUE, plots.GREY)):
        features = x[:, None] ** powers  # (12, 12)
        prices = np.sqrt(12 * lam) * np.diag(powers > 0)  # the constant is a bias: it goes free
        w, *_ = np.linalg.lstsq(np.vstack([features, prices]), np.concatenate([y, np.zeros(12)]), rcond=None)
        error = np.mean((features @ w - y) ** 2)
        total = float(l2_penalty([tf.constant(w[1:], tf.float32)], 1.0))
        print(f"lambda {lam:6g}: mean squared error {error:.4f}, sum of squared weights {total:.3g}")
        axis.plot(line, np.sin(2.5 * line), color=plots.GREY, linewidth=1, linestyle="--", label="the truth")
        axis.plot(line, line[:, None] ** powers @ w, color=colour, label="degree 11")
        axis.plot(x, y, "o", color="#30343b", markersize=5, label="examples")
        axis.set(title=f"$\\lambda$ = {lam:g}: $\\Sigma w^2$ = {total:.2g}", xlabel="x", ylim=(-2, 2),
                 xticks=[-1, -0.5, 0, 0.5, 1])
    axes[0].set_ylabel("y")
    axes[2].legend(loc="upper left")
    plt.show()


plot_bends()

# %% [markdown]
# With $\lambda = 0$ the polynomial goes through all twelve points, the squares of its coefficients sum to $6 \cdot 10^9$,
# and between the points it leaves the page. A price of 0.001 brings the sum down to 7.5 and the curve close to the truth
# wherever there are points (beyond the last one, at 0.6, nobody has told it anything);
# the mean squared error on the points is now 0.0134, and most of that is noise that was not worth fitting. A price of 1
# is too high: the sum is 0.098, the curve nearly flat, and it misses even the points it was given (0.355). That is
# *underfitting*.
#
# > **Going further.** Statisticians call it *ridge regression*: Hoerl and Kennard (1970); Tikhonov had used the penalty for
# > ill-posed equations since 1943. Seen as probability, it says that you expected weights to be small, normally distributed
# > around 0, before you saw any data: Bishop, *Pattern Recognition and Machine Learning*, section 1.2.5.

# %% [markdown]
# ## 4. A cost with two wishes
#
# The network now minimises the sum of what it is fined for its errors and what it pays for its weights:
#
# $$C = C_0 + \lambda \sum_{\text{layers}} \sum_{w \in \text{kernel}} w^2.$$
#
# $C_0$ is the cost you had before, a mean over the batch. The sum runs over the *kernels* of *all* layers. Biases go
# free: a bias does not multiply an input, so that it cannot make the output bend; it only moves it up and down.
#
# | name | shape | |
# | --- | --- | --- |
# | `loss` $C_0$ | scalar | the cost of the data alone |
# | `layers` | list of pairs | `(kernel, bias)`, first layer first; a kernel has any shape, a bias is `(units,)` |
# | `lam` | number | $\lambda$, 0 or more |
# | returned $C$ | scalar | differentiable with respect to `loss` and every kernel |
#
# Your own `l2_penalty` is welcome (a mistake that the check can name is not counted twice). Not to be used: the
# penalties in `keras.regularizers`.

# %% question="regularized_loss"
def regularized_loss(loss, layers, lam):
    """Add the price of the kernels to the cost of the data.

    >>> layers = [([[1.0, 2.0]], [5.0, 5.0]), ([[3.0], [0.0]], [7.0])]
    >>> regularized_loss(2.0, layers, lam=0.1)                           # 2 + 0.1 (1 + 4 + 9 + 0)
    3.4

    Args:
        loss: float32 scalar tensor.
        layers: list of pairs (kernel, bias) of float32 tensors, one pair per layer; at least one.
        lam: Python float, 0 or more.
    Returns:
        float32 scalar; gradients flow from it to loss and to every kernel.
    """
    ### BEGIN SOLUTION
    return loss + l2_penalty([kernel for kernel, _ in layers], lam)
    ### END SOLUTION

# %% [markdown]
# ### Where the two wishes meet
#
# A model with two weights. The data would like to have $w = (2, 1.5)$, and cares much more about the first than about the
# second: the blue ellipses are lines of equal cost. The penalty would like to have $w = 0$, at the cross.

# %% tags=["demo"]
def plot_two_wishes():
    best, curvature = np.array([2.0, 1.5]), np.array([[1.0, 0.12], [0.12, 0.15]])

    def data_cost(w):
        return (w - best) @ curvature @ (w - best)

    def minimum(lam):
        return np.linalg.solve(curvature + lam * np.eye(2), curvature @ best)

    line = np.linspace(-0.6, 3.2, 45)
    path = np.array([minimum(lam) for lam in np.concatenate([[0], np.logspace(-3, 2, 100)])])
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True)
    for axis, lam in zip(axes, (0.0, 0.2, 1.0)):
        cost = np.array([[float(regularized_loss(tf.constant(data_cost(np.array([u, v])), tf.float32),
                                                 [(tf.constant([[u, v]], tf.float32), tf.zeros(1))], lam))
                          for u in line] for v in line])
        levels = cost.min() + np.array([0.07, 0.25, 0.6, 1.2, 2.0, 3.2, 5.0])
        axis.contour(line, line, cost, levels=levels, colors=plots.BLUE, linewidths=1)
        axis.plot(*path.T, color=plots.ORANGE, linewidth=1.5)
        w = minimum(lam)
        print(f"lambda {lam:3g}: minimum at ({w[0]:.2f}, {w[1]:.2f}), where the data costs {data_cost(w):.3f} "
              f"and the weights cost {lam * w @ w:.3f}")
        axis.plot(*w, "o", color=plots.ORANGE, markersize=8)
        axis.plot(0, 0, "+", color="#30343b", markersize=9)
        axis.set(title=f"$\\lambda$ = {lam:g}", xlabel="first weight", aspect="equal", xlim=(-0.6, 3.2), ylim=(-0.6, 3.2))
    axes[0].set_ylabel("second weight")
    plt.show()


plot_two_wishes()

# %% [markdown]
# The orange line is where the minimum wanders as $\lambda$ grows. It does not go straight to the cross. At
# $\lambda = 0.2$ the second weight has lost half of its size, from 1.5 to 0.73, and the first one only an eighth, from 2
# to 1.74: what the data does not insist on is given up first. At $\lambda = 1$ the data costs more than six times as much
# as at 0.2 (1.348 against 0.202).
#
# > **Going further.** Why not $|w|$ in place of $w^2$? Robert Tibshirani's *lasso* (1996) does that: its lines of equal
# > cost have corners on the axes, and many weights become exactly 0. Goodfellow, Bengio and Courville, *Deep Learning*,
# > [section 7.1](https://www.deeplearningbook.org/contents/regularization.html), work out both, with the picture above.

# %% [markdown]
# ## 5. What the price does to a step
#
# The derivative of $\lambda w^2$ is $2 \lambda w$. So gradient descent on the regularized cost takes the step
#
# $$w \;\leftarrow\; w - \eta \left( \frac{\partial C_0}{\partial w} + 2 \lambda w \right),$$
#
# in which the gradient of $C_0$ and $2 \lambda w$ are both taken at the old $w$; then everything moves at once. Sort the
# terms differently, $(1 - 2\eta\lambda)\, w - \eta\, \partial C_0/\partial w$, and you see why the method is also called
# *weight decay*.
#
# | name | shape | |
# | --- | --- | --- |
# | `w` | any | the weights before the step |
# | `grad` | as `w` | $\partial C_0 / \partial w$, the gradient of the cost *without* penalty |
# | `learning_rate`, `lam` | numbers | $\eta$ and $\lambda$ |
# | returned | as `w` | the weights after the step; `w` itself stays as it is |
#
# Not to be used: optimizers (`keras.optimizers`, `tf.optimizers`) and `tf.GradientTape`. NumPy is fine again.

# %% question="decay_step"
def decay_step(w, grad, learning_rate, lam):
    """One step of gradient descent on the cost plus lam times the sum of squares of w.

    >>> decay_step([1.0, -2.0], grad=[0.5, 0.0], learning_rate=0.1, lam=0.5)   # 1 - 0.1 (0.5 + 1) and -2 - 0.1 (0 - 2)
    [0.85, -1.8]

    Args:
        w: float32 tensor of any shape.
        grad: float32 tensor of the same shape: the gradient of the cost without the penalty, at w.
        learning_rate: Python float.
        lam: Python float, 0 or more.
    Returns:
        float32 tensor of the same shape.
    """
    ### BEGIN SOLUTION
    return w - learning_rate * (grad + 2 * lam * w)
    ### END SOLUTION

# %% [markdown]
# ### Use it or lose it
#
# A linear model with six inputs learns from 40 examples. Three inputs matter, two are noise, and one is always 0, like
# the corner pixels of a digit, which no pen ever reaches. All weights start at random; 400 steps with $\eta = 0.05$.

# %% tags=["demo"]
def plot_decay():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 6)).astype(np.float32)
    x[:, 5] = 0
    truth = np.array([1.5, -1.0, 0.7, 0, 0, 0], np.float32)
    y = x @ truth + rng.normal(scale=0.3, size=40).astype(np.float32)
    start = np.array([0.3, 0.6, -0.4, 1.1, -0.9, 1.3], np.float32)
    kinds = [(plots.BLUE, "matters")] * 3 + [(plots.GREY, "noise")] * 2 + [(plots.RED, "always 0")]
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    for axis, lam in zip(axes, (0.0, 0.1)):
        w, history = start, [start]
        for _ in range(400):
            grad = 2 * x.T @ (x @ w - y) / 40  # of the mean squared error
            w = np.asarray(decay_step(w, grad, 0.05, lam), np.float32)
            history.append(w)
        print(f"lambda {lam:g}: weights end at", " ".join(f"{weight:5.2f}" for weight in w))
        for column, (colour, name) in enumerate(kinds):
            label = name if column in (0, 3, 5) else None
            axis.plot(np.array(history)[:, column], color=colour, label=label)
        axis.set(title=f"$\\lambda$ = {lam:g}", xlabel="step", xlim=(0, 400))
    axes[0].set_ylabel("weight")
    axes[1].legend(loc="lower right", bbox_to_anchor=(1, 0.09), title="input", title_fontsize=10.5, alignment="left")
    plt.show()


plot_decay()

# %% [markdown]
# The red weight belongs to the input that is always 0, so that the data says nothing about it. Without decay it keeps its
# random 1.30 for ever, ready to spoil the output on the first day that the input is not 0. With decay it shrinks by the
# factor $1 - 2 \cdot 0.05 \cdot 0.1 = 0.99$ in every step, and $0.99^{400}$ has made it 0.02. The blue weights are held
# up by the data and lose little: 1.36 in place of 1.52. The grey ones the data itself sends to 0, or nearly.
#
# > **Going further.** Anders Krogh and John Hertz, *A simple weight decay can improve generalization* (1991), say when
# > and why. With optimizers that rescale gradients, such as Adam, "add $2\lambda w$ to the gradient" and "shrink $w$" are
# > no longer the same: Loshchilov and Hutter, *Decoupled weight decay regularization* (2019), the W in AdamW.

# %% [markdown]
# ## 6. Whose lambda?
#
# Everybody writes $\lambda$, and nearly everybody means something else. Before you copy a value from a book, look up what
# it multiplies:
#
# | where | penalty that is added to a *mean* cost | the same as $\lambda$ here |
# | --- | --- | --- |
# | this course, `keras.regularizers.L2(λ)` | $\lambda \sum w^2$ | $\lambda$ |
# | Nielsen's book, $n$ training examples | $\dfrac{\lambda_\text{book}}{2n} \sum w^2$ | ? |
# | `weight_decay` of PyTorch's SGD | $\dfrac{\lambda_\text{decay}}{2} \sum w^2$ | $\lambda_\text{decay} / 2$ |
#
# Write the conversion for the second row: the $\lambda$ of this course that makes the two penalties equal. The $n$ in the
# book is the size of the whole *training set*, whatever the size of the mini-batch.

# %% question="book_lambda"
def book_lambda(lam, n):
    """Translate Nielsen's lambda into the one of this course.

    >>> book_lambda(6.0, 300)                      # 6 / (2 * 300) * sum(w ** 2)
    0.01

    Args:
        lam: Python float, the lambda of the book, where the penalty is lam / (2 n) times the sum of squares; 0 or more.
        n: int, the number of training examples; 1 or more.
    Returns:
        float, the lambda for which `l2_penalty` gives the same penalty.
    """
    ### BEGIN SOLUTION
    return lam / (2 * n)
    ### END SOLUTION

# %% tags=["demo"]
for n, lam in [(1_000, 0.1), (50_000, 5.0), (1_000, 5.0)]:
    print(f"the book's lambda {lam:3g} with {n:6,} examples is {book_lambda(lam, n):g} here")

# %% [markdown]
# In chapter 3 the book first trains on 1,000 digits with $\lambda_\text{book} = 0.1$, then on 50,000, and says that
# $\lambda$ has to be changed to 5 to keep the same weight decay. In our convention there is nothing to change: both are
# $5 \cdot 10^{-5}$. Each convention has its point. Keeping ours fixed while data is added keeps the balance between a
# *mean* cost and the weights; keeping the book's fixed lets the prior opinion "weights are small" count for less and
# less, as more examples speak against it.
#
# > **Going further.** Michael Nielsen, *Neural Networks and Deep Learning*, [chapter
# > 3](http://neuralnetworksanddeeplearning.com/chap3.html), section "Overfitting and regularization".

# %% [markdown]
# ## 7. A regularizer for Keras
#
# In Keras a penalty is an object that a layer calls on its kernel: `keras.layers.Dense(50, kernel_regularizer=L2(0.01))`.
# Keras adds what it returns to the cost, also to the loss that `fit` reports. Keras has such an object, and now you write
# your own. A regularizer has three duties:
#
# | method | duty |
# | --- | --- |
# | `__init__(self, lam)` | remember $\lambda$ |
# | `__call__(self, w)` | return the penalty of one tensor `w` of any shape: a scalar, $\lambda \sum w^2$ |
# | `get_config(self)` | return a dictionary from which the same object can be made again: `L2(**config)` |
#
# `get_config` is what a saved model file keeps of your object: a plain dictionary of numbers, with the arguments of
# `__init__` under their own names. The line above the class, `@keras.saving.register_keras_serializable(...)`, tells
# Keras under which name to find the class when a file is loaded; leave it where it is.
#
# Your `l2_penalty` is welcome. Not to be used: Keras's own `L1`, `L2`, `L1L2`, in any spelling, neither inside nor as a
# parent. Parent is `keras.regularizers.Regularizer`.

# %% question="L2"
@keras.saving.register_keras_serializable(package="a5")
class L2(keras.regularizers.Regularizer):
    """A penalty of lam times the sum of squares, for `kernel_regularizer=`.

    >>> L2(0.5)([[1.0, 2.0], [3.0, -1.0]])              # 0.5 (1 + 4 + 9 + 1)
    7.5
    >>> L2(**L2(0.5).get_config())([[2.0]])             # made again from its configuration
    2.0

    Args:
        lam: float, 0 or more; the price of one squared weight.
    """

    def __init__(self, lam):
        ### BEGIN SOLUTION
        self.lam = lam
        ### END SOLUTION

    def __call__(self, w):
        """The penalty of one tensor.

        Args:
            w: float32 tensor, or variable of Keras, of any shape.
        Returns:
            float32 scalar; gradients flow from it to w.
        """
        ### BEGIN SOLUTION
        return l2_penalty([w], self.lam)
        ### END SOLUTION

    def get_config(self):
        """The arguments of __init__, by name, as plain Python numbers."""
        ### BEGIN SOLUTION
        return {"lam": self.lam}
        ### END SOLUTION

# %% [markdown]
# ### Adam, in a few lines
#
# The network below is trained by *Adam*, as most are, and so are those of the lessons to come. It is gradient descent in
# which every weight has a step of its own. For each it keeps two running means, of its gradients $g$ and of their squares:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \qquad
# w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}.$$
#
# The hats, $\hat m = m/(1 - \beta_1^t)$ and $\hat v = v/(1 - \beta_2^t)$ after $t$ steps, make up for both having started
# at 0. The quotient is about the size of 1 whatever the gradient's: $\eta$ is how far a weight goes in a step, and one
# $\eta$ serves steep and level directions alike. Usual values are $\beta_1 = 0.9$, $\beta_2 = 0.999$ and $\eta = 0.001$
# (Keras's), up to some hundredths for small networks. *What do you expect* in a valley that is 25 times, or 2,500 times, as
# steep across as along?

# %% tags=["demo"]
def valley_after(optimizer, steepness, steps=300):
    """The largest distance from the bottom, along or across, over the last steps of a walk that starts at (1, 1)."""
    w, distances = keras.Variable([1.0, 1.0]), []
    for _ in range(steps):
        optimizer.apply([w * [1.0, steepness]], [w])  # the gradient of (w1² + steepness · w2²) / 2
        distances.append(float(np.abs(w.numpy()).max()))
    return max(distances[-10:])


for steepness in (25.0, 2500.0):
    for name, optimizer in (("plain descent, its largest safe rate", keras.optimizers.SGD(1.9 / steepness)),
                            ("Adam, rate 0.02", keras.optimizers.Adam(0.02))):
        print(f"{steepness:5.0f} times as steep: {name:36} distance {valley_after(optimizer, steepness):.4f} after 300 steps")

# %% [markdown]
# In the first valley both arrive. In the second the rate of plain descent has to be a hundred times as small, or it flies
# out, and along the valley it has hardly moved. Adam does not notice the difference: it divides it away.
#
# > **Going further.** Diederik Kingma and Jimmy Ba, *Adam: A Method for Stochastic Optimization* (2015). Plain descent with
# > a good rate often generalises as well, and sometimes better: Wilson and others, *The Marginal Value of Adaptive Gradient
# > Methods in Machine Learning* (2017).

# %% [markdown]
# ### In a real model
#
# The mislabelled digits again, this time with Keras from end to end: layers, optimizer, `fit`, a file.

# %% tags=["demo"]
def fit_digits(lam):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((64,)), keras.layers.Dense(50, activation="tanh", kernel_regularizer=L2(lam)),
        keras.layers.Dense(10, kernel_regularizer=L2(lam))])
    model.compile(optimizer=keras.optimizers.Adam(0.02), metrics=["accuracy"],
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x_train, y_train, x_val, y_val = noisy_digits(0)
    model.fit(x_train, y_train, batch_size=100, epochs=60, verbose=0)
    loss, accuracy = model.evaluate(x_val, y_val, batch_size=300, verbose=0)
    return model, loss, accuracy


def plot_keras_weights():
    figure, axis = plt.subplots(figsize=(8.5, 3.6))
    for lam, colour in [(0.0, plots.GREY), (0.003, plots.BLUE)]:
        model, loss, accuracy = fit_digits(lam)
        kernels = np.concatenate([np.ravel(layer.kernel) for layer in model.layers])
        penalty = float(sum(model.losses))
        print(f"lambda {lam:g}: Keras reports a validation loss of {loss:.3f}, of which {penalty:.3f} is penalty; "
              f"accuracy {accuracy:.3f}, sum of squares {np.sum(kernels ** 2):.0f}")
        axis.hist(kernels, bins=np.linspace(-1.5, 1.5, 76), color=colour, alpha=0.65, label=f"$\\lambda$ = {lam:g}")
    axis.set(title="3,700 weights after 60 epochs", xlabel="weight", ylabel="how many")
    axis.legend()
    plt.show()

    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/digits.keras")
        loaded = keras.models.load_model(f"{folder}/digits.keras")
    print(f"loaded from its file: {loaded.layers[0].kernel_regularizer.get_config()}, penalty {float(sum(loaded.losses)):.3f}")


plot_keras_weights()

# %% [markdown]
# Keras reports 0.857 with the penalty and 0.551 without, and yet the regularized model is the better one: 0.379 of the
# 0.857 is the price of its weights, and its cross-entropy on the validation set is the rest, 0.478. Compare models by
# loss only after taking the penalty out, or by accuracy: 0.877 against 0.817. Most weights are close to 0 now, and the
# sum of squares is 126 in place of 802. The loaded model asks the same price as the saved one, which it could not do
# without your `get_config`.
#
# ### Another remedy: dropout
#
# A penalty makes large weights expensive. *Dropout* makes it risky to rely on any single unit: in every step of training
# each unit of a layer is silenced with probability $p$, and the others are multiplied by $1/(1 - p)$, so that their sum
# stays what it was on average. When the network is used, nothing is silenced. In Keras it is a layer,
# `keras.layers.Dropout(0.5)`. The same mislabelled digits, three times each with other starts and another split:

# %% tags=["demo"]
def train_with_dropout(rate, lam, seeds):
    """The accuracies on validation digits of a 64-50-10 network with dropout before and after its hidden layer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((64,)), keras.layers.Dropout(rate / 2), keras.layers.Dense(50, activation="tanh", kernel_regularizer=L2(lam)),
        keras.layers.Dropout(rate), keras.layers.Dense(10, kernel_regularizer=L2(lam))])

    @tf.function
    def learn(x, y):  # plain descent, as in section 2
        for _ in tf.range(1500):
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True))
                total = tf.reduce_mean(losses) + sum(model.losses)
            for variable, gradient in zip(model.trainable_variables, tape.gradient(total, model.trainable_variables)):
                variable.assign_sub(0.4 * gradient)

    shares = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        model.set_weights([rng.normal(scale=weight.shape[0] ** -0.5, size=weight.shape) if weight.ndim == 2 else 0 * weight
                           for weight in model.get_weights()])
        x_train, y_train, x_val, y_val = (tf.constant(part) for part in noisy_digits(seed))
        learn(x_train, y_train)
        shares.append(float(np.mean(np.argmax(model(x_val), axis=1) == y_val)))
    return shares


for name, rate, lam in [("neither", 0.0, 0.0), ("L2, lambda 0.003", 0.0, 0.003), ("dropout, p = 0.5", 0.5, 0.0)]:
    shares = train_with_dropout(rate, lam, seeds=range(3))
    print(f"{name:18} right on validation digits: {min(shares):.3f} to {max(shares):.3f}")

# %% [markdown]
# Both remedies help, each in its way, and they can be combined. Dropout has its price, too: a network that is silenced in part
# learns more slowly, and needs more units and more epochs.
#
# > **Going further.** Nitish Srivastava and others, *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*,
# > JMLR 15 (2014): training with dropout is like training very many thinner networks at once, and using their mean.
#
# > **Going further.** The price $\lambda w^2$ expects all weights near 0. Steven Nowlan and Geoffrey Hinton, *Simplifying
# > neural networks by soft weight-sharing* (1992), let a network find several such values for itself, and so let weights
# > share them.

# %% [markdown]
# ## 8. Which lambda?
#
# Nobody can compute the right $\lambda$ from first principles. One tries: a few values per factor of ten, the same data and
# the same number of steps each time, and looks at the validation set. Here are nine, each with three different splits and
# starts: 500 digits as before, 200 of them for training with forty wrong labels.

# %% tags=["demo"]
def sweep(lams, seeds):
    """The state after training, (lambdas, seeds, 5): the four columns of a history, and the sum of squares of the kernels."""
    results = []
    for lam in lams:
        for seed in seeds:
            history, kernels = train_network(noisy_digits(seed), lam, regularized_loss, epochs=100, seed=seed)
            results.append([*history[-1], sum(np.sum(kernel ** 2) for kernel in kernels)])
    return np.array(results).reshape(len(lams), len(seeds), 5)


def plot_sweep():
    lams = [0, 1e-5, 1e-4, 1e-3, 3e-3, 5e-3, 1e-2, 3e-2, 1e-1]
    results = sweep(lams, seeds=(0, 1, 2))
    mean, low, high = results.mean(axis=1), results.min(axis=1), results.max(axis=1)
    print("lambda    training loss   validation loss   validation accuracy   sum of squares")
    for lam, row in zip(lams, mean):
        print(f"{lam:6g} {row[0]:16.3f} {row[1]:17.3f} {row[3]:21.3f} {row[4]:16.1f}")

    x = np.array([3e-6, *lams[1:]])  # 0 has no place on a logarithmic axis: it stands at the left end
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8))
    for axis, column, colour, name in [(left, 0, plots.BLUE, "training set"), (left, 1, plots.ORANGE, "validation set"),
                                       (right, 2, plots.BLUE, "training set"), (right, 3, plots.ORANGE, "validation set")]:
        axis.fill_between(x, low[:, column], high[:, column], color=colour, alpha=0.15, linewidth=0)
        axis.plot(x, mean[:, column], "o-", color=colour, label=name, markersize=4)
    for axis in (left, right):
        axis.set_xscale("log")
        axis.set_xticks([3e-6, *10.0 ** np.arange(-5, 0)], ["0", *(f"$10^{{{power}}}$" for power in range(-5, 0))])
        axis.set_xlabel("$\\lambda$")
    left.set(title="Loss, without the penalty", ylabel="cross-entropy")
    right.set(title="Accuracy", ylabel="accuracy", ylim=(0, 1.02))
    left.legend(loc="upper left")
    plt.show()


plot_sweep()

# %% [markdown]
# Lines are means of three runs, bands reach from the worst to the best of them. Training labels count as they were typed
# in, wrong ones included.
#
# ### Your choice
#
# **Which $\lambda$ would you choose for this network, and why?** (10 points, read by a person.) Write about 150 to 250
# words, and use numbers of the table. Say
#
# - what goes wrong at the left end of the figure and what at the right end, and how you can tell from the two curves;
# - which value you choose, and why not its neighbours; the lowest validation loss and the highest validation accuracy do
#   not ask for the same one, and three runs are few;
# - why the training set cannot make this choice;
# - which accuracy you would promise for new digits, and what you would need in order to promise it honestly.
#
# There is more than one right answer. Points are for reasons that fit the numbers.

# %% [markdown] written="choose_lambda" points=10
# ### BEGIN SOLUTION
# *A model answer.* At the left end the network overfits: with $\lambda \le 10^{-4}$ it knows all training labels, wrong
# ones included (training loss about 0.05), and is right on 78 % of the validation digits at a loss above 0.7. The gap
# between the two curves shows it. At the right end it underfits: from 0.03 on both losses are high (1.2 and more) and
# nearly equal, and at 0.1 the weights are gone (sum of squares 0.3) and it guesses. The lowest validation loss is at
# 0.003 (0.554), nearly tied with 0.005 (0.562); the highest accuracy is at 0.01 (0.909). I choose 0.005: its loss is
# within the scatter of three runs of the best, it is right on 88.8 % where 0.003 manages 85.2 %, and at 0.01 the
# probabilities have become too timid (loss 0.672). If only the answers counted and never the probabilities, I would take
# 0.01. The training set cannot choose: its loss is lowest at $\lambda = 0$, since a penalty can only make it worse, so it
# would always vote for no penalty. I would not promise 88.8 %: I chose the value that looked best on these digits, so the
# number is a little flattering. Before promising anything I would measure once on a test set that took part neither in
# training nor in this choice.
#
# *For graders:* over- and underfitting read off the gap and the level of the curves, 3 points; a choice between 0.003 and
# 0.01 with numbers and a reason that deals with the disagreement, or with the scatter, 3; the training loss always
# prefers $\lambda = 0$, 2; a score that was used to choose is optimistic, a test set is needed, 2. Another choice is
# worth the full points when its reason is sound, such as many confident errors being worse than few.
# ### END SOLUTION

# %% [markdown]
# > **Going further.** James Bergstra and Yoshua Bengio, *Random search for hyper-parameter optimization* (2012): as soon as
# > there are two or more such numbers to choose, points drawn at random find good ones sooner than a grid.

# %% [markdown]
# ## 9. How much could a network learn by heart?
#
# Everything, in a sense. A network with one hidden layer of sigmoid units can come as close as you like to *any*
# continuous function on a closed and bounded interval, if it may have enough units. You can prove it by building the
# network, weight by weight.
#
# **A step.** One sigmoid unit computes $\sigma(wx + b)$. With a large $w = s$ and $b = -s\,t$ this is $\sigma(s(x - t))$:
# nearly 0 left of $x = t$, nearly 1 right of it.
#
# **A bump.** A step up at $t$ with output weight $+h$ and a step up at $t'$ with output weight $-h$ make, together, a
# plateau of height $h$ from $t$ to $t'$ and 0 elsewhere. That takes two units.
#
# **A function.** Cut $[0, 1]$ into $n$ pieces of width $1/n$, and put one bump on each:
#
# $$f(x) \approx \sum_{k=0}^{n-1} h_k \Big[ \sigma\big(s(x - \tfrac{k}{n})\big) - \sigma\big(s(x - \tfrac{k+1}{n})\big) \Big],
# \qquad h_k = f\big(\tfrac{k + 1/2}{n}\big).$$
#
# The steps have to be narrow compared with a bump, and bumps are narrower when there are more of them. So let $s$ grow
# with $n$: between $10\,n$ and $1000\,n$ everything works.
#
# **How good is it?** If $f$ changes by at most $L$ per unit of $x$ (its steepest slope is $L$), then no point of a piece
# is farther than $1/(2n)$ from its middle, so that the staircase is nowhere off by more than $L/(2n)$, and on average by
# no more than half of that. More units, smaller error: that is the whole proof.
#
# | name | shape | |
# | --- | --- | --- |
# | `f` | function | takes *one* float in [0, 1] and returns a float; do not call it with an array |
# | `n` | whole number | bumps, 1 or more; the hidden layer has $2n$ units |
# | `w1`, `b1` | `(1, 2n)`, `(2n,)` | hidden layer: `sigmoid(x @ w1 + b1)` for `x` of shape `(B, 1)` |
# | `w2`, `b2` | `(2n, 1)`, `(1,)` | output layer, linear: `hidden @ w2 + b2` |
# | returned | | `(w1, b1, w2, b2)`, in this order |
#
# Weights are not compared with ours: any network of these shapes is right if it computes the function. It is tried on
# functions that you have not seen, and its *mean* error has to be $L/(2n)$ or less, twice what the recipe above needs.
# The mean is taken over the inside of $[0, 1]$, half a bump away from both ends, because a step that goes up at $x = 0$
# is only half way up there.

# %% question="bump_network"
def bump_network(f, n):
    """Write down the weights of a network that computes f on [0, 1] with n bumps of two sigmoid units each.

    >>> w1, b1, w2, b2 = bump_network(lambda x: x, 2)    # heights f(1/4) = 0.25 and f(3/4) = 0.75; steps at 0, 1/2, 1/2, 1
    >>> sigmoid([[0.25], [0.75]] @ w1 + b1) @ w2 + b2    # sigmoid(z) is 1 / (1 + exp(-z)), entry by entry
    [[0.25], [0.75]]                                     # or very nearly

    Args:
        f: function of one float in [0, 1] that returns a float. It is called with one float at a time, never with an array.
        n: int, the number of bumps, 1 or more.
    Returns:
        (w1, b1, w2, b2) of shapes (1, 2n), (2n,), (2n, 1) and (1,).
    """
    ### BEGIN SOLUTION
    steepness = 50.0 * n
    k = np.arange(n)
    heights = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([k, k + 1]) / n  # (2n,): where bumps begin, then where they end
    w1 = np.full((1, 2 * n), steepness)
    b1 = -steepness * steps
    w2 = np.concatenate([heights, -heights])[:, None]  # (2n, 1)
    return w1, b1, w2, np.zeros(1)
    ### END SOLUTION

# %% tags=["demo"]
def sigmoid(z):
    return 0.5 * (1 + np.tanh(z / 2))  # never overflows


def run_network(network, x):
    w1, b1, w2, b2 = (np.asarray(weight, np.float64) for weight in network)
    return (sigmoid(x[:, None] @ w1 + b1) @ w2 + b2)[:, 0]


def wavy(x):
    return 0.2 + 0.4 * x ** 2 + 0.3 * x * math.sin(15 * x) + 0.05 * math.cos(50 * x)


def plot_bumps():
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6))
    x = np.linspace(0, 1, 1001)
    truth = np.array([wavy(value) for value in x])
    for k in range(12):
        bump = bump_network(lambda value, k=k: wavy(value) if k <= value * 12 < k + 1 else 0.0, 12)
        left.fill_between(x, run_network(bump, x), color=plots.PALETTE[k % 2], alpha=0.3, linewidth=0)
    left.plot(x, truth, color=plots.GREY, linewidth=1.5, label="f")
    left.plot(x, run_network(bump_network(wavy, 12), x), color=plots.BLUE, linewidth=1.5, label="12 bumps")
    left.set(title="Bumps add up", xlabel="x", ylabel="output", ylim=(0, 0.85))
    left.legend(loc="upper left")

    wide = np.linspace(-0.6, 1.6, 2001)
    middle.axvspan(0, 1, color=plots.BLUE, alpha=0.08, linewidth=0)
    middle.plot(wide, [wavy(value) for value in wide], color=plots.GREY, linewidth=1.5, label="f")
    middle.plot(wide, run_network(bump_network(wavy, 100), wide), color=plots.BLUE, linewidth=1.5, label="100 bumps")
    middle.text(0.5, -0.37, "where it was built", color=plots.BLUE, ha="center", fontsize=10.5)
    middle.set(title="The same network, further out", xlabel="x", ylim=(-0.45, 1.75))
    middle.legend(loc="upper left")

    inside = np.linspace(0.1, 0.9, 2001)
    values = np.array([wavy(value) for value in inside])
    counts = [5, 10, 20, 40, 80, 160, 320]
    errors = [np.mean(np.abs(run_network(bump_network(wavy, n), inside) - values)) for n in counts]
    for n, error in zip(counts, errors):
        print(f"{2 * n:4} hidden units: mean error {error:.5f}")
    right.loglog([2 * n for n in counts], errors, "o-", color=plots.BLUE, markersize=5)
    right.set(title="Twice the units, half the error", xlabel="hidden units", ylabel="mean error")
    plt.show()


plot_bumps()

# %% [markdown]
# On the left, twelve bumps stand side by side, each at the height of $f$ in its middle. On the right, from 40 hidden units
# on, twice the units make half the error, as $L/(2n)$ promises: 0.0249, 0.0122, 0.0061 and so on (between 0.1 and 0.9, with
# a steepness of $50n$; with $1000n$ they are a tenth larger, with $10n$ a third smaller or more).
#
# The picture in the middle shows why the theorem speaks of an interval that is *closed and bounded*. Beyond it the
# network has nothing to say: each of its finitely many sigmoids is saturated there, and the output is constant for ever
# after. No such network stays near $\sin x$ on the whole line, whatever its weights. And $1/x$ on $0 < x \le 1$, an
# interval without its end, grows beyond anything that finitely many bounded units can add up to. A set that is closed and
# bounded is called *compact*; on it every continuous function is bounded, and changes little over any piece that is short
# enough, with or without a largest slope $L$.
#
# ### Add the bumps yourself
#
# *What do you expect?* With one bump the output is flat. How many does it take until you see all the waves of $f$, and
# where is the last place that it gets right?

# %% tags=["demo"]
from autograder import moving

moving.bumps(bump_network, wavy)

# %% [markdown]
# Where $f$ is steep a bump is wrong by half of what $f$ changes over its width, and only narrower bumps help. That costs
# units everywhere, also where $f$ is level: the recipe does not know where they are needed. A network that is trained can
# put its steps where they pay off.
#
# > **Going further.** George Cybenko, *Approximation by superpositions of a sigmoidal function* (1989), and Hornik,
# > Stinchcombe and White, *Multilayer feedforward networks are universal approximators* (1989), proved it for any number
# > of inputs; the bumps are from Michael Nielsen's [chapter 4](http://neuralnetworksanddeeplearning.com/chap4.html),
# > where you can drag them with the mouse. Try a steepness of only $5n$: the steps melt into ramps, and the mean error of
# > 320 units falls from 0.0030 to 0.0006. Flat pieces are what the proof needs, not what is best.
#
# ### Three inputs, two outputs
#
# A robot arm has a shoulder, an elbow and a wrist. Its three angles decide where its hand is: three numbers in, two
# numbers out. No joint turns for ever, so the inputs live in a box, closed and bounded, and we scale it to $[0, 1]^3$. In
# more than one dimension a bump becomes a *tower*: a unit of a second hidden layer that fires where three bumps, one per
# input, overlap. A grid of $n$ pieces per joint needs $n^3$ towers, each with two output weights, the hand's position in
# the middle of its cell.

# %% tags=["demo"]
LENGTHS, LOWEST, HIGHEST = np.array([1.0, 0.8, 0.5]), np.array([0.0, 0.2, -1.2]), np.array([1.6, 2.2, 1.2])


def joints(angles):
    """Where elbow, wrist and hand are, (m, 3, 2), for angles (m, 3) scaled to [0, 1]."""
    directions = np.cumsum(LOWEST + angles * (HIGHEST - LOWEST), axis=1)  # (m, 3)
    bones = LENGTHS[:, None] * np.stack([np.cos(directions), np.sin(directions)], axis=2)  # (m, 3, 2)
    return np.cumsum(bones, axis=1)


def towers(n):
    """A network of two hidden layers, 3(n + 1) steps and n³ towers, as a function from (m, 3) to (m, 2)."""
    cells = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)  # (n³, 3)
    heights = joints((cells + 0.5) / n)[:, -1]  # (n³, 2)
    steps = np.arange(n + 1) / n
    steps[0], steps[-1] = -0.5, 1.5  # the outer bumps reach beyond the ends

    def network(x):
        step = sigmoid(1000 * n * (x[:, :, None] - steps))  # (m, 3, n + 1)
        bump = step[..., :-1] - step[..., 1:]  # (m, 3, n)
        overlap = sum(bump[:, axis, cells[:, axis]] for axis in range(3))  # (m, n³): 3 inside a cell, 2 or less elsewhere
        return sigmoid(1000 * (overlap - 2.5)) @ heights

    return network


def random_layer(units):
    """One hidden layer of random sigmoid units; only its output weights are fitted, by least squares."""
    rng = np.random.default_rng(0)
    w, b = rng.normal(scale=3, size=(3, units)), rng.normal(scale=3, size=units)
    x = rng.uniform(size=(3000, 3))
    w2, *_ = np.linalg.lstsq(np.c_[sigmoid(x @ w + b), np.ones(3000)], joints(x)[:, -1], rcond=None)
    return lambda x: np.c_[sigmoid(x @ w + b), np.ones(len(x))] @ w2


def plot_arm():
    time = np.linspace(0, 1, 600)
    angles = 0.5 + 0.4 * np.stack([np.sin(2 * np.pi * time), np.sin(4 * np.pi * time + 1), np.sin(6 * np.pi * time)], axis=1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=(1.1, 1))
    for place in range(0, 600, 60):
        arm = np.concatenate([np.zeros((1, 2)), joints(angles[place:place + 1])[0]])
        left.plot(*arm.T, "o-", color=plots.GREY, alpha=0.35, linewidth=1.5, markersize=3)
    left.plot(*joints(angles)[:, -1].T, color="#30343b", linewidth=1.2, linestyle="--", label="the hand")
    left.plot(*towers(4)(angles).T, ".", color=plots.ORANGE, markersize=5, label="64 towers")
    left.plot(*towers(12)(angles).T, ".", color=plots.BLUE, markersize=3, label="1,728 towers")
    left.plot(*random_layer(60)(angles).T, color=plots.GREEN, linewidth=1.2, label="60 units, least squares")
    left.set(title="Three angles in, the place of the hand out", xlabel="x", ylabel="y", aspect="equal")
    left.legend(loc="upper right")

    tests = np.random.default_rng(1).uniform(size=(2000, 3))
    truth = joints(tests)[:, -1]
    grids = {n ** 3: towers(n) for n in (2, 4, 6, 8, 12)}
    layers = {units: random_layer(units) for units in (10, 20, 40, 60, 120)}
    for name, networks, colour in [("towers", grids, plots.BLUE), ("one layer, least squares", layers, plots.GREEN)]:
        errors = [np.mean(np.linalg.norm(network(tests) - truth, axis=1)) for network in networks.values()]
        for units, error in zip(networks, errors):
            print(f"{name}: {units:5} units, mean distance from the hand {error:.4f}")
        right.loglog(list(networks), errors, "o-", color=colour, label=name, markersize=5)
    right.set(title="Possible, and practical", xlabel="towers, or hidden units", ylabel="mean distance from the hand")
    right.legend()
    plt.show()


plot_arm()

# %% [markdown]
# With 64 towers the hand jumps from one orange dot to the next, with 1,728 towers the jumps are smaller, and the mean
# distance falls from 0.243 to 0.081. To halve the error, every joint needs twice the pieces, which makes eight times the
# towers; with ten inputs it would be a thousand times. That is the price of a proof that works for every function.
#
# This function is smooth, and the green line takes advantage of it: a *single* hidden layer of 60 units with random
# weights, of which only the output weights were fitted, follows the hand to 0.008. So a network can be much better than
# the construction that proves it possible. But mind what universality does *not* say: nothing about how the weights are
# found, and nothing about what happens between the examples. A network that can compute every function can also compute
# the one with forty wrong labels. That is where this lesson began.
#
# > **Going further.** Andrew Barron, *Universal approximation bounds for superpositions of a sigmoidal function* (1993):
# > for functions that are smooth in a certain sense, $n$ units of one layer reach a mean squared error of order $1/n$,
# > whatever the number of inputs.

# %% [markdown]
# ## What to take along
#
# - Only examples that took part in nothing can say how good a network is: not in training, and not in choosing.
# - From the epoch on at which the validation loss turns round, a network learns by heart. Keep the weights of that epoch.
# - L2 asks a price $\lambda w^2$ for every weight, dropout silences units at random; both are chosen by validation.
# - Before comparing a $\lambda$, look up whose it is. Before comparing losses, take the penalty out.
# - One hidden layer can come as close as you like to any continuous function on a bounded interval. Whether training finds it
#   is another question.
#
# **To think about.**
#
# 1. You try a thousand values of $\lambda$ and report the best validation accuracy. What have you overfitted, and to what?
# 2. Your training digits were written by ten people, 20 digits each. How would you hold digits back, if the network is
#    meant for an eleventh?
#
# So far every pixel had weights of its own. The next lesson lets them share.
