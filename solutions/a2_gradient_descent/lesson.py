# %% [markdown]
# # Gradient descent
#
# A network has thousands of knobs, its weights and biases. Turning one of them a little and looking whether things improve
# works, and is hopeless: by the time every knob has had its turn, the network could have been trained. Gradient descent
# asks for all the answers at once, "which way, and how strongly?", and gets them for about the price of two or three
# looks. Everything called *learning* in this course is that question, asked over and over.
#
# By the end you will be able to
#
# - measure with one number how wrong predictions are, and know why books disagree about it by factors of 2 and $n$;
# - take gradients with `tf.GradientTape`, and explain how the tape finds them by walking backwards;
# - see from a curve of losses that a learning rate is too low or too high;
# - cut data into mini-batches, and train a Keras model with a loop of your own.
#
# You need about two and a half hours. There are six questions, worth 100 points together.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The check
# tries small examples that you can redo with pen and paper; hidden cases of other sizes hold most of the points. Examples in
# docstrings write arrays as lists; the checks pass tensors. What counts is what your answers return, and what they do to
# variables. Cells with pictures follow each question; they use what you wrote, so answer first. You may call earlier answers
# in later ones: a mistake that the check can name is not counted twice.
#
# Three rules hold throughout. A cost is a *mean*, without a factor of ½. A step changes variables *in place*. And the
# optimizers of `keras.optimizers` and `tf.optimizers` may not be used in any question here: you are about to write one.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from autograder import check, data, plots

plots.style()

# %% [markdown]
# ## 1. How wrong? The mean squared error
#
# Before anything can improve, one number has to say how bad it is. Take every prediction $p$, subtract it from its target
# $t$, square the difference so that signs cannot cancel and large errors weigh more, and average:
#
# $$C = \frac{1}{Bk} \sum_{i=1}^{B} \sum_{j=1}^{k} (t_{ij} - p_{ij})^2.$$
#
# | name | shape | |
# | --- | --- | --- |
# | `targets` $t$ | `(B, k)` | what should have come out: $B$ rows, $k$ numbers each |
# | `predictions` $p$ | `(B, k)` | what did |
# | returned | scalar | the mean over all $Bk$ entries |
#
# The same idea has other sizes elsewhere, and a learning rate that suits one does not suit another:
#
# | where | cost | compared with ours |
# | --- | --- | --- |
# | here, and in Keras | mean over rows and columns | |
# | "sum of squares" | no division | $Bk$ times as large |
# | Nielsen's book, and assignment 3 | $\frac{1}{2B} \sum_i \lVert t_i - p_i \rVert^2$ | $k/2$ times as large |
#
# Not to be used: `keras.losses` and `keras.metrics` (nor their twins `tf.losses` and `tf.metrics`), `sklearn.metrics`. NumPy
# is fine for the points of this question. With TensorFlow operations instead, the tape of question 2 can see through your
# answer, and you can use it in question 5; the pictures there need that too.

# %% question="mean_squared_error"
def mean_squared_error(targets, predictions):
    """The mean over all entries of the squared differences.

    >>> mean_squared_error([[1, 2, 3], [4, 5, 6]], [[1, 2, 1], [4, 8, 7]])  # differences 0, 0, 2 and 0, -3, -1
    2.3333                                                                  # (4 + 9 + 1) / 6

    Args:
        targets: float32 tensor (B, k).
        predictions: float32 tensor of the same shape. Both may hold large numbers that are close to one another: subtract
            them before anything is squared.
    Returns:
        float32 scalar.
    """
    ### BEGIN SOLUTION
    return tf.reduce_mean((targets - predictions) ** 2)
    ### END SOLUTION

# %% tags=["demo"]
def plot_squares():
    x = np.array([0.5, 1.5, 2.5, 3.5, 4.5])
    t = np.array([1.2, 1.6, 3.1, 2.9, 4.3])
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.4), sharey=True)
    for axis, (w, b), colour in zip(axes, [(0.25, 1.0), (0.75, 0.75)], [plots.ORANGE, plots.BLUE]):
        p = w * x + b
        cost = float(mean_squared_error(tf.constant(t[:, None], tf.float32), tf.constant(p[:, None], tf.float32)))
        print(f"p = {w} x + {b}: squares {np.round((t - p) ** 2, 2)}, mean {cost:.3f}")
        axis.plot([-0.2, 5.6], [-0.2 * w + b, 5.6 * w + b], color=colour)
        for xi, ti, pi in zip(x, t, p):
            side = ti - pi  # the square hangs on the difference, to its left when it points up and to its right when down
            axis.add_patch(plt.Rectangle((xi, pi), -side, side, facecolor=colour, alpha=0.25, edgecolor=colour))
            axis.plot([xi, xi], [pi, ti], color=colour, linewidth=1.5)
        axis.plot(x, t, "o", color="#30343b", markersize=6)
        axis.set(title=f"p = {w} x + {b}: mean square {cost:.3f}", xlabel="x", aspect="equal", xlim=(-0.2, 5.6), ylim=(0, 5.2))
    axes[0].set_ylabel("target t (dots), prediction p (line)")
    plt.show()


plot_squares()

# %% [markdown]
# The cost is the mean area of the squares, 1.603 for the orange line and 0.113 for the blue one. Look at the far right: the
# orange line misses that point by 2.175, and the square of this one miss, 4.73, is more than half of all five together. Twice
# as far off costs four times as much, so the worst miss has the loudest voice.
#
# > **Going further.** Adrien-Marie Legendre published least squares in 1805, Carl Friedrich Gauss in 1809, with the claim
# > that he had used them since 1795 and with the better reason: if errors are normally distributed, the parameters with the
# > smallest sum of squares are the most likely ones. Other errors, other costs: for yes-or-no answers the same argument
# > leads to cross-entropy, in assignment 4.

# %% [markdown]
# ## 2. One step downhill
#
# Let $\theta$ be all the numbers that can be changed, weights and biases together. The gradient $\nabla C(\theta)$ says for
# each of them how much $C$ grows when it grows; together they point in the direction of steepest ascent. So go the other
# way, a little:
#
# $$\theta \leftarrow \theta - \eta\, \nabla C(\theta).$$
#
# The learning rate $\eta$ says how little. TensorFlow finds the gradient for you. A *tape* records the operations that run
# inside its `with` block and use a `tf.Variable`; afterwards it can differentiate what came out by what went in:
#
# ```python
# w = tf.Variable(3.0)
# with tf.GradientTape() as tape:
#     loss = w * w                      # recorded
# (slope,) = tape.gradient(loss, [w])   # 6.0, the value of 2w; once only: then the tape is used up
# w.assign_sub(0.5)                     # in place: w itself is now 2.5
# ```
#
# Three things to take care of:
#
# - *All gradients first, then all steps.* Every gradient belongs to the same point $\theta$. Who moves one variable and then
#   differentiates for the next mixes two points.
# - *In place.* The network holds these very `tf.Variable`s. `w = w - 0.5` makes a new tensor with an old name, and leaves
#   the network as it was; `w.assign(…)`, `w.assign_sub(…)` change it.
# - *The loss before the step* is what you return. It is the one that the tape has seen, so it costs nothing.
#
# (All gradients here are ordinary tensors. Where a loss looks up rows of a variable, as an embedding does, the tape returns
# `tf.IndexedSlices`, which `tf.convert_to_tensor` unpacks.)
#
# | name | | |
# | --- | --- | --- |
# | `variables` | list of `tf.Variable` | of any shapes; the loss depends on each of them |
# | `loss_fn` | function | `loss_fn()` computes the loss, a scalar tensor, from the variables as they are now |
# | `learning_rate` | number | $\eta$ |
# | returned | scalar | the loss before the step |
#
# Not to be used: optimizers (`keras.optimizers`, `tf.optimizers`, `tf.compat.v1.train`), and `fit`, `train_on_batch` and
# `compile` of a model.

# %% question="gradient_step"
def gradient_step(variables, loss_fn, learning_rate):
    """One step of gradient descent: changes the variables in place, and returns the loss from before the step.

    >>> w, b = tf.Variable(1.0), tf.Variable(1.0)
    >>> gradient_step([w, b], lambda: (2 * w + b - 1) ** 2, learning_rate=0.1)  # the gradients are 8 and 4
    4.0
    >>> w, b  # the same variables as before, with new values
    0.2, 0.6

    Args:
        variables: list of tf.Variable (float32, of any shapes), on each of which the loss depends.
        loss_fn: function without arguments; returns the loss, a float32 scalar, at the variables' present values.
        learning_rate: Python float.
    Returns:
        float32 scalar, the loss before the step.
    """
    ### BEGIN SOLUTION
    with tf.GradientTape() as tape:
        loss = loss_fn()
    for variable, gradient in zip(variables, tape.gradient(loss, variables)):
        variable.assign_sub(learning_rate * gradient)
    return loss
    ### END SOLUTION

# %% [markdown]
# ### How the tape does it: backpropagation
#
# The tape does not shift knobs, and it does not manipulate formulas. It remembers the *computation graph*: which number was
# made from which, and by what operation. Each operation knows its own small derivative. Starting from $\partial C/\partial C
# = 1$, the tape walks the graph backwards and multiplies what arrives by the small derivative it meets. That is the chain
# rule, and in the world of networks it is called *backpropagation*.
#
# Here is the example of the docstring, $C = (wx + b - y)^2$ with $w = b = 1$, $x = 2$, $y = 1$, as the tape sees it.

# %% tags=["demo"]
def plot_backpropagation():
    w, x, b, y = (tf.constant(value) for value in (1.0, 2.0, 1.0, 1.0))
    with tf.GradientTape() as tape:
        tape.watch([w, x, b, y])
        u = w * x
        v = u + b
        d = v - y
        cost = d ** 2
    values = dict(w=w, x=x, b=b, y=y, u=u, v=v, d=d, C=cost)
    names = ["d", "v", "y", "u", "b", "w", "x"]
    slopes = dict(C=1.0) | dict(zip(names, tape.gradient(cost, [values[name] for name in names])))
    text = {name: f"{float(slope):g}".replace("-", "−") for name, slope in slopes.items()}
    print("forwards:  " + ", ".join(f"{name} = {float(values[name]):g}" for name in "uvdC"))
    print("backwards: " + ", ".join(f"∂C/∂{name} = {slope}" for name, slope in text.items()))

    places = dict(w=(0, 1.75), x=(0, 0.25), u=(2.4, 1), v=(4.8, 1), d=(7.2, 1), C=(9.6, 1), b=(4.8, -0.75), y=(7.2, -0.75))
    formulas = dict(u="u = w x", v="v = u + b", d="d = v − y", C="C = d²")
    # From, to, the small derivative; where the arrows start and end, relative to the middle of their boxes.
    edges = [("w", "u", "× x", (0.6, 0), (-0.6, 0.2)), ("x", "u", "× w", (0.6, 0), (-0.6, -0.2)),
             ("u", "v", "× 1", (0.6, 0), (-0.6, 0)), ("v", "d", "× 1", (0.6, 0), (-0.6, 0)),
             ("d", "C", "× 2d", (0.6, 0), (-0.6, 0)), ("b", "v", "× 1", (0, 0.4), (0, -0.4)),
             ("y", "d", "× (−1)", (0, 0.4), (0, -0.4))]
    figure, axis = plt.subplots(figsize=(11, 4.3))
    for name, (left, height) in places.items():
        axis.add_patch(plt.Rectangle((left - 0.6, height - 0.4), 1.2, 0.8, facecolor="white", linewidth=1.5,
                                     edgecolor="#30343b" if name in formulas else plots.GREY))
        axis.text(left, height + 0.18, formulas.get(name, name), ha="center", va="center", color="#30343b")
        for side, number, colour in ((-0.5, f"{float(values[name]):g}", plots.BLUE), (0.5, text[name], plots.ORANGE)):
            axis.text(left + side, height - 0.18, number, va="center", ha="left" if side < 0 else "right", color=colour,
                      weight="bold", fontsize=12)
    for start, end, small, leave, enter in edges:
        tail, head = np.add(places[start], leave), np.add(places[end], enter)
        upright = leave[0] == 0
        aside = np.array([-0.1, 0]) if upright else np.array([0, 0.1])
        for a, z, colour in ((tail + aside, head + aside, plots.BLUE), (head - aside, tail - aside, plots.ORANGE)):
            axis.annotate("", z, a, arrowprops=dict(arrowstyle="-|>", color=colour, linewidth=1.5, shrinkA=0, shrinkB=0))
        beside = (0.22, 0) if upright else (0, -0.3)
        axis.text(*((tail + head) / 2 + beside), small, color=plots.ORANGE, va="center", ha="left" if upright else "center")
    axis.text(-0.6, 2.55, "forwards: the value of each box", color=plots.BLUE, weight="bold")
    axis.text(3.1, 2.55, "backwards: ∂C/∂ of each box, times a small derivative on every orange arrow", color=plots.ORANGE,
              weight="bold")
    axis.set(xlim=(-0.7, 10.3), ylim=(-1.2, 2.8), aspect="equal")
    axis.axis("off")
    plt.show()


plot_backpropagation()

# %% [markdown]
# Read the orange numbers from right to left. At $C$ stands 1. The square has the small derivative $2d = 4$, so 4 arrives at
# $d$. Sums hand on what they get, 4 for each of $v$, $u$ and $b$; a difference turns the sign for the one that is taken away,
# −4 for $y$. A product gives to each factor what it got, times the *other* factor: $4x = 8$ for $w$, $4w = 4$ for $x$. The
# gradients 8 and 4 of $w$ and $b$ are those of the docstring. The inputs $x$ and $y$ have gradients just as well, but nobody
# takes a step there: data are given.
#
# The walk back visits every operation once, as the walk forward did, and finds the gradients of all variables on its way,
# two here or a million. Turning knobs one by one, you would walk forward a million times. The price is memory: $2d$ needs
# $d$, and $4x$ needs $x$, so the tape keeps what it has seen until the gradient has been taken. That is also why the forward
# pass has to happen while the tape is running.
#
# > **Going further.** The trick was found several times: by Seppo Linnainmaa (in his master's thesis of 1970) for rounding
# > errors, and for networks most famously by David Rumelhart, Geoffrey Hinton and Ronald Williams, *Learning
# > representations by back-propagating errors*, Nature 323 (1986). Its general name is *reverse-mode automatic
# > differentiation*; Atılım Güneş Baydin and others survey it in [JMLR 18 (2018)](https://jmlr.org/papers/v18/17-468.html). In
# > assignment 3 you walk back through a network by hand.

# %% [markdown]
# ## 3. Many steps
#
# One step is not a journey. From a start $x_0$, repeat
#
# $$x_{s+1} = x_s - \eta\, \nabla f(x_s)$$
#
# and keep every point, so that the way can be looked at.
#
# | name | shape | |
# | --- | --- | --- |
# | `f` | function | takes one point, a tensor or variable `(n,)`, and returns a scalar tensor that depends on it |
# | `x0` | `(n,)` | a constant tensor, where to start |
# | `learning_rate` | number | $\eta$ |
# | `steps` | whole number | 0 is allowed |
# | returned | `(steps + 1, n)`, or a list of `(n,)` | row 0 is $x_0$, row $s$ is the point after $s$ steps |
#
# A tape notices variables by itself, but no constants. Either make a `tf.Variable` from `x0`, or tell the tape:
# `tape.watch(x)`. If you work with a variable, record copies of its value (`x.numpy()`, `tf.identity(x)`). A list that holds
# the variable itself many times shows its last value many times.
#
# Not to be used: optimizers, as before, and `scipy.optimize`.

# %% question="minimize"
def minimize(f, x0, learning_rate, steps):
    """The points that gradient descent on f visits.

    >>> minimize(lambda x: (x[0] - 4) ** 2, tf.constant([0.0]), learning_rate=0.25, steps=2)  # the gradients are -8 and -4
    [[0.0], [2.0], [3.0]]

    Args:
        f: function of one point (n,), a float32 tensor or variable; returns a float32 scalar.
        x0: float32 tensor (n,), a constant.
        learning_rate: Python float.
        steps: Python int, 0 or more.
    Returns:
        float32 (steps + 1, n): x0, then the point after each step.
    """
    ### BEGIN SOLUTION
    x = tf.Variable(x0)
    trajectory = [tf.identity(x)]
    for _ in range(steps):
        gradient_step([x], lambda: f(x), learning_rate)
        trajectory.append(tf.identity(x))
    return tf.stack(trajectory)
    ### END SOLUTION

# %% [markdown]
# ### What you should see
#
# First the simplest of all descents: $f(x) = (x - 4)^2$ from $x = 0$, with the patient learning rate 0.01 and 500 steps.

# %% tags=["demo"]
def plot_descent_to_4():
    def f(x):
        return (x[0] - 4) ** 2

    x = np.asarray(minimize(f, tf.constant([0.0]), 0.01, 500))[:, 0]
    for step in (0, 35, 100, 500):
        print(f"after {step:3} steps  x = {x[step]:.4f}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.7))
    line = np.linspace(-0.5, 8.5, 200)
    left.plot(line, (line - 4) ** 2, color=plots.GREY, linewidth=1.5)
    shown = x[:241:20]
    left.plot(shown, (shown - 4) ** 2, "o", color=plots.GREEN, markersize=5, label="η = 0.01, every 20th point")
    left.set(title="Rolling down a parabola", xlabel="x", ylabel="$f(x) = (x - 4)^2$")
    for rate, colour in [(0.01, plots.GREEN), (0.1, plots.BLUE), (0.95, plots.ORANGE), (1.01, plots.RED)]:
        path = np.asarray(minimize(f, tf.constant([0.0]), rate, 60))[:, 0]
        if rate == 0.95:
            left.plot(path[:5], (path[:5] - 4) ** 2, "o-", color=colour, markersize=4, linewidth=1, label="η = 0.95, 4 steps")
        right.semilogy(np.abs(path - 4) + 1e-12, color=colour, label=f"η = {rate}")
    right.set(title="The distance to 4, by learning rate", xlabel="step", ylabel="$|x - 4|$", ylim=(1e-6, 100))
    left.legend(loc="upper center")
    right.legend(loc="lower left", ncols=2)
    plt.show()


plot_descent_to_4()

# %% [markdown]
# The gradient is $2(x - 4)$, so every step multiplies the distance to 4 by the same factor, $1 - 2\eta$. For $\eta = 0.01$
# that is 0.98: half of the way is done after 35 steps, 3.4695 is reached after 100 and 3.9998 after 500. A constant factor is
# a straight line on the logarithmic scale at the right. With $\eta = 0.1$ the factor is 0.8. With $\eta = 0.95$ it is −0.9:
# each step jumps over the 4 to the other side, and arrives all the same. With $\eta = 1.01$ it is −1.02, and each step lands
# further away than the one before. Between slow and never lies a whole range of good rates, with an edge at its upper end.
#
# In more than one dimension there is a catch: one rate has to serve all directions. Take the valley
# $f(x, y) = (x^2 + 25\,y^2)/2$, which is steep across and almost level along. (On a grey curve $f$ is the same everywhere.)

# %% tags=["demo"]
def plot_valley():
    def f(p):
        return (p[0] ** 2 + 25 * p[1] ** 2) / 2

    a, b = np.meshgrid(np.linspace(-1.2, 10.6, 200), np.linspace(-2.9, 2.9, 120))
    figure, axes = plt.subplots(3, 1, figsize=(9, 6.8), sharex=True)
    for axis, (rate, colour, mood) in zip(axes, [(0.01, plots.GREEN, "patient"), (0.075, plots.BLUE, "zigzag"),
                                                 (0.081, plots.RED, "out of the valley")]):
        path = np.asarray(minimize(f, tf.constant([10.0, 1.2]), rate, 30))
        values = (path[:, 0] ** 2 + 25 * path[:, 1] ** 2) / 2
        print(f"η = {rate}: f is {values[0]:.1f} at the start, {values[10]:.2f} after 10 steps, {values[30]:.2f} after 30")
        axis.contour(a, b, (a ** 2 + 25 * b ** 2) / 2, levels=[0.5, 2, 5, 10, 20, 35, 55, 80], colors="#c3c8cf", linewidths=0.9)
        axis.plot(*path.T, "-o", color=colour, markersize=4, linewidth=1.2, clip_on=True)
        axis.plot(0, 0, "*", color="#30343b", markersize=11)
        axis.set(title=f"η = {rate}: {mood}", ylabel="y", xlim=(-1.2, 10.6), ylim=(-2.9, 2.9))
        axis.grid(False)
    axes[-1].set_xlabel("x")
    plt.show()


plot_valley()

# %% [markdown]
# Now there are two factors, $1 - \eta$ along the valley and $1 - 25\eta$ across. With $\eta = 0.01$ the walker is soon at
# the bottom and then creeps towards the star, where $f$ is 0: after 30 steps $f$ is still 27.36. With $\eta = 0.075$ the
# factor across is −0.875, hence the zigzag, and $f$ falls to 0.47. With $\eta = 0.081$ it is −1.025: $f$ is 38.73 after 10
# steps and 79.51 after 30, even though $x$ makes its best progress of all. The steepest direction sets the limit, $\eta <
# 2/25$; the flattest decides how long it takes.
#
# ### Turn the rate yourself
#
# The same valley, from slow to too fast. *What do you expect?* At which rate does the zigzag begin? Which rate is lowest after
# 30 steps, and is it the largest that still arrives?

# %% tags=["demo"]
from autograder import moving

moving.valley(minimize)

# %% [markdown]
# The zigzag begins at $\eta = 1/25$, where the factor across is 0 and the first step lands in the middle of the valley;
# from there on it is negative. The best rate lies a little below the edge $2/25$: larger rates make progress along the
# valley and lose it across. In the long run the slower of the two factors decides, and they are equally slow at $\eta =
# 2/26$, where $1 - \eta = 25\eta - 1$.
#
# > **Going further.** Augustin-Louis Cauchy proposed the method in 1847, in three pages, to compute the orbits of planets
# > (*Méthode générale pour la résolution des systèmes d'équations simultanées*). Gabriel Goh's
# > [*Why Momentum Really Works*](https://distill.pub/2017/momentum/) (Distill, 2017) lets you turn the learning rate of such
# > a valley by hand, and shows what memory of earlier steps does to the zigzag.

# %% [markdown]
# ## 4. Mini-batches
#
# The cost is a mean over all examples, and so is its gradient. With a million examples, every single step would have to
# look at all of them. But a mean can be estimated from a sample. So cut the data into *mini-batches*, and take a step after
# each of them. Once through all batches is an *epoch*.
#
# A sample has to be fair, and an epoch complete:
#
# - *shuffled* before cutting: data often come sorted, and a batch with one class only is a poor sample;
# - *paired*: each row of `x` keeps its own row of `y`;
# - *complete*: every row is in exactly one batch. When `batch_size` does not divide the number of rows, the last batch is
#   smaller: 5 rows in twos make batches of 2, 2 and 1. No batch is empty;
# - *repeatable*: the same `seed` gives the same batches, another `seed` gives others. How global seeds (`np.random.seed`,
#   `tf.random.set_seed`) stood before must make no difference.
#
# Which shuffle you use is up to you. `np.random.default_rng(seed)` is a generator of its own, and
# `tf.random.experimental.stateless_shuffle(…, seed=[seed, 0])` depends on its seed alone. `tf.random.shuffle(…, seed=…)` and
# the `shuffle` of `tf.data`, on the other hand, mix their seed with the global one.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(n, …)` | one row per example, at least one; a row may be a vector, an image, … |
# | `y` | `(n, …)` | the target of each row: a label, a vector, … |
# | `batch_size` | whole number | rows in a batch, 1 or more; it may be larger than $n$ |
# | `seed` | whole number | 0 or more |
# | returned | list of pairs | `(x, y)` of each batch: `(batch_size, …)` each, the last one possibly smaller |

# %% question="minibatches"
def minibatches(x, y, batch_size, seed):
    """Cut a data set into shuffled batches.

    >>> minibatches(tf.constant([[0.0], [1.0], [2.0]]), tf.constant([0, 1, 2]), batch_size=2, seed=7)
    [([[2.0], [0.0]], [2, 0]), ([[1.0]], [1])]  # for example: any fair shuffle is right

    Args:
        x: float32 tensor (n, ...), one row per example.
        y: float32 or int32 tensor (n, ...), row i belongs to row i of x.
        batch_size: Python int, 1 or more.
        seed: Python int, 0 or more; it alone decides the order.
    Returns:
        list of pairs (x, y), tensors or arrays, every row in exactly one of them; all have batch_size rows but the last,
        which holds the rest. Question 6 goes through the list many times.
    """
    ### BEGIN SOLUTION
    order = np.random.default_rng(seed).permutation(len(x))
    cuts = [order[start:start + batch_size] for start in range(0, len(x), batch_size)]
    return [(tf.gather(x, rows), tf.gather(y, rows)) for rows in cuts]
    ### END SOLUTION

# %% [markdown]
# ### How good is a sample?
#
# Take 1,000 points around a line and ask, at $w = b = 0$, for the gradient of the mean squared error: once from all points,
# then from every batch of your `minibatches`.

# %% tags=["demo"]
def plot_noise():
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 2, size=1000).astype(np.float32)
    y = (1.5 * x - 0.5 + rng.normal(0, 0.6, size=1000)).astype(np.float32)
    each = np.stack([-2 * y * x, -2 * y], axis=1)  # (1000, 2): the gradient of every point's own square at w = b = 0
    full = each.mean(axis=0)
    spread, clouds, sizes = {}, {}, [1, 4, 16, 64, 256]
    for size in sizes:
        batches = [batch for seed in range(8) for batch in minibatches(tf.constant(x), tf.constant(each), size, seed)]
        clouds[size] = np.array([np.mean(np.asarray(part), axis=0) for _, part in batches if len(part) == size])
        spread[size] = np.sqrt(np.mean(np.sum((clouds[size] - full) ** 2, axis=1)))
        print(f"batches of {size:3}: mean gradient {clouds[size].mean(axis=0).round(2)}, typical error {spread[size]:.2f}")
    print(f"all 1000 points: gradient {full.round(2)}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4))
    for size, colour in [(4, plots.GREY), (16, plots.GREEN), (64, plots.BLUE)]:
        left.plot(*clouds[size][:100].T, "o", color=colour, markersize=4, alpha=0.6, label=f"batches of {size}")
    left.plot(*full, "*", color=plots.ORANGE, markersize=15, markeredgecolor="white", label="all 1,000 points", zorder=5)
    left.set(title="Estimates of one gradient", xlabel="∂C/∂w", ylabel="∂C/∂b")
    left.legend(loc="upper left")
    curve = np.geomspace(1, 900, 100)
    one = np.sqrt(np.sum(each.var(axis=0, ddof=1)))
    right.loglog(curve, one * np.sqrt(1 / curve - 1 / 1000), color=plots.GREY, label="proportional to $\\sqrt{1/b - 1/n}$")
    right.loglog(sizes, list(spread.values()), "o", color=plots.BLUE, label="measured")
    right.set(title="Four times the work for half the error", xlabel="rows in a batch, b", ylabel="typical error")
    right.legend(loc="lower left")
    plt.show()


plot_noise()

# %% [markdown]
# On average no batch size is wrong: the mean of the estimates agrees with the gradient of all points, (−2.98, −2.00), to
# within a few hundredths. What differs is the typical error of a single one: 3.96 for one row, about 2 for 4 rows, 1 for 16,
# 0.5 for 64 (the digits depend on how you shuffle). Four times as many rows halve it, no more. For the price of one exact
# step you can take 62 steps along batches of 16, whose direction is roughly right; that is usually the better bargain. (The
# curve falls faster towards the right end because no row comes twice: a batch of all 1,000 has no error at all.)
#
# > **Going further.** Herbert Robbins and Sutton Monro proved in 1951 (*A stochastic approximation method*) that noisy steps
# > arrive all the same, if the rates shrink neither too fast nor too slowly. Léon Bottou, Frank Curtis and Jorge Nocedal tell
# > the whole story up to deep learning in [SIAM Review 60 (2018)](https://arxiv.org/abs/1606.04838).

# %% [markdown]
# ## 5. Fit a line
#
# Now put together what you have: a model with two parameters, $p = wx + b$, the cost of question 1, the step of question 2.
# Start from $w = b = 0$. One epoch is one step on the cost of *all* points at once (*full batch*), both parameters moving
# together.
#
# $$C(w, b) = \frac{1}{B} \sum_{i=1}^{B} (y_i - w x_i - b)^2.$$
#
# | name | shape | |
# | --- | --- | --- |
# | `x`, `y` | `(B,)` | the points |
# | `learning_rate` | number | $\eta$ |
# | `epochs` | whole number | steps to take; 0 is allowed |
# | returned | two scalars | `(w, b)` after the last step |
#
# The tape can find the gradients; so can you, with a pencil. Your `mean_squared_error` was asked to take columns: `y[:,
# None]` has the shape `(B, 1)`. Predictions and targets must have *the same* shape, or their difference silently becomes a
# table of all pairs.
#
# Not to be used: optimizers, `fit`, `train_on_batch` and `compile` of a model, and whatever solves for the line at once:
# `np.polyfit`, `np.polynomial`, `lstsq` of any library, `scipy.stats.linregress`, `scipy.optimize`, `sklearn.linear_model`.

# %% question="fit_line"
def fit_line(x, y, learning_rate, epochs):
    """Weight and bias of a line, after some epochs of full-batch gradient descent on the mean squared error.

    >>> fit_line([1.0, 2.0], [3.0, 5.0], learning_rate=0.1, epochs=2)  # gradients -13 and -8, then -4.1 and -2.5
    (1.71, 1.05)

    Args:
        x, y: float32 tensors (B,).
        learning_rate: Python float.
        epochs: Python int, 0 or more.
    Returns:
        w, b: two floats (or scalar tensors), from w = b = 0.
    """
    ### BEGIN SOLUTION
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        gradient_step([w, b], lambda: mean_squared_error(y[:, None], (w * x + b)[:, None]), learning_rate)
    return float(w), float(b)
    ### END SOLUTION

# %% tags=["demo"]
def plot_fit():
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(1, 5, size=30)).astype(np.float32)
    y = (0.8 * x + 0.5 + rng.normal(0, 0.35, size=30)).astype(np.float32)
    best = np.polyfit(x.astype(np.float64), y, 1)  # least squares at once, to compare with
    figure, axes = plt.subplots(1, 3, figsize=(13, 4))
    figure.get_layout_engine().set(wspace=0.06)
    axes[0].plot(x, y, "o", color="#30343b", markersize=4)
    for epochs, colour in [(0, plots.GREY), (1, plots.GREEN), (10, plots.ORANGE), (500, plots.BLUE)]:
        w, b = (float(value) for value in fit_line(tf.constant(x), tf.constant(y), 0.05, epochs))
        cost = np.mean((y - w * x - b) ** 2)
        print(f"epochs: {epochs:3}    w = {w:.3f}, b = {b:.3f}, cost {cost:.4f}")
        axes[0].plot([0.8, 5.2], [0.8 * w + b, 5.2 * w + b], color=colour, label=f"{epochs} epoch{'s' * (epochs != 1)}")
    print(f"least squares  w = {best[0]:.3f}, b = {best[1]:.3f}, cost {np.mean((y - np.polyval(best, x)) ** 2):.4f}")
    axes[0].set(title="The line finds its points", xlabel="x", ylabel="y")
    axes[0].legend(loc="upper left")

    for axis, inputs, rate, title in [(axes[1], x, 0.05, "Its way, over the cost (η = 0.05)"),
                                      (axes[2], x - x.mean(), 0.3, "With centred x (η = 0.3)")]:
        goal = np.polyfit(inputs.astype(np.float64), y, 1)

        def cost(p, inputs=inputs):
            return mean_squared_error(y[:, None], (p[0] * inputs + p[1])[:, None])

        path = np.asarray(minimize(cost, tf.constant([0.0, 0.0]), rate, 500))
        costs = np.mean((y - path[:, :1] * inputs - path[:, 1:]) ** 2, axis=1)
        near = int(np.argmax(costs < 1.01 * np.mean((y - np.polyval(goal, inputs)) ** 2)))
        print(f"{title}: within 1 % of the lowest cost after {near} steps")
        ws, bs = np.meshgrid(np.linspace(-0.2, 1.6, 100), np.linspace(goal[1] - 3.2, goal[1] + 1.1, 100))
        surface = np.mean((y - ws[..., None] * inputs - bs[..., None]) ** 2, axis=-1)
        axis.contour(ws, bs, surface, levels=costs.min() * np.geomspace(1.2, 200, 9), colors="#c3c8cf", linewidths=0.9)
        axis.plot(*path[:near + 1].T, "-o", color=plots.BLUE, markersize=2.5, linewidth=0.8)
        axis.plot(*goal, "*", color=plots.ORANGE, markersize=14, markeredgecolor="white", zorder=5, label="least squares")
        axis.set(title=title, xlabel="weight w", ylabel="bias b", xlim=(-0.2, 1.6))
        axis.grid(False)
    axes[1].legend(loc="lower left")
    plt.show()


plot_fit()

# %% [markdown]
# After 10 epochs the line looks finished. It is not: the cost is 0.1068 and can be 0.0977, and the bias is at 0.285 on its
# way to 0.560. The picture in the middle shows the valley of question 3 again. All $x$ are positive, so raising the weight
# and raising the bias do nearly the same to the line; along the valley one pays for the other and the cost hardly changes.
# It takes 110 steps to come within 1 % of the lowest cost. Subtract from $x$ its mean, and the valley becomes a bowl, in
# which a higher rate is safe: 5 steps.
#
# > **Going further.** Yann LeCun, Léon Bottou, Genevieve Orr and Klaus-Robert Müller, *Efficient BackProp* (in *Neural
# > Networks: Tricks of the Trade*, 1998), sections 4.3 and 5, explain the valley by the eigenvalues of the inputs'
# > covariance, and why centring and scaling the inputs rounds it.

# %% [markdown]
# ## 6. Train a network
#
# A network of many layers is trained by the same loop. A Keras model keeps its variables in `model.trainable_variables`;
# they understand `assign`, `assign_sub` and `tape.gradient` just as a `tf.Variable` does. For every epoch, and in it for
# every batch in the order given:
#
# 1. predict with `model(x, training=True)`. Some layers (dropout, batch normalisation) do one thing while a network learns
#    and another when it is used; this tells them;
# 2. take the loss, `loss_fn(targets, predictions)`, in this order, and nothing else (`model.losses` does not count);
# 3. take one plain gradient step. The next batch meets the changed weights.
#
# The loss of an epoch is the plain mean of the losses of its batches, each taken before its own step; a small last batch
# counts as much as a full one.
#
# | name | | |
# | --- | --- | --- |
# | `model` | a Keras model | already built, its weights set |
# | `batches` | list of pairs | `(x, y)`, as from `minibatches`; the same list in every epoch |
# | `loss_fn` | function | `loss_fn(y, predictions)` gives a scalar tensor |
# | `learning_rate` | number | $\eta$ |
# | `epochs` | whole number | 1 or more |
# | returned | list of `epochs` numbers | the mean loss of each epoch; the model's weights have changed |
#
# Not to be used: optimizers, and `fit`, `train_on_batch` and `compile` of the model.

# %% question="train"
def train(model, batches, loss_fn, learning_rate, epochs):
    """Train a Keras model by plain mini-batch gradient descent, in place.

    >>> # model(x) is w x + b with w = 1 and b = 0, the loss is the mean squared error:
    >>> train(model, [([[1.0]], [[3.0]]), ([[2.0]], [[1.0]])], mean_squared_error, learning_rate=0.1, epochs=1)
    [4.42]       # the mean of 4 at w = 1, b = 0, and of 4.84 at w = 1.4, b = 0.4; now w = 0.52, b = -0.04

    Args:
        model: keras.Model, built, with its weights set; its `trainable_variables` are changed in place.
        batches: list of pairs (x, y) of tensors, gone through in their order in every epoch.
        loss_fn: function of (targets, predictions); returns a float32 scalar.
        learning_rate: Python float.
        epochs: Python int, 1 or more.
    Returns:
        list of floats, one per epoch: the mean of its batches' losses, each from before its step.
    """
    ### BEGIN SOLUTION
    def step(x, y):
        return gradient_step(model.trainable_variables, lambda: loss_fn(y, model(x, training=True)), learning_rate)

    return [float(np.mean([float(step(x, y)) for x, y in batches])) for _ in range(epochs)]
    ### END SOLUTION

# %% [markdown]
# ### Three learning rates, two networks, one lesson
#
# 1,280 handwritten digits of 8 × 8 pixels in batches of 32, a hidden layer of 30 units, 10 outputs, and cross-entropy as the
# cost (assignment 4 explains it; a network that guesses pays $\ln 10 \approx 2.30$). Three learning rates, each ten times
# the one before. The networks differ in their hidden units alone: ReLU, or sigmoid.

# %% tags=["demo"]
def plot_learning_rates():
    images, labels = data.digits()
    pixels, order = images.reshape(-1, 64), np.random.default_rng(0).permutation(len(images))
    learn, test = order[:1280], order[1280:]
    batches = minibatches(tf.constant(pixels[learn]), tf.constant(labels[learn]), 32, seed=1)

    def cost(targets, logits):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))

    figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.9), sharey=True)
    for axis, activation in zip(axes, ["relu", "sigmoid"]):
        for rate, colour in [(0.025, plots.GREEN), (0.25, plots.BLUE), (2.5, plots.RED)]:
            start = keras.initializers.GlorotUniform  # the same weights for every rate
            model = keras.Sequential([
                keras.Input((64,)), keras.layers.Dense(30, activation=activation, kernel_initializer=start(seed=1)),
                keras.layers.Dense(10, kernel_initializer=start(seed=2))])
            losses = train(model, batches, cost, rate, epochs=10)
            right = np.mean(np.argmax(model(pixels[test]), axis=1) == labels[test])
            silent = np.sum(np.max(model.layers[0](pixels), axis=0) <= 0)
            print(f"{activation:7} η = {rate:<5}  loss {losses[0]:.2f} in the first epoch, {losses[-1]:.2f} in the last; "
                  f"{right:.0%} of unseen digits right; {silent} of 30 hidden units silent")
            axis.plot(range(1, 11), losses, "-o", markersize=4, color=colour, label=f"η = {rate}")
        axis.axhline(np.log(10), color=plots.GREY, linewidth=1, linestyle=":")
        axis.set(title=f"Hidden units: {'ReLU' if activation == 'relu' else 'sigmoid'}", xlabel="epoch", ylim=(0, 2.6))
    axes[0].text(10, np.log(10) - 0.06, "guessing: ln 10", color="#5b616b", fontsize=10.5, ha="right", va="top")
    axes[0].set_ylabel("mean loss of the epoch")
    for axis in axes:
        axis.legend(loc="center right", bbox_to_anchor=(1, 0.66))
    plt.show()


plot_learning_rates()

# %% [markdown]
# With ReLU the rates tell the classical story (another shuffle changes the last digits). 0.025 is too low: after ten epochs
# the loss is still 0.88. 0.25 suits: 0.12, and about 97 % of unseen digits right. 2.5 is too high, and worse than slow. The
# first steps threw the weights so far that nearly all of the 30 units output 0 for every digit there is, where two or three
# do at the other rates; where a ReLU is silent its gradient is 0, so no later step brings it back. What remains can only
# guess.
#
# With sigmoids the winner is another: 0.25 is slow now (0.49), and 2.5 is the best of the three (0.08, about 96 %). The slope
# of a sigmoid is at most ¼, so its gradients are small, and long steps suit them. A learning rate is not good or bad in
# itself. It belongs to a network, its cost and its data, and it is the first thing to look at when the loss does not fall.
#
# > **Going further.** Michael Nielsen compares the rates 0.025, 0.25 and 2.5 on MNIST in
# > [chapter 3](http://neuralnetworksanddeeplearning.com/chap3.html) of his book, and gives a recipe for finding a good one:
# > the largest for which the loss falls from the first epochs on, then a little less. Keras's guide to
# > [writing a training loop from scratch](https://keras.io/guides/writing_a_custom_training_loop_in_tensorflow/) takes the
# > loop you wrote a few steps further.

# %% [markdown]
# ### Numbers that training does not find
#
# Weights and biases are found by training. The learning rate is not: somebody chose it, as well as the size of a batch, the
# number of epochs, the number of layers and of their units. Such a number is called a *hyperparameter*. It is chosen by
# trying, and by looking at examples that were not trained with (assignment 5 says how to do that fairly).
#
# | hyperparameter | where people start | tried next |
# | --- | --- | --- |
# | learning rate, plain descent | 0.1 | 1 and 0.01, then in threes |
# | learning rate, Adam (assignment 5) | 0.001, Keras's default | 0.01 and 0.0001 |
# | rows in a batch | 32 | doubled and halved |
# | epochs | until the loss on other data no longer falls | |
#
# Try factors, not differences: from 0.1 to 0.2 is a long way, from 1.1 to 1.2 is none. Change one number at a time. And
# when the loss does not fall at all, look at the learning rate first.
#
# ## What to take along
#
# - A cost is one number that says how wrong all predictions are; the mean squared error is a mean of squares.
# - The gradient says for every parameter at once how the cost changes, and the tape finds it by walking backwards.
# - Learning is $\theta \leftarrow \theta - \eta\,\nabla C$, over and over. Too small an $\eta$ creeps, too large a one
#   flies out.
# - A mini-batch estimates the gradient of all data. Many rough steps are usually a better bargain than few exact ones.
#
# **To think about.**
#
# 1. All inputs $x$ are measured in centimetres instead of metres, so that they are a hundred times as large. What happens
#    to the valley of `fit_line`, and to the largest learning rate that still arrives?
# 2. A friend shuffles once, before the first epoch, and never again. When would that do harm? And what if the batch held
#    all rows?
#
# Here the tape took the gradients. The next lesson takes them by hand, and then you know what the tape does.
