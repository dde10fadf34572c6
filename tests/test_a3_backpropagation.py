"""a3's reference answers against independent oracles, right answers written differently, and the numbers in its prose."""

import contextlib
import io
import math
import re
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import tensorflow as tf
from conftest import observe

from autograder.authoring.lesson import read_lesson, run_cell
from autograder.authoring.question import load_questions
from autograder.grading.compare import difference
from autograder.inside.probes import AnswerError, own_probes

FOLDER = Path(__file__).resolve().parents[1] / "solutions" / "a3_backpropagation"
QUESTIONS = {question.name: question for question in load_questions(FOLDER)}
EXTRA = own_probes(FOLDER)
relu, sigmoid_prime, numerical_gradient, relative_error, backprop, layer_gradient_norms = (
    question.answer for question in QUESTIONS.values())

SHAPES = [(), (4,), (3, 5), (2, 4, 3)]
NETWORKS = [(3, 2), (5, 4, 3, 2), (4, 3, 6, 5, 2)]


def close(value, expected, rtol=1e-5, atol=1e-7):
    np.testing.assert_allclose(np.asarray(value), expected, rtol, atol)


def network(sizes, batch=6, dtype=np.float64, seed=0):
    """x, y, weights and biases of a random network."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=shape).astype(dtype) for shape in zip(sizes, sizes[1:])]
    biases = [rng.normal(size=size).astype(dtype) for size in sizes[1:]]
    return rng.normal(size=(batch, sizes[0])).astype(dtype), rng.uniform(size=(batch, sizes[-1])).astype(dtype), weights, biases


def tensors(x, y, weights, biases):
    return tf.constant(x), tf.constant(y), [tf.constant(w) for w in weights], [tf.constant(b) for b in biases]


# ---------------------------------------------------------------------------------------------------- oracles


@pytest.mark.parametrize("shape", SHAPES)
def test_relu(shape):
    z = np.random.default_rng(0).normal(scale=100, size=shape).astype(np.float32)
    close(relu(tf.constant(z)), tf.nn.relu(z))
    close(relu(tf.constant(z)), keras.activations.relu(tf.constant(z)))
    close(relu(tf.constant(z)), (z + np.abs(z)) / 2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-6), (np.float64, 1e-13)])
def test_sigmoid_prime(shape, dtype, rtol):
    z = np.random.default_rng(0).uniform(-4, 4, size=shape).astype(dtype)
    variable = tf.Variable(z)
    with tf.GradientTape() as tape:
        a = tf.sigmoid(variable)
    slope = sigmoid_prime(tf.constant(z))
    assert slope.dtype == dtype
    close(slope, tape.gradient(a, variable), rtol)
    close(slope, scipy.special.expit(z) * scipy.special.expit(-z), rtol)
    close(slope, 1 / (2 * np.cosh(z / 2)) ** 2, rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_prime_is_finite_and_at_most_a_quarter(dtype):
    slope = np.asarray(sigmoid_prime(tf.constant([-1000.0, -100, 0, 100, 1000], dtype)))
    assert np.all(np.isfinite(slope)) and slope.max() == 0.25
    close(slope[[0, 1, 3, 4]], np.zeros(4))


@pytest.mark.parametrize("h", [1e-5, 0.01, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_numerical_gradient_is_exact_about_its_own_error(shape, h):
    """Of a cubic, the central difference is 3x² + h²; of a sine, cos x · sin h / h."""
    x = np.random.default_rng(0).normal(size=shape)
    before = x.copy()
    close(numerical_gradient(lambda v: float(np.sum(v ** 3)), x, h), 3 * x ** 2 + h ** 2, rtol=1e-8)
    close(numerical_gradient(lambda v: float(np.sum(np.sin(v))), x, h), np.cos(x) * math.sin(h) / h, rtol=1e-8)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name, gradient", [
    ("sum of cubes", lambda x, k: 3 * x ** 2), ("waves", lambda x, k: k * np.cos(k * x)),
    ("soft maximum", lambda x, k: k * scipy.special.softmax(k * x))])
def test_numerical_gradient_of_what_the_probes_ask(name, gradient):
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(4, 3)), rng.uniform(0.5, 1.5, size=(4, 3))

    def f(v):
        return float(EXTRA.FUNCTIONS[name](v, k))

    close(numerical_gradient(f, x), gradient(x, k), rtol=1e-7)
    close(numerical_gradient(f, x.T.copy().T), gradient(x, k), rtol=1e-7)
    close(numerical_gradient(f, x).ravel(), scipy.optimize.approx_fprime(x.ravel(), lambda v: f(v.reshape(4, 3)), 1e-8), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 4, 3)])
def test_relative_error(shape):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=shape), rng.normal(size=shape)
    by_loop = max(abs(p - q) / (abs(p) + abs(q)) for p, q in zip(a.ravel().tolist(), b.ravel().tolist()))
    close(relative_error(a, b), by_loop, rtol=1e-12)
    close(relative_error(b, a), by_loop, rtol=1e-12)
    close(relative_error(-7 * a, -7 * b), by_loop, rtol=1e-12)
    assert relative_error(a, a) == 0 and relative_error(a, -a) == 1 and relative_error(a, 0 * a) == 1
    for ratio in (0.5, 1.1, 2, 16):
        close(relative_error(ratio * a, a), abs(ratio - 1) / (ratio + 1), rtol=1e-12)


def test_relative_error_has_a_floor_and_sixteen_digits():
    assert relative_error(np.zeros((2, 3)), np.zeros((2, 3))) == 0
    close(relative_error(np.array([3e-9]), np.array([1e-9])), 0.2, rtol=1e-12)
    close(relative_error(np.array([1.0]), np.array([1 + 4e-12])), 2e-12, rtol=1e-3, atol=0)


@pytest.mark.parametrize("sizes", NETWORKS)
@pytest.mark.parametrize("batch", [1, 6])
def test_backprop_is_the_tape_s_gradient(sizes, batch):
    x, y, weights, biases = tensors(*network(sizes, batch))
    with tf.GradientTape() as tape:
        tape.watch([weights, biases])
        a = x
        for w, b in zip(weights, biases):
            a = tf.sigmoid(a @ w + b)
        cost = tf.reduce_sum(tf.square(y - a)) / (2 * batch)
    expected = tape.gradient(cost, [weights, biases])
    for received, right in zip(backprop(x, y, weights, biases), expected):
        assert len(received) == len(right)
        for g, r in zip(received, right):
            assert g.dtype == tf.float64
            close(g, r, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("sizes", NETWORKS)
def test_backprop_by_finite_differences(sizes):
    x, y, weights, biases = network(sizes)
    parameters = [*weights, *biases]

    def cost():
        a = x
        for w, b in zip(parameters[:len(weights)], parameters[len(weights):]):
            a = scipy.special.expit(a @ w + b)
        return 0.5 * np.mean(np.sum((y - a) ** 2, axis=1))

    dws, dbs = backprop(*tensors(x, y, weights, biases))
    for value, gradient in zip(parameters, [*dws, *dbs]):
        for i in np.ndindex(value.shape):
            before = value[i]
            value[i] = before + 1e-5
            up = cost()
            value[i] = before - 1e-5
            down = cost()
            value[i] = before
            close(np.asarray(gradient)[i], (up - down) / 2e-5, rtol=1e-6, atol=1e-10)


def test_backprop_is_half_k_times_the_gradient_of_keras_s_error():
    x, y, weights, biases = network((5, 4, 3), dtype=np.float32)
    model = keras.Sequential([keras.layers.Dense(4, "sigmoid"), keras.layers.Dense(3, "sigmoid")])
    model.build((None, 5))
    model.set_weights([value for layer in zip(weights, biases) for value in layer])
    with tf.GradientTape() as tape:
        error = keras.losses.MeanSquaredError()(y, model(x))
    dws, dbs = backprop(*tensors(x, y, weights, biases))
    expected = tape.gradient(error, model.trainable_variables)
    for g, r in zip([g for pair in zip(dws, dbs) for g in pair], expected):
        close(2 / 3 * g, r)


def norms_by_hand(x, y, weights, biases, activation):
    function, slope = {"sigmoid": (scipy.special.expit, lambda a: a * (1 - a)), "tanh": (np.tanh, lambda a: 1 - a ** 2),
                       "relu": (lambda z: np.where(z > 0, z, 0), lambda a: a > 0)}[activation]
    activations = [x]
    for w, b in zip(weights[:-1], biases[:-1]):
        activations.append(function(activations[-1] @ w + b))
    a = scipy.special.expit(activations[-1] @ weights[-1] + biases[-1])
    delta, norms = (a - y) / len(x) * a * (1 - a), []
    for w, inputs in zip(weights[::-1], activations[::-1]):
        norms.insert(0, math.sqrt(np.sum((inputs.T @ delta) ** 2)))
        delta = delta @ w.T * slope(inputs)
    return norms


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("sizes", NETWORKS)
def test_layer_gradient_norms(sizes, activation):
    inputs = network(sizes, dtype=np.float32)
    norms = layer_gradient_norms(*tensors(*inputs), activation)
    assert len(norms) == len(sizes) - 1
    close(norms, norms_by_hand(*inputs, activation), rtol=2e-5)
    if activation == "sigmoid":
        close(norms, [np.linalg.norm(g) for g in backprop(*tensors(*inputs))[0]])


def test_layer_gradient_norms_of_a_keras_model():
    x, y, weights, biases = network((5, 4, 3, 2), dtype=np.float32)
    model = keras.Sequential([keras.layers.Dense(4, "tanh"), keras.layers.Dense(3, "tanh"), keras.layers.Dense(2, "sigmoid")])
    model.build((None, 5))
    model.set_weights([value for layer in zip(weights, biases) for value in layer])
    with tf.GradientTape() as tape:
        error = keras.losses.MeanSquaredError()(y, model(x))  # with two outputs, this is our cost
    expected = [np.linalg.norm(g) for g in tape.gradient(error, [layer.kernel for layer in model.layers])]
    close(layer_gradient_norms(*tensors(x, y, weights, biases), "tanh"), expected)


# ---------------------------------------------------------------------------------------------------- what the prose says


@pytest.fixture(scope="module")
def demos():
    """What the demos define and what they print, all but the last, which trains networks."""
    namespace, said = {"__name__": "demos"}, io.StringIO()
    matplotlib.use("Agg")
    *cells, learning = (cell for cell in read_lesson(FOLDER) if cell.kind != "prose")
    assert "plot_learning" in learning.source
    with contextlib.redirect_stdout(said), matplotlib.rc_context():
        for cell in cells:
            run_cell(cell.source, f"<{cell.id}>", namespace)
            namespace["plt"].close("all")
    return namespace, said.getvalue()


@pytest.mark.parametrize("printed", [
    "slope of the sigmoid at 5: 0.0066", "one-sided, float64  error at h = 1e-5: 6e-06", "   2 times the gradient: relative error 0.3333", "  16 times the gradient: relative error 0.8824",
    "cost in float32: relative error 1, the worst of 610 derivatives; the median is 0.07 over the 458 that are not 0",
    "ReLU                       0.038 ", " 0.096\n", "tanh                       0.53 ", " 0.32\n",
    "tanh as a sigmoid network  0.26 ", " 0.85\n", "sigmoid                    0.00016 ", " 0.9\n",
    "sigmoid, centred     first layer / last layer, weights times 0.5: 4e-06, 1: 0.0003, 4: 0.4",
    "sigmoid, no biases   first layer / last layer, weights times 0.5: 4e-06, 1: 0.0002, 4: 0.03"])
def test_the_demos_print_what_the_prose_quotes(demos, printed):
    assert printed in demos[1]


@pytest.mark.parametrize("pattern, quoted", [
    ("central, float64 +error at h = 1e-5: (.+?) ", 7e-11), ("central, float32 +error at h = 1e-5: (.+?) ", 0.01),
    ("cost in float64: relative error (.+?),", 2e-8), (r"cost in float64: .+ the median is (\S+)", 2e-10)])
def test_rounding_errors_are_of_the_size_the_prose_quotes(demos, pattern, quoted):
    found = float(re.search(pattern, demos[1])[1])
    assert quoted / 4 < found < quoted * 4  # they vary with the processor


def test_tanh_in_disguise_is_the_same_function(demos):
    lesson = demos[0]
    x, y, weights, biases = network((5, 4, 6, 3), dtype=np.float32)
    weights2, biases2 = lesson["tanh_in_disguise"](weights, biases)
    hidden, disguised = x, x
    for w, b, w2, b2 in zip(weights, biases, weights2, biases2):
        z, disguised = hidden @ w + b, scipy.special.expit(disguised @ w2 + b2)
        hidden = np.tanh(z)
    close(disguised, scipy.special.expit(z))
    # The first weights, which still read x, are doubled: their gradient is halved.
    close(norms_by_hand(x, y, weights2, biases2, "sigmoid")[0], norms_by_hand(x, y, weights, biases, "tanh")[0] / 2)


def test_other_numbers_in_the_prose():
    ln3 = math.log(3)
    x, y, weights, biases = tensors(np.array([[2.0]]), np.array([[0.0]]), [np.array([[0.0]]), np.array([[2 * ln3]])],
                                    [np.zeros(1), np.zeros(1)])
    dws, dbs = backprop(x, y, weights, biases)
    assert [round(float(np.squeeze(g)), 4) for g in [*dws, *dbs]] == [0.1545, 0.0703, 0.0772, 0.1406]
    close(dbs[1], [9 / 64])
    close(sigmoid_prime(tf.constant([0.0, ln3])), [0.25, 0.1875])
    close(numerical_gradient(lambda v: v[0] ** 3 + v[1] ** 3, np.array([1.0, 2.0]), h=0.5), [3.25, 12.25])
    close(relative_error(np.array([9.0, -4.0, 0.0]), np.array([6.0, -2.0, 0.0])), 1 / 3)
    three_four_five = next(case for case in QUESTIONS["layer_gradient_norms"].cases if case.name == "three_four_five")
    close(outcome(layer_gradient_norms, three_four_five)["output"], [45 / 64])
    assert round(45 / 64, 4) == 0.7031 and 64 * 8 + 8 + 8 * 10 + 10 == 610
    assert round(np.finfo(np.float32).eps / 2e-5, 3) == 0.006


# ---------------------------------------------------------------------------------------------------- cases and misconceptions


def outcome(answer, case, rng=0):
    """What an answer does on a case: named arrays, or the exception it raises."""
    try:
        with np.errstate(all="ignore"):
            return observe(answer, case.probe, case.make(np.random.default_rng(rng)), "x", EXTRA)
    except AnswerError as error:
        return str(error)
    except Exception as error:
        return type(error).__name__


def alike(first, second, case):
    if isinstance(first, str) or isinstance(second, str):
        return isinstance(first, str) and isinstance(second, str) and first == second
    return difference(first, second, case.rtol, case.atol) is None


@pytest.mark.parametrize("rng", range(5))
def test_faint_gradients_are_faint_and_float32_gets_them_right(rng):
    case = next(case for case in QUESTIONS["backprop"].cases if case.name == "faint_gradients")
    exact = EXTRA.layerwise.run(backprop, case.make(np.random.default_rng(rng)), dtype="float64")
    single = outcome(backprop, case, rng)
    assert 1e-30 < np.abs(exact["dW of layer 1"]).max() < 1e-12  # far below 1e-16 / 1e-5, the rounding of a difference
    assert difference(exact, single, case.rtol / 5, case.atol) is None


# ---------------------------------------------------------------------------------------------------- probes


def test_the_function_says_when_it_gets_another_shape():
    with pytest.raises(AnswerError, match="called f with an array of another shape"):
        EXTRA.differentiated.run(lambda f, x: f(x[0]), ("waves", np.zeros((2, 3)), np.ones((2, 3))))


def test_a_view_is_no_contiguous_array():
    seen = EXTRA.differentiated.run(lambda f, x: [x.flags["C_CONTIGUOUS"], x.base is None], ("waves", np.zeros((2, 3)), 1.0), view=True)
    assert seen["gradient"].tolist() == [False, False]


def test_gradients_may_come_as_any_sequence_but_one_per_layer():
    case = QUESTIONS["backprop"].cases[0]
    assert alike(outcome(lambda *inputs: iter(map(tuple, backprop(*inputs))), case), outcome(backprop, case), case)
    for answer, message in [(lambda *_: None, "else than two lists"), (lambda *_: ([1], [2], [3]), "else than two lists"),
                            (lambda *_: (1.0, 2.0), "something that is no list"), (lambda *_: ([], []), "a list of another length")]:
        assert message in outcome(answer, case)


# ------------------------------------------------------------------------------------- right answers, written differently


def relu_numpy(z):
    return np.where(np.asarray(z) > 0, z, 0)


def relu_graph(z):
    return z * tf.cast(z > 0, z.dtype)


def relu_keras(z):
    return (keras.ops.abs(z) + z) / 2


def sigmoid_numpy(z):
    z = np.asarray(z)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def slope_numpy(z):
    return sigmoid_numpy(z) * sigmoid_numpy(-np.asarray(z))


@tf.function
def slope_graph(z):
    small = tf.exp(-tf.abs(z))
    return small / (1 + small) ** 2


def slope_keras(z):
    return keras.ops.sigmoid(z) - keras.ops.sigmoid(z) ** 2


def gradient_numpy(f, x, h=1e-5):
    moved = np.array(x)
    gradient = np.empty_like(moved)
    iterator = np.nditer(x, flags=["multi_index"])
    for value in iterator:
        i = iterator.multi_index
        moved[i] = value + h
        up = f(moved)
        moved[i] = value - h
        gradient[i] = up - f(moved)
        moved[i] = value
    return gradient / (2 * h)


def slopes_in_place(f, x, h=1e-5):
    for i in np.ndindex(*x.shape):
        kept = float(x[i])
        x[i] = kept + h
        up = f(x)
        x[i] = kept - h
        down = f(x)
        x[i] = kept
        yield (up - down) / (2.0 * h)


def gradient_in_place(f, x, h=1e-5):
    return tf.reshape(tf.constant(list(slopes_in_place(f, x, h)), tf.float64), x.shape)


def gradient_keras(f, x, h=1e-5):
    moves = h * np.eye(x.size).reshape(x.size, *x.shape)
    return keras.ops.reshape([float(f(x + move) - f(x - move)) / h / 2 for move in moves], x.shape)


def error_numpy(a, b):
    return max((abs(p - q) / max(1e-8, abs(p) + abs(q)) for p, q in zip(np.ravel(a), np.ravel(b))))


@tf.function
def error_graph(a, b):
    a, b = tf.cast(a, tf.float64), tf.cast(b, tf.float64)
    size = tf.maximum(tf.abs(a) + tf.abs(b), tf.constant(1e-8, tf.float64))
    return tf.reduce_max(tf.abs(a - b) / size)


def error_keras(a, b):
    return keras.ops.amax(keras.ops.abs(a - b) / keras.ops.clip(keras.ops.abs(a) + keras.ops.abs(b), 1e-8, np.inf))


def backprop_numpy(x, y, weights, biases):
    weights = [np.asarray(w) for w in weights]
    activations = [np.asarray(x)]
    for w, b in zip(weights, biases):
        activations.append(sigmoid_numpy(activations[-1] @ w + np.asarray(b)))
    a = activations.pop()
    delta = (a - np.asarray(y)) * a * (1 - a)
    dws, dbs = [], []
    while activations:
        a = activations.pop()
        dws.append(np.einsum("bi,bo->io", a, delta) / len(a))
        dbs.append(delta.mean(axis=0))
        delta = np.einsum("bo,io->bi", delta, weights[len(activations)]) * a * (1 - a)
    return tuple(dws[::-1]), tuple(dbs[::-1])


@tf.function
def backprop_graph(x, y, weights, biases):
    size = tf.cast(tf.shape(x)[0], x.dtype)
    activations = [x]
    for w, b in zip(weights, biases):
        activations.append(tf.sigmoid(tf.matmul(activations[-1], w) + b[None, :]))
    delta = (activations[-1] - y) * activations[-1] * (1 - activations[-1]) / size
    dws, dbs = [None] * len(weights), [None] * len(weights)
    for i in range(len(weights) - 1, -1, -1):
        dws[i] = tf.matmul(activations[i], delta, transpose_a=True)
        dbs[i] = tf.linalg.matvec(delta, tf.ones_like(delta[:, 0]), transpose_a=True)
        delta = tf.matmul(delta, weights[i], transpose_b=True) * activations[i] * (1 - activations[i])
    return dws, dbs


def backprop_keras(x, y, weights, biases):
    def walk(a, layer):
        """The gradients from this layer on, and the blame of what came in."""
        if layer == len(weights):
            return [], [], (a - y) / x.shape[0]
        z = keras.ops.matmul(a, weights[layer]) + biases[layer]
        dws, dbs, blame = walk(keras.ops.sigmoid(z), layer + 1)
        delta = blame * slope_keras(z)
        dw = keras.ops.sum(a[:, :, None] * delta[:, None, :], axis=0)
        return [dw, *dws], [keras.ops.sum(delta, axis=0), *dbs], keras.ops.matmul(delta, keras.ops.transpose(weights[layer]))

    return walk(x, 0)[:2]


def norms_numpy(x, y, weights, biases, activation):
    weights, inputs = [np.asarray(w, np.float64) for w in weights], [np.asarray(x, np.float64)]
    for w, b in zip(weights[:-1], biases[:-1]):
        z = inputs[-1] @ w + np.asarray(b)
        inputs.append({"sigmoid": sigmoid_numpy, "tanh": np.tanh, "relu": relu_numpy}[activation](z))
    a = sigmoid_numpy(inputs[-1] @ weights[-1] + np.asarray(biases[-1]))
    delta, norms = (a - np.asarray(y)) / len(a) * a * (1 - a), []
    for w, a in zip(weights[::-1], inputs[::-1]):
        norms.append(np.linalg.norm(a.T @ delta))
        delta = delta @ w.T * {"sigmoid": a * (1 - a), "tanh": 1 - a * a, "relu": np.sign(a)}[activation]
    return np.array(norms[::-1])


@tf.function
def norms_graph(x, y, weights, biases, activation):
    hidden = tf.sigmoid if activation == "sigmoid" else tf.math.tanh if activation == "tanh" else tf.nn.relu
    weights = [tf.cast(w, tf.float64) for w in weights]
    a = tf.cast(x, tf.float64)
    for i in range(len(weights)):
        z = a @ weights[i] + tf.cast(biases[i], tf.float64)
        a = tf.sigmoid(z) if i == len(weights) - 1 else hidden(z)
    cost = 0.5 * tf.reduce_mean(tf.reduce_sum((a - tf.cast(y, tf.float64)) ** 2, axis=1))
    return [tf.sqrt(tf.reduce_sum(g ** 2)) for g in tf.gradients(cost, weights)]


def norms_keras(x, y, weights, biases, activation):
    names = [activation] * (len(weights) - 1) + ["sigmoid"]
    model = keras.Sequential([keras.layers.Dense(len(b), name) for b, name in zip(biases, names)])
    model.build((None, x.shape[1]))
    for layer, *values in zip(model.layers, weights, biases):
        layer.set_weights([np.asarray(value) for value in values])
    with tf.GradientTape() as tape:
        cost = keras.losses.MeanSquaredError()(y, model(x)) * y.shape[1] / 2
    for gradient in tape.gradient(cost, [layer.kernel for layer in model.layers]):
        yield keras.ops.norm(gradient)


WRITTEN_DIFFERENTLY = {
    "numpy": (dict(relu=relu_numpy, sigmoid_prime=slope_numpy, numerical_gradient=gradient_numpy, relative_error=error_numpy,
                   backprop=backprop_numpy, layer_gradient_norms=norms_numpy), (sigmoid_numpy,)),
    "graph": (dict(relu=relu_graph, sigmoid_prime=slope_graph, numerical_gradient=gradient_in_place, relative_error=error_graph,
                   backprop=backprop_graph, layer_gradient_norms=norms_graph), (slopes_in_place,)),
    "keras": (dict(relu=relu_keras, sigmoid_prime=slope_keras, numerical_gradient=gradient_keras, relative_error=error_keras,
                   backprop=backprop_keras, layer_gradient_norms=norms_keras), (slope_keras,)),
}
# As functions whose source can be read: below a decorator, the source still has it.
STYLES = {style: ({name: getattr(answer, "python_function", answer) for name, answer in answers.items()}, helpers)
          for style, (answers, helpers) in WRITTEN_DIFFERENTLY.items()}
