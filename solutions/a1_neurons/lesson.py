# %% [markdown]
# # Neurons
#
# A neuron does one small thing: it weighs its inputs, adds them up, and answers. Make it a switch, and enough of them are a
# computer. Make it a dial, and they can *learn*. This lesson builds the switch, then a computer's adder out of switches, then
# the dial, and shows why nothing less than a dial will do.
#
# By the end you will be able to
#
# - compute what a perceptron decides, and draw the line that it draws;
# - build any logic circuit from a single gate, and say what a single neuron can never do;
# - explain why learning needs neurons that answer smoothly, and compute them without a `nan`;
# - send a batch of examples through a network, layer by layer, and count the numbers it has to learn.
#
# You need about two hours. There are six questions, worth 100 points together.
#
# **How to work.** Write an answer where it says `# YOUR CODE HERE`, run its cell, then run the check under it. The check
# tries small examples that you can redo with pen and paper; hidden cases of other sizes hold most of the points. Examples in
# docstrings write arrays as lists and ln 3 for `np.log(3)`; the checks pass tensors. Write your
# answers with TensorFlow or with NumPy, as you like: what counts is what they return. (One answer, `sigmoid`, is also
# differentiated, and its text says what that asks of you.) Cells with pictures follow each question; they use what you
# wrote, so answer first.
#
# Three habits stay the same in every lesson of this course. Examples come in *batches*: `x` has the shape `(B, n)`, one row
# for each of B examples, one column for each of n inputs. The weights of a layer are an array `(inputs, neurons)`, one
# column per neuron. Biases are `(neurons,)`. Numbers are float32 unless a docstring says otherwise.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from autograder import check, plots

plots.style()

# %% [markdown]
# ## 1. A neuron that decides
#
# Shall we go for a swim? Three things count: is the sun out, is the water warm, is a friend coming along? Each is 1 for yes
# and 0 for no. They do not count equally: the sun has weight 2, warm water 3, company 4. You go when the weights of the
# things that are true add up to *more than* 5. That is a *perceptron*.
#
# The number to be exceeded is its *threshold*. It is handier to move it to the other side of the inequality and call it the
# *bias*, $b = -\text{threshold}$: the bias says how easily the neuron fires. For the row $i$ of a batch,
#
# $$y_i = \begin{cases} 1 & \text{if } x_{i1} w_1 + \dots + x_{in} w_n + b > 0, \\ 0 & \text{otherwise.} \end{cases}$$
#
# The inequality is strict: at a sum of exactly 0 the neuron stays silent.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(B, n)` | one row of inputs per example, any numbers |
# | `w` | `(n,)` | one weight per input |
# | `b` | a number | the bias |
# | returned | `(B,)` | 1.0 where the neuron fires, 0.0 where it does not |

# %% tags=["demo"]
from autograder import diagrams

diagrams.perceptron()

# %% question="perceptron"
def perceptron(x, w, b):
    """Which rows make a perceptron fire.

    >>> perceptron([[1, 0, 1], [0, 1, 0], [1, 1, 0]], w=[2, 3, 4], b=-5)  # the sums are 1, -2 and 0
    [1.0, 0.0, 0.0]

    Args:
        x: float32 tensor (B, n).
        w: float32 tensor (n,).
        b: Python float.
    Returns:
        float32 (B,): 1.0 where x·w + b > 0, strictly, and 0.0 elsewhere.
    """
    ### BEGIN SOLUTION
    sums = tf.linalg.matvec(tf.cast(x, tf.float32), tf.cast(w, tf.float32)) + b
    return tf.cast(sums > 0, tf.float32)
    ### END SOLUTION

# %% tags=["demo"]
def plot_decisions():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9))
    w, b = np.array([1.0, 2.0], np.float32), -1.0
    side = np.linspace(-2, 3, 101, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1)  # (101, 101, 2)
    fires = np.reshape(np.asarray(perceptron(tf.constant(grid.reshape(-1, 2)), tf.constant(w), b), float), (101, 101))
    left.contourf(side, side, fires, levels=[-0.5, 0.5, 1.5], colors=["white", plots.BLUE], alpha=0.22)
    left.plot(side, -(w[0] * side + b) / w[1], color=plots.BLUE)
    foot = -b * w / (w @ w)  # the point of the line that is nearest to the origin
    left.annotate("", foot + w / 2, foot, arrowprops={"arrowstyle": "-|>", "color": plots.ORANGE, "linewidth": 2})
    left.text(*(foot + w / 2 + (0.1, 0.05)), "w", color=plots.ORANGE, weight="bold")
    left.text(1.5, 2.3, "fires", color=plots.BLUE, ha="center", weight="bold")
    left.text(-0.9, -1.2, "silent", color="#5b616b", ha="center", weight="bold")
    left.set(title="w = (1, 2), b = −1", xlabel="input $x_1$", ylabel="input $x_2$", xlim=(-2, 3), ylim=(-2, 3), aspect="equal")

    days = np.array(list(np.ndindex(2, 2, 2)), np.float32)  # all eight combinations of sun, water, company
    biases = np.arange(-10.5, 2, 0.5)
    swims = [int(np.sum(perceptron(tf.constant(days), tf.constant([2.0, 3.0, 4.0]), float(bias)))) for bias in biases]
    for bias in (-5.0, -1.0):
        print(f"bias {bias:4.1f}: a swim on {swims[list(biases).index(bias)]} of the 8 kinds of day")
        right.plot(bias, swims[list(biases).index(bias)], "o", color=plots.ORANGE, zorder=3)
    right.step(biases, swims, where="pre", color=plots.BLUE)  # at the bias of a jump itself the sum is 0: still silent
    right.set(title="The higher the bias, the keener the swimmer", xlabel="bias b", ylabel="kinds of day with a swim",
              yticks=range(9))
    plt.show()


plot_decisions()

# %% [markdown]
# A perceptron with two inputs divides the plane along the straight line $w_1 x_1 + w_2 x_2 + b = 0$. The weights are an
# arrow at right angles to the line, pointing to the side that fires; a larger bias slides the line backwards, against the
# arrow, without turning it. On the right the swimmer with bias −5 goes on 3 of the 8 kinds of day, with bias −1 on 7: all
# but the one on which nothing is right.
#
# > **Going further.** Warren McCulloch and Walter Pitts wrote neurons down as logic in 1943; Frank Rosenblatt made the weights
# > adjustable, first on paper (*The perceptron*, Psychological Review 65, 1958), then in a machine whose weights were
# > potentiometers, turned by electric motors while it learned. There is a photograph in Christopher Bishop, *Pattern
# > Recognition and Machine Learning*, section 4.1.7.

# %% [markdown]
# ## 2. A gate
#
# Restrict the inputs to 0 and 1 and a perceptron becomes a logic gate. One gate deserves special attention: NAND, "not
# and", which answers 1 unless both of its inputs are 1.
#
# | $x_1$ | $x_2$ | NAND |
# | --- | --- | --- |
# | 0 | 0 | 1 |
# | 0 | 1 | 1 |
# | 1 | 0 | 1 |
# | 1 | 1 | 0 |
#
# The weights $w = (-2, -2)$ and the bias $b = 3$ do it. Check one row in your head before you go on.
#
# Build the gate as one call of your own `perceptron`, for a whole batch at once (with `tf.constant([-2.0, -2.0])`: TensorFlow
# does not multiply float32 by whole numbers). The check makes sure of it as engineers do:
# it breaks a part. With `perceptron` replaced by one that always answers 0, or always 1, or to each row of bits as chance will
# have it, your gate must answer what the replacement answers.
# (A mistake in `perceptron` that the check can name is not counted again here.) Not to be used: functions of logic, such as
# `tf.math.logical_and`, `np.logical_and`, `keras.ops.logical_and` and those of `tf.bitwise`.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(B, 2)` | every entry 0 or 1 |
# | returned | `(B,)` | 0.0 where both inputs are 1, and 1.0 elsewhere |

# %% question="nand"
def nand(x):
    """NAND of two bits: the output of one perceptron for x, with w = (-2, -2) and b = 3.

    >>> nand([[0, 0], [0, 1], [1, 0], [1, 1]])
    [1.0, 1.0, 1.0, 0.0]

    Args:
        x: float32 tensor (B, 2), every entry 0.0 or 1.0.
    Returns:
        float32 (B,): 0.0 where both inputs are 1, and 1.0 elsewhere.
    """
    ### BEGIN SOLUTION
    return perceptron(x, tf.constant([-2.0, -2.0]), 3.0)
    ### END SOLUTION

# %% [markdown]
# ### Turn the weights yourself
#
# The figure has your perceptron, three sliders, and its truth table. *What do you expect?* Which way does the line go when you
# raise the bias? Can you find OR? AND? NAND, with the weights from above and with others? And XOR, which answers 1 when the
# inputs differ?

# %% tags=["demo"]
from autograder import moving

moving.decision_line(perceptron)

# %% [markdown]
# A larger bias slides the line against the arrow, so that more of the plane fires. OR and AND differ in their bias alone; NAND
# is AND with all three signs turned, where no sum is exactly 0 (at 0 neither would fire). For XOR there is no setting here,
# and the next picture asks whether there is one anywhere.

# %% [markdown]
# ### How much logic fits into one neuron?
#
# There are sixteen ways to fill in a truth table of two inputs. Which of them can a single perceptron compute? Make
# 20,000 perceptrons with random weights and biases, and see which tables turn up. (The code uses two tricks worth knowing. A
# bias is the weight of one more input that is always 1. And $x \cdot w = w \cdot x$: it passes the neurons as the rows of a
# batch, and one corner, with its 1, as the weights.)

# %% tags=["demo"]
def plot_sixteen_tables():
    names = ["never", "AND", "a, not b", "a", "b, not a", "b", "XOR", "OR",
             "NOR", "XNOR", "not b", "a or not b", "not a", "b or not a", "NAND", "always"]
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)  # a, b
    neurons = np.random.default_rng(1).normal(size=(20_000, 3)).astype(np.float32)  # w1, w2 and b of each
    answers = [np.asarray(perceptron(tf.constant(neurons), tf.constant([a, b, 1.0]), 0.0)) for a, b in corners]
    table = (np.stack(answers, axis=1) @ [8, 4, 2, 1]).astype(int)  # (20000,): the answers read as a binary number
    side = np.linspace(-0.45, 1.45, 96, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

    figure, axes = plt.subplots(2, 8, figsize=(12, 4))
    figure.get_layout_engine().set(hspace=0.12)
    for number, axis in enumerate(axes.flat):
        found = np.flatnonzero(table == number)
        colour = plots.BLUE if len(found) else plots.RED
        if len(found):
            # Of those found, show the one that is least in doubt about any corner.
            sums = corners @ neurons[found, :2].T + neurons[found, 2]  # (4, found)
            *w, b = neurons[found[np.argmax(np.abs(sums).min(axis=0) / np.linalg.norm(neurons[found], axis=1))]]
            foot = -b * np.array(w) / np.dot(w, w)  # the point of its line that is nearest to the origin
            axis.axline(foot, foot + (-w[1], w[0]), color=plots.BLUE, linewidth=1.2)
            fires = np.reshape(np.asarray(perceptron(tf.constant(grid), tf.constant(w), float(b)), float), (96, 96))
            axis.contourf(side, side, fires, levels=[-0.5, 0.5, 1.5], colors=["white", plots.BLUE], alpha=0.22)
        bits = [number >> place & 1 for place in (3, 2, 1, 0)]
        axis.scatter(*corners.T, s=60, c=[colour if bit else "white" for bit in bits], edgecolors=colour, linewidths=1.5,
                     zorder=3)
        axis.set_title(names[number], fontsize=10.5, color=colour, loc="center")
        axis.set_xlabel(f"{len(found):,}", color=colour)
        axis.set(xticks=[], yticks=[], xlim=(-0.45, 1.45), ylim=(-0.45, 1.45), aspect="equal")
        axis.spines[["left", "bottom"]].set_color("#d5d9df")
    print(f"{len(set(table))} of 16 tables, found by 20,000 perceptrons; never found: "
          + ", ".join(names[number] for number in sorted(set(range(16)) - set(table))))
    plt.show()


plot_sixteen_tables()

# %% [markdown]
# The horizontal input is a, the vertical one b; a filled dot is a 1, and the number below says how many perceptrons compute
# that table. Fourteen of the sixteen turn up, NAND among them. Two never do, however long you try: XOR ("one or the other,
# but not both") and its opposite. Their filled dots sit on a diagonal, and no straight line has one diagonal on one side and
# the other diagonal on the other.
#
# > **Going further.** With more inputs the share of tables that one perceptron can compute shrinks fast: 104 of 256 for three
# > inputs, 1,882 of 65,536 for four. Marvin Minsky and Seymour Papert made a whole book of what single perceptrons cannot do
# > (*Perceptrons*, 1969). It is often said to have ended the first wave of neural networks, although layers of perceptrons
# > escape the argument, as you are about to show.

# %% [markdown]
# ## 3. A circuit
#
# What no single perceptron can do, a few of them can. NAND is *universal*: every truth table there is can be wired up from
# NAND gates alone, and so by perceptrons alone. Prove it for one of the two that were missing:
#
# | $x_1$ | $x_2$ | XOR |
# | --- | --- | --- |
# | 0 | 0 | 0 |
# | 0 | 1 | 1 |
# | 1 | 0 | 1 |
# | 1 | 1 | 0 |
#
# Some pieces to start from, in which $a$ and $b$ are signals:
#
# - $\text{NOT } a = \text{NAND}(a, a)$;
# - $a \text{ AND } b = \text{NOT NAND}(a, b)$;
# - $a \text{ OR } b = \text{NAND}(\text{NOT } a, \text{NOT } b)$;
# - $a \text{ XOR } b = (a \text{ OR } b) \text{ AND } \text{NAND}(a, b)$.
#
# Any circuit that is right gets all points. Four gates are the fewest possible; can you find them? A gate wants its two
# signals, `(B,)` each, as the two columns of one array `(B, 2)`: `tf.stack([a, b], axis=1)`.
#
# Every signal should come out of a NAND gate, with no arithmetic and no comparisons on the way. For the last one the check
# makes sure of it and breaks the gates again: with `nand` stuck at 0, or at 1, your circuit must answer 0, or 1. (A mistake
# in `nand` that the check can name is not counted again here.) Not to be used: functions of logic, such as
# `tf.math.logical_xor`, `np.logical_xor`, `keras.ops.logical_xor` and those of `tf.bitwise`.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | `(B, 2)` | every entry 0 or 1 |
# | returned | `(B,)` | 1.0 where the inputs differ, and 0.0 elsewhere |

# %% question="xor"
def xor(x):
    """XOR of two bits, by a circuit of NAND gates and nothing else.

    >>> xor([[0, 0], [0, 1], [1, 0], [1, 1]])
    [0.0, 1.0, 1.0, 0.0]

    Args:
        x: float32 tensor (B, 2), every entry 0.0 or 1.0.
    Returns:
        float32 (B,): 1.0 where the two inputs differ, and 0.0 elsewhere.
    """
    ### BEGIN SOLUTION
    first, second = x[:, 0], x[:, 1]
    not_both = nand(x)
    left = nand(tf.stack([first, not_both], axis=1))
    right = nand(tf.stack([second, not_both], axis=1))
    return nand(tf.stack([left, right], axis=1))
    ### END SOLUTION

# %% [markdown]
# ### Neurons that add
#
# XOR is the last digit of a sum of two bits: 1 + 1 is 10 in binary, and the 0 is XOR's. Two XORs and three more NANDs add
# two bits and a carry; four such adders in a row add numbers from 0 to 15. The cell below gives your gates all 256 sums.

# %% tags=["demo"]
def add_with_gates(a, b, bits=4):
    """Add two arrays (N,) of whole numbers, using `xor` and `nand` alone."""
    def pair(first, second):
        return tf.cast(tf.stack([first, second], axis=1), tf.float32)  # (N, 2)

    carry, total = tf.zeros(len(a)), np.zeros(len(a), int)
    for place in range(bits):
        first, second = (tf.constant(number >> place & 1, tf.float32) for number in (a, b))
        half = xor(pair(first, second))
        total += np.asarray(xor(pair(half, carry)), int) << place
        carry = nand(pair(nand(pair(first, second)), nand(pair(half, carry))))
    return total + (np.asarray(carry, int) << bits)


def plot_addition():
    a, b = (numbers.ravel() for numbers in np.meshgrid(np.arange(16), np.arange(16)))
    sums = add_with_gates(a, b)
    print(f"11 + 6 = {sums[(a == 11) & (b == 6)][0]}; {np.sum(sums == a + b)} of {len(a)} sums are right")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9))
    image = left.imshow(sums.reshape(16, 16), origin="lower", cmap="viridis", vmin=0, vmax=30)
    left.set(title="Sums, computed by perceptrons", xlabel="a", ylabel="b", xticks=range(0, 16, 5), yticks=range(0, 16, 5))
    left.grid(False)
    figure.colorbar(image, ax=left, label="a + b")

    side = np.linspace(-0.49, 1.49, 100, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    fires = np.reshape(np.asarray(xor(tf.constant(grid)), float), (100, 100))
    right.contourf(side, side, fires, levels=[-0.5, 0.5, 1.5], colors=["white", plots.BLUE], alpha=0.25)
    right.scatter([0, 1], [1, 0], s=80, color=plots.BLUE, zorder=3, label="different: 1")
    right.scatter([0, 1], [0, 1], s=80, color="white", edgecolor=plots.BLUE, linewidth=1.5, zorder=3, label="equal: 0")
    right.set(title="Where your XOR fires", xlabel="input $x_1$", ylabel="input $x_2$", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1],
              xlim=(-0.49, 1.49), ylim=(-0.49, 1.49), aspect="equal")
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    plt.show()


plot_addition()

# %% [markdown]
# All 256 sums come out right. The picture on the right feeds your circuit with numbers that are no bits, to see what it does
# between the corners. Each gate draws one straight line, and later gates combine what lies on either side of earlier lines:
# the region where XOR fires has a bend, which no single line has. (How it looks exactly depends on your wiring.)
#
# > **Going further.** Henry Sheffer showed in 1913 that one operation is enough for all of logic. The Apollo guidance computer
# > that steered to the moon was built from a single kind of gate, a NOR. The circuits of this section are in Michael Nielsen's
# > *Neural Networks and Deep Learning*, [chapter 1](http://neuralnetworksanddeeplearning.com/chap1.html).

# %% [markdown]
# ## 4. From a switch to a dial
#
# You wired XOR by thinking. Nobody can wire the recognition of a handwritten 7 by thinking: there the weights must be
# *learned*, by changing one a little and keeping the change if the answers get better. And here the perceptron fails.
# Change a weight a little and nearly always *nothing* happens; once in a while the answer flips altogether. There is no
# "better by a little" to follow.
#
# The *sigmoid neuron* has the same weights and bias and the same sum $z = x \cdot w + b$, but answers with
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}},$$
#
# which slides from 0 to 1 and is never quite either. A few values to know it by:
#
# | $z$ | −1000 | −ln 3 | 0 | 1 | ln 3 | 1000 |
# | --- | --- | --- | --- | --- | --- | --- |
# | $\sigma(z)$ | almost 0 | 1/4 | 1/2 | 0.7311 | 3/4 | almost 1 |
#
# (σ(1) is 0.731059: rounded, 0.731, and not the 0.730 that one reads at times.) Its slope $\sigma'(z)$ is largest in the
# middle, 1/4 at $z = 0$, and dies away on both sides.
#
# | name | shape | |
# | --- | --- | --- |
# | `z` | any, also a single number `()` | any size, ±1000 included |
# | returned | the same | between 0 and 1 |
#
# **Learning needs the slope as well.** TensorFlow works it out by itself with `tf.GradientTape`, as a later lesson explains;
# for now it is enough that it follows every operation you use. Two things are asked of you.
#
# *Stay within TensorFlow's operations* (or those of `keras.ops`): the tape cannot see into NumPy. An answer in NumPy gets the
# points for values, but none of those for slopes.
#
# *Let nothing overflow on the way.* The formula as written has the right value at $z = -1000$: $e^{1000}$ is infinite in
# float32, and $1 / (1 + \infty) = 0$. But its slope is computed as zero times infinity, which is `nan`. The remedy is to
# write $\sigma$ in two ways, so that no exponent is positive:
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}} \;\text{ for } z \ge 0, \qquad \sigma(z) = \frac{e^{z}}{1 + e^{z}} \;\text{ for } z < 0.$$
#
# Beware of `tf.where`: it computes *both* branches for every entry, and an infinity in the discarded one still spoils the
# slope. Hand each branch only numbers that it can bear: `tf.maximum(z, 0.0)` the first, `tf.minimum(z, 0.0)` the second.
# Clipping z is no way out, for the slope of what was clipped is 0. (The slope is not tried at $z = 0$ itself, where some
# right formulas have a kink.)
#
# Not to be used: the sigmoid of any library or its logarithm, under whatever name (`tf.sigmoid`, `tf.math.log_sigmoid`,
# `keras.ops.sigmoid`, `keras.activations.sigmoid`, `keras.layers.Activation`, `scipy.special.expit`). Fine: `tf.exp`,
# `tf.where`, `tf.tanh`, `tf.math.softplus`.

# %% question="sigmoid"
def sigmoid(z):
    """1 / (1 + exp(-z)) of every entry, with a finite value and slope for entries of any size.

    >>> sigmoid([0, 1, ln 3, -ln 3, -1000])
    [0.5, 0.7311, 0.75, 0.25, 0.0]

    Args:
        z: float32 tensor of any shape.
    Returns:
        float32 tensor of the same shape, computed by TensorFlow operations through which a gradient can flow.
    """
    ### BEGIN SOLUTION
    z = tf.cast(z, tf.float32)
    above = 1 / (1 + tf.exp(-tf.maximum(z, 0.0)))  # right where z >= 0, harmless elsewhere
    rising = tf.exp(tf.minimum(z, 0.0))
    return tf.where(z >= 0, above, rising / (1 + rising))
    ### END SOLUTION

# %% [markdown]
# ### What you should see
#
# A perceptron and a sigmoid neuron share the inputs $x = (1, 1)$, the second weight −1 and the bias 0.5. The first weight
# is swept from −6 to 6. How does the answer change?

# %% tags=["demo"]
def plot_sweep():
    sweep = np.linspace(-6, 6, 241, dtype=np.float32)  # steps of 0.05
    x, step = tf.ones((1, 2)), 0.1
    switch = np.array([float(perceptron(x, tf.constant([w, -1.0]), 0.5)[0]) for w in sweep])
    dial = np.asarray(sigmoid(tf.constant(sweep - 1 + 0.5)))
    slope = dial * (1 - dial)

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    left.step(sweep, switch, color=plots.ORANGE, label="perceptron")
    left.plot(sweep, dial, color=plots.BLUE, label="sigmoid neuron")
    left.set(title="The same sum, two ways to answer", xlabel="first weight $w_1$", ylabel="answer")
    left.legend(loc="upper left")
    moved = [answers[2:] - answers[:-2] for answers in (switch, dial)]  # from w to w + 0.1
    right.plot(sweep[:-2], moved[0], color=plots.ORANGE, label="perceptron")
    right.fill_between(sweep[:-2], moved[0], color=plots.ORANGE, alpha=0.35, linewidth=0)
    right.plot(sweep[:-2], moved[1], color=plots.BLUE, label="sigmoid neuron")
    right.plot(sweep[:-2], step * slope[:-2], color="#30343b", linestyle=":", linewidth=1.5, label="slope × 0.1")
    right.text(0.7, 0.0285, "jumps by 1", color=plots.ORANGE, va="center")
    right.set(title="What a change of 0.1 in $w_1$ does", xlabel="first weight $w_1$", ylabel="change of the answer",
              ylim=(-0.001, 0.03))
    right.legend(loc="upper left")
    for w in (-2.0, 0.45, 2.0):
        i = int(np.argmin(np.abs(sweep - w)))
        print(f"w1 from {w:5.2f} to {w + step:5.2f}:  perceptron {moved[0][i]:+.0f}   sigmoid neuron {moved[1][i]:+.4f}   "
              f"predicted {step * slope[i]:+.4f}")
    plt.show()


plot_sweep()

# %% [markdown]
# The perceptron's answer changes at a single point, all at once; everywhere else the weight might as well not be there. The
# sigmoid neuron always says *something* about a change, and what it says can be predicted: the change of the answer is
# the slope times the change of the weight (times its input, here 1). At $w_1 = -2$ it moves by 0.0073 where 0.0070 was
# predicted, at $w_1 = 2$ by 0.0144 where 0.0149 was. *A small change in a weight causes a small change in the answer*: that
# sentence is why networks can learn, and the next lesson turns it into a method.

# %% tags=["demo"]
def plot_from_dial_to_switch():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    z = np.linspace(-4, 4, 401, dtype=np.float32)
    for c, colour in [(1, plots.BLUE), (3, plots.GREEN), (10, plots.PURPLE), (100, plots.ORANGE)]:
        left.plot(z, sigmoid(tf.constant(c * z)), color=colour, label=f"c = {c}")
    left.set(title="Larger weights, steeper dial: $\\sigma(cz)$", xlabel="z", ylabel="answer")
    left.legend(loc="upper left")

    z = tf.Variable(np.linspace(-130, 130, 521, dtype=np.float32))
    for answer, colour, width, label in [(sigmoid, plots.BLUE, 4, "yours"),
                                         (lambda z: 1 / (1 + tf.exp(-z)), plots.RED, 1.5, "as written")]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(answer(z))
        slope = tape.gradient(total, z)
        if slope is None:
            print(f"{label:10}  no slope at all: the tape cannot see into NumPy")
            continue
        slope = slope.numpy()
        right.semilogy(z.numpy(), np.where(slope > 0, slope, np.nan), color=colour, linewidth=width, label=label)
        lost = z.numpy()[np.isnan(slope)]
        print(f"{label:10}  {np.sum(slope > 0)} slopes above 0, {np.sum(slope == 0)} rounded to 0, {len(lost)} nan"
              + (f" (from z = {lost.max()} down)" if len(lost) else ""))
        if len(lost):
            right.axvspan(lost.min(), lost.max(), color=plots.RED, alpha=0.08, linewidth=0)
            right.text((lost.min() + lost.max()) / 2, 1e-3, "nan", color=plots.RED, ha="center")
    right.set(title="The slope in float32", xlabel="z", ylabel="$\\sigma'(z)$", xlim=(-130, 130), ylim=(1e-45, 1e3))
    right.legend(loc="upper right")
    plt.show()


plot_from_dial_to_switch()

# %% [markdown]
# On the left, multiplying all weights and the bias of a neuron by a large $c$ makes the dial a switch again: a perceptron is
# a sigmoid neuron seen from far away. So nothing is lost; whatever circuits of perceptrons can compute, networks of sigmoid
# neurons can come as close to as you please (wherever no sum is exactly 0). On the right, the slope falls by the same factor
# with every step away from the middle, a straight line on this scale, until it is too small for float32 and rounds to 0.
# With the formula as written it does so much earlier on the left, at $z = -44$; and from $z = -89$ down, where $e^{-z}$
# leaves the range of float32, it is `nan`. That is contagious: one `nan` among many slopes makes their sum `nan`, and soon
# every weight of the network. (If yours goes through tanh, it ends earlier, near $|z| = 16$: there tanh is rounded to 1.)
#
# > **Going further.** Pierre-François Verhulst found the curve in 1838 as a law for populations that run out of room, and
# > later called it *logistique*. The safe way of writing it is what libraries do behind `tf.sigmoid`; the trap in `tf.where`
# > is in the notes of [its documentation](https://www.tensorflow.org/api_docs/python/tf/where).

# %% [markdown]
# ## 5. A network
#
# Put neurons side by side, and they form a *layer*; let each layer feed the next, and they form a *network*. The *input
# layer* computes nothing: it is only the place where the numbers of an example stand. The *output layer* gives the answer.
# Every layer in between is called *hidden*, which means no more than "neither input nor output".

# %% tags=["demo"]
def plot_architecture():
    figure, axis = plt.subplots(figsize=(8, 4.4))
    plots.network(axis, [4, 5, 3, 2], names=["input layer\n4 numbers", "hidden layer\n5 neurons", "hidden layer\n3 neurons",
                                             "output layer\n2 neurons"])
    for i, text in enumerate(["weights (4, 5)\nbiases (5,)", "weights (5, 3)\nbiases (3,)", "weights (3, 2)\nbiases (2,)"]):
        axis.text(2.4 * i + 1.2, 2.75, text, ha="center", va="bottom", color=plots.BLUE, fontsize=10.5)
    axis.set_ylim(top=3.6)
    plt.show()


plot_architecture()

# %% [markdown]
# All neurons of a layer can be computed at once. Their weights are the columns of one matrix, so a whole batch goes through
# a layer with one matrix product. With $a^{0} = x$ and, for the layers $l = 1, 2, \dots, L$,
#
# $$a^{l} = \sigma\big(a^{l-1} W^{l} + b^{l}\big),$$
#
# where $\sigma$ works on every entry and the biases are added to every row (the raised $l$ counts layers, it is no power),
# the answer of the network is $a^{L}$. Every
# layer has its sigmoid, the last one too.
#
# | name | shape | |
# | --- | --- | --- |
# | `x` | $(B, n_0)$ | a batch of examples |
# | `weights[l]` | $(n_l, n_{l+1})$ | Python counts from 0, so `weights[0]` is $W^1$; column j belongs to neuron j |
# | `biases[l]` | $(n_{l+1},)$ | one per neuron |
# | returned | $(B, n_L)$ | what the last layer answers |
#
# If you read Nielsen's book alongside: there the matrices are transposed and examples are columns, $a' = \sigma(wa + b)$.
# Ours is the order of Keras.
#
# Your own `sigmoid` is welcome (a mistake that the check can name is not counted twice), and so is `tf.sigmoid`; NumPy is
# fine, too. Not to be used: `keras.layers`, `keras.Sequential`, `keras.Model`.

# %% question="feedforward"
def feedforward(x, weights, biases):
    """Send a batch through a network of sigmoid neurons.

    >>> feedforward([[1, 2]], weights=[[[ln 3, 1], [-ln 3, -1]]], biases=[[2 ln 3, 1]])  # one layer; its sums are ln 3 and 0
    [[0.75, 0.5]]

    Args:
        x: float32 tensor (B, n_0).
        weights: list of float32 tensors; entry l is (n_l, n_(l+1)). There is at least one.
        biases: list of as many float32 tensors; entry l is (n_(l+1),).
    Returns:
        float32 (B, n_L): the answers of the last layer. Every layer ends with a sigmoid.
    """
    ### BEGIN SOLUTION
    a = tf.cast(x, tf.float32)
    for w, b in zip(weights, biases):
        a = sigmoid(a @ w + b)
    return a
    ### END SOLUTION

# %% tags=["demo"]
def plot_forward_pass():
    rng = np.random.default_rng(3)
    sizes = [3, 5, 4, 2]
    weights = [tf.constant(rng.normal(scale=1.5, size=shape), tf.float32) for shape in zip(sizes, sizes[1:])]
    biases = [tf.constant(rng.normal(size=n), tf.float32) for n in sizes[1:]]
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.2))
    for axis, row in zip(axes, ([0.9, 0.1, 0.5], [0.1, 0.9, 0.5])):
        x = tf.constant([row])
        values = [row] + [np.asarray(feedforward(x, weights[:depth], biases[:depth]))[0] for depth in (1, 2, 3)]
        plots.network(axis, sizes, weights, values, names=["input", "hidden", "hidden", "output"])
        axis.set_title(f"x = {tuple(row)}", loc="center")
        print(f"x = {row}:  top hidden neuron {values[1][0]:.2f}, output {values[-1][0]:.2f} and {values[-1][1]:.2f}")
    plt.show()


plot_forward_pass()

# %% [markdown]
# The same network, two examples. Blue connections have positive weights, orange ones negative; the thicker, the larger. The
# weights stay and the answers change: what a network knows is in its connections, what it thinks is in its neurons. The
# hidden neuron at the top listens mostly to the first input, and answers 0.86 to the one example and 0.29 to the other. The
# outputs hardly differ, 0.75 and 0.13 against 0.69 and 0.12, and mean nothing yet: these weights are random.
#
# ### XOR again, with three sigmoid neurons
#
# Three neurons are enough for XOR when they may differ from NAND: one hidden neuron computes OR, the other NAND, and the
# output neuron is an AND of the two. Multiply all weights and biases by $c$ and watch the switch emerge.

# %% tags=["demo"]
def plot_smooth_xor():
    side = np.linspace(-0.5, 1.5, 101, dtype=np.float32)
    grid = tf.constant(np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2))
    corners = tf.constant([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.7), sharey=True)
    for axis, c in zip(axes, (1.0, 3.0, 10.0)):
        weights = [c * tf.constant([[2.0, -2.0], [2.0, -2.0]]), c * tf.constant([[2.0], [2.0]])]  # OR and NAND, then AND
        biases = [c * tf.constant([-1.0, 3.0]), c * tf.constant([-3.0])]
        output = np.reshape(feedforward(grid, weights, biases), (101, 101))
        image = axis.imshow(output, origin="lower", extent=(-0.5, 1.5, -0.5, 1.5), cmap="Blues", vmin=0, vmax=1,
                            interpolation="bilinear")
        axis.scatter([0, 1], [1, 0], s=70, color=plots.ORANGE, edgecolor="white", zorder=3)
        axis.scatter([0, 1], [0, 1], s=70, color="white", edgecolor=plots.ORANGE, linewidth=1.5, zorder=3)
        axis.set(title=f"c = {c:g}", xlabel="input $x_1$", xticks=[0, 1], yticks=[0, 1])
        axis.grid(False)
        answers = np.asarray(feedforward(corners, weights, biases))[:, 0]
        print(f"c = {c:2g}:  " + "   ".join(f"({a:g}, {b:g}) gives {y:.2f}" for (a, b), y in zip(corners.numpy(), answers)))
    axes[0].set_ylabel("input $x_2$")
    figure.colorbar(image, ax=axes, label="output", shrink=0.9)
    plt.show()


plot_smooth_xor()

# %% [markdown]
# Filled dots are where XOR is 1. With $c = 1$ the network hardly commits itself: 0.36 and 0.48 at the corners. With $c = 3$
# it says 0.06 and 0.92, with $c = 10$ exactly 0 and 1 to two digits, and the edges of the band are sharp. Two lines, drawn
# by two hidden neurons, enclose what one line could not.
#
# ### Forward only, or round in circles?
#
# In all these networks the signals run one way: from left to right, never back. That is what *feedforward* means. If a neuron
# also hears what it answered a moment ago, the network is *recurrent*: the drawings show one of each kind. Then three single
# neurons, with weight 8 and bias −3, receive the same signal, a pulse of +1 at time 5 and one of −1 at time 25. The first is
# feedforward; the other two also get their own last answer as a second input.

# %% tags=["demo"]
def plot_feedforward_and_recurrent():
    figure, axes = plt.subplot_mosaic([["forward", "loops", "time"]], figsize=(12, 3.9), width_ratios=(1.15, 1.15, 2))
    plots.network(axes["forward"], [2, 3, 1])
    places = plots.network(axes["loops"], [2, 3, 1])
    loop = {"arrowstyle": "-|>", "color": plots.ORANGE, "linewidth": 1.8, "connectionstyle": "arc3,rad=2",
            "shrinkA": 0, "shrinkB": 0}
    for x, y in places[1]:
        axes["loops"].annotate("", (x - 0.2, y + 0.25), (x + 0.2, y + 0.25), zorder=4, arrowprops=loop)
    for name in ("forward", "loops"):
        axes[name].set_ylim(top=1.8)
    axes["forward"].set_title("feedforward", loc="center")
    axes["loops"].set_title("recurrent", loc="center")

    signal = np.zeros(40, np.float32)
    signal[5], signal[25] = 1, -1
    neurons = [("feedforward", 0.0, plots.GREY), ("weight 5 on itself", 5.0, plots.GREEN),
               ("weight 8 on itself", 8.0, plots.ORANGE)]
    for text, memory, colour in neurons:
        weights, biases = [tf.constant([[8.0], [memory]])], [tf.constant([-3.0])]
        answers, answer = [], 0.0
        for value in signal:
            answer = float(feedforward(tf.constant([[value, answer]]), weights, biases)[0, 0])  # inputs: signal, own last answer
            answers.append(answer)
        print(f"{text:18}  at time 4: {answers[4]:.2f}   5: {answers[5]:.2f}   10: {answers[10]:.2f}   "
              f"20: {answers[20]:.2f}   30: {answers[30]:.2f}")
        axes["time"].plot(answers, "o-", color=colour, markersize=3.5, label=text)
    for time, text in [(5, "+1"), (25, "−1")]:
        axes["time"].axvline(time, color=plots.GREY, linewidth=1, linestyle=":")
        axes["time"].text(time, 1.07, text, ha="center", color="#5b616b", backgroundcolor="white")
    axes["time"].set(title="What three neurons answer to two pulses", xlabel="time", ylabel="answer", ylim=(-0.03, 1.14))
    axes["time"].legend(loc="upper right", bbox_to_anchor=(1, 0.85))
    plt.show()


plot_feedforward_and_recurrent()

# %% [markdown]
# The feedforward neuron answers the pulse and has forgotten it a moment later. With a weight of 5 on itself, the pulse fades
# over about ten steps. With a weight of 8 the neuron keeps itself switched on until the second pulse switches it off: one bit
# of memory, from one neuron and a loop. Loops give networks a sense of time, and a later lesson is about them. Until then,
# everything is feedforward.
#
# > **Going further.** David Rumelhart, Geoffrey Hinton and Ronald Williams showed in 1986 that hidden layers of such neurons
# > find useful features by themselves when they are trained (*Learning representations by back-propagating errors*,
# > Nature 323). On loops: Jeffrey Elman, *Finding structure in time*, Cognitive Science 14, 1990, which starts with XOR spread
# > out over time.

# %% [markdown]
# ## 6. How many numbers does a network have to learn?
#
# Every weight and every bias is a number that training has to find; together they are the *parameters*. The network
# `[784, 30, 10]` reads the $28 \cdot 28 = 784$ pixels of a handwritten digit, has 30 hidden neurons, and answers with one
# neuron for each of the ten digits. Each neuron has one weight for every number it reads and one bias. The input layer
# computes nothing, and so it has neither. For layers of the sizes $n_0, n_1, \dots, n_L$ that makes
#
# $$\sum_{l=1}^{L} \big( n_{l-1}\, n_l + n_l \big).$$
#
# | name | | |
# | --- | --- | --- |
# | `sizes` | list of at least one whole number | the size of every layer, inputs first |
# | returned | whole number | weights and biases together; 0 when there is no layer after the inputs |
#
# Not to be used: `keras.layers`, `keras.Sequential`, `keras.Model`.

# %% question="count_parameters"
def count_parameters(sizes):
    """The number of weights and biases of a fully connected feedforward network.

    >>> count_parameters([4, 3, 2])  # (4·3 + 3) + (3·2 + 2)
    23
    >>> count_parameters([784, 30, 10])
    23860

    Args:
        sizes: list of Python ints, the number of inputs followed by the number of neurons of each layer.
    Returns:
        Python int; 0 for inputs alone, such as [784].
    """
    ### BEGIN SOLUTION
    return sum((inputs + 1) * neurons for inputs, neurons in zip(sizes, sizes[1:]))
    ### END SOLUTION

# %% tags=["demo"]
def plot_parameters():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    parts = {"weights 784 × 30": 784 * 30, "hidden biases": 30, "weights 30 × 10": 30 * 10, "output biases": 10}
    bars = left.barh(list(parts), list(parts.values()), color=[plots.BLUE, plots.ORANGE, plots.BLUE, plots.ORANGE])
    left.bar_label(bars, [f"{n:,}" for n in parts.values()], padding=4, fontsize=10.5)
    left.set(title=f"[784, 30, 10]: {int(count_parameters([784, 30, 10])):,} parameters", xlabel="how many", xlim=(0, 29_000))
    left.xaxis.set_major_formatter("{x:,.0f}")
    left.invert_yaxis()
    left.grid(axis="y", visible=False)

    n = np.arange(1, 201)
    for label, shape, colour in [("[784, n, 10]", lambda k: [784, k, 10], plots.BLUE),
                                 ("[784, n, n, 10]", lambda k: [784, k, k, 10], plots.GREEN)]:
        right.plot(n, [int(count_parameters(shape(int(k)))) for k in n], color=colour, label=label)
        print(f"{label:15}  n = 30: {int(count_parameters(shape(30))):,}   n = 31: {int(count_parameters(shape(31))):,}   "
              f"n = 200: {int(count_parameters(shape(200))):,}")
    right.set(title="Wider, or deeper?", xlabel="neurons n in each hidden layer", ylabel="parameters")
    right.yaxis.set_major_formatter("{x:,.0f}")
    right.legend(loc="upper left")
    plt.show()


plot_parameters()

# %% [markdown]
# Nearly all of the 23,860 are the weights between the pixels and the hidden layer. One more hidden neuron costs
# $784 + 1 + 10 = 795$ parameters: one weight per pixel, a bias, and a weight to each output. A whole second hidden layer of
# 30 costs only $30 \cdot 30 + 30 = 930$, little more than a single neuron in the first.
#
# > **Going further.** 23,860 unknowns, to be found from some 50,000 images of digits, or from a thousand.
# > That this can end well is one of the surprises of the field, that it can end badly is the subject of the lesson on
# > regularization. How such a network learns to read digits is told in Nielsen's
# > [chapter 1](http://neuralnetworksanddeeplearning.com/chap1.html), which uses this very architecture.

# %% [markdown]
# ## What to take along
#
# - A perceptron fires when $x \cdot w + b > 0$. It draws one straight line, and it is a switch.
# - Switches in layers can compute anything that logic can, but they cannot be adjusted little by little.
# - A sigmoid neuron answers with $\sigma(x \cdot w + b)$: a small change in a weight causes a small change in the answer,
#   and the slope says how much.
# - A feedforward network is $a \leftarrow \sigma(aW + b)$, once per layer. What it knows are its weights and biases.
#
# **To think about.**
#
# 1. Somebody multiplies all weights and biases of a network of perceptrons by 1,000, and somebody else those of a network of
#    sigmoid neurons. Whose network answers differently now, and where?
# 2. Three perceptrons and three lines: what shapes can the region have in which all three fire? And the region in which at
#    least one does? How many neurons would you need for a ring?
#
# So far the weights came from a clever person or from a random generator. The next lesson lets the network find them itself.
