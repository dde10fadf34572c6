"""Cases and misconceptions of a1: perceptrons, logic gates, sigmoid neurons, feedforward networks."""

import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

TRUTH_TABLE = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
ALWAYS_0, ALWAYS_1, NAND = [0] * 4, [1] * 4, [1, 1, 1, 0]  # what a gate answers to its four rows
SIGMOIDS = ["tf.sigmoid", "tf.math.sigmoid", "tf.nn.sigmoid", "tf.math.log_sigmoid", "tf.raw_ops.Sigmoid",
            "keras.ops.sigmoid", "keras.ops.log_sigmoid", "keras.activations.sigmoid", "keras.activations.log_sigmoid",
            "keras.layers.Activation", "scipy.special.expit", "scipy.special.log_expit", "scipy.stats.logistic.*"]


def quarters(rng, low, high, size):
    """Multiples of 1/4: their products and sums are exact in float32, in whatever order they are added."""
    return rng.integers(4 * low, 4 * high + 1, size=size) / 4


# ---------------------------------------------------------------------------------------------------- perceptron

perceptron = Question(lesson.perceptron)


@perceptron.case(points=2, visible=True)
def four_days(rng):
    """Four days that you can decide by hand, none of them close."""
    return [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]], [2.0, 3.0, 4.0], -5.0


@perceptron.case(points=1, visible=True)
def exactly_zero(rng):
    """Two days whose sum is exactly 0, and one above; the bias is positive."""
    return [[1.0, -1.0, 0.0], [0.0, 1.0, 1.0], [1.0, -0.5, 0.0]], [2.0, 3.0, -4.0], 1.0


@perceptron.case(points=6)
def many_rows(rng):
    """Many rows of three inputs; no sum is 0."""
    signs = rng.permutation([1, -1, 1])
    return quarters(rng, -3, 3, (40, 3)), signs * quarters(rng, 1, 2, 3), float(quarters(rng, 1, 2, ())) + 1 / 32


@perceptron.case(points=3)
def negative_bias(rng):
    """A neuron that is hard to please: its bias is negative."""
    return quarters(rng, -1, 3, (30, 4)), quarters(rng, 1, 2, 4), -float(quarters(rng, 5, 7, ())) - 1 / 32


@perceptron.case(points=2)
def one_input(rng):
    """A single input with a negative weight."""
    return rng.permutation(np.arange(-6.0, 7.0))[:, None], [-float(quarters(rng, 1, 2, ()))], float(rng.integers(2, 4)) + 1 / 32


@perceptron.case(points=2, probe=probes.each())
def one_row(rng):
    """Batches of one: where the sum is above 0, it is so because of the bias alone."""
    biases = rng.permutation([3.0, 24.0] * 6).tolist()
    return {"calls": [[-quarters(rng, 1, 2, (1, 5)), quarters(rng, 1, 2, 5), bias] for bias in biases]}


@perceptron.case(points=2)
def on_the_edge(rng):
    """Sums of exactly 0 between sums of a little more and a little less."""
    x = quarters(rng, -3, 3, (13, 2))
    w, b = [2.0, -1.0], float(quarters(rng, 1, 2, ()))
    x[:, 1] = 2 * x[:, 0] + b + rng.permutation([0, 0, 0, 0.25, 0.25, 0.5, 0.5, -0.25, -0.25, -0.25, -0.5, -0.5, -0.5])
    return x, w, b


@perceptron.misconception
def fires_at_zero(x, w, b):
    """Your neuron fires at a sum of exactly 0: it should stay silent there, and fire strictly above."""
    return tf.cast(tf.linalg.matvec(x, w) + b >= 0, tf.float32)


@perceptron.misconception
def subtracts_the_bias(x, w, b):
    """The bias works the wrong way round, as a threshold would: a bias is minus the threshold, so it is added."""
    return lesson.perceptron(x, w, -b)


@perceptron.misconception
def ignores_the_bias(x, w, b):
    """The bias makes no difference in your neuron: add it to the weighted sum before you compare."""
    return lesson.perceptron(x, w, 0.0)


@perceptron.misconception
def answers_plus_or_minus_one(x, w, b):
    """A silent neuron answers −1 here: in this course it answers 0."""
    return 2 * lesson.perceptron(x, w, b) - 1


@perceptron.misconception
def returns_the_sum(x, w, b):
    """You return the weighted sum itself: a perceptron answers 1 or 0, according to whether the sum is above 0."""
    return tf.linalg.matvec(x, w) + b


@perceptron.misconception
def adds_the_bias_once_per_input(x, w, b):
    """The bias counts once for every input: it belongs to the sum, once, not to each of the products."""
    return lesson.perceptron(x, w, b * x.shape[1])


@perceptron.misconception
def sums_the_whole_batch(x, w, b):
    """One answer comes back for the whole batch: sum over the inputs of each row, so that every row has its own."""
    return tf.cast(tf.reduce_sum(x * w) + b > 0, tf.float32)


@perceptron.misconception
def fires_below(x, w, b):
    """Your neuron fires when it should be silent, and the other way round: it fires when the sum is above 0."""
    return tf.cast(tf.linalg.matvec(x, w) + b < 0, tf.float32)


@perceptron.misconception
def answers_smoothly(x, w, b):
    """Your answers lie between 0 and 1: that is the sigmoid neuron of a later section. A perceptron knows only 0 and 1."""
    return tf.sigmoid(tf.linalg.matvec(x, w) + b)


# ---------------------------------------------------------------------------------------------------- nand

nand = Question(lesson.nand, uses=("perceptron",), forbid=[
    "tf.math.logical_and", "tf.logical_and", "tf.bitwise.bitwise_and", "numpy.logical_and", "numpy.bitwise_and",
    "keras.ops.logical_and", "keras.ops.bitwise_and"])
BROKEN_NEURON = own.broken(part="perceptron")


@nand.case(points=2, visible=True)
def truth_table(rng):
    """The four rows of the truth table."""
    return TRUTH_TABLE,


@nand.case(points=1, visible=True, probe=BROKEN_NEURON)
def broken_neuron(rng):
    """With `perceptron` stuck at 0, then at 1: a gate built on it can only answer the same."""
    return {"rows": TRUTH_TABLE, "tables": [ALWAYS_0, ALWAYS_1]}


@nand.case(points=5)
def eleven_rows(rng):
    """Eleven rows in a random order."""
    return rng.permutation(TRUTH_TABLE * 2 + TRUTH_TABLE[3:] * 3),  # nearly half of them 1, 1


@nand.case(points=2, probe=probes.each())
def one_row_alone(rng):
    """Rows that come one at a time: every batch has a single one."""
    return {"calls": [[[row]] for row in rng.permutation(TRUTH_TABLE[:3] * 2 + TRUTH_TABLE[3:] * 6).tolist()]}


@nand.case(points=2, probe=BROKEN_NEURON)
def broken_neuron_seven_rows(rng):
    """Seven rows, with `perceptron` broken in other ways: it is chance what it answers to a row, and the gate can only answer the
    same."""
    return {"rows": rng.permutation(TRUTH_TABLE * 2)[:7], "tables": rng.integers(0, 2, size=(6, 4)).tolist()}


@nand.misconception
def and_weights(x):
    """Your gate is AND: NAND says no exactly where AND says yes."""
    return perceptron(x, tf.constant([2.0, 2.0]), -3.0)


@nand.misconception
def or_weights(x):
    """Your gate is OR: NAND is silent for the row 1, 1 only."""
    return perceptron(x, tf.constant([2.0, 2.0]), -1.0)


@nand.misconception
def nor_weights(x):
    """Your gate is NOR, which fires for 0, 0 only. The bias has to outweigh one of the weights, but not both."""
    return perceptron(x, tf.constant([-2.0, -2.0]), 1.0)


@nand.misconception
def bias_taken_for_a_threshold(x):
    """Your gate never fires: weights of −2 need a positive bias to lift the sum above 0."""
    return perceptron(x, tf.constant([-2.0, -2.0]), -3.0)


@nand.misconception
def positive_weights(x):
    """Your gate always fires: with a positive bias it is the weights that have to pull the sum below 0, for the row 1, 1."""
    return perceptron(x, tf.constant([2.0, 2.0]), 3.0)


@nand.misconception
def goes_round_the_perceptron(x):
    """The values are right, but your `perceptron` does not give them: let the gate be one call of it."""
    return 1.0 - x[:, 0] * x[:, 1]


@nand.variation({"-2.0, -2.0": "-4.0, -2.0"}, {"-2.0, -2.0": "-2.0, -4.0"})
def one_input_is_enough():
    """One of your inputs silences the neuron by itself: only both of them together should, so their weights are equal."""


# ---------------------------------------------------------------------------------------------------- xor

xor = Question(lesson.xor, uses=("perceptron", "nand"), forbid=[
    "tf.math.logical_xor", "tf.bitwise.bitwise_xor", "tf.raw_ops.BitwiseXor", "numpy.logical_xor", "numpy.bitwise_xor",
    "keras.ops.logical_xor", "keras.ops.bitwise_xor"])
BROKEN_GATES = own.broken(part="nand")


@xor.case(points=2, visible=True)
def truth_table(rng):  # noqa: F811
    """The four rows of the truth table."""
    return TRUTH_TABLE,


@xor.case(points=2, visible=True, probe=BROKEN_GATES)
def broken_gates(rng):
    """With `nand` stuck at 0, then at 1: a circuit built from nothing else can only answer the same."""
    return {"rows": TRUTH_TABLE, "tables": [ALWAYS_0, ALWAYS_1]}


@xor.case(points=6)
def thirteen_rows(rng):
    """Thirteen rows in a random order."""
    return rng.permutation(TRUTH_TABLE * 4)[:13],


@xor.case(points=2, probe=probes.each())
def one_row_alone(rng):  # noqa: F811
    """Rows that come one at a time: every batch has a single one."""
    return {"calls": [[[row]] for row in rng.permutation(TRUTH_TABLE * 3).tolist()]}


@xor.case(points=4, probe=BROKEN_GATES)
def broken_gates_nine_rows(rng):
    """Nine rows, with `nand` stuck at 0, stuck at 1 and right, in an order of chance."""
    return {"rows": rng.permutation(TRUTH_TABLE * 3)[:9], "tables": rng.permutation([ALWAYS_0, ALWAYS_1, NAND] * 2).tolist()}


@xor.misconception
def one_gate(x):
    """Your circuit behaves as a single NAND: for 0, 0 it has to be silent, too."""
    return nand(x)


@xor.misconception
def equal_instead_of_different(x):
    """Your circuit fires when the inputs are equal: XOR fires when they differ. One more gate turns an answer round."""
    gate = lambda p, q: nand(tf.stack([p, q], axis=1))  # noqa: E731
    a, b = x[:, 0], x[:, 1]
    return gate(gate(a, b), gate(gate(a, a), gate(b, b)))


@xor.misconception
def includes_both(x):
    """Your circuit is OR: XOR is *exclusive*, so it is silent when both inputs are 1."""
    a, b = nand(tf.stack([x[:, 0], x[:, 0]], axis=1)), nand(tf.stack([x[:, 1], x[:, 1]], axis=1))
    return nand(tf.stack([a, b], axis=1))


@xor.misconception
def only_both(x):
    """Your circuit is AND: XOR fires when exactly one of the inputs is 1."""
    both = nand(x)
    return nand(tf.stack([both, both], axis=1))


@xor.misconception(variants=[{"side": 1}])
def misses_one_side(x, side=0):
    """Your circuit notices one of the two cases in which the inputs differ: the other side needs a gate of its own, too."""
    half = nand(tf.stack([x[:, side], nand(x)], axis=1))
    return nand(tf.stack([half, half], axis=1))


@xor.misconception(variants=[{"gate": True}])
def goes_round_the_gates(x, gate=False):
    """The values are right, but something else than `nand` makes them: every signal has to come out of a NAND gate."""
    return nand(x) * tf.reduce_max(x, axis=1) if gate else tf.abs(x[:, 0] - x[:, 1])


@xor.variation({"[left, right], axis=1": "[left, right]"})
def last_gate_gets_its_inputs_as_rows():
    """Your last gate takes the batch for its two inputs: stack them so that every example is a row of two."""


# ---------------------------------------------------------------------------------------------------- sigmoid

sigmoid = Question(lesson.sigmoid, forbid=SIGMOIDS)


@sigmoid.case(points=1, visible=True)
def by_hand(rng):
    """Two rows that you can work out by hand: 1/2, 3/4, 1/4 and 1/5."""
    return [[0.0, math.log(3)], [-math.log(3), -math.log(4)]],


@sigmoid.case(points=1, visible=True)
def one_number(rng):
    """A single number, 1: the answer is 0.7311, a single number too."""
    return np.ones(()),


@sigmoid.case(points=1, visible=True, probe=probes.gradients())
def slope_by_hand(rng):
    """The slope where the answer is 3/4, which is 3/4 · 1/4 there, and around −1000, where it is 0."""
    return [math.log(3), -1000.0],


@sigmoid.case(points=5)
def three_axes(rng):
    """An array with three axes, entries between −12 and 12."""
    far = rng.uniform(6, 12, size=(2, 3, 1)) * [[[1]], [[-1]]]
    return np.concatenate([rng.normal(scale=2, size=(2, 3, 4)), far], axis=2),


@sigmoid.case(points=3)
def far_out(rng):
    """Entries around 1000 and −1000: the answers are 1 and 0."""
    return rng.permutation(np.concatenate([rng.uniform(900, 1100, 3), -rng.uniform(900, 1100, 3), rng.normal(size=1)])),


@sigmoid.case(points=4, probe=probes.gradients())
def slope(rng):
    """The slope, as `tf.GradientTape` finds it, for entries of moderate size."""
    return rng.permutation(np.concatenate([rng.uniform(0.3, 5, 8), -rng.uniform(0.3, 5, 7)])).reshape(5, 3),


@sigmoid.case(points=5, probe=probes.gradients())
def slope_far_out(rng):
    """The slope around 1000 and −1000: flat, but finite, and moderate entries beside them are not disturbed."""
    return rng.permutation(np.concatenate([rng.uniform(900, 1100, 3), -rng.uniform(900, 1100, 3),
                                           [rng.uniform(0.5, 2), -rng.uniform(0.5, 2)]])).reshape(2, 4),


@sigmoid.misconception
def hyperbolic_tangent(z):
    """Your values run from −1 to 1: that is the hyperbolic tangent. The sigmoid runs from 0 to 1, and is 1/2 at 0."""
    return tf.tanh(z)


@sigmoid.misconception
def minus_sign_missing(z):
    """Your curve falls where it should rise: look at the sign of the exponent."""
    return lesson.sigmoid(-z)


@sigmoid.misconception
def twice_too_steep(z):
    """Your curve is σ(2z): when you build on the hyperbolic tangent, halve its argument as well."""
    return lesson.sigmoid(2 * z)


@sigmoid.misconception
def divides_too_early(z):
    """Your values are above 1: the division takes the first 1 alone. Put parentheses around the whole denominator."""
    return 1 / 1 + tf.exp(-z)


@sigmoid.misconception
def gradient_overflows(z):
    """The values are right, but the slope is NaN where z is very negative: `exp(-z)` overflows there, and 0 times infinity
    is not a number. Let no exponent become large."""
    return 1 / (1 + tf.exp(-z))


@sigmoid.misconception
def value_overflows(z):
    """Your values become NaN for large z: `exp(z)` overflows, and infinity over infinity is not a number."""
    return tf.exp(z) / (1 + tf.exp(z))


@sigmoid.misconception
def computes_both_branches(z):
    """The values are right, but the slope is NaN far out: `tf.where` computes the branch it discards as well, and what
    overflows there spoils the slope. Make both branches harmless for every z."""
    return tf.where(z >= 0, 1 / (1 + tf.exp(-z)), tf.exp(z) / (1 + tf.exp(z)))


@sigmoid.misconception(variants=[*({"limit": limit} for limit in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)),
                                 *({"limit": 1e9, "least": least} for least in (0.1, 0.01, 1e-3, 1e-4))])
def clips(z, limit=5.0, least=0.0):
    """Your curve stops short of 0 and 1: z, or the answer, seems to be clipped. There is a way without clipping."""
    return tf.clip_by_value(lesson.sigmoid(tf.clip_by_value(z, -limit, limit)), least, 1 - least)


@sigmoid.misconception
def shares_of_a_row(z):
    """Your entries depend on one another, and add up to 1: that is a softmax. The sigmoid squashes each entry alone."""
    return tf.nn.softmax(z)


@sigmoid.misconception(variants=[{"steepness": 0.25}, {"steepness": 1 / 6}])
def straight_line(z, steepness=0.2):
    """Your curve is made of straight lines (a *hard* sigmoid): the sigmoid bends everywhere."""
    return tf.clip_by_value(0.5 + steepness * z, 0.0, 1.0)


@sigmoid.misconception
def step_function(z):
    """Your values are 0 and 1 only: that is the perceptron's step. The sigmoid passes smoothly from one to the other."""
    return tf.cast(z > 0, tf.float32)


@sigmoid.misconception
def slope_for_value(z):
    """You return the slope σ′(z): the value σ(z) itself is asked for."""
    return lesson.sigmoid(z) * lesson.sigmoid(-z)


# ---------------------------------------------------------------------------------------------------- feedforward

feedforward = Question(lesson.feedforward, uses=("sigmoid",), forbid=[
    "keras.layers.*", "keras.Sequential", "keras.Model", "keras.models.*", "sklearn.neural_network.*"])


def layers(rng, sizes, scale=1.0):
    """Random weights (n_in, n_out) and biases (n_out,) between the layers of the given sizes."""
    return ([scale * rng.normal(size=shape) for shape in zip(sizes, sizes[1:])],
            [scale * rng.normal(size=n) for n in sizes[1:]])


@feedforward.case(points=2, visible=True)
def one_layer(rng):
    """One example, one layer of two neurons, by hand: the sums are ln 3 and 0."""
    log3 = math.log(3)
    return [[1.0, 2.0]], [np.array([[log3, 1.0], [-log3, -1.0]])], [np.array([2 * log3, 1.0])]


@feedforward.case(points=2, visible=True)
def two_layers(rng):
    """Two examples, two layers, by hand: hidden neurons give 3/4 and 1/4 for the first, 1/2 and 1/2 for the second; the last
    sums are 2 ln 3 and ln 3."""
    log3 = math.log(3)
    return ([[1.0, 0.0], [0.0, 0.0]], [np.array([[log3, -log3], [5.0, 3.0]]), np.array([[2 * log3], [-2 * log3]])],
            [np.zeros(2), np.array([log3])])


@feedforward.case(points=6)
def three_layers(rng):
    """Seven examples through three layers."""
    return rng.normal(size=(7, 3)), *layers(rng, [3, 6, 5, 2])


@feedforward.case(points=4)
def single_layer(rng):
    """Four examples, and no hidden layer at all."""
    return rng.normal(size=(4, 5)), *layers(rng, [5, 3])


@feedforward.case(points=4)
def narrow(rng):
    """One example, squeezed through a hidden layer of one neuron."""
    return rng.normal(size=(1, 4)), *layers(rng, [4, 1, 3])


@feedforward.case(points=2)
def four_layers(rng):
    """Six examples through four layers that grow."""
    return rng.normal(size=(6, 2)), *layers(rng, [2, 3, 4, 5, 7], scale=1.5)


@feedforward.case(points=2)
def saturated(rng):
    """Neurons whose sums are in the hundreds, positive and negative."""
    weights, biases = layers(rng, [4, 6, 3])
    weights[0] = 300 * np.sign(weights[0]) * [[1], [4], [9], [16]]  # no sum of these, times x, comes near 0
    return rng.permutation([1, 1, -1, -1, 1])[:, None] * [[1.0, 2.0, -3.0, 1.0]], weights, biases


@feedforward.misconception
def last_layer_linear(x, weights, biases):
    """The last layer gives its sums unsquashed: in this network every layer ends with a sigmoid, the last one too."""
    for w, b in zip(weights[:-1], biases[:-1]):
        x = tf.sigmoid(x @ w + b)
    return x @ weights[-1] + biases[-1]


@feedforward.misconception
def bias_after_the_sigmoid(x, weights, biases):
    """The bias is added after the sigmoid: it belongs to the sum inside."""
    for w, b in zip(weights, biases):
        x = tf.sigmoid(x @ w) + b
    return x


@feedforward.misconception
def weights_transposed(x, weights, biases):
    """The weights are used transposed: in this course they are stored as (inputs, neurons), one column per neuron."""
    for w, b in zip(weights, biases):
        x = tf.sigmoid(tf.matmul(x, w, transpose_b=True) + b)
    return x


@feedforward.misconception
def sigmoid_twice(x, weights, biases):
    """The sigmoid is applied twice in every layer: once is enough."""
    for w, b in zip(weights, biases):
        x = tf.sigmoid(tf.sigmoid(x @ w + b))
    return x


@feedforward.misconception
def sigmoid_once_more_at_the_end(x, weights, biases):
    """The outputs are squashed once more after the last layer: that layer has its sigmoid already."""
    return tf.sigmoid(lesson.feedforward(x, weights, biases))


@feedforward.misconception
def squashes_the_inputs(x, weights, biases):
    """The inputs are squashed before the first layer: the input layer does not compute, it only holds x."""
    return lesson.feedforward(tf.sigmoid(x), weights, biases)


@feedforward.misconception
def forgets_the_biases(x, weights, biases):
    """The biases make no difference: add one to every neuron's weighted sum."""
    return lesson.feedforward(x, weights, [0 * b for b in biases])


@feedforward.misconception
def rectified_layers(x, weights, biases):
    """Your hidden neurons answer what a ReLU does, 0 or the sum itself: they are sigmoid neurons, as the last layer's are."""
    for w, b in zip(weights[:-1], biases[:-1]):
        x = tf.nn.relu(x @ w + b)
    return tf.sigmoid(x @ weights[-1] + biases[-1])


@feedforward.misconception
def only_the_last_layer_squashes(x, weights, biases):
    """Only the last layer has a sigmoid: without one in between, two layers collapse into one."""
    for w, b in zip(weights, biases):
        x = x @ w + b
    return tf.sigmoid(x)


@feedforward.misconception
def stops_before_the_last_layer(x, weights, biases):
    """Your network ends one layer too early: every pair of weights and biases is a layer."""
    return lesson.feedforward(x, weights[:-1], biases[:-1])


@feedforward.misconception
def feeds_the_inputs_to_every_layer(x, weights, biases):
    """Every layer works on the inputs x: from the second on, a layer gets what the one before it answered."""
    for w, b in zip(weights, biases):
        a = tf.sigmoid(x @ w + b)
    return a


@feedforward.misconception
def steps(x, weights, biases):
    """Your neurons answer 0 or 1 only: these are sigmoid neurons, not perceptrons."""
    for w, b in zip(weights, biases):
        x = tf.cast(x @ w + b > 0, tf.float32)
    return x


@feedforward.misconception
def hyperbolic_layers(x, weights, biases):
    """Your neurons answer between −1 and 1, as the hyperbolic tangent does: use the sigmoid."""
    for w, b in zip(weights, biases):
        x = tf.tanh(x @ w + b)
    return x


@feedforward.variation({"sigmoid(a @ w + b)": "a @ w + b"})
def no_sigmoid_at_all():
    """None of your layers has a sigmoid: what a layer passes on is the sigmoid of its sums."""


@feedforward.variation({"@ w + b": "@ w - b"})
def subtracts_the_biases():
    """Your biases are subtracted: a bias is added to the weighted sum of its neuron."""


@feedforward.variation({"a @ w + b": "b"})
def biases_alone():
    """Your layers see nothing of what comes in: a neuron's sum holds its inputs times their weights, beside the bias."""


# ---------------------------------------------------------------------------------------------------- count_parameters

count_parameters = Question(lesson.count_parameters, probe=probes.call(inputs_as="python"), forbid=[
    "keras.layers.*", "keras.Sequential", "keras.Model", "keras.models.*"])


@count_parameters.case(points=1, visible=True)
def small_network(rng):
    """Four inputs, three hidden neurons, two outputs: 23, which you can count in a drawing."""
    return [4, 3, 2],


@count_parameters.case(points=1, visible=True)
def digits_network(rng):
    """The network for handwritten digits, [784, 30, 10]: 23,860."""
    return [784, 30, 10],


@count_parameters.case(points=4)
def two_hidden_layers(rng):
    """A network with two hidden layers."""
    return rng.choice(np.arange(3, 60), size=4, replace=False).tolist(),


@count_parameters.case(points=2)
def no_hidden_layer(rng):
    """Inputs connected to outputs directly."""
    return [int(rng.integers(20, 300)), int(rng.integers(3, 20))],


@count_parameters.case(points=2)
def seven_layers(rng):
    """Seven layers, some of which have the same size."""
    a, b, c = rng.choice(np.arange(3, 60), size=3, replace=False).tolist()
    return [a, b, a, b, c, c, c],


@count_parameters.case(points=2, probe=probes.each(inputs_as="python"))
def inputs_alone(rng):
    """Networks of inputs and nothing else, between some with one layer more."""
    sizes = [rng.integers(4, 30, size=length).tolist() for length in rng.permutation([1, 1, 2, 2])]
    return {"calls": [[network] for network in sizes]}


@count_parameters.misconception
def forgets_biases(sizes):
    """You count the weights alone: every neuron after the input layer has a bias, too."""
    return sum(a * b for a, b in zip(sizes, sizes[1:]))


@count_parameters.misconception
def biases_for_the_inputs(sizes):
    """You count biases for the inputs: the input layer does not compute, so it has none."""
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sum(sizes)


@count_parameters.misconception
def biases_on_the_sending_side(sizes):
    """Your biases belong to the wrong side: each layer has one per neuron that it computes, not per number that it reads."""
    return sum(a * b + a for a, b in zip(sizes, sizes[1:]))


@count_parameters.misconception
def one_bias_per_layer(sizes):
    """You count one bias for each layer: every neuron has its own."""
    return sum(a * b + 1 for a, b in zip(sizes, sizes[1:]))


@count_parameters.misconception
def no_biases_at_the_output(sizes):
    """The output layer's biases are missing: output neurons compute as hidden ones do."""
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sum(sizes[1:-1])


@count_parameters.misconception
def biases_at_the_output_alone(sizes):
    """You count the output layer's biases alone: hidden neurons have one each, too."""
    return sum(a * b for a, b in zip(sizes, sizes[1:])) + sizes[-1]


@count_parameters.misconception
def equal_layers_once(sizes):
    """Layers of equal sizes are counted once: each has weights and biases of its own."""
    return sum((a + 1) * b for a, b in set(zip(sizes, sizes[1:])))


@count_parameters.misconception
def stops_before_the_outputs(sizes):
    """Your count stops one layer too early: the output layer has weights and biases like the others."""
    return lesson.count_parameters(sizes[:-1])


@count_parameters.misconception
def counts_neurons(sizes):
    """You count neurons: their weights and biases are asked for."""
    return sum(sizes)


@count_parameters.misconception
def multiplies_everything(sizes):
    """You multiply all the sizes: layers are connected one to the next, and each pair adds its own weights."""
    return math.prod(sizes)


@count_parameters.misconception
def every_layer_with_every_later_one(sizes):
    """You connect every layer with all later ones: in a feedforward network of this kind, only with the next."""
    pairs = [(a, b) for i, a in enumerate(sizes) for b in sizes[i + 1:]]
    return sum(a * b for a, b in pairs) + sum(sizes[1:])


@count_parameters.variation({"(inputs + 1) * neurons": "neurons"})
def forgets_the_weights():
    """Your count holds the biases alone: every neuron has a weight for each of its inputs, too."""


@count_parameters.variation({"(inputs + 1) * neurons": "(inputs + 1)"}, {"(inputs + 1) * neurons": "(inputs + neurons)"})
def one_neuron_per_layer():
    """You add where you should multiply: each neuron of a layer has weights for all of the layer's inputs."""


@count_parameters.variation({"inputs + 1": "inputs - 1"}, {"inputs + 1": "inputs + 2"})
def another_number_of_biases():
    """Your number of biases is off: every neuron behind the inputs has exactly one."""


@count_parameters.variation({"sizes[1:]": "sizes"}, {"sizes[1:]": "sizes[2:]"})
def pairs_the_wrong_layers():
    """The layers you pair are no neighbours: weights lead from each layer to the one after it."""
