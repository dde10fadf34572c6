# %% [markdown]
# # Backpropagation
#
# A network of a thousand weights has made a mistake. Which of them are to blame, and by how much? You could nudge each in
# turn and watch the cost: two thousand runs of the network for a single step of learning. Backpropagation answers for all
# of them at once, for the price of about three. It is the chain rule, walked from the last layer to the first, and it is why
# large networks can learn at all.
#
# By the end you will be able to
#
# - compute a gradient with no calculus whatsoever, and say how far to trust it;
# - derive every weight's share of the blame by hand, in a dozen lines and without `tf.GradientTape`;
# - prove that your gradient is right, and recognise common mistakes by the number the proof gives;
# - measure how gradients vanish in deep networks, and name the true cause.
#
# You need about three hours. There are six questions, worth 100 points together.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The check
# tries small examples, most of which you can redo with pen and paper; hidden cases of other sizes hold most of the points.
# Write your answers with TensorFlow or with NumPy: what counts is what they return. Examples in docstrings write arrays as
# lists and ln 3 for `np.log(3)`; the checks pass tensors. Cells with pictures follow the questions; they use what you wrote,
# so answer first.
#
# The same names hold throughout.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(B, n)` | a batch of $B$ examples, one per row |
# | `y` | `(B, k)` | what the network should output for each |
# | `weights` | list of `(inputs, outputs)` | $W_1, \dots, W_L$: one matrix per layer, the first layer first |
# | `biases` | list of `(outputs,)` | $b_1, \dots, b_L$ |
#
# A layer takes the activations $a_{l-1}$ of the layer before it, and $a_0$ is `x`:
#
# $$z_l = a_{l-1} W_l + b_l, \qquad a_l = \sigma(z_l) = \frac{1}{1 + e^{-z_l}}.$$
#
# "Layer" means a layer of weights: a network of 7 layers has six hidden layers and an output layer. The cost is Nielsen's
# quadratic cost, *half* the squared distance to the target, as a *mean over the batch* and a *sum over the outputs*:
#
# $$C = \frac{1}{2B} \sum_{i=1}^{B} \sum_{j=1}^{k} \big(y_{ij} - a_{L,ij}\big)^2 .$$
#
# Keras's `mean_squared_error` has no ½ and averages over the $k$ outputs as well: it is $\frac{2}{k}$ times this cost.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from autograder import check, data, plots

plots.style()

# %% [markdown]
# ## 1. ReLU
#
# The *rectified linear unit* is the simplest thing that is not a straight line: positive numbers pass, the others become 0.
#
# $$\operatorname{relu}(z) = \max(z, 0)$$
#
# | name | shape | |
# | --- | --- | --- |
# | `z` | any | |
# | returned | as `z` | |
#
# Not to be used: the ready-made ones, `tf.nn.relu`, `tf.nn.leaky_relu` and their relatives in `tf.nn`, `tf.raw_ops`,
# `keras.activations`, `keras.ops` and `keras.layers`.

# %% question="relu"
def relu(z):
    """The larger of z and 0, entry by entry.

    >>> relu([-2.0, 0.0, 0.5, 9.0])
    [0.0, 0.0, 0.5, 9.0]

    Args:
        z: float32 tensor of any shape.
    Returns:
        float32 tensor of the same shape.
    """
    ### BEGIN SOLUTION
    return tf.maximum(z, 0.0)
    ### END SOLUTION

# %% [markdown]
# ### Why bend at all?
#
# *What do you expect* from a network of three layers that leaves the activation out? Two layers without one are
# $(xA + a)B + b = x(AB) + (aB + b)$: a layer again, with the weights $AB$ and the bias $aB + b$. So are three, and a
# hundred. The cell puts one number through three layers of random weights, without your `relu` between them and with it.

# %% tags=["demo"]
def plot_collapse():
    rng = np.random.default_rng(4)
    layers = [(rng.normal(size=(n, m)).astype("float32"), rng.normal(size=m).astype("float32"))
              for n, m in ((1, 8), (8, 8), (8, 1))]
    x = np.linspace(-3, 3, 201, dtype=np.float32)[:, np.newaxis]
    straight, bent, weight, bias = x, x, np.eye(1), np.zeros(1)
    for i, (w, b) in enumerate(layers):
        straight, bent = straight @ w + b, np.asarray(bent @ w + b)
        weight, bias = weight @ w, bias @ w + b  # of the one layer that stands for all so far
        if i < len(layers) - 1:
            bent = np.asarray(relu(tf.constant(bent)))
    print(f"three layers without an activation are x times {weight.item():.2f} plus {bias.item():.2f}: "
          f"largest difference {np.abs(straight - (x * weight + bias)).max():.0e}")
    bends = np.abs(np.diff(bent[:, 0], 2)) > 1e-3 * np.abs(np.diff(bent[:, 0])).max()
    print(f"with ReLU the line bends {np.sum(bends[1:] & ~bends[:-1])} times")
    figure, axis = plt.subplots(figsize=(7.5, 3.4))
    axis.plot(x, straight, color=plots.GREY, label="three layers, no activation")
    axis.plot(x, bent, color=plots.GREEN, label="the same, with ReLU between them")
    axis.set(title="Layers without a bend are one layer", xlabel="x", ylabel="output")
    axis.legend()
    plt.show()


plot_collapse()

# %% [markdown]
# The grey line is straight, as one layer's would be (the difference is rounding); 97 numbers draw what two could have
# drawn. With ReLU the same weights draw a line that bends, and every bend is a unit that switches on or off.

# %% [markdown]
# ## 2. The slope of a sigmoid
#
# Backpropagation multiplies by the slope of every activation it passes, so the sigmoid's slope deserves a function. It can
# be written with the sigmoid alone:
#
# $$\sigma'(z) = \frac{e^{-z}}{(1 + e^{-z})^2} = \sigma(z)\,\big(1 - \sigma(z)\big).$$
#
# | name | shape | |
# | --- | --- | --- |
# | `z` | any | what goes *into* the sigmoid, not what comes out |
# | returned | as `z` | between 0 and ¼, and finite for every finite `z` |
#
# The two forms are equal on paper. In a computer the first becomes ∞/∞ far to the left, the second does not. The dtype
# matters a little too: later you will check a gradient to nine digits, which takes float64, so compute in the dtype of `z`
# and do not cast. `tf.sigmoid` is welcome; differentiating it with `tf.GradientTape`, `tf.gradients`, `tf.autodiff` or
# `tf.raw_ops.SigmoidGrad` is not, and differences of it are not exact enough.

# %% question="sigmoid_prime"
def sigmoid_prime(z):
    """The derivative of the sigmoid, entry by entry.

    >>> sigmoid_prime([0.0, ln 3])   # the sigmoid is 1/2 and 3/4
    [0.25, 0.1875]

    Args:
        z: float32 or float64 tensor of any shape and any size, ±1000 included.
    Returns:
        tensor of the same shape and dtype, computed in that dtype.
    """
    ### BEGIN SOLUTION
    a = tf.sigmoid(z)
    return a * (1 - a)
    ### END SOLUTION

# %% tags=["demo"]
def plot_activations():
    z = np.linspace(-5, 5, 401, dtype=np.float32)
    tensor = tf.constant(z)
    slopes = np.asarray(sigmoid_prime(tensor))
    for point in (0.0, 2.0, 5.0):
        print(f"slope of the sigmoid at {point:g}: {slopes[np.argmin(abs(z - point))]:.4f}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    left.plot(z, np.asarray(relu(tensor)), color=plots.GREEN, label="ReLU")
    left.plot(z, np.tanh(z), color=plots.BLUE, label="tanh")
    left.plot(z, 1 / (1 + np.exp(-z)), color=plots.ORANGE, label="sigmoid")
    left.set(title="Three activations", xlabel="z", ylabel="activation", ylim=(-1.2, 2.6))
    left.legend(loc="upper left")
    right.plot(z, np.where(z > 0, 1.0, 0.0), color=plots.GREEN, label="ReLU: 0 or 1")
    right.plot(z, 1 - np.tanh(z) ** 2, color=plots.BLUE, label="tanh: up to 1")
    right.plot(z, slopes, color=plots.ORANGE, label="sigmoid: up to ¼")
    right.axhline(0.25, color=plots.ORANGE, linewidth=1, linestyle=":")
    right.set(title="Their slopes", xlabel="z", ylabel="slope", ylim=(-0.04, 1.1))
    right.legend(loc="upper left")
    plt.show()


plot_activations()

# %% [markdown]
# The sigmoid is steepest at 0, and even there its slope is only ¼; at $z = 5$ it is 0.0066. Tanh has the same shape, twice
# as tall and twice as fast ($\tanh z = 2\sigma(2z) - 1$), and that makes its slope four times as large. ReLU has no middle:
# all or nothing. Remember the quarter. In section 6 it will be multiplied by itself.
#
# > **Going further.** Yann LeCun and others recommend tanh over the sigmoid for one more reason, outputs that are centred on
# > 0 (*Efficient BackProp*, 1998, section 4.4). The case for ReLU was made by Xavier Glorot, Antoine Bordes and Yoshua
# > Bengio, *Deep Sparse Rectifier Neural Networks* (2011).

# %% [markdown]
# ## 3. A gradient without calculus
#
# What does a slope mean? Move one number a little, and see how the function answers. Done on both sides, this is the
# *central difference*:
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + h\,e_i) - f(x - h\,e_i)}{2h},$$
#
# where $e_i$ is 1 at entry $i$ and 0 elsewhere. One entry moves, the others stay; then the next one's turn.
#
# | name | shape | |
# | --- | --- | --- |
# | `f` | function | takes an array of the shape of `x`, returns a number |
# | `x` | any | a float64 NumPy array, possibly a view of another one (a transpose, say: then `x.ravel()` is a copy) |
# | `h` | number | how far to move |
# | returned | as `x` | the slope of `f` in every entry |
#
# `f` may be called as often as you like. Afterwards `x` must be as it was, *bit for bit*. If you move its entries in place,
# beware: `x[i] += h` followed by `x[i] -= h` is not always where you started. "Any shape" includes `()`, a single number,
# and `np.ndindex(x.shape)` visits the entries of them all.
#
# Not to be used: `tf.GradientTape`, `tf.gradients`, `tf.autodiff`, `tf.test.compute_gradient`, `np.gradient` and the
# differentiators in SciPy (`scipy.optimize.approx_fprime` and `check_grad`, `scipy.differentiate`).

# %% question="numerical_gradient"
def numerical_gradient(f, x, h=1e-5):
    """The gradient of f at x by central differences.

    >>> def f(x):
    ...     return x[0] ** 3 + x[1] ** 3
    >>> numerical_gradient(f, np.array([1.0, 2.0]), h=0.5)   # (1.5³ − 0.5³) / 1 and (2.5³ − 1.5³) / 1
    [3.25, 12.25]
    >>> numerical_gradient(f, np.array([1.0, 2.0]))          # with a small h, 3x² nearly
    [3.0, 12.0]

    Args:
        f: takes a float64 NumPy array of the shape of x and returns a float. It does not change or keep the array.
        x: float64 NumPy array of any shape, () included; bit for bit the same afterwards.
        h: Python float, how far an entry is moved to each side.
    Returns:
        float64 NumPy array of the shape of x.
    """
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient
    ### END SOLUTION

# %% [markdown]
# ### How small should h be?
#
# Smaller is better, says calculus. Watch what the computer says, for the slope of $f(x) = e^{\sin x}$ at $x = 1$.

# %% tags=["demo"]
def plot_step_sizes():
    def f(x):
        return np.exp(np.sin(x))

    def f_single(x):  # the same function, computed with seven digits
        return f(np.asarray(x, np.float32))

    x, true = np.array(1.0), np.cos(1.0) * np.exp(np.sin(1.0))
    steps = 10.0 ** np.arange(-13, 0.01, 0.25)
    errors = {
        "one-sided, float64": [abs((f(x + h) - f(x)) / h - true) for h in steps],
        "central, float64": [abs(numerical_gradient(f, x, h) - true) for h in steps],
        "central, float32": [abs(numerical_gradient(f_single, x, h) - true) for h in steps],
    }
    colours = dict(zip(errors, (plots.ORANGE, plots.BLUE, plots.RED)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8), width_ratios=(1, 1.15))
    line, h = np.linspace(-0.6, 2.6, 200), 0.9
    left.plot(line, f(line), color=plots.GREY, label="f")
    for low, name in [(x, "one-sided, float64"), (x - h, "central, float64")]:
        slope = (f(x + h) - f(low)) / (x + h - low)
        left.plot(line, f(low) + slope * (line - low), color=colours[name], linewidth=1.3,
                  label=f"{name.split(',')[0]}: slope {slope:.2f}")
        left.plot([low, x + h], [f(low), f(x + h)], "o", color=colours[name], markersize=5)
    left.set(title=f"With h = {h}; the slope at 1 is {true:.2f}", xlabel="x", ylabel="f(x)", ylim=(0.3, 3.6))
    left.legend(loc="upper left")
    for name, error in errors.items():
        best = int(np.argmin(error))
        print(f"{name:19} error at h = 1e-5: {error[int(np.argmin(abs(steps - 1e-5)))]:.0e}   best h near {steps[best]:.0e}")
        right.loglog(steps, np.maximum(error, 1e-13), color=colours[name], label=name)
    right.axvline(1e-5, color=plots.GREY, linewidth=1, linestyle=":")
    right.text(1.3e-5, 2e-13, "h = 1e-5", color="#5b616b", fontsize=10.5)
    right.set(title="Error of the slope", xlabel="h", ylabel="error", ylim=(1e-13, 30))
    right.legend(loc="lower left")
    plt.show()


plot_step_sizes()

# %% [markdown]
# Two errors pull in opposite directions. On the right of each curve $h$ is too large: the one-sided slope is off in
# proportion to $h$, the central one in proportion to $h^2$, because the errors of its two sides cancel. On the left $h$ is
# too small: float64 knows $f$ to 16 digits, a tiny move changes only the last of them, and dividing by $h$ magnifies their
# rounding. At $h = 10^{-5}$ the central difference is off by $7 \cdot 10^{-11}$ and close to its best; the one-sided one is
# off by $6 \cdot 10^{-6}$. With the seven digits of float32 the same move gives an error of 0.01, and below $h \approx 3
# \cdot 10^{-8}$ the number 1 does not move at all: the slope is 0. (Just above, it moves down but not up: the bump.)
#
# > **Going further.** How to choose $h$, and why the cube root of the machine's precision is a good start, is worked out in
# > Press and others, *Numerical Recipes*, section 5.7.

# %% [markdown]
# ## 4. Are two gradients the same?
#
# Two gradients computed in different ways hardly ever agree to the last digit. A difference of 0.001 is nothing beside 1000
# and everything beside 0.001, so compare it with the numbers themselves, entry by entry, and let the worst entry speak:
#
# $$\text{relative error} = \max_i \frac{|a_i - b_i|}{\max\big(10^{-8},\; |a_i| + |b_i|\big)}.$$
#
# Where both entries are 0 there would be nothing to divide by: the floor of $10^{-8}$ makes such an entry count as equal.
#
# | name | shape | |
# | --- | --- | --- |
# | `a`, `b` | the same, any | float64 NumPy arrays |
# | returned | scalar | from 0 (equal) to 1 (opposite signs, or one of them 0) |
#
# Compute in float64: the errors you are after may be $10^{-10}$, and float32 keeps seven digits.

# %% question="relative_error"
def relative_error(a, b):
    """The worst disagreement of two arrays, relative to the size of their entries.

    >>> relative_error(np.array([9.0, -4.0, 0.0]), np.array([6.0, -2.0, 0.0]))   # 3/15, 2/6 and 0: the second is worst
    0.3333
    >>> relative_error(np.array([3e-9]), np.array([1e-9]))                       # below the floor: 2e-9 / 1e-8
    0.2

    Args:
        a, b: float64 NumPy arrays of one shape, with any number of axes.
    Returns:
        float: the largest of |a - b| / max(1e-8, |a| + |b|) over all entries.
    """
    ### BEGIN SOLUTION
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b))))
    ### END SOLUTION

# %% tags=["demo"]
def plot_relative_error():
    true = np.random.default_rng(0).normal(size=(8, 5))
    ratios = np.geomspace(0.01, 100, 201)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.7), width_ratios=(1.35, 1))
    errors = [relative_error(ratio * true, true) for ratio in ratios]
    left.semilogx(ratios, errors, color=plots.BLUE, label="too large or too small")
    left.axhline(relative_error(-true, true), color=plots.RED, linestyle="--", label="sign reversed")
    for ratio, name, shift in [(2, "a forgotten ½", (8, -9)), (16, "a sum for a mean,\n16 examples", (9, -19)),
                               (0.5, "½ twice", (-8, -9)), (1, "right", (-9, -3))]:
        value = relative_error(ratio * true, true)
        print(f"{ratio:>4g} times the gradient: relative error {value:.4f}")
        left.plot(ratio, value, "o", color=plots.BLUE, markersize=6)
        left.annotate(name, (ratio, value), shift, textcoords="offset points", fontsize=10.5, color="#30343b",
                      ha="left" if shift[0] > 0 else "right")
    left.set(title="What a constant factor does", xlabel="your gradient / true gradient", ylabel="relative error",
             xlim=(0.007, 1000), ylim=(-0.04, 1.3))
    left.legend(loc="upper center", ncols=2)

    one_wrong = true.copy()
    one_wrong[6, 2] *= -1
    entries = np.abs(one_wrong - true) / (np.abs(one_wrong) + np.abs(true))
    bars = {"largest\n(relative_error)": relative_error(one_wrong, true), "mean": entries.mean()}
    for i, value in enumerate(bars.values()):
        right.bar(i, value, width=0.55, color=(plots.BLUE, plots.GREY)[i])
        right.text(i, value + 0.02, f"{value:.3f}", ha="center", fontsize=10.5)
    right.set_xticks(range(2), bars)
    right.set(title=f"One wrong entry among {true.size}", ylabel="disagreement", ylim=(0, 1.15), xlim=(-0.7, 1.7))
    right.grid(axis="x", visible=False)
    plt.show()


plot_relative_error()

# %% [markdown]
# A gradient that is off by a factor $r$ has the relative error $|r - 1| / (r + 1)$ in every entry, and you can read the
# mistake off the number: 0.3333 is a factor of 2, and 0.8824 = 15/17 says that somebody summed over 16 examples. Exactly 1
# is a reversed sign, or a zero where there should be none. One wrong entry in forty is enough for the largest, while the
# mean hardly notices.

# %% [markdown]
# ## 5. Backpropagation
#
# Give every layer its share of blame: $\delta_l = \partial C / \partial z_l$, one row per example and one column per unit.
# Four lines of chain rule give everything. Here $\odot$ multiplies entry by entry, and everything else is a matrix product.
#
# | | formula | shape | in words |
# | --- | --- | --- | --- |
# | 1 | $\delta_L = \frac{1}{B}\,(a_L - y) \odot \sigma'(z_L)$ | $(B, n_L)$ | how far off, times the slope |
# | 2 | $\delta_l = \big(\delta_{l+1} W_{l+1}^{\mathsf T}\big) \odot \sigma'(z_l)$ | $(B, n_l)$ | blame flows back |
# | 3 | $\partial C / \partial W_l = a_{l-1}^{\mathsf T}\, \delta_l$ | $(n_{l-1}, n_l)$ | what came in, times the blame |
# | 4 | $\partial C / \partial b_l = \sum_i \delta_{l,i}$ | $(n_l,)$ | the blame of all examples |
#
# ($n_l$ is the number of units of layer $l$, with $n_0 = n$ inputs and $n_L = k$ outputs; $\delta_{l,i}$ is row $i$ of
# $\delta_l$.)
#
# Line 1: $\frac12 (y - a)^2$ has the derivative $a - y$, and $a$ moves $\sigma'(z)$ times as fast as $z$. Line 2: a unit
# acts on the cost through every unit of the layer after it, so it collects their blame, each times the weight between the
# two; its own $\sigma'$ is still to be passed. Lines 3 and 4: in $z = aW + b$, a weight is multiplied by what came in, a
# bias by 1.
#
# Line 3 sums over the examples by itself: that is what the matrix product does with $B$. The $\frac{1}{B}$ of the mean has
# been paid in line 1, once and for all.
#
# **By hand.** Two layers of one unit each, and one example: $x = 2$, $y = 0$, $W_1 = 0$, $W_2 = 2 \ln 3$, no biases.
#
# | forward | | backward | |
# | --- | --- | --- | --- |
# | $z_1 = 2 \cdot 0$ | $= 0$ | $\delta_2 = (\frac34 - 0) \cdot \frac{3}{16}$ | $= \frac{9}{64} \approx 0.1406$ |
# | $a_1 = \sigma(0)$ | $= \frac12$ | $\partial C/\partial W_2 = \frac12\,\delta_2$ | $\approx 0.0703$ |
# | $z_2 = \frac12 \cdot 2 \ln 3$ | $= \ln 3$ | $\delta_1 = \delta_2 \cdot 2 \ln 3 \cdot \frac14$ | $\approx 0.0772$ |
# | $a_2 = \sigma(\ln 3)$ | $= \frac34$ | $\partial C/\partial W_1 = 2\,\delta_1$ | $\approx 0.1545$ |
#
# The gradients of the biases are $\delta_2$ and $\delta_1$ themselves.
#
# So: run forwards and keep every $z_l$ and $a_l$; then walk backwards once, from $\delta_L$ to $\delta_1$. Your
# `sigmoid_prime` is welcome (a mistake in it that the check can name costs no points here). The batch is `len(x)`, or
# `x.shape[0]`, examples; since that is a Python number, it divides float32 and float64 tensors alike.
#
# Not to be used: `tf.GradientTape`, `tf.gradients`, `tf.autodiff`, `tf.raw_ops.SigmoidGrad`. Finite differences will not
# do either, neither yours nor a library's (`tf.test.compute_gradient`, SciPy's): one case has gradients far smaller than
# their rounding errors.

# %% tags=["demo"]
from autograder import diagrams

diagrams.neuron_there_and_back()

# %% question="backprop"
def backprop(x, y, weights, biases):
    """The gradient of the quadratic cost of a sigmoid network, by backpropagation.

    >>> backprop([[2.0]], [[0.0]], [[[0.0]], [[2 * ln 3]]], [[0.0], [0.0]])   # the example above
    ([[[0.1545]], [[0.0703]]], [[0.0772], [0.1406]])

    Args:
        x: tensor (B, n), a batch of examples; float32 or float64, as are all the others.
        y: tensor (B, k), the targets.
        weights: list of tensors (inputs, outputs), one per layer, the first layer first; at least one layer.
        biases: list of tensors (outputs,), one per layer.
    Returns:
        (dWs, dbs): two lists like `weights` and `biases`, of the same shapes and in the same order: the derivatives of
        1/(2B) · Σ (y - a)², computed in the dtype of the inputs.
    """
    ### BEGIN SOLUTION
    zs, activations = [], [x]
    for w, b in zip(weights, biases):
        zs.append(activations[-1] @ w + b)  # (B, outputs)
        activations.append(tf.sigmoid(zs[-1]))
    delta = (activations[-1] - y) / len(x) * sigmoid_prime(zs[-1])
    dws, dbs = [], []
    for layer in reversed(range(len(weights))):
        dws.insert(0, tf.transpose(activations[layer]) @ delta)  # (inputs, outputs)
        dbs.insert(0, tf.reduce_sum(delta, axis=0))  # (outputs,)
        if layer > 0:
            delta = delta @ tf.transpose(weights[layer]) * sigmoid_prime(zs[layer - 1])
    return dws, dbs
    ### END SOLUTION

# %% [markdown]
# ### Prove it
#
# Here is the moment for your two gradients to meet. The network has 64 inputs, 8 hidden units and 10 outputs, and looks at
# four digits. Every one of its 610 parameters is nudged up and down, and the slope is compared with your `backprop`: once
# with the cost computed in float64, once in float32.

# %% tags=["demo"]
def random_network(sizes, seed):
    """Weights of standard deviation 1/√inputs and biases of 0, in float64."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(n, m)) / np.sqrt(n) for n, m in zip(sizes, sizes[1:])]
    return weights, [np.zeros(m) for m in sizes[1:]]


def some_digits(count):
    """The first images as (count, 64) and their labels as one-hot (count, 10), in float64."""
    images, labels = data.digits()
    return images[:count].reshape(count, 64).astype(np.float64), np.eye(10)[labels[:count]]


def gradient_check(dtype):
    """Every entry of the gradient: by backpropagation, and by central differences of a cost in `dtype`."""
    x, y = some_digits(4)
    weights, biases = random_network([64, 8, 10], seed=0)
    parameters = weights + biases

    def cost():
        w1, w2, b1, b2 = (value.astype(dtype) for value in parameters)
        hidden = 1 / (1 + np.exp(-(x.astype(dtype) @ w1 + b1)))
        a = 1 / (1 + np.exp(-(hidden @ w2 + b2)))
        return np.sum((y.astype(dtype) - a) ** 2) / dtype(2 * len(x))

    def cost_with(number, value):  # the cost when one array of parameters is replaced
        kept, parameters[number] = parameters[number], value
        result = float(cost())
        parameters[number] = kept
        return result

    dws, dbs = backprop(*(tf.constant(v, dtype) for v in (x, y)),
                        [tf.constant(w, dtype) for w in weights], [tf.constant(b, dtype) for b in biases])
    by_hand = [np.asarray(g, np.float64) for g in [*dws, *dbs]]
    nudged = [numerical_gradient(lambda value, i=i: cost_with(i, value), parameters[i]) for i in range(4)]
    flat = [np.concatenate([np.ravel(g) for g in gradients]) for gradients in (by_hand, nudged)]
    return *flat, max(relative_error(a, b) for a, b in zip(by_hand, nudged))


def plot_gradient_check():
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    left.axline((0, 0), slope=1, color=plots.GREY, linewidth=1)
    for dtype, colour in [(np.float32, plots.RED), (np.float64, plots.BLUE)]:
        by_hand, nudged, worst = gradient_check(dtype)
        left.plot(by_hand, nudged, ".", color=colour, markersize=4, label=f"cost in {dtype.__name__}")
        seen = by_hand != 0  # a pixel without ink has no say: both are exactly 0
        entries = np.abs(by_hand - nudged) / np.maximum(1e-8, np.abs(by_hand) + np.abs(nudged))
        print(f"cost in {dtype.__name__}: relative error {worst:.1g}, the worst of {by_hand.size} derivatives; "
              f"the median is {np.median(entries[seen]):.1g} over the {seen.sum()} that are not 0")
        right.loglog(np.abs(by_hand[seen]), np.maximum(entries[seen], 1e-14), ".", color=colour, markersize=4, alpha=0.7,
                     label=f"cost in {dtype.__name__}")
    left.set(title="Every derivative, computed twice", xlabel="by backpropagation", ylabel="by central differences")
    left.legend(loc="upper left")
    right.set(title="How well the two agree", xlabel="size of the derivative", ylabel="relative error of the entry",
              ylim=(4e-15, 10))
    right.legend(loc=(0.03, 0.5))
    plt.show()


plot_gradient_check()

# %% [markdown]
# With the cost in float64 the two gradients agree to $2 \cdot 10^{-8}$ in the worst of 610 derivatives, and to $2 \cdot
# 10^{-10}$ in an ordinary one. Nothing but a right gradient does that: the two computations share no line of code. In
# float32 the same right gradient seems to be as wrong as can be, 1, and even an ordinary derivative is off by 0.07. The cost
# is a little above 1 and known to seven digits, so its slope comes in stairs of $1.2 \cdot 10^{-7} / (2 \cdot 10^{-5}) =
# 0.006$, the steps on the left, and a small derivative comes out as 0: that is the row at 1 on the right, and the dips
# beside it are derivatives that happen to lie on a stair. So: train in float32, check in float64.
#
# And the price? Nudging took 1,220 runs of the network, two for each parameter. Backpropagation took one run forwards and
# one backwards, which costs about as much as two forwards: three in all.

# %% [markdown]
# ### What a weight is told
#
# Line 3 has a face. For a single example, $a_0^{\mathsf T} \delta_1$ is the image itself, once for every hidden unit,
# multiplied by that unit's blame.

# %% tags=["demo"]
def plot_blame():
    weights, biases = random_network([64, 8, 10], seed=1)
    weights, biases = [tf.constant(w, tf.float32) for w in weights], [tf.constant(b, tf.float32) for b in biases]
    x, y = (tf.constant(value, tf.float32) for value in some_digits(16))
    one, all_of_them = backprop(x[:1], y[:1], weights, biases), backprop(x, y, weights, biases)
    figure, axes = plt.subplots(2, 9, figsize=(11, 3.4))
    rows = [("one digit", np.asarray(x[0]), one), ("mean of 16", np.mean(x, axis=0), all_of_them)]
    for row, (name, image, (dws, dbs)) in zip(axes, rows):
        down, blame = -np.asarray(dws[0]), np.asarray(dbs[0])  # (64, 8): downhill, and (8,)
        row[0].imshow(image.reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
        row[0].set_title(name, fontsize=10.5, loc="center", weight="normal")
        limit = np.abs(down).max()
        for unit in range(8):
            row[unit + 1].imshow(down[:, unit].reshape(8, 8), cmap="RdBu", vmin=-limit, vmax=limit)
            row[unit + 1].set_title(f"{blame[unit]:+.4f}".replace("-", "−"), fontsize=10.5, loc="center", weight="normal")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    figure.suptitle("The step for the weights of each hidden unit (blue: up, red: down), and the unit's blame ∂C/∂b", fontsize=11)
    plt.show()


plot_blame()

# %% [markdown]
# In the upper row every unit is told the same thing, the zero it has just seen, only more or less loudly, and with the sign
# of its blame: whoever has pushed the cost up ($+$) shall see less of it, whoever could have pushed it down ($-$), more. A
# pixel without ink changes no weight. In the lower row sixteen such pictures are averaged, each with its own blame, and the
# units begin to be told different things. Nothing more happens in a network that learns; it happens many times.
#
# > **Going further.** David Rumelhart, Geoffrey Hinton and Ronald Williams made the method famous (*Learning
# > representations by back-propagating errors*, Nature, 1986); Seppo Linnainmaa had published it in 1970, as a way to follow
# > rounding errors. Michael Nielsen derives the four lines in
# > [chapter 2](http://neuralnetworksanddeeplearning.com/chap2.html), with examples in columns: his $W$ is our
# > $W^{\mathsf T}$.

# %% [markdown]
# ## 6. Where the gradient goes
#
# Now the network becomes deep, and its hidden units may be of another kind. Line 2 is applied once per layer: each time
# the blame is multiplied by a weight and by a slope. How large is what arrives?
#
# Measure it for every layer by the length of its gradient, the *Frobenius norm*: all entries of $\partial C/\partial W_l$
# squared, summed, and the square root taken,
#
# $$\Big\lVert \frac{\partial C}{\partial W_l} \Big\rVert = \sqrt{\sum_{i,j} \Big(\frac{\partial C}{\partial W_{l,ij}}\Big)^2}.$$
#
# | name | shape | |
# | --- | --- | --- |
# | `x`, `y`, `weights`, `biases` | as before | |
# | `activation` | text | of the hidden layers: `"sigmoid"`, `"tanh"` or `"relu"` |
# | returned | list, or array `(layers,)` | one norm per layer, the first layer first; biases do not count |
#
# The cost is the one above. The *last* layer is a sigmoid whatever `activation` says, so that all networks answer the same
# question.
#
# Everything is allowed here, `tf.GradientTape` and `tf.nn.relu` included, and the tape is the short way. A constant tensor
# has to be watched: `tape.watch(weights)` takes the whole list, and `tape.gradient(cost, weights)` returns one. Your own
# `relu` will do too if it is made of TensorFlow operations; gradients do not flow through NumPy. (No case has a $z$ of
# exactly 0 in a hidden layer, where the slope of ReLU is a matter of taste.)

# %% question="layer_gradient_norms"
def layer_gradient_norms(x, y, weights, biases, activation):
    """How long the gradient of each layer's weights is.

    >>> layer_gradient_norms([[3.0, 4.0]], [[0.0]], [[[ln 3 / 3], [0.0]]], [[0.0]], "tanh")   # one layer, the last: sigmoid
    [0.7031]                                                                  # 5 · 9/64: the gradient is (3, 4) · 9/64

    Args:
        x: float32 tensor (B, n).
        y: float32 tensor (B, k), the targets.
        weights: list of float32 tensors (inputs, outputs), one per layer, the first layer first.
        biases: list of float32 tensors (outputs,), one per layer.
        activation: "sigmoid", "tanh" or "relu", of every layer but the last, which is always a sigmoid.
    Returns:
        list of one number per layer, the first layer first: the Frobenius norm of the derivative of
        1/(2B) · Σ (y - a)² with respect to the layer's weights.
    """
    ### BEGIN SOLUTION
    hidden = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for w, b in zip(weights[:-1], biases[:-1]):
            a = hidden(a @ w + b)
        a = tf.sigmoid(a @ weights[-1] + biases[-1])
        cost = tf.reduce_sum((y - a) ** 2) / (2 * len(x))
    return [float(tf.norm(gradient)) for gradient in tape.gradient(cost, weights)]
    ### END SOLUTION

# %% [markdown]
# ### Seven layers
#
# Take 7 layers, 64 inputs, 30 units in each hidden layer and 10 outputs, and 256 digits. The weights are the same random
# ones in every network, of the usual size ($1/\sqrt{n}$ for $n$ inputs), and nothing has been trained yet. Only the
# activation differs.
#
# The fourth network is a trick. Since $\tanh z = 2\sigma(2z) - 1$, every tanh network can be rewritten, exactly, as a
# *sigmoid* network: double the weights and biases of the hidden layers for the $2z$, double once more all weights that read
# a hidden layer, and let the biases absorb the $-1$. It squashes with the sigmoid, its slopes are at most ¼, and it computes
# what the tanh network computes.

# %% tags=["demo"]
def float32(network):
    return tuple([tf.constant(value, tf.float32) for value in part] for part in network)


def tanh_in_disguise(weights, biases):
    """Weights and biases of the sigmoid network that computes what this tanh network does."""
    last = len(weights) - 1
    scale = [(1 if i == last else 2) * (1 if i == 0 else 2) for i in range(last + 1)]
    shift = [np.zeros(weights[0].shape[1])] + [w.sum(axis=0) for w in weights[1:]]
    return ([k * w for k, w in zip(scale, weights)],
            [(1 if i == last else 2) * (b - s) for i, (b, s) in enumerate(zip(biases, shift))])


def centred(weights, biases, factor):
    """Weights times `factor`, with biases that keep z near 0 when the activations below are near ½."""
    weights = [factor * w for w in weights]
    return weights, [b if i == 0 else b - w.sum(axis=0) / 2 for i, (w, b) in enumerate(zip(weights, biases))]


def plot_vanishing():
    x, y = (tf.constant(value, tf.float32) for value in some_digits(256))
    sizes = [64] + 6 * [30] + [10]
    network = random_network(sizes, seed=0)
    layers = np.arange(1, 8)
    runs = [("ReLU", "relu", network, plots.GREEN, "-"), ("tanh", "tanh", network, plots.BLUE, "-"),
            ("tanh as a sigmoid network", "sigmoid", tanh_in_disguise(*network), plots.PURPLE, "--"),
            ("sigmoid", "sigmoid", network, plots.ORANGE, "-")]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=(1.2, 1))
    for name, activation, (weights, biases), colour, line in runs:
        norms = np.array(layer_gradient_norms(x, y, *float32((weights, biases)), activation))
        print(f"{name:26}", "  ".join(f"{norm:.2g}" for norm in norms))
        left.semilogy(layers, norms, line, color=colour, marker="o", markersize=5, label=name)
    left.set(title="Gradient of each layer, before training", xlabel="layer (7 is the output layer)",
             ylabel="length of the gradient ∂C/∂W", ylim=(3e-5, 30))
    left.legend(loc="upper left", ncols=2)

    factors = 2.0 ** np.arange(-1, 5.5, 0.5)
    for name, activation, prepare, colour in [
            ("tanh", "tanh", lambda k: ([k * w for w in network[0]], network[1]), plots.BLUE),
            ("sigmoid, centred", "sigmoid", lambda k: centred(*network, k), plots.PURPLE),
            ("sigmoid, no biases", "sigmoid", lambda k: ([k * w for w in network[0]], network[1]), plots.ORANGE)]:
        ratios = []
        for factor in factors:
            norms = layer_gradient_norms(x, y, *float32(prepare(factor)), activation)
            ratios.append(float(norms[0] / norms[-1]))
        right.loglog(factors, ratios, color=colour, marker="o", markersize=4, label=name)
        print(f"{name:20} first layer / last layer, weights times", ", ".join(
            f"{factor:g}: {ratio:.1g}" for factor, ratio in zip(factors, ratios) if factor in (0.5, 1, 4, 32)))
    right.axvline(4, color=plots.GREY, linewidth=1, linestyle=":")
    right.text(3.8, 1.5e3, "fourfold", color="#5b616b", fontsize=10.5, ha="right")
    right.set(title="First layer against last, as weights grow", xlabel="all weights multiplied by",
              ylabel="gradient, first layer / last layer")
    right.set_xticks([0.5, 1, 2, 4, 8, 16, 32], ["½", "1", "2", "4", "8", "16", "32"])
    right.minorticks_off()
    right.legend(loc="lower right")
    plt.show()


plot_vanishing()

# %% [markdown]
# In the sigmoid network every layer on the way back costs a factor of about 4: the gradient falls from 0.9 in the last layer
# to 0.00016 in the first, more than 5,000 times shorter. In the tanh network, with the same weights, it does not fall at all
# (0.32 in the last layer, 0.53 in the first), and in the ReLU network by little (0.096 and 0.038).
#
# It is tempting to say that the sigmoid squashes numbers, and that information is lost. But tanh squashes too. And the
# dashed line *is* a network of sigmoids, nothing else, and loses little: 0.85 and 0.26. What counts is line 2 of section 5.
# Per layer the blame is multiplied by a weight and a slope, $w\,\sigma'(z)$. Weights of size $1/\sqrt{n}$ alone would keep
# its length; then the slope decides. It is nearly 1 for tanh near 0, 1 or 0 for ReLU, and at most ¼ for a sigmoid. In the
# disguised network the weights between hidden layers are four times as large, and $4 \cdot \frac14 = 1$.
#
# On the right all weights are multiplied. Sigmoids whose biases keep $z$ near 0 go from 0.0003 to 0.4 when their weights
# grow fourfold. Large weights alone are a poor cure: without the biases $z$ drifts to where $\sigma'$ is far below ¼, and
# 0.03 is all that one gets. With tanh larger weights make the product larger than 1, and in the end the blue line is beyond
# 1,000: gradients *explode*, which is the same fact seen from the other side. (That it is level at its left end is line 3's
# doing. There weights are small, the blame fades on its way back, and what came in fades as much on its way forwards. The
# ReLU network, where the slope of about every second unit is 0, owes its level line to the same.)

# %% [markdown]
# ### Turn the weights yourself
#
# The same seven layers, for three activations, while one slider multiplies all weights. *What do you expect?* Which of the
# three lines moves first, and which way? Is there a setting at which all three are level?

# %% tags=["demo"]
from autograder import moving


def norms_of_seven_layers(activation, factor):
    x, y = (tf.constant(value, tf.float32) for value in some_digits(64))
    weights, biases = random_network([64] + 6 * [30] + [10], seed=0)
    return layer_gradient_norms(x, y, *float32(([factor * w for w in weights], biases)), activation)


moving.gradients(norms_of_seven_layers)

# %% [markdown]
# The sigmoid's line is steep, and larger weights make it flatter, as far as its units are not full. ReLU's line rises and
# sinks as a whole: first because larger weights multiply one another, then to nothing at all, when the sums at the output
# are so large that the last sigmoid has no slope left. Tanh's left end climbs while its right end sinks: on their way back
# gradients explode. No setting suits all three, and so weights are chosen for an activation.

# %% [markdown]
# ### And what it does to learning
#
# On the left, a sigmoid network of 4 layers learns from 512 digits with your `backprop`, and after every epoch your
# `layer_gradient_norms` measures how fast each of its layers is being changed. On the right the networks of 7 layers learn
# from 1,280 digits, with the same rate of 1 for all: five times each, from the weights of the picture above and from four
# other random starts. Lines are the middle one of the five, bands reach from the worst to the best.

# %% tags=["demo"]
def learn_by_hand(epochs=60, rate=8.0, batch=32):
    """A sigmoid network of 4 layers: its gradient norms and its share of right answers, at first and after every epoch."""
    x, y = (tf.constant(value, tf.float32) for value in some_digits(512))
    weights, biases = float32(random_network([64] + 3 * [30] + [10], seed=0))
    norms, right = [], []
    for _ in range(epochs + 1):
        norms.append([float(norm) for norm in layer_gradient_norms(x, y, weights, biases, "sigmoid")])
        a = x
        for w, b in zip(weights, biases):
            a = tf.sigmoid(a @ w + b)
        right.append(np.mean(np.argmax(a, axis=1) == np.argmax(y, axis=1)))
        for start in range(0, 512, batch):
            dws, dbs = backprop(x[start:start + batch], y[start:start + batch], weights, biases)
            weights = [w - rate * tf.cast(g, tf.float32) for w, g in zip(weights, dws)]
            biases = [b - rate * tf.cast(g, tf.float32) for b, g in zip(biases, dbs)]
    return np.array(norms), np.array(right)


def learn_by_tape(activation, network, epochs=40, rate=1.0, batch=32):
    """The share of digits that a network of 7 layers gets right, before training and after every epoch of it."""
    hidden = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}[activation]
    x, y = (tf.constant(value, tf.float32) for value in some_digits(1280))
    weights, biases = ([tf.Variable(value) for value in part] for part in float32(network))

    def output(a):
        for w, b in zip(weights[:-1], biases[:-1]):
            a = hidden(a @ w + b)
        return tf.sigmoid(a @ weights[-1] + biases[-1])

    @tf.function
    def epoch():
        for start in tf.range(0, 1280, batch):
            with tf.GradientTape() as tape:
                cost = tf.reduce_sum((y[start:start + batch] - output(x[start:start + batch])) ** 2) / (2 * batch)
            for variable, gradient in zip(weights + biases, tape.gradient(cost, weights + biases)):
                variable.assign_sub(rate * gradient)

    history = []
    for _ in range(epochs + 1):
        history.append(float(np.mean(np.argmax(output(x), axis=1) == np.argmax(y, axis=1))))
        epoch()
    return history


def plot_learning():
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    norms, share = learn_by_hand()
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, 4))
    for layer, shade in enumerate(shades):
        left.semilogy(norms[:, layer], color=shade, label=f"layer {layer + 1}")
    left.set(title="Sigmoid, 4 layers: how fast each layer moves", xlabel="epoch", ylabel="length of the gradient ∂C/∂W",
             ylim=(1e-4, 10))
    left.legend(loc="upper right", ncols=2)
    for epoch in (0, 10, 30, 40, 60):
        print(f"epoch {epoch:2}:", "  ".join(f"{norm:.2g}" for norm in norms[epoch]), f"  right: {share[epoch]:.3f}")

    starts = [random_network([64] + 6 * [30] + [10], seed) for seed in range(5)]
    for name, activation, prepare, colour, line in [
            ("tanh", "tanh", tuple, plots.BLUE, "-"), ("ReLU", "relu", tuple, plots.GREEN, "-"),
            ("tanh as a sigmoid network", "sigmoid", lambda start: tanh_in_disguise(*start), plots.PURPLE, "--"),
            ("sigmoid", "sigmoid", tuple, plots.ORANGE, "-")]:
        histories = np.array([learn_by_tape(activation, prepare(start)) for start in starts])  # (starts, epochs + 1)
        worst, middle, best = (np.quantile(histories, share, axis=0) for share in (0, 0.5, 1))
        print(f"{name:26} right after 5 epochs {worst[5]:.2f} {middle[5]:.2f} {best[5]:.2f}, after 40 epochs "
              f"{worst[-1]:.2f} {middle[-1]:.2f} {best[-1]:.2f} (worst, middle and best of five)")
        right.plot(middle, line, color=colour, label=name)
        right.fill_between(range(len(worst)), worst, best, color=colour, alpha=0.15, linewidth=0)
    right.set(title="7 layers: digits learnt", xlabel="epoch", ylabel="share of right answers", ylim=(0, 1.03))
    right.legend(loc="center right")
    plt.show()


plot_learning()

# %% [markdown]
# On the left, look at the first line of the printout: the first layer begins with a gradient some eighty times shorter than
# the last layer's. The last layer moves first, finds the best answer that ignores the image (a tenth for every digit), and
# then all layers crawl: after 10 epochs the network gets as many digits right as guessing does. Only tens of epochs later
# has enough got through to tell digits apart, and by the last line it reads most of them. In a network of 4 layers
# vanishing is not death. It is a long wait.
#
# On the right, with 7 layers, the wait is longer than we had patience for: from none of the five starts has the plain
# sigmoid network learnt anything in 40 epochs. Tanh learns nearly every digit, from every start. ReLU does so from most, but
# look at the lower edge of its band: a step of rate 1 is long for it, one bad step can leave units silent for every digit
# there is, and where a ReLU is silent its gradient is 0. A single run from a single start would have told you either story.
# The dashed line has sigmoids only, too, takes steps of the same rate, and learns nearly as much as tanh. A squashing unit
# can pass a gradient on. It needs weights to match its slope.
#
# > **Going further.** Sepp Hochreiter described vanishing and exploding gradients in his diploma thesis (1991); Yoshua
# > Bengio, Patrice Simard and Paolo Frasconi proved how hard they are to escape in recurrent networks (*Learning long-term
# > dependencies with gradient descent is difficult*, 1994). Michael Nielsen's [chapter
# > 5](http://neuralnetworksanddeeplearning.com/chap5.html) asks when $|w\,\sigma'(z)| \ge 1$ is possible, as a problem. The
# > modern cure is to choose weights by the slope of their activation: Xavier Glorot and Yoshua Bengio for tanh (2010),
# > Kaiming He and others for ReLU (*Delving Deep into Rectifiers*, 2015).

# %% [markdown]
# ## What to take along
#
# - Layers without a bend between them are one layer; an activation is what makes depth worth something.
# - Blame flows back: $\delta_l = (\delta_{l+1} W_{l+1}^{\mathsf T}) \odot \sigma'(z_l)$, and a weight is told what came in,
#   times the blame. All gradients together cost about as much as three runs forwards.
# - Check a gradient by nudging, in float64; train in float32. The relative error names the mistake.
# - Per layer the blame is multiplied by a weight and a slope. Below 1 it vanishes, above 1 it explodes.
#
# **To think about.**
#
# 1. Somebody starts with all weights and biases at 0. What does every unit of a hidden layer get told, and what can the
#    network never learn?
# 2. In which layers would a unit whose output is always 0 change the gradients, and how?
#
# A sigmoid in the *last* layer slows learning down, too. The next lesson takes it away from the cost.
