"""a1's reference answers against independent oracles, right answers written differently, and the numbers in its prose."""

import itertools
import math
from fractions import Fraction
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from conftest import observe

from autograder import plots
from autograder.authoring.question import load_questions
from autograder.grading.compare import difference
from autograder.inside.probes import AnswerError, exercise, own_probes

FOLDER = Path(__file__).resolve().parents[1] / "solutions" / "a1_neurons"
QUESTIONS = {question.name: question for question in load_questions(FOLDER)}
EXTRA = own_probes(FOLDER)
# By the names they have in a notebook: answers written differently, below, call them as a student's would.
perceptron, nand, xor, sigmoid, feedforward, count_parameters = (
    QUESTIONS[name].answer for name in ("perceptron", "nand", "xor", "sigmoid", "feedforward", "count_parameters"))

BITS = np.array(list(itertools.product([0, 1], repeat=2)), np.float32)


def close(value, expected, rtol=2e-5, atol=2e-6):
    np.testing.assert_allclose(np.asarray(value), expected, rtol, atol)


def network(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return ([rng.normal(size=shape).astype(np.float32) for shape in zip(sizes, sizes[1:])],
            [rng.normal(size=n).astype(np.float32) for n in sizes[1:]])


# ---------------------------------------------------------------------------------------------------- oracles


@pytest.mark.parametrize("size", [(1, 1), (40, 3), (7, 12)])
def test_perceptron(size):
    rng = np.random.default_rng(size[0])
    x, w, b = rng.integers(-3, 4, size) / 4, rng.integers(-3, 4, size[1]) / 2, 0.25
    exact = [[Fraction(value) * Fraction(weight) for value, weight in zip(row, w)] for row in x]
    expected = [float(sum(row) + Fraction(b) > 0) for row in exact]
    answer = perceptron(tf.constant(x, tf.float32), tf.constant(w, tf.float32), b)
    assert np.asarray(answer).dtype == np.float32
    close(answer, expected)
    close(answer, np.heaviside(x @ w + b, 0))


def test_perceptron_is_silent_at_exactly_zero():
    rng = np.random.default_rng(1)
    w = rng.integers(1, 9, 6) / 4
    x = rng.permuted(np.repeat([[1.0, -1, 0, 0, 0, 0]], 30, axis=0), axis=1)
    sums = [math.fsum(row * w) for row in x]
    for total in sorted(set(sums)):
        close(perceptron(x, w, -total), np.array(sums) > total)


def test_nand_and_xor():
    a, b = BITS.astype(int).T
    close(nand(tf.constant(BITS)), 1 - (a & b))
    close(nand(BITS), np.logical_not(np.logical_and(a, b)))
    close(xor(tf.constant(BITS)), a ^ b)
    close(xor(BITS), (a + b) % 2)


def test_nand_is_the_perceptron_with_the_weights_of_the_text():
    corners = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)  # no bits: other weights would show
    close(nand(corners), np.heaviside(3 - 2 * corners.sum(axis=1), 0))


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_sigmoid(shape, scale):
    z = np.random.default_rng(scale).normal(scale=scale, size=shape).astype(np.float32)
    close(sigmoid(tf.constant(z)), scipy.special.expit(z.astype(np.float64)))
    close(sigmoid(tf.constant(z)), keras.activations.sigmoid(tf.constant(z)))
    close(sigmoid(tf.constant(z)) + sigmoid(tf.constant(-z)), np.ones(shape))


@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_slope_of_sigmoid(scale):
    z = np.concatenate([[0, -1000, 1000, -89, 89], np.random.default_rng(2).normal(scale=scale, size=20)]).astype(np.float32)
    own, double = tf.Variable(z), tf.Variable(z.astype(np.float64))
    with tf.GradientTape(persistent=True) as tape:
        ours, theirs = sigmoid(own), tf.sigmoid(double)
    slope = tape.gradient(ours, own)
    close(slope, tape.gradient(theirs, double))
    h = 1e-5
    differences = (scipy.special.expit(z + np.float64(h)) - scipy.special.expit(z - np.float64(h))) / (2 * h)
    close(slope, differences)


SIZES = [[5, 3], [3, 6, 5, 2], [4, 1, 3], [2, 3, 4, 5, 7]]


@pytest.mark.parametrize("sizes", SIZES)
def test_feedforward_is_keras_dense_layers(sizes):
    weights, biases = network(sizes)
    x = np.random.default_rng(9).normal(size=(6, sizes[0])).astype(np.float32)
    model = keras.Sequential([keras.Input((sizes[0],)), *(keras.layers.Dense(n, activation="sigmoid") for n in sizes[1:])])
    model.set_weights([part for pair in zip(weights, biases) for part in pair])
    close(feedforward(tf.constant(x), [tf.constant(w) for w in weights], [tf.constant(b) for b in biases]), model(x))


@pytest.mark.parametrize("sizes", SIZES)
def test_feedforward_neuron_by_neuron(sizes):
    weights, biases = network(sizes, seed=1)
    x = np.random.default_rng(8).normal(size=(4, sizes[0])).astype(np.float32)
    rows = []
    for row in x.tolist():
        for w, b in zip(weights, biases):
            row = [1 / (1 + math.exp(-math.fsum([*(row[i] * float(w[i, j]) for i in range(len(row))), float(b[j])])))
                   for j in range(len(b))]
        rows.append(row)
    close(feedforward(x, weights, biases), rows)


@pytest.mark.parametrize("sizes", [[784, 30, 10], [2, 3, 1], [17, 29], [5, 1, 4, 1, 2], [8]])
def test_count_parameters(sizes):
    model = keras.Sequential([keras.Input((sizes[0],)), *(keras.layers.Dense(n) for n in sizes[1:])])
    assert count_parameters(sizes) == sum(weight.size for weight in model.get_weights())
    neurons = [(layer, j) for layer in range(1, len(sizes)) for j in range(sizes[layer])]
    assert count_parameters(sizes) == sum(1 + sizes[layer - 1] for layer, _ in neurons)


# ---------------------------------------------------------------------------------------------------- what the prose says


def test_numbers_of_the_swimmer():
    days = np.array(list(itertools.product([0, 1], repeat=3)), np.float32)
    assert [float(np.sum(perceptron(days, np.float32([2, 3, 4]), b))) for b in (-5.0, -1.0)] == [3, 7]
    assert np.asarray(perceptron(days, np.float32([2, 3, 4]), -1.0)).tolist() == [0, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("inputs, largest, tables", [(2, 1, 14), (3, 2, 104), (4, 3, 1882)])
def test_how_many_truth_tables_one_perceptron_computes(inputs, largest, tables):
    """With whole weights up to `largest`, and biases halfway between whole numbers, every such table appears."""
    corners = np.array(list(itertools.product([0, 1], repeat=inputs)))
    weights = np.array(list(itertools.product(range(-largest, largest + 1), repeat=inputs)))
    biases = np.arange(-inputs * largest - 0.5, inputs * largest + 1)
    fires = (weights @ corners.T)[:, None, :] + biases[:, None] > 0  # (neurons, biases, corners)
    found = np.unique(fires.reshape(-1, len(corners)), axis=0)
    assert len(found) == tables
    if inputs == 2:
        missing = {*itertools.product([False, True], repeat=4)} - {tuple(row) for row in found.tolist()}
        assert missing == {(False, True, True, False), (True, False, False, True)}  # XOR and XNOR


def test_fewer_than_four_nand_gates_make_no_xor():
    """Each gate reads two of the signals before it; all circuits of three gates, and of four."""
    def tables(gates):
        signals = {((0, 0, 1, 1), (0, 1, 0, 1))}
        for _ in range(gates):
            signals = {(*known, tuple(1 - (p & q) for p, q in zip(first, second)))
                       for known in signals for first, second in itertools.combinations_with_replacement(known, 2)}
        return {known[-1] for known in signals}

    assert (0, 1, 1, 0) not in tables(1) | tables(2) | tables(3)
    assert (0, 1, 1, 0) in tables(4)


def test_numbers_of_the_sweep():
    def moves(w):
        before, after = (float(sigmoid(tf.constant(value - 1 + 0.5))) for value in (w, w + 0.1))
        return round(after - before, 4), round(0.1 * before * (1 - before), 4)

    assert moves(-2.0) == (0.0073, 0.0070) and moves(2.0) == (0.0144, 0.0149)
    assert round(scipy.special.expit(1), 6) == 0.731059
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.float32(89))) and np.isfinite(np.exp(np.float32(88)))


def test_numbers_of_the_smooth_xor():
    answers = []
    for c in (1.0, 3.0, 10.0):
        weights, biases = [c * np.array([[2.0, -2], [2, -2]]), c * np.array([[2.0], [2]])], [c * np.array([-1.0, 3]), c * np.array([-3.0])]
        answers.append(np.asarray(feedforward(BITS, [tf.constant(w, tf.float32) for w in weights],
                                              [tf.constant(b, tf.float32) for b in biases])).ravel().round(2).tolist())
    close(answers, [[0.36, 0.48, 0.48, 0.36], [0.06, 0.92, 0.92, 0.06], [0, 1, 1, 0]], atol=1e-6)


def test_numbers_of_the_drawn_network():
    rng = np.random.default_rng(3)
    sizes = [3, 5, 4, 2]
    weights = [rng.normal(scale=1.5, size=shape) for shape in zip(sizes, sizes[1:])]
    biases = [rng.normal(size=n) for n in sizes[1:]]
    top, outputs = [], []
    for row in ([0.9, 0.1, 0.5], [0.1, 0.9, 0.5]):
        a = np.array(row)
        for i, (w, b) in enumerate(zip(weights, biases)):
            a = scipy.special.expit(a @ w + b)
            if i == 0:
                top.append(round(a[0], 2))
        outputs.append(a.round(2).tolist())
    assert top == [0.86, 0.29] and outputs == [[0.75, 0.13], [0.69, 0.12]]


def test_a_drawn_network_has_every_neuron_and_every_connection():
    from matplotlib.figure import Figure

    axis = Figure().add_subplot()
    weights = [np.array([[1.0, -1, 2], [-3, 4, -5]]), np.array([[1.0], [1], [-1]])]
    places = plots.network(axis, [2, 3, 1], weights, [[0, 1], [0.25, 0.5, 0.75], [1]], names=["in", "hidden", "out"])
    assert [place.shape for place in places] == [(2, 2), (3, 2), (1, 2)]
    assert len(axis.patches) == 6 and len(axis.lines) == 9 and len(axis.texts) == 6 + 3
    drawn = {tuple(np.round(line.get_xydata().ravel(), 6)): line.get_color() for line in axis.lines}
    for left, right, matrix in zip(places, places[1:], weights):
        for j, k in np.ndindex(matrix.shape):
            assert drawn[tuple([*left[j], *right[k]])] == (plots.BLUE if matrix[j, k] > 0 else plots.ORANGE)


def test_numbers_of_the_pulses():
    def answers(memory, bias):
        h, seen = 0.0, []
        for time in range(40):
            h = scipy.special.expit(8 * ((time == 5) - (time == 25)) + memory * h + bias)
            seen.append(h)
        return np.array(seen)

    assert answers(0, -3)[5] > 0.99 and answers(0, -3)[6] < 0.05
    fading = answers(5, -3)
    assert fading[10] > 0.5 and fading[15] < 0.1  # "over about ten steps"
    latch = answers(8, -3)
    assert latch[5:25].min() > 0.97 and latch[26:].max() < 0.1


def test_numbers_of_the_parameters():
    assert count_parameters([784, 30, 10]) == 23_860
    assert count_parameters([784, 31, 10]) - count_parameters([784, 30, 10]) == 784 + 1 + 10 == 795
    assert count_parameters([784, 30, 30, 10]) - count_parameters([784, 30, 10]) == 30 * 30 + 30 == 930


# ---------------------------------------------------------------------------------------------------- cases and misconceptions


def outcome(answer, case, rng=0):
    """What an answer does on a case: named arrays, or the exception it raises."""
    inputs = case.make(np.random.default_rng(rng))
    assert isinstance(inputs, (tuple, dict))
    try:
        with np.errstate(all="ignore"):
            return observe(answer, case.probe, inputs, "x", EXTRA)
    except Exception as error:
        return type(error).__name__


def same(a, b, case):
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and a == b
    return difference(a, b, case.rtol, case.atol) is None


@pytest.mark.parametrize("rng", range(20))
def test_perceptron_cases_have_both_answers_and_sums_of_zero_where_they_say_so(rng):
    for case in QUESTIONS["perceptron"].cases:
        inputs = case.make(np.random.default_rng(rng))
        calls = inputs["calls"] if isinstance(inputs, dict) else [inputs]
        sums = np.concatenate([np.float32(x) @ np.float32(w) + np.float32(b) for x, w, b in calls])
        exact = np.concatenate([np.asarray(x, float) @ np.asarray(w, float) + b for x, w, b in calls])
        assert np.array_equal(sums, exact), f"{case.name} is not exact in float32"
        assert (np.count_nonzero(sums == 0) > 1) == (case.name in ("exactly_zero", "on_the_edge"))
        assert 0.15 < np.mean(sums > 0) < 0.85, (case.name, np.mean(sums > 0))


def test_a_stuck_part_is_put_back_and_traced_circuits_notice_it():
    case = next(case for case in QUESTIONS["xor"].cases if case.name == "broken_gates")
    traced = tf.function(xor_graph.python_function)
    close(traced(tf.constant(BITS)), [0, 1, 1, 0])  # traced, with gates that work
    assert {key: value.tolist() for key, value in outcome(traced, case).items()} == {
        "is every answer 0 with `nand` stuck at 0?": True, "is every answer 1 with `nand` stuck at 1?": True}
    assert nand is QUESTIONS["nand"].answer and not tf.config.functions_run_eagerly()
    close(traced(tf.constant(BITS)), [0, 1, 1, 0])


def test_a_gate_that_calls_its_neuron_says_what_that_says_and_one_that_goes_round_it_does_not():
    case = next(case for case in QUESTIONS["nand"].cases if case.name == "broken_neuron_seven_rows")
    inputs = case.make(np.random.default_rng(4))
    expected = [[float(table[2 * int(a) + int(b)]) for a, b in inputs["rows"]] for table in inputs["tables"]]
    for gate in (nand, nand_numpy, nand_loops, lambda x: perceptron(-2 * x, tf.ones(2), 3.0)):
        seen = exercise(gate, case.probe, inputs, "x", EXTRA)
        assert [seen[f"output {i + 1}"].tolist() for i in range(6)] == expected
    seen = exercise(lambda x: 1.0 - x[:, 0] * x[:, 1], case.probe, inputs, "x", EXTRA)
    assert len({tuple(value.tolist()) for value in seen.values()}) == 1 < len({tuple(row) for row in expected})


def test_a_part_that_is_not_there_leaves_no_trace():
    namespace = {}
    exec("def other(x): return abs(x[:, 0] - x[:, 1])", namespace)
    case = next(case for case in QUESTIONS["xor"].cases if case.name == "broken_gates")
    assert outcome(namespace["other"], case)["is every answer 1 with `nand` stuck at 1?"].tolist() is False
    assert "nand" not in namespace


def test_numpy_has_no_slope_but_values():
    lost = [case.name for case in QUESTIONS["sigmoid"].cases
            if not same(outcome(lambda z: scipy.special.expit(np.asarray(z)), case), outcome(sigmoid, case), case)]
    assert lost == ["slope_by_hand", "slope", "slope_far_out"]
    slope = next(case for case in QUESTIONS["sigmoid"].cases if case.name == "slope")
    with pytest.raises(AnswerError, match="gradients flow only through TensorFlow operations"):
        observe(lambda z: 1 / (1 + np.exp(-np.asarray(z))), slope.probe, slope.make(np.random.default_rng(0)), "x")


# ------------------------------------------------------------------------------------- right answers, written differently


def perceptron_numpy(x, w, b):
    return np.where(np.asarray(x) @ np.asarray(w) > -b, 1.0, 0.0)


def nand_numpy(x):
    return perceptron(np.asarray(x), np.array([-2, -2]), 3)


def xor_numpy(x):
    x = np.asarray(x)
    a, b = x[:, 0], x[:, 1]
    not_a, not_b = nand(np.column_stack([a, a])), nand(np.column_stack([b, b]))
    either, not_both = nand(np.column_stack([not_a, not_b])), nand(x)
    neither_nor_both = nand(np.column_stack([either, not_both]))
    return nand(np.column_stack([neither_nor_both, neither_nor_both]))


def sigmoid_numpy(z):
    return 0.5 * (tf.tanh(0.5 * z) + 1.0)


def feedforward_numpy(x, weights, biases):
    a = np.asarray(x, np.float64)
    for w, b in zip(weights, biases):
        a = scipy.special.expit(a @ np.asarray(w) + np.asarray(b).reshape(1, -1))
    return a


def count_parameters_numpy(sizes):
    n = np.array(sizes)
    return np.dot(n[:-1], n[1:]) + n[1:].sum()


def perceptron_ops(x, w, b):
    return keras.ops.cast(keras.ops.squeeze(keras.ops.matmul(x, keras.ops.reshape(w, (-1, 1))), axis=1) + b > 0, "float32")


def nand_ops(x):
    return perceptron(x, w=keras.ops.convert_to_tensor([-2.0, -2.0]), b=3.0)


def xor_ops(x):
    def gate(a, b):
        return nand(keras.ops.stack([a, b], axis=-1))

    a, b = keras.ops.unstack(x, axis=1)
    return gate(gate(a, gate(a, b)), gate(b, gate(a, b)))


def sigmoid_ops(z):
    return keras.ops.exp(-keras.ops.softplus(-z))


def feedforward_ops(x, weights, biases):
    for layer in range(len(weights)):
        x = keras.ops.sigmoid(keras.ops.dot(x, weights[layer]) + biases[layer][None, :])
    return x


def count_parameters_ops(sizes):
    return keras.ops.sum([0] + [n * (m + 1) for m, n in zip(sizes[:-1], sizes[1:])])


@tf.function
def perceptron_graph(x, w, b):
    total = tf.reduce_sum(tf.cast(x, tf.float64) * tf.cast(w, tf.float64), axis=1) + tf.cast(b, tf.float64)
    return tf.maximum(tf.sign(total), 0.0)


@tf.function
def nand_graph(x):
    return perceptron(x, [-2.0, -2.0], 3.0)


@tf.function
def xor_graph(x):
    not_both = nand(x)
    sides = [nand(tf.stack([x[:, i], tf.cast(not_both, x.dtype)], 1)) for i in range(2)]
    return nand(tf.transpose(tf.stack(sides)))


@tf.function
def sigmoid_graph(z):
    z = tf.cast(z, tf.float64)
    e = tf.exp(-tf.abs(z))
    return tf.where(z > 0, tf.ones_like(e), e) / (1.0 + e)


@tf.function
def feedforward_graph(x, weights, biases):
    for w, b in zip(weights, biases):
        x = tf.sigmoid(tf.einsum("bi,ij->bj", x, w) + b)
    return x


def count_parameters_graph(sizes):
    total = 0
    for layer in range(1, len(sizes)):
        total += sizes[layer - 1] * sizes[layer]
        total += sizes[layer]
    return total


def perceptron_loops(x, w, b):
    outputs = []
    for row in x:
        total = b
        for value, weight in zip(row, w):
            total += float(value) * float(weight)
        outputs.append(total > 0)
    return outputs


def nand_loops(x):
    return [perceptron(tf.reshape(row, (1, 2)), tf.constant([-2.0, -2.0]), 3.0)[0] for row in x]


def xor_loops(x):
    outputs = []
    for a, b in np.asarray(x).tolist():
        both = float(nand(tf.constant([[a, b]]))[0])
        left, right = float(nand(tf.constant([[a, both]]))[0]), float(nand(tf.constant([[b, both]]))[0])
        outputs.append(float(nand(tf.constant([[left, right]]))[0]))
    return outputs


def sigmoid_loops(z):
    flat = tf.reshape(z, (-1, 1))
    two = tf.concat([flat, tf.zeros_like(flat)], axis=1)  # against a score of 0
    return tf.reshape(tf.nn.softmax(two)[:, 0], tf.shape(z))


def feedforward_loops(x, weights, biases):
    a = [[float(value) for value in row] for row in x]
    for w, b in zip(weights, biases):
        w, b = w.numpy(), b.numpy()
        a = [[1 / (1 + math.exp(-max(-700, sum(row[i] * w[i][j] for i in range(len(row))) + b[j])))
              for j in range(len(b))] for row in a]
    return a


def count_parameters_loops(sizes):
    if len(sizes) < 2:
        return 0
    return sizes[1] * (sizes[0] + 1) + count_parameters(sizes[1:])


STYLES = {
    "numpy": (dict(perceptron=perceptron_numpy, nand=nand_numpy, xor=xor_numpy, sigmoid=sigmoid_numpy,
                   feedforward=feedforward_numpy, count_parameters=count_parameters_numpy), ()),
    "ops": (dict(perceptron=perceptron_ops, nand=nand_ops, xor=xor_ops, sigmoid=sigmoid_ops,
                 feedforward=feedforward_ops, count_parameters=count_parameters_ops), ()),
    "graph": (dict(perceptron=perceptron_graph, nand=nand_graph, xor=xor_graph, sigmoid=sigmoid_graph,
                   feedforward=feedforward_graph, count_parameters=count_parameters_graph), ()),
    "loops": (dict(perceptron=perceptron_loops, nand=nand_loops, xor=xor_loops, sigmoid=sigmoid_loops,
                   feedforward=feedforward_loops, count_parameters=count_parameters_loops), ()),
}
