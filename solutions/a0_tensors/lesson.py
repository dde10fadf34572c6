# %% [markdown]
# # TensorFlow in twenty minutes
#
# Everything that the other lessons take for granted, and the ten errors that nearly everybody meets in the first week, met
# here on purpose. Nothing is graded. You read, you guess what a cell will print, you run it; seven times you write a few lines
# yourself, and the cell below says whether they are right.
#
# By the end you will be able to
#
# - say the shape and the type of a tensor before you print it;
# - add, average and multiply tensors of different shapes, and notice when a shape is wrong;
# - keep what is learned in variables, and ask a tape for its gradient;
# - write a Keras layer.
#
# It takes twenty minutes to read, and as long again if you answer everything. *Run All* works at any time: a cell that needs
# an answer of yours says so and waits.
#
# If the next cell runs, everything is installed. If it does not, [the README of the lessons](../README.md) says how.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow keeps its notes on starting up to itself
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import tensorflow as tf

from autograder import check  # from lesson 1 on it checks your answers; here it only lets Run All go on

# %% tags=["demo"]
import re

from autograder import diagrams, plots


def fails(attempt):
    """Try something, and print the first line of what it raises, without the part that says where inside TensorFlow."""
    try:
        attempt()
    except Exception as error:
        message = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error)).strip()
        print(f"{type(error).__name__}: {message.splitlines()[0]}")
    else:
        print("No error.")


def expect(received, expected):
    """Print whether an answer is right: its shape first, then its type, then its values."""
    expected = np.asarray(expected)
    if received is None:
        print("✗ It returned None: is there a `return`?")
        return
    received = np.asarray(received)
    if received.shape != expected.shape:
        print(f"✗ Its shape is {received.shape}; expected {expected.shape}.")
    elif received.dtype != expected.dtype:
        print(f"✗ Its type is {received.dtype}; expected {expected.dtype}.")
    elif not np.allclose(received, expected, atol=1e-5):
        print(f"✗ It is {received.tolist()}; expected {expected.tolist()}.")
    else:
        print("✓")

# %% [markdown]
# ## 1. A tensor is a shape, a type and values
#
# The first index counts rows, the second columns. An index takes an axis away, a slice keeps it.
#
# **What do you expect** of each line, before you run it?

# %%
x = tf.constant([[1.0, 2.0, 3.0],
                 [4.0, 5.0, 6.0]])
print("x         ", x.shape, x.dtype.name)
print("x[0]      ", x[0].shape, x[0].numpy())  # the first row
print("x[:, 1]   ", x[:, 1].shape, x[:, 1].numpy())  # the second column
print("x[:, 1:2] ", x[:, 1:2].shape, "the same numbers, still a column")
print("x[-1, -1] ", x[-1, -1].shape, x[-1, -1].numpy(), "a tensor without axes: a number")

# %% [markdown]
# `.numpy()` gives an array of NumPy. Most of what NumPy can do, TensorFlow calls `tf.something(x)`; methods such as
# `x.reshape(…)` are NumPy's alone.
#
# Two things surprise everybody. Tensors are values, like numbers: no entry of one can be changed. And TensorFlow does not mix
# types: whole numbers (`int32`) and decimals (`float32`) have to be made the same first.

# %%
def change_an_entry():
    x[0, 0] = 9.0


counts = tf.constant([1, 2, 5])  # without a decimal point: int32
fails(change_an_entry)
fails(lambda: x.reshape(3, 2))
fails(lambda: counts + tf.constant([0.5, 0.5, 0.5]))
fails(lambda: counts * 0.5)
print("counts / 2 is", (counts / 2).dtype.name, "and does not go with float32 either:")
fails(lambda: counts / 2 + tf.constant([0.5, 0.5, 0.5]))

# %% [markdown]
# `tf.cast(x, tf.float32)` is the way from whole numbers to decimals. Nearly everything in this course is float32; a decimal
# point makes it so: `2.0`, not `2`.
#
# **Your turn.** Replace the two lines below the docstring.

# %% question="halves"
def halves(counts):
    """Half of each count.

    >>> halves([1, 2, 5])
    [0.5, 1.0, 2.5]

    Args:
        counts: int32 tensor (n,).
    Returns:
        float32 tensor (n,).
    """
    ### BEGIN SOLUTION
    return tf.cast(counts, tf.float32) / 2
    ### END SOLUTION

# %%
expect(halves(tf.constant([1, 2, 5])), np.float32([0.5, 1.0, 2.5]))
expect(halves(tf.constant([7])), np.float32([3.5]))

# %% [markdown]
# ## 2. Shapes, and which axis goes away
#
# A reduction (`tf.reduce_sum`, `tf.reduce_mean`, `tf.reduce_max`, `tf.argmax`) runs along an axis, and that axis is gone
# afterwards. `axis=0` runs down the rows and leaves one number for each column.

# %%
print("x                        ", x.shape)
print("reduce_sum(x)            ", tf.reduce_sum(x).shape, tf.reduce_sum(x).numpy())
print("reduce_sum(x, axis=0)    ", tf.reduce_sum(x, axis=0).shape, tf.reduce_sum(x, axis=0).numpy())
print("reduce_sum(x, axis=1)    ", tf.reduce_sum(x, axis=1).shape, tf.reduce_sum(x, axis=1).numpy())
print("… axis=1, keepdims=True  ", tf.reduce_sum(x, axis=1, keepdims=True).shape, "the axis stays, with one entry")

# %% [markdown]
# In this course the first axis of a batch counts examples, and almost everything is computed along the last one: write
# `axis=-1`.
#
# **Reshaping is not transposing.** Both make a (3, 2) out of a (2, 3). What do you expect of each?

# %%
print("reshape, which reads on and draws new borders:", tf.reshape(x, (3, 2)).numpy(), sep="\n")
print("transpose, which turns rows into columns:", tf.transpose(x).numpy(), sep="\n")

# %% [markdown]
# A batch of sentences whose words have been mixed up by a `reshape` has a perfect shape. No error will ever tell you.
#
# **Your turn.**

# %% question="largest_of_each_example"
def largest_of_each_example(scores):
    """The column in which each row has its largest score.

    >>> largest_of_each_example([[0.1, 0.7, 0.2], [5.0, 1.0, 2.0]])
    [1, 0]

    Args:
        scores: float32 tensor (B, n).
    Returns:
        int64 tensor (B,), as `tf.argmax` gives it.
    """
    ### BEGIN SOLUTION
    return tf.argmax(scores, axis=-1)
    ### END SOLUTION

# %%
expect(largest_of_each_example(tf.constant([[0.1, 0.7, 0.2], [5.0, 1.0, 2.0]])), np.int64([1, 0]))
expect(largest_of_each_example(tf.constant([[1.0, 2.0], [4.0, 3.0], [0.0, 9.0]])), np.int64([1, 0, 1]))

# %% [markdown]
# ## 3. Broadcasting: shapes that stretch
#
# Two tensors of different shapes can be added, subtracted, multiplied entry by entry. Write their shapes one below the
# other, **aligned at the right**. Two sizes go together when they are equal, or when one of them is 1 or missing: that one is
# repeated.

# %% tags=["demo"]
def stretched():
    it = diagrams.Diagram(
        700, 150, "A column of three numbers, shape (3, 1), plus a row of four, shape (4,), is a table of three rows and four "
                  "columns, shape (3, 4): the column is repeated to the right, the row downwards.")
    column, row = [0, 10, 20], [1, 2, 3, 4]
    it.grid(60, 34, [[number] for number in column], 34)
    it.text(77, 14, "(3, 1)", bold=True)
    it.text(160, 85, "+", size=22)
    it.grid(220, 68, [row], 34, plots.ORANGE)
    it.text(288, 14, "(4,)", bold=True)
    it.text(430, 85, "=", size=22)
    it.grid(500, 34, [[a + b for b in row] for a in column], 34, plots.GREEN)
    it.text(568, 14, "(3, 4)", bold=True)
    return it


stretched()

# %% [markdown]
# **What do you expect** of the four sums? One of them is an error.

# %%
table, row, column, other = tf.zeros((4, 3)), tf.zeros(3), tf.zeros((4, 1)), tf.zeros(4)
print("(4, 3) + (3,)   =", (table + row).shape)
print("(4, 3) + (4, 1) =", (table + column).shape)
print("(4, 1) + (4,)   =", (column + other).shape)
print("(4, 3) + (4,)   :", end=" ")
fails(lambda: table + other)

# %% [markdown]
# The error is the harmless one. The third sum is a trap: a column of predictions, as a layer returns them, minus a list of
# answers is a whole *table* of differences, each prediction against every answer.

# %%
predictions = tf.constant([[1.0], [2.0], [3.0], [4.0]])  # (4, 1), and all of them right
answers = tf.constant([1.0, 2.0, 3.0, 4.0])  # (4,)
print("mean squared error, as written:", tf.reduce_mean((predictions - answers) ** 2).numpy())
print("with equal shapes:             ", tf.reduce_mean((predictions[:, 0] - answers) ** 2).numpy())

# %% [markdown]
# A network that is trained on the first number learns to answer the mean of everything, and nothing ever complains. So print
# both shapes before you subtract. `x[:, tf.newaxis]` makes a column of a list, `x[:, 0]` a list of a column, and
# `keepdims=True` keeps a reduction ready for broadcasting.
#
# **Your turn.**

# %% question="centred"
def centred(x):
    """Each row minus its own mean.

    >>> centred([[1.0, 3.0], [10.0, 20.0]])
    [[-1.0, 1.0], [-5.0, 5.0]]

    Args:
        x: float32 tensor (B, n).
    Returns:
        float32 tensor (B, n), every row of which adds up to 0.
    """
    ### BEGIN SOLUTION
    return x - tf.reduce_mean(x, axis=-1, keepdims=True)
    ### END SOLUTION

# %%
expect(centred(tf.constant([[1.0, 3.0], [10.0, 20.0]])), np.float32([[-1.0, 1.0], [-5.0, 5.0]]))
expect(centred(tf.constant([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]])), np.float32([[-2.0, -1.0, 3.0], [0.0, 0.0, 0.0]]))

# %% [markdown]
# ## 4. Products
#
# `*` multiplies entry by entry, with broadcasting. `@`, or `tf.matmul`, is the matrix product: every row of the left with every
# column of the right, so that the two **inner** sizes have to be equal and disappear.

# %%
x = tf.constant([[1.0, 2.0, 3.0],
                 [4.0, 5.0, 6.0]])  # (2, 3): two examples of three numbers
w = tf.constant([[1.0, 0.0],
                 [0.0, 1.0],
                 [1.0, 1.0]])  # (3, 2): three inputs, two neurons
print("(2, 3) @ (3, 2) =", (x @ w).shape, (x @ w).numpy().tolist())
print("(2, 3) @ (2, 3) :", end=" ")
fails(lambda: x @ x)
v = tf.constant([1.0, 0.0, -1.0])  # (3,): the weights of one neuron
print("(2, 3) @ (3,)   :", end=" ")
fails(lambda: x @ v)
print("matvec(x, v)     =", tf.linalg.matvec(x, v).shape, tf.linalg.matvec(x, v).numpy())

# %% [markdown]
# Both sides of `@` need two axes at least. For a matrix and a vector there is `tf.linalg.matvec`. (NumPy's `@` takes the vector,
# which is why so many people stumble here.)
#
# **Your turn.** This is a neuron, and with a matrix in the place of the vector it is a layer.

# %% question="weighted_sums"
def weighted_sums(x, w, b):
    """The weighted sum of each row, plus the bias.

    >>> weighted_sums([[1.0, 2.0], [3.0, 4.0]], w=[10.0, 1.0], b=0.5)
    [12.5, 34.5]

    Args:
        x: float32 tensor (B, n).
        w: float32 tensor (n,).
        b: float32 tensor without axes.
    Returns:
        float32 tensor (B,).
    """
    ### BEGIN SOLUTION
    return tf.linalg.matvec(x, w) + b
    ### END SOLUTION

# %%
two_rows = tf.constant([[1.0, 2.0], [3.0, 4.0]])
expect(weighted_sums(two_rows, tf.constant([10.0, 1.0]), tf.constant(0.5)), np.float32([12.5, 34.5]))
expect(weighted_sums(tf.ones((3, 4)), tf.constant([1.0, 2.0, 3.0, 4.0]), tf.constant(-10.0)), np.float32([0.0, 0.0, 0.0]))

# %% [markdown]
# ## 5. Variables: what is learned
#
# A tensor is a value, a `tf.Variable` is a place that holds one. Weights are variables, because training changes them and
# everybody who uses them has to see it. A place is changed by `assign`, `assign_add` and `assign_sub`. The sign `=` changes
# nothing in it: it gives the *name* to something else.

# %%
weight = tf.Variable(8.0)
in_a_model = weight  # a second name for the same place
weight.assign_sub(1.0)
print("after assign_sub:", weight.numpy(), in_a_model.numpy())
weight = weight - 1.0
print("after = :        ", weight.numpy(), in_a_model.numpy(), "the model does not know")
print("weight is now a  ", type(weight).__name__)
fails(lambda: weight.assign_sub(1.0))

# %% [markdown]
# **Your turn.**

# %% question="shrink"
def shrink(variable, factor):
    """Multiply a variable by a factor, in its place.

    >>> v = tf.Variable([8.0, 2.0])
    >>> shrink(v, 0.5)
    >>> v.numpy()
    [4.0, 1.0]

    Args:
        variable: float32 tf.Variable of any shape, which is changed.
        factor: Python float.
    """
    ### BEGIN SOLUTION
    variable.assign(factor * variable)
    ### END SOLUTION

# %%
weights = tf.Variable([8.0, 2.0])
shrink(weights, 0.5)
expect(weights, np.float32([4.0, 1.0]))
shrink(weights, 0.25)
expect(weights, np.float32([1.0, 0.25]))

# %% [markdown]
# ## 6. The tape: gradients
#
# What is computed inside `with tf.GradientTape() as tape:` is written down, and `tape.gradient(result, inputs)` goes through it
# backwards, by the chain rule. Variables are watched by themselves; a constant only after `tape.watch`.
#
# The derivative of $w^2$ is $2w$. **What do you expect** of each line?

# %%
w = tf.Variable(3.0)
with tf.GradientTape() as tape:
    y = w ** 2
print("a variable:         ", tape.gradient(y, w).numpy())

c = tf.constant(3.0)
with tf.GradientTape() as tape:
    y = c ** 2
print("a constant:         ", tape.gradient(y, c))

with tf.GradientTape() as tape:
    tape.watch(c)
    y = c ** 2
print("a watched constant: ", tape.gradient(y, c).numpy())

with tf.GradientTape() as tape:
    y = tf.constant(np.square(w.numpy()))
print("through NumPy:      ", tape.gradient(y, w))

with tf.GradientTape() as tape:
    pass
y = w ** 2
print("outside of the tape:", tape.gradient(y, w))

# %% [markdown]
# `None` is TensorFlow's way of saying *the result does not depend on that, as far as I could see*. Look for the place where the
# thread was cut: NumPy, a constant that was not watched, a line outside of the `with`, a `tf.argmax` or a cast to whole numbers
# on the way.
#
# **Your turn.**

# %% question="slope"
def slope(function, x):
    """The derivative of a function at x.

    >>> slope(lambda x: x ** 3, tf.constant([1.0, 2.0]))
    [3.0, 12.0]

    Args:
        function: takes a tensor and returns one, entry by entry, in TensorFlow.
        x: float32 tensor (n,), no variable.
    Returns:
        float32 tensor (n,).
    """
    ### BEGIN SOLUTION
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)
    ### END SOLUTION

# %%
expect(slope(lambda x: x ** 3, tf.constant([1.0, 2.0])), np.float32([3.0, 12.0]))
expect(slope(tf.sin, tf.constant([0.0, np.pi / 2, np.pi])), np.float32([1.0, 0.0, -1.0]))

# %% [markdown]
# ## 7. A Keras layer
#
# A layer is a function that owns its variables. It makes them when it is first called, because only then does it know how many
# numbers an example has.

# %%
layer = keras.layers.Dense(2)
print("before the first call:", len(layer.weights), "weights")
print("a call:               ", layer(tf.ones((5, 3))).shape)
print("after it:             ", [(weight.name, tuple(weight.shape)) for weight in layer.weights])
layer(tf.ones((8, 3)))
print("after another call:   ", len(layer.weights), "weights, the same ones")
fails(lambda: layer(tf.ones((5, 4))))

# %% [markdown]
# In a layer of your own, `build` is called once, with the shape of the first input, and makes the variables; `call` is called for
# every batch and uses them. A variable that is made in `call` is a new one at each call, and learns nothing.
#
# **Your turn.** `self.add_weight(shape=…, initializer="ones", name="factor")` makes a variable that Keras knows of.

# %% question="Scale"
class Scale(keras.layers.Layer):
    """Multiplies each column by a factor of its own, which is learned and starts at 1.

    >>> layer = Scale()
    >>> layer(tf.constant([[2.0, 3.0]])).numpy()
    [[2.0, 3.0]]
    >>> layer.factor.assign([10.0, 1.0])
    >>> layer(tf.constant([[2.0, 3.0]])).numpy()
    [[20.0, 3.0]]
    """

    def build(self, input_shape):
        """Make the weight `self.factor`, float32 (n,), for inputs of the shape (B, n)."""
        ### BEGIN SOLUTION
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        ### END SOLUTION

    def call(self, x):
        """Return the scaled batch: float32 (B, n) -> float32 (B, n)."""
        ### BEGIN SOLUTION
        return x * self.factor
        ### END SOLUTION

# %%
scale = Scale()
expect(scale(tf.constant([[2.0, 3.0], [4.0, 5.0]])), np.float32([[2.0, 3.0], [4.0, 5.0]]))
scale.factor.assign([10.0, 1.0])
expect(scale(tf.constant([[2.0, 3.0], [4.0, 5.0]])), np.float32([[20.0, 3.0], [40.0, 5.0]]))
expect(len(scale.trainable_weights), 1)

# %% [markdown]
# ## 8. All of it at once
#
# Five points lie on a line. A neuron that knows nothing (weight 0, bias 0) goes downhill on its error until it has found it, and
# there is nothing in these lines that you have not just met. Which line is it? **What do you expect** of the weight and the bias?

# %%
points = tf.constant([[0.0], [1.0], [2.0], [3.0], [4.0]])  # (5, 1): five examples of one number
heights = tf.constant([1.0, 4.0, 7.0, 10.0, 13.0])  # (5,)
w, b = tf.Variable([0.0]), tf.Variable(0.0)
for step in range(301):
    with tf.GradientTape() as tape:
        error = tf.reduce_mean((weighted_sums(points, w, b) - heights) ** 2)
    if step in (0, 1, 10, 100, 300):
        print(f"step {step:3}: error {error.numpy():9.5f}   height = {w[0].numpy():.3f} · x + {b.numpy():.3f}")
    for variable, gradient in zip([w, b], tape.gradient(error, [w, b])):
        variable.assign_sub(0.05 * gradient)

# %% [markdown]
# That is gradient descent, and lesson 2 is about nothing else.
#
# ## What to take along
#
# | you see | because | do |
# | --- | --- | --- |
# | `does not support item assignment` | tensors are values | make a new tensor; a variable for what is learned |
# | `object has no attribute 'reshape'` | that is NumPy's | `tf.reshape(x, …)` |
# | `expected to be a int32 tensor but is a float tensor` | whole numbers beside decimals | `tf.cast(x, tf.float32)` |
# | `Incompatible shapes` | right-aligned, two sizes differ and neither is 1 | `x[:, tf.newaxis]`, `keepdims=True` |
# | a loss that stops at a bad value | (B, 1) minus (B,) is (B, B) | print both shapes |
# | numbers in the wrong places | `reshape` where axes should change places | `tf.transpose` |
# | `Matrix size-incompatible` | the inner sizes of `@` differ | compare the shapes; often a transpose is missing |
# | `has different ndims` | `@` with a vector | `tf.linalg.matvec` |
# | `object has no attribute 'assign_sub'` | `=` gave the name to a tensor | `variable.assign(…)` |
# | a gradient that is `None` | the tape did not see the way | TensorFlow from the inputs to the result; `tape.watch` |
#
# [Symbols and words](../NOTATION.md) has more of both. On to [neurons](../a1_neurons/neurons.ipynb).
