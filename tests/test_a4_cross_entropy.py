"""a4's reference answers against independent oracles, right answers written differently, and the numbers in its prose."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from autograder.authoring.question import load_questions

FOLDER = Path(__file__).resolve().parents[1] / "solutions" / "a4_cross_entropy"
QUESTIONS = {q.name: q for q in load_questions(FOLDER)}
softmax, cross_entropy, cross_entropy_gradient, binary_cross_entropy, train_neuron, accuracy = (
    QUESTIONS[name].answer for name in
    ("softmax", "cross_entropy", "cross_entropy_gradient", "binary_cross_entropy", "train_neuron", "accuracy"))

SIZES = [(1, 2), (5, 3), (4, 7)]


def batch(size, scale=2.0, seed=0):
    """Random labels and logits; float32, so that every oracle starts from the same numbers."""
    rng = np.random.default_rng(seed)
    return rng.integers(size[1], size=size[0]).astype(np.int32), (scale * rng.normal(size=size)).astype(np.float32)


def close(value, expected, rtol=2e-5, atol=2e-6):
    np.testing.assert_allclose(np.asarray(value), expected, rtol, atol)


# ---------------------------------------------------------------------------------------------------- oracles


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", [0, 900, -900])
def test_softmax(size, shift):
    logits = batch(size)[1] + shift * np.where(np.arange(size[0]) % 2, -1, 1).astype(np.float32)[:, None]
    close(softmax(tf.constant(logits)), scipy.special.softmax(logits.astype(np.float64), axis=1))
    close(softmax(logits), keras.activations.softmax(tf.constant(logits)))
    close(tf.reduce_sum(softmax(logits), axis=1), np.ones(size[0]))


def test_softmax_of_one_class_is_1():
    close(softmax(tf.constant([[-3.0], [900.0], [0.0]])), np.ones((3, 1)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [2, 30, 1000])
def test_cross_entropy(size, scale):
    labels, logits = batch(size, scale)
    rows = scipy.special.logsumexp(logits.astype(np.float64), axis=1) - logits[np.arange(size[0]), labels]
    close(cross_entropy(tf.constant(labels), tf.constant(logits)), rows.mean())
    close(cross_entropy(labels, logits), tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))
    close(cross_entropy(labels, logits), keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [2, 1000])
def test_cross_entropy_gradient_is_the_tape_s(size, scale):
    labels, logits = batch(size, scale)
    variable = tf.Variable(logits)
    with tf.GradientTape(persistent=True) as tape:
        own = cross_entropy(labels, variable)
        builtin = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, variable))
    gradient = cross_entropy_gradient(tf.constant(labels), tf.constant(logits))
    close(gradient, tape.gradient(own, variable))
    close(gradient, tape.gradient(builtin, variable))
    close(tf.reduce_sum(gradient, axis=1), np.zeros(size[0]))


def test_cross_entropy_gradient_by_finite_differences():
    labels, logits = batch((5, 3))

    def cost(z):
        return np.mean(scipy.special.logsumexp(z, axis=1) - z[np.arange(5), labels])

    expected, h = np.zeros((5, 3)), 1e-6
    for i in np.ndindex(5, 3):
        step = np.zeros((5, 3))
        step[i] = h
        expected[i] = (cost(logits + step) - cost(logits - step)) / (2 * h)
    close(cross_entropy_gradient(labels, logits), expected)


@pytest.mark.parametrize("scale", [2, 1000])
def test_binary_cross_entropy(scale):
    rng = np.random.default_rng(1)
    targets = np.concatenate([[0, 1, 0, 1], rng.uniform(size=5)]).astype(np.float32)
    logits = (scale * rng.normal(size=9)).astype(np.float32)
    z = logits.astype(np.float64)
    expected = -np.mean(targets * scipy.special.log_expit(z) + (1 - targets) * scipy.special.log_expit(-z))
    close(binary_cross_entropy(tf.constant(targets), tf.constant(logits)), expected)
    close(binary_cross_entropy(targets, logits), tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)))
    close(binary_cross_entropy(targets, logits), keras.losses.BinaryCrossentropy(from_logits=True)(targets, logits))


@pytest.mark.parametrize("cost", ["quadratic", "cross_entropy"])
@pytest.mark.parametrize("start", [(0.6, 0.9), (2.0, 2.0), (-3.0, 0.5)])
def test_train_neuron_is_gradient_descent_on_the_cost(cost, start):
    def by_tape(epochs):
        w, b = (tf.Variable(value, dtype=tf.float64) for value in start)
        for _ in range(epochs + 1):
            with tf.GradientTape() as tape:
                a = tf.sigmoid(w + b)
                loss = a ** 2 / 2 if cost == "quadratic" else -tf.math.log(1 - a)
            yield float(a)
            for variable, gradient in zip((w, b), tape.gradient(loss, (w, b))):
                variable.assign_sub(0.3 * gradient)

    def by_hand(epochs):
        z = sum(start)  # weight and bias take the same step
        for _ in range(epochs + 1):
            a = scipy.special.expit(z)
            yield a
            z -= 2 * 0.3 * (a * a * (1 - a) if cost == "quadratic" else a)

    close(train_neuron(*start, 0.3, 40, cost), list(by_tape(40)))
    close(train_neuron(*start, 0.3, 200, cost), list(by_hand(200)))
    assert np.asarray(train_neuron(*start, 0.3, 0, cost)).shape == (1,)


@pytest.mark.parametrize("size", [(1, 2), (5, 3), (40, 7)])
def test_accuracy(size):
    labels, logits = batch(size)
    close(accuracy(tf.constant(labels), tf.constant(logits)), np.mean(logits.argmax(axis=1) == labels))
    close(accuracy(labels, logits - 50), keras.metrics.SparseCategoricalAccuracy()(labels, logits))
    close(accuracy(labels, logits), tf.reduce_mean(tf.cast(tf.math.in_top_k(labels, logits, 1), tf.float32)))


# ---------------------------------------------------------------------------------------------------- what the prose says


@pytest.mark.parametrize("start, cost, end, half", [
    ((0.6, 0.9), "quadratic", 0.0940, 36), ((2.0, 2.0), "quadratic", 0.2028, 232),
    ((0.6, 0.9), "cross_entropy", 0.0116, 8), ((2.0, 2.0), "cross_entropy", 0.0120, 17)])
def test_numbers_of_the_learning_slowdown(start, cost, end, half):
    outputs = np.asarray(train_neuron(*start, 0.15, 300, cost))
    assert round(float(outputs[-1]), 4) == end
    assert np.argmax(outputs < 0.5) == half


def test_other_numbers_in_the_prose():
    a = scipy.special.expit(4.0)
    assert round(scipy.special.expit(1.5), 2) == 0.82 and round(a, 2) == 0.98
    assert round(a * a * (1 - a), 3) == 0.017 and round(1 / (a * (1 - a))) == 57
    assert round(float(binary_cross_entropy([1.0, 0.0, 0.5], [math.log(3), 0.0, -math.log(3)])), 3) == 0.606
    assert round(float(cross_entropy([1, 0], [[0.0, math.log(2), math.log(5)], [math.log(3), 0.0, 0.0]])), 3) == 0.949
    assert round(-math.log(1e-7), 1) == 16.1
    lowest = QUESTIONS["cross_entropy"].misconceptions
    twice = next(item.answer for item in lowest if item.name == "softmax_twice")
    assert round(float(twice(tf.constant([3]), 1000 * tf.one_hot([3], 10))), 3) == 1.461


# ------------------------------------------------------------------------------------- right answers, written differently


def softmax_numpy(logits):
    weights = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def softmax_keras(logits):
    return keras.ops.exp(logits - keras.ops.logsumexp(logits, axis=-1, keepdims=True))


@tf.function
def softmax_graph(logits):
    z = tf.cast(logits, tf.float64)
    weights = tf.exp(z - tf.reduce_max(z, axis=-1, keepdims=True))
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)


def cross_entropy_numpy(labels, logits):
    labels, z = np.asarray(labels), np.asarray(logits)
    z = z - z.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels])


def cross_entropy_keras(labels, logits):
    right = keras.ops.sum(keras.ops.one_hot(labels, logits.shape[1]) * logits, axis=1)
    return keras.ops.mean(keras.ops.logsumexp(logits, axis=1) - right)


@tf.function
def cross_entropy_graph(labels, logits):
    z = tf.cast(logits, tf.float64)
    one_hot = tf.one_hot(labels, tf.shape(z)[1], dtype=tf.float64)
    return tf.reduce_sum((tf.reduce_logsumexp(z, axis=1, keepdims=True) - z) * one_hot) / tf.cast(tf.shape(z)[0], tf.float64)


def gradient_numpy(labels, logits):
    gradient = softmax_numpy(np.asarray(logits))
    gradient[np.arange(len(gradient)), np.asarray(labels)] -= 1
    return gradient / len(gradient)


def gradient_keras(labels, logits):
    return (softmax_keras(logits) - keras.ops.one_hot(labels, logits.shape[1])) / logits.shape[0]


@tf.function
def gradient_graph(labels, logits):
    one_hot = tf.one_hot(labels, logits.shape[1], dtype=tf.float64)
    return (softmax_graph(logits) - one_hot) / logits.shape[0]


def binary_numpy(targets, logits):
    t, z = np.asarray(targets), np.asarray(logits)
    return (np.logaddexp(0, -z) * t + np.logaddexp(0, z) * (1 - t)).mean()


def binary_keras(targets, logits):
    return -keras.ops.mean(targets * keras.ops.log_sigmoid(logits) + (1 - targets) * keras.ops.log_sigmoid(-logits))


@tf.function
def binary_graph(targets, logits):
    t, z = tf.cast(targets, tf.float64), tf.cast(logits, tf.float64)
    return tf.reduce_mean(tf.math.softplus(z) - t * z)


def neuron_numpy(w, b, learning_rate, epochs, cost):
    w, b = np.float32(w), np.float32(b)
    outputs = np.empty(epochs + 1, np.float32)
    for i in range(epochs + 1):
        outputs[i] = a = 1 / (1 + np.exp(-(w * 1 + b)))
        delta = a if cost == "cross_entropy" else a * a * (1 - a)
        w, b = np.float32(w - learning_rate * delta), np.float32(b - learning_rate * delta)
    return outputs


def neuron_keras(w, b, learning_rate, epochs, cost):
    w, b = keras.ops.convert_to_tensor(w), keras.ops.convert_to_tensor(b)
    outputs = [keras.ops.sigmoid(w + b)]
    while len(outputs) <= epochs:
        a = outputs[-1]
        delta = (a - 0.0) * (a * (1.0 - a) if cost == "quadratic" else 1.0)
        w, b = w - learning_rate * delta, b - learning_rate * delta
        outputs.append(keras.ops.sigmoid(w + b))
    return keras.ops.stack(outputs)


@tf.function
def neuron_graph(w, b, learning_rate, epochs, cost):
    z, outputs = tf.constant(w + b, tf.float64), []
    for _ in range(epochs + 1):
        a = tf.sigmoid(z)
        outputs.append(a)
        z -= 2 * learning_rate * (a ** 2 * (1 - a) if cost == "quadratic" else a)
    return tf.stack(outputs)


def accuracy_numpy(labels, logits):
    return float((np.argmax(logits, axis=1) == np.asarray(labels)).mean())


def accuracy_keras(labels, logits):
    return keras.ops.mean(keras.ops.cast(keras.ops.argmax(logits, axis=-1) == labels, "float32"))


@tf.function
def accuracy_graph(labels, logits):
    z = tf.cast(logits, tf.float64)
    right = tf.gather(z, labels, batch_dims=1)
    return tf.math.count_nonzero(right == tf.reduce_max(z, axis=1)) / tf.size(labels, tf.int64)


WRITTEN_DIFFERENTLY = [
    ("softmax", softmax_numpy), ("softmax", softmax_keras), ("softmax", softmax_graph),
    ("cross_entropy", cross_entropy_numpy), ("cross_entropy", cross_entropy_keras), ("cross_entropy", cross_entropy_graph),
    ("cross_entropy_gradient", gradient_numpy), ("cross_entropy_gradient", gradient_keras),
    ("cross_entropy_gradient", gradient_graph),
    ("binary_cross_entropy", binary_numpy), ("binary_cross_entropy", binary_keras), ("binary_cross_entropy", binary_graph),
    ("train_neuron", neuron_numpy), ("train_neuron", neuron_keras), ("train_neuron", neuron_graph),
    ("accuracy", accuracy_numpy), ("accuracy", accuracy_keras), ("accuracy", accuracy_graph)]
STYLES = {style: ({name: answer for name, answer in WRITTEN_DIFFERENTLY if getattr(answer, "python_function", answer).__name__.endswith(style)}, ())
          for style in ("numpy", "keras", "graph")}
