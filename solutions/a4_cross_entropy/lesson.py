# %% [markdown]
# # Cross-entropy
#
# A good teacher spends most of the hour on the worst mistake. The quadratic cost does the opposite: the more confidently a
# sigmoid neuron is wrong, the more slowly it learns. Cross-entropy repairs this, and it comes with a partner, softmax, that
# turns any list of scores into probabilities.
#
# By the end you will be able to
#
# - explain the *learning slowdown*, and show it on a single neuron;
# - turn scores into probabilities, and measure how wrong they are, without a single `inf` or `nan`;
# - write down the gradient of softmax with cross-entropy, which is shorter than either of the two;
# - say why networks learn from a cost and not from their accuracy.
#
# You need about two and a half hours. There are six questions, worth 100 points together.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The check
# tries small examples that you can redo with pen and paper; hidden cases of other sizes hold most of the points. Examples in
# docstrings write arrays as lists; the checks pass tensors. Write your
# answers any way you like, with TensorFlow or with NumPy: what counts is what they return. Cells with pictures follow each
# question; they use what you wrote, so answer first.
#
# Three words stay the same throughout. *Logits* are scores before any squashing, in an array `(batch, classes)`. *Labels*
# are whole numbers, one per row. A cost is the *mean* over the batch, never the sum.

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
# ## 1. A neuron that will not admit its mistake
#
# Take the smallest network there is: one sigmoid neuron with one weight, one bias, and one example to learn. The input is
# $x = 1$ and the output should be $y = 0$:
#
# $$z = wx + b, \qquad a = \sigma(z) = \frac{1}{1 + e^{-z}}.$$
#
# Two costs tell it how wrong it is, and the chain rule turns each into a gradient:
#
# | cost | $C$ | $\partial C/\partial w$ | $\partial C/\partial b$ |
# | --- | --- | --- | --- |
# | `"quadratic"` | $(a - y)^2 / 2$ | $(a - y)\,\sigma'(z)\,x$ | $(a - y)\,\sigma'(z)$ |
# | `"cross_entropy"` | $-y \ln a - (1 - y) \ln(1 - a)$ | $(a - y)\,x$ | $a - y$ |
#
# Here $\sigma'(z) = a(1 - a)$. The rows differ in that one factor only. When the neuron is sure of itself, $a$ is close to
# 0 or to 1 and $\sigma'$ is close to nothing; cross-entropy is the cost for which it cancels.
#
# One epoch is one step of gradient descent with learning rate $\eta$, both parameters moving at once:
# $w \leftarrow w - \eta\,\partial C/\partial w$ and $b \leftarrow b - \eta\,\partial C/\partial b$.
#
# | name | shape | |
# | --- | --- | --- |
# | `w`, `b`, `learning_rate` | numbers | where the neuron starts, and $\eta$ |
# | `epochs` | whole number | steps to take; 0 is allowed |
# | returned | `(epochs + 1,)` | $a$ before the first step and after each step |
#
# Use the formulas: `tf.GradientTape` and optimizers may not be used in this question.

# %% question="train_neuron"
def train_neuron(w, b, learning_rate, epochs, cost):
    """Teach one sigmoid neuron with input x = 1 to output 0, and record what it outputs.

    >>> train_neuron(0.0, 0.0, learning_rate=1.0, epochs=1, cost="cross_entropy")  # both gradients are 0.5
    [0.5, 0.2689]                                                                  # then w = b = -0.5

    Args:
        w, b: Python floats, the weight and bias to start from.
        learning_rate: Python float.
        epochs: Python int, the number of gradient steps; 0 or more.
        cost: "quadratic", which is (a - y)**2 / 2, or "cross_entropy".
    Returns:
        float32 (epochs + 1,): the output before the first step, then after every step.
    """
    ### BEGIN SOLUTION
    outputs = []
    for _ in range(epochs + 1):
        a = float(tf.sigmoid(w + b))  # x = 1
        outputs.append(a)
        slope = a  # dC/dz = a - y with y = 0
        if cost == "quadratic":
            slope *= a * (1 - a)
        w, b = w - learning_rate * slope, b - learning_rate * slope
    return tf.constant(outputs, tf.float32)
    ### END SOLUTION

# %% [markdown]
# ### What you should see
#
# Two neurons take the same lesson. One starts at $w = 0.6$, $b = 0.9$ and outputs 0.82: wrong, with some doubt. The other
# starts at $w = b = 2$ and outputs 0.98: wrong, and certain. Both train for 300 epochs at a learning rate of 0.15.

# %% tags=["demo"]
def plot_learning_slowdown():
    colours = {"quadratic": plots.ORANGE, "cross_entropy": plots.BLUE}
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.5))
    for axis, (w, b), place in zip(axes, [(0.6, 0.9), (2.0, 2.0)], ["upper right", (0.16, 0.16)]):
        for cost, colour in colours.items():
            outputs = np.asarray(train_neuron(w, b, 0.15, 300, cost))
            half = int(np.argmax(outputs < 0.5))  # the first epoch below 0.5
            print(f"w = {w}, b = {b}, {cost:13}  starts at {outputs[0]:.4f}, ends at {outputs[-1]:.4f}, "
                  f"below 0.5 at epoch {half}")
            axis.plot(outputs, color=colour, label=f"{cost.replace('_', '-')}: {half}")
            axis.plot(half, outputs[half], "o", color=colour, markersize=6)
        axis.set(title=f"Start w = {w}, b = {b}", xlabel="epoch", ylabel="output a (target 0)", ylim=(0, 1.02))
        axis.legend(loc=place, title="first epoch below 0.5", title_fontsize=10.5, alignment="left")

    z = np.linspace(-6, 6, 200)
    a = 1 / (1 + np.exp(-z))
    axes[2].plot(z, a * a * (1 - a), color=plots.ORANGE, label="$a\\,\\sigma'(z)$")
    axes[2].plot(z, a, color=plots.BLUE, label="$a$")
    for start in (1.5, 4.0):
        axes[2].axvline(start, color=plots.GREY, linewidth=1, linestyle=":")
        axes[2].text(start, 1.08, f"start {start:g}", color="#5b616b", ha="center", fontsize=10.5, backgroundcolor="white")
    axes[2].set(title="The push each cost gives", xlabel="z = w + b", ylabel="gradient ∂C/∂b", ylim=(0, 1.16))
    axes[2].legend(loc="upper left")
    plt.show()


plot_learning_slowdown()

# %% [markdown]
# With the quadratic cost the certain neuron sits on a plateau: it needs 232 epochs to get below 0.5, the doubtful one only
# 36. After 300 epochs they reach 0.2028 and 0.0940. With cross-entropy the two are hardly to be told apart: 17 and 8
# epochs, and 0.0120 and 0.0116 at the end. The picture on the right says why. At $z = 4$ the quadratic cost pushes with
# $a^2(1 - a) \approx 0.017$, cross-entropy with $a \approx 0.98$: 57 times as hard.
#
# > **Going further.** The experiment is Michael Nielsen's; his *Neural Networks and Deep Learning*,
# > [chapter 3](http://neuralnetworksanddeeplearning.com/chap3.html), lets you watch it move. He asks the question the other
# > way round, too: which cost would make $\sigma'$ vanish from the gradient? Only one can, up to a constant. Try to derive
# > it before you look.

# %% [markdown]
# ## 2. One probability: binary cross-entropy
#
# A neuron that answers yes or no outputs $p = \sigma(z)$, its probability of "yes". The target $t$ is 1, 0, or anything
# between when the truth itself is uncertain ("three of four doctors say yes" is $t = 0.75$). The cost is the surprise at
# the truth:
#
# $$C = -\frac{1}{B} \sum_{i=1}^{B} \Big[\, t_i \ln \sigma(z_i) + (1 - t_i) \ln\big(1 - \sigma(z_i)\big) \Big].$$
#
# On paper that is all. In a computer, $\sigma(1000)$ is exactly 1, and $\ln(1 - 1)$ is minus infinity. The way out is to
# simplify *before* computing. Both logarithms are one function, the softplus $\ln(1 + e^{z})$:
#
# $$-\ln \sigma(z) = \ln(1 + e^{-z}), \qquad
# -\ln\big(1 - \sigma(z)\big) = \ln(1 + e^{z}) = \max(z, 0) + \ln\big(1 + e^{-|z|}\big).$$
#
# In the last form the exponent is never positive, so nothing can overflow.
#
# | name | shape | |
# | --- | --- | --- |
# | `targets` | `(B,)` | probabilities, 0 to 1 |
# | `logits` | `(B,)` | any size, ±1000 included |
# | returned | scalar | mean over the batch |
#
# Not to be used: `tf.nn.*cross_entropy*`, `keras.losses`, `keras.metrics`, `keras.ops.binary_crossentropy`. Fine: `tf.exp`,
# `tf.math.log1p`, `tf.nn.softplus`.

# %% question="binary_cross_entropy"
def binary_cross_entropy(targets, logits):
    """The mean cost of independent yes-or-no answers, finite for logits of any size.

    >>> binary_cross_entropy([1.0, 0.0, 0.5], [ln 3, 0.0, -ln 3])  # probabilities 3/4, 1/2, 1/4
    0.606                                                          # (ln 4/3 + ln 2 + (ln 4 + ln 4/3) / 2) / 3

    Args:
        targets: float32 tensor (B,), each in [0, 1].
        logits: float32 tensor (B,), scores before the sigmoid.
    Returns:
        float32 scalar, the mean over the batch.
    """
    ### BEGIN SOLUTION
    targets, logits = tf.cast(targets, tf.float32), tf.cast(logits, tf.float32)
    softplus = tf.maximum(logits, 0.0) + tf.math.log1p(tf.exp(-tf.abs(logits)))  # ln(1 + e^z)
    return tf.reduce_mean(softplus - targets * logits)
    ### END SOLUTION

# %% tags=["demo"]
def plot_binary_cost():
    z = np.linspace(-6, 6, 121, dtype=np.float32)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for target, colour in [(1.0, plots.BLUE), (0.5, plots.GREY), (0.0, plots.ORANGE)]:
        cost = [float(binary_cross_entropy(tf.constant([target]), tf.constant([logit]))) for logit in z]
        left.plot(z, cost, color=colour, label=f"target {target:g}")
    left.set(title="The cost of one answer", xlabel="logit z", ylabel="binary cross-entropy")
    left.legend(loc="upper center")

    z = np.linspace(12, 20, 321, dtype=np.float32)
    stable = [float(binary_cross_entropy(tf.constant([0.0]), tf.constant([logit]))) for logit in z]
    with np.errstate(divide="ignore"):  # the infinities are the point
        naive = -np.log(1 - 1 / (1 + np.exp(-z)))
    right.plot(z, stable, color=plots.BLUE, label="simplified first")
    right.plot(z, naive, color=plots.RED, linewidth=1.5, label="$-\\ln(1 - \\sigma(z))$ as written")
    edge = z[np.isfinite(naive)].max()
    right.axvspan(edge, z[-1], color=plots.RED, alpha=0.08, linewidth=0)
    right.text((edge + z[-1]) / 2, 12.7, "infinite", color=plots.RED, ha="center")
    right.set(title="The same cost in float32, target 0", xlabel="logit z", ylabel="binary cross-entropy", xlim=(z[0], z[-1]))
    right.legend(loc="upper left")
    plt.show()


plot_binary_cost()

# %% [markdown]
# On the left, a wrong answer costs about as much as its logit: the lines become straight, and a straight line never stops
# pushing. A target of 0.5 is cheapest at $z = 0$, where the neuron says "I do not know", and even there it costs
# $\ln 2 \approx 0.69$.
#
# On the right, the formula as written climbs a staircase from $z \approx 14$ on, because float32 keeps about seven digits
# and $1 - \sigma(z)$ has used them up. Beyond $z \approx 16.6$ nothing is left.
#
# > **Going further.** Goodfellow, Bengio and Courville, *Deep Learning*,
# > [section 6.2.2](https://www.deeplearningbook.org/contents/mlp.html), argue from maximum likelihood that the output unit
# > and the cost should be chosen together, as one function of the logits. That is why libraries offer a switch like
# > `from_logits=True`.

# %% [markdown]
# ## 3. Many probabilities: softmax
#
# Ten digits need ten probabilities that sum to 1. Softmax makes every score positive with $\exp$, then shares out the
# total:
#
# $$p_{ij} = \frac{e^{z_{ij}}}{\sum_{k=1}^{C} e^{z_{ik}}}.$$
#
# | name | shape | |
# | --- | --- | --- |
# | `logits` $z$ | `(B, C)` | one row per example |
# | returned $p$ | `(B, C)` | every row sums to 1 |
#
# Only differences between the scores of a row count: adding the same number to all of them multiplies numerator and
# denominator by the same factor. You are therefore free to choose that number, and one choice keeps every exponent at or
# below 0. The rows of a batch may lie far apart (one around 900, the next around −900), and each deserves its own.
#
# Not to be used: `tf.nn.softmax`, `tf.nn.log_softmax`, their twins in `keras.activations`, `keras.ops`, `keras.layers` and
# `scipy.special`.

# %% question="softmax"
def softmax(logits):
    """Turn each row of scores into probabilities.

    >>> softmax([[0, ln 2, ln 5], [ln 3, 0, 0]])
    [[1/8, 2/8, 5/8], [3/5, 1/5, 1/5]]

    Args:
        logits: float32 tensor (B, C), of any size: a row may lie around 900, another around -900.
    Returns:
        float32 tensor (B, C); every row sums to 1.
    """
    ### BEGIN SOLUTION
    logits = tf.cast(logits, tf.float32)
    weights = tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True))  # the largest of each row is 1
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    ### END SOLUTION

# %% tags=["demo"]
def plot_softmax():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.15, 1))
    z = np.linspace(-6, 6, 121, dtype=np.float32)
    logits = np.stack([np.full_like(z, 1), np.full_like(z, 0), z], axis=1)  # (121, 3)
    shares = np.asarray(softmax(tf.constant(logits)))
    colours = (plots.BLUE, plots.GREEN, plots.ORANGE)
    left.stackplot(z, shares.T, colors=colours, alpha=0.85)
    for text, x, y in [("$z_1 = 1$", -4.4, 0.36), ("$z_2 = 0$", -4.4, 0.86), ("$z_3$, moving", 3.6, 0.6)]:
        left.text(x, y, text, color="white", ha="center", va="center", weight="bold")
    left.set(title="One score rises, the others make room", xlabel="third logit $z_3$", ylabel="share of probability",
             xlim=(-6, 6), ylim=(0, 1))
    left.grid(False)

    scores = tf.constant([[2.0, 1.0, 0.5, -1.0]])
    for i, (temperature, colour) in enumerate([(0.25, plots.ORANGE), (1.0, plots.BLUE), (4.0, plots.GREY)]):
        bars = np.asarray(softmax(scores / temperature))[0]
        right.bar(np.arange(4) + 0.27 * (i - 1), bars, width=0.25, color=colour, label=f"T = {temperature:g}")
    right.set(title="The same scores, divided by a temperature T", xlabel="logit", ylabel="probability", ylim=(0, 1.05))
    right.set_xticks(range(4), [f"{score:g}" for score in scores.numpy()[0]])
    right.grid(axis="x", visible=False)
    right.legend(loc="upper right")
    plt.show()


plot_softmax()

# %% [markdown]
# Every column on the left has height 1: a score cannot rise without taking from the others, and it takes in proportion to
# what they have, so that $p_1 : p_2$ is $e : 1$ everywhere. On the right, a low temperature turns softmax into "the winner
# takes it all", a high one into "everybody gets the same".
#
# ### Turn the temperature yourself
#
# *What do you expect?* To which numbers do the four bars go when $T$ becomes large, and to which when it becomes small?
# Does their order ever change?

# %% tags=["demo"]
from autograder import moving

moving.temperature(softmax)

# %% [markdown]
# Dividing by a large $T$ makes all scores nearly 0, and four equal scores get a quarter each. Dividing by a small one
# drives them apart, until the highest has everything. Their order stays: $T$ changes how sure an answer is, never which one
# it is. The temperature comes back in the lesson on recurrence, where it decides how boldly a network writes.
#
# > **Going further.** The name is John Bridle's (*Training stochastic model recognition algorithms as networks can lead to
# > maximum mutual information estimation of parameters*, NIPS 1989): a smooth version of taking the maximum. Physicists had
# > known the formula for a century as the Boltzmann distribution, which is where the temperature comes from.

# %% [markdown]
# ## 4. Cross-entropy
#
# How surprised are you when the right class turns out to be one to which you gave probability $p$? Cross-entropy says
# $-\ln p$: not at all for $p = 1$, and without limit as $p$ approaches 0. Averaged over the batch, with $y_i$ the label of
# row $i$,
#
# $$\text{cost} = -\frac{1}{B} \sum_{i=1}^{B} \ln p_{i y_i}
# = \frac{1}{B} \sum_{i=1}^{B} \Big( \ln \sum_{k=1}^{C} e^{z_{ik}} - z_{i y_i} \Big).$$
#
# The two forms are equal on paper. The second never builds $p$, so it cannot take the logarithm of a probability that was
# rounded to 0. Its first term, the *log-sum-exp*, is a soft maximum of the row, and is safe to compute once the row's
# maximum is taken out.
#
# | name | shape | |
# | --- | --- | --- |
# | `labels` $y$ | `(B,)` | whole numbers, 0 to C − 1 |
# | `logits` $z$ | `(B, C)` | of any size; multiplied by 1000 the answer must still be finite |
# | returned | scalar | mean over the batch, natural logarithm |
#
# Not to be used: `tf.nn.*cross_entropy*`, the `log_softmax` of any library, `keras.losses`, `keras.metrics`,
# `keras.ops.*crossentropy`. Fine: `tf.exp`, `tf.reduce_logsumexp`, `tf.one_hot`, `tf.gather`.

# %% question="cross_entropy"
def cross_entropy(labels, logits):
    """The mean surprise at the right classes, finite for logits of any size.

    >>> cross_entropy([1, 0], [[0, ln 2, ln 5], [ln 3, 0, 0]])  # the right classes have 1/4 and 3/5
    0.949                                                       # (ln 4 + ln 5/3) / 2

    Args:
        labels: int32 tensor (B,), the right class of each row, 0 to C - 1.
        logits: float32 tensor (B, C), scores before softmax.
    Returns:
        float32 scalar, the mean over the batch.
    """
    ### BEGIN SOLUTION
    labels, logits = tf.cast(labels, tf.int32), tf.cast(logits, tf.float32)
    right = tf.gather(logits, labels, axis=1, batch_dims=1)  # (B,): each row's score of its right class
    return tf.reduce_mean(tf.reduce_logsumexp(logits, axis=1) - right)
    ### END SOLUTION

# %% tags=["demo"]
def plot_surprise():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    p = np.linspace(0.005, 1, 200)
    left.plot(p, -np.log(p), color=plots.BLUE, label="cross-entropy: $-\\ln p$")
    left.plot(p, (1 - p) ** 2 / 2, color=plots.ORANGE, label="quadratic: $(1 - p)^2 / 2$")
    left.set(title="What a right class of probability p costs", xlabel="probability p given to the right class", ylabel="cost",
             xlim=(0, 1.01), ylim=(0, 5.4))
    left.legend()

    lead = np.linspace(0, 40, 161, dtype=np.float32)  # how far the wrong class is ahead, two classes
    exact = [float(cross_entropy(tf.constant([0]), tf.constant([[0.0, ahead]]))) for ahead in lead]
    p = 1 / (1 + np.exp(lead.astype(np.float64)))
    capped = -np.log(p + 1e-7)
    right.plot(lead, exact, color=plots.BLUE, label="from the logits")
    right.plot(lead, capped, color=plots.RED, label="$-\\ln(p + 10^{-7})$")
    right.annotate(f"stuck at {capped[-1]:.1f}", (lead[-1], capped[-1]), (0, -16), textcoords="offset points",
                   color=plots.RED, ha="right")
    right.set(title="A small epsilon takes the slope away", xlabel="lead of the wrong logit", ylabel="cost",
              xlim=(0, 40), ylim=(0, 42))
    right.legend(loc="upper left")
    print(f"a capped cost ends at -ln(1e-7) = {-np.log(1e-7):.2f}; cross-entropy of a lead of 40 is {exact[-1]:.2f}")
    plt.show()


plot_surprise()

# %% [markdown]
# Adding a small $\varepsilon$ inside the logarithm is a popular cure for $\ln 0$, and a treacherous one: from
# $-\ln \varepsilon$ on the cost is flat. The examples that are most wrong no longer teach anything. It is the learning
# slowdown again, by the back door.
#
# > **Going further.** Claude Shannon introduced $-\ln p$ as the information in an event (*A Mathematical Theory of
# > Communication*, 1948). Measured with $\log_2$ instead of $\ln$, your cost is the mean number of bits needed to tell
# > someone the labels who believes the network's probabilities.

# %% [markdown]
# ## 5. The shortest gradient
#
# Softmax has an awkward derivative, and so has the logarithm. Put together, nearly everything cancels:
#
# $$\frac{\partial\,\text{cost}}{\partial z_{ij}} = \frac{1}{B} \big( p_{ij} - [\,j = y_i\,] \big),$$
#
# where $[\,j = y_i\,]$ is 1 for the right class and 0 for the others: a one-hot row. The gradient is simply "what you said
# minus what you should have said", shared among the $B$ rows because the cost is a mean. It is the $a - y$ of the single
# neuron, in many dimensions, and again there is no $\sigma'$ in sight.
#
# | name | shape | |
# | --- | --- | --- |
# | `labels` $y$ | `(B,)` | whole numbers, 0 to C − 1 |
# | `logits` $z$ | `(B, C)` | of any size |
# | returned | `(B, C)` | every row sums to 0 |
#
# Use the formula: no `tf.GradientTape`. Your own `softmax` is welcome here (a mistake that the check can name is not
# counted twice), and so is `tf.nn.softmax`.

# %% question="cross_entropy_gradient"
def cross_entropy_gradient(labels, logits):
    """The gradient of `cross_entropy(labels, logits)` with respect to the logits, by formula.

    >>> cross_entropy_gradient([1, 0], [[0, ln 2, ln 5], [ln 3, 0, 0]])  # a batch of 2
    [[1/16, -3/8, 5/16], [-1/5, 1/10, 1/10]]

    Args:
        labels: int32 tensor (B,), the right class of each row, 0 to C - 1.
        logits: float32 tensor (B, C), scores before softmax.
    Returns:
        float32 tensor (B, C); every row sums to 0.
    """
    ### BEGIN SOLUTION
    logits = tf.cast(logits, tf.float32)
    batch, classes = logits.shape
    return (softmax(logits) - tf.one_hot(labels, classes)) / batch
    ### END SOLUTION

# %% tags=["demo"]
def plot_gradient():
    names = ["cat", "dog", "fox", "owl", "yak"]
    labels = tf.constant([0, 2, 3, 4])
    logits = tf.constant([[5, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 3, 3, 0, 0], [6, 0, 0, 0, 0]], tf.float32)
    moods = ["sure and right", "no idea", "torn, and wrong", "sure and wrong"]
    push = -np.asarray(cross_entropy_gradient(labels, logits)) * len(moods)  # of each row's own cost

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), width_ratios=(1.3, 1))
    image = left.imshow(push, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    for row, column in np.ndindex(push.shape):
        dark = abs(push[row, column]) > 0.6
        left.text(column, row, f"{push[row, column]:+.2f}".replace("-0.00", "0").replace("-", "−"), ha="center", va="center",
                  color="white" if dark else "#30343b", fontsize=10.5)
    left.set_xticks(range(5), names)
    left.set_yticks(range(4), [f"{mood}\n(truth: {names[label]})" for mood, label in zip(moods, labels.numpy())])
    left.set(title="Which way each logit is pushed", xlabel="class")
    left.grid(False)
    figure.colorbar(image, ax=left, label="−∂C/∂z of the row")

    z, steps = tf.constant([[0.0, 3.0, 3.0, 0.0, 0.0]]), []
    for _ in range(61):  # gradient descent on the logits themselves, learning rate 0.2
        steps.append(np.asarray(softmax(z))[0])
        z -= 0.2 * np.asarray(cross_entropy_gradient(tf.constant([3]), z), np.float32)
    for column, name, colour in [(3, "owl", plots.BLUE), (1, "dog, and fox", plots.RED), (0, "cat, and yak", plots.GREY)]:
        right.plot(np.array(steps)[:, column], color=colour, label=name)
    right.set(title="Torn between dog and fox; it was an owl", xlabel="step", ylabel="probability", ylim=(0, 1))
    right.legend(loc="center right")
    plt.show()


plot_gradient()

# %% [markdown]
# Read the rows. Who is sure and right is left alone. Who has no idea is pushed by 0.8 towards the truth. Who is sure and
# wrong is pushed by nearly 1, the most there is, away from one class and towards the other: the worst mistake gets the most
# attention, as it should. Every row sums to zero, so what the right class gains, the others lose in proportion to their
# probability.
#
# > **Going further.** This pairing is no accident. For every distribution of the exponential family there is a *canonical*
# > output function for which the gradient is "prediction minus target": the identity for squared error, the sigmoid for yes
# > or no, softmax for classes. See Christopher Bishop, *Pattern Recognition and Machine Learning*, section 4.3.6.

# %% [markdown]
# ## 6. Accuracy
#
# In the end people want to know how often the network is right. It answers with its highest score, so
#
# $$\text{accuracy} = \frac{1}{B} \sum_{i=1}^{B} \big[\, \arg\max_j z_{ij} = y_i \,\big].$$
#
# | name | shape | |
# | --- | --- | --- |
# | `labels` $y$ | `(B,)` | whole numbers, 0 to C − 1 |
# | `logits` $z$ | `(B, C)` | no row has two equal highest scores |
# | returned | scalar | a share, 0 to 1 |
#
# Not to be used: `keras.metrics`, `sklearn.metrics`. No softmax is needed: it keeps the order of the scores.

# %% question="accuracy"
def accuracy(labels, logits):
    """The share of rows whose highest score belongs to the right class.

    >>> accuracy([0, 2, 0], [[1, 0.2, 0.5], [5, 4, 7], [1, 2, 0.5]])  # the answers are 0, 2 and 1
    0.6667

    Args:
        labels: int32 tensor (B,), the right class of each row, 0 to C - 1.
        logits: float32 tensor (B, C).
    Returns:
        float32 scalar, 0 to 1.
    """
    ### BEGIN SOLUTION
    answers = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(answers == tf.cast(labels, tf.int32), tf.float32))
    ### END SOLUTION

# %% [markdown]
# ### Why not learn from accuracy itself?
#
# Take forty examples of two classes and slide one bias, added to every score of the second class.

# %% tags=["demo"]
def plot_accuracy_and_cost():
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1], 20).astype(np.int32)
    scores = rng.normal(np.where(labels == 1, 1.2, -1.2), 1.3).astype(np.float32)
    biases = np.linspace(-6, 6, 241, dtype=np.float32)
    logits = [tf.constant(np.stack([np.zeros_like(scores), scores + bias], axis=1)) for bias in biases]  # (40, 2) each
    shares = [float(accuracy(tf.constant(labels), z)) for z in logits]
    costs = [float(cross_entropy(tf.constant(labels), z)) for z in logits]

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7, 4.4), sharex=True)
    top.step(biases, shares, where="mid", color=plots.GREEN)
    top.set(title="Accuracy: stairs, flat nearly everywhere", ylabel="accuracy", ylim=(0.45, 1.02))
    bottom.plot(biases, costs, color=plots.BLUE)
    best = int(np.argmin(costs))
    bottom.plot(biases[best], costs[best], "o", color=plots.BLUE)
    bottom.annotate("lowest cost", (biases[best], costs[best]), (0, 9), textcoords="offset points", color=plots.BLUE, ha="center")
    bottom.set(title="Cross-entropy: a slope at every point", xlabel="bias of the second class", ylabel="cross-entropy")
    plt.show()


plot_accuracy_and_cost()

# %% [markdown]
# Move the bias a little and, as a rule, no answer changes: the gradient of accuracy is zero wherever it exists.
# Cross-entropy feels every change, even in rows that are already right. So we descend the cost, and report the accuracy.

# %% [markdown]
# ## 7. Everything at once: handwritten digits
#
# Time to use what you wrote. A network of 64 inputs, 30 sigmoid units and 10 outputs learns 1,280 of the 8 × 8 digits and
# is tested on the other 517. The hidden layer is the same in each run; what changes is the error it gets back from the
# output layer:
#
# | outputs | cost | error at the output, per row |
# | --- | --- | --- |
# | 10 sigmoids | quadratic | $(a - y)\,\sigma'(z)$ |
# | 10 sigmoids | binary cross-entropy | $a - y$ |
# | softmax | cross-entropy | your `cross_entropy_gradient` |
#
# Each run starts twice: from small weights, and from weights so large that most neurons begin certain, and wrong.

# %% tags=["demo"]
def train_on_digits(output, weight_scale, learning_rate, epochs=30, batch=16):
    """The accuracy on unseen digits, before training and after every epoch."""
    images, labels = data.digits()
    pixels, targets = images.reshape(-1, 64), np.eye(10, dtype=np.float32)[labels]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pixels))
    train, test = order[:1280], order[1280:]
    w1, w2 = rng.normal(size=(64, 30)) * weight_scale(64), rng.normal(size=(30, 10)) * weight_scale(30)
    w1, w2, b1, b2 = w1.astype(np.float32), w2.astype(np.float32), np.zeros(30, np.float32), np.zeros(10, np.float32)
    history = []
    for _ in range(epochs + 1):
        z = sigmoid(pixels[test] @ w1 + b1) @ w2 + b2
        history.append(float(accuracy(tf.constant(labels[test]), tf.constant(z))))
        for rows in rng.permutation(train).reshape(-1, batch):
            hidden = sigmoid(pixels[rows] @ w1 + b1)  # (batch, 30)
            z = hidden @ w2 + b2  # (batch, 10)
            if output == "softmax":
                error = np.asarray(cross_entropy_gradient(tf.constant(labels[rows]), tf.constant(z)), np.float32)
            else:
                a = sigmoid(z)
                error = (a - targets[rows]) / batch * (a * (1 - a) if output == "quadratic" else 1)
            error_hidden = error @ w2.T * hidden * (1 - hidden)  # (batch, 30)
            w2 -= learning_rate * hidden.T @ error
            b2 -= learning_rate * error.sum(axis=0)
            w1 -= learning_rate * pixels[rows].T @ error_hidden
            b1 -= learning_rate * error_hidden.sum(axis=0)
    return history


def sigmoid(z):
    return 1 / (1 + np.exp(-np.clip(z, -80, 80)))


def plot_digits():
    runs = [("quadratic", 0.5, plots.ORANGE, "-", "sigmoids, quadratic"),
            ("quadratic", 3.0, plots.ORANGE, "--", "the same, 6 times the learning rate"),
            ("cross-entropy", 0.5, plots.BLUE, "-", "sigmoids, cross-entropy"),
            ("softmax", 0.5, plots.GREEN, "-", "softmax, cross-entropy")]
    starts = [("Small weights, $1/\\sqrt{n}$", lambda n: n ** -0.5), ("Large weights: most neurons saturated", lambda n: 2.0)]
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    for axis, (title, weight_scale) in zip(axes, starts):
        print(title.split(",")[0].split(":")[0])
        for output, rate, colour, line, name in runs:
            history = train_on_digits(output, weight_scale, rate)
            print(f"  {name:36} after 5 epochs {history[5]:.3f}, after 30 epochs {history[-1]:.3f}")
            axis.plot(history, line, color=colour, label=name)
        axis.set(title=title, xlabel="epoch", ylim=(0, 1.02))
    axes[0].set_ylabel("accuracy on unseen digits")
    axes[0].legend(loc="lower right")
    plt.show()


plot_digits()

# %% [markdown]
# From small weights, a higher learning rate lets the quadratic cost catch up: much of its slowness was a matter of scale.
# From saturated weights it helps, and is not enough. There $\sigma'$ has all but shut the door: with the higher rate the
# quadratic cost is right on 0.874 of the unseen digits after 30 epochs, where both cross-entropies are after 5 (0.901 and
# 0.876). They walk out of the same corner at once, because what reaches the output weights is $a - y$, undimmed.
#
# One run with one seed is an illustration, not a measurement. Change the seed, the learning rate or the number of units and
# see what survives.
#
# > **Going further.** Cross-entropy frees the output layer only. In the formula for the hidden layer,
# > `hidden * (1 - hidden)` is still there, layer after layer in a deep network. Xavier Glorot and Yoshua Bengio
# > (*Understanding the difficulty of training deep feedforward neural networks*, 2010) measured what saturation does there,
# > and found the small random weights that most libraries begin with.

# %% [markdown]
# ## What to take along
#
# - A sigmoid with the quadratic cost learns slowly where it is most wrong: $\sigma'$ is in its gradient. Cross-entropy
#   takes it out.
# - Softmax turns scores into shares that sum to 1; only differences of scores count, so subtract the row's maximum.
# - Simplify before computing: from logits, never from probabilities that were rounded to 0 or 1.
# - The gradient of both together is "what you said minus what you should have said".
# - Descend the cost, report the accuracy.
#
# **To think about.**
#
# 1. Two networks have the same accuracy, and one has twice the cross-entropy of the other. How can that be, and which of them
#    would you ask for a diagnosis?
# 2. A label is wrong, and the network is sure of the right answer. What does that one example do to the gradient of its batch,
#    with this cost and with the quadratic one?
#
# Low cost on what it has seen is not yet knowledge. The next lesson is about telling the two apart.
