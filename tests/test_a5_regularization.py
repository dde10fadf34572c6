"""a5's reference answers against independent oracles, and right answers of other makes."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import observe

from autograder.authoring.lesson import BEGIN, END, read_lesson
from autograder.authoring.question import load_questions
from autograder.inside.probes import AnswerError, own_probes

FOLDER = Path(__file__).resolve().parents[1] / "solutions" / "a5_regularization"
QUESTIONS = {question.name: question for question in load_questions(FOLDER)}
OWN = own_probes(FOLDER)
split, first_overfitting_epoch, l2_penalty, regularized_loss, decay_step, book_lambda, L2, bump_network = (
    QUESTIONS[name].answer for name in ("split", "first_overfitting_epoch", "l2_penalty", "regularized_loss", "decay_step",
                                        "book_lambda", "L2", "bump_network"))


def close(value, expected, rtol=2e-5, atol=2e-6):
    np.testing.assert_allclose(np.asarray(value), expected, rtol, atol)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ---------------------------------------------------------------------------------------------------- split


@pytest.mark.parametrize("n, fraction", [(5, 0.4), (23, 0.3), (10, 0.25), (14, 0.25), (6, 0.5)])
def test_split_is_complete_paired_and_of_the_right_size(n, fraction):
    x, y = np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n) * 10
    x_train, y_train, x_val, y_val = split(x, y, fraction, 3)
    assert len(x_val) == len(y_val) == round(fraction * n) and len(x_train) == len(y_train) == n - round(fraction * n)
    assert sorted(np.concatenate([y_train, y_val])) == sorted(y)
    close(np.concatenate([x_train, x_val])[:, 0] * 5, np.concatenate([y_train, y_val]))


def test_split_holds_every_row_back_equally_often():
    held_back = np.zeros(20)
    for seed in range(2000):
        held_back[split(np.arange(20), np.arange(20), 0.3, seed)[2]] += 1
    # Each count is binomial, 2000 tries of 0.3: five standard deviations are 102.
    assert np.all(np.abs(held_back - 600) < 102)


def test_split_depends_on_its_own_seed_alone():
    x = np.arange(40)
    np.random.seed(1)
    first = split(x, x, 0.25, 8)
    np.random.seed(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, split(x, x, 0.25, 8)))
    assert not np.array_equal(first[2], split(x, x, 0.25, 9)[2])


# ---------------------------------------------------------------------------------------------------- first_overfitting_epoch


def by_definition(train, val, patience):
    for e in range(len(val)):
        best_so_far = all(val[e] < earlier for earlier in val[:e])
        exist = e + patience < len(val)
        if best_so_far and exist and not any(val[e + i] < val[e] for i in range(1, patience + 1)) and train[e + patience] < train[e]:
            return e
    return None


def test_first_overfitting_epoch_is_the_definition():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3000):  # small whole numbers, so that there are ties
        epochs, patience = rng.integers(1, 12), int(rng.integers(1, 5))
        train, val = rng.integers(0, 6, size=(2, epochs)).tolist()
        found.append(by_definition(train, val, patience))
        assert first_overfitting_epoch(train, val, patience) == found[-1], (train, val, patience)
    assert len(set(found)) > 5 and found.count(None) < 2500


def test_first_overfitting_epoch_is_where_keras_stops_early():
    rng = np.random.default_rng(1)
    model, stops = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), 0
    for _ in range(200):
        val, patience = rng.integers(0, 8, size=12) / 8, int(rng.integers(2, 5))
        model.stop_training = False
        callback = keras.callbacks.EarlyStopping(patience=patience, min_delta=0)
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, loss in enumerate(val):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            if model.stop_training:
                break
        expected = callback.best_epoch if model.stop_training else None
        stops += model.stop_training
        assert first_overfitting_epoch(list(range(12, 0, -1)), val.tolist(), patience) == expected
    assert stops > 50


# ---------------------------------------------------------------------------------------------------- penalties


def tensors_of(*shapes):
    return [normal(i, *shape) for i, shape in enumerate(shapes)]


@pytest.mark.parametrize("shapes", [[], [(3, 4)], [(2, 3, 4, 5), (6, 7), (8,), ()]])
def test_l2_penalty(shapes):
    weights = tensors_of(*shapes)
    close(l2_penalty([tf.constant(w) for w in weights], 0.3), 0.3 * sum(np.sum(w.astype(np.float64) ** 2) for w in weights))
    close(l2_penalty([tf.constant(w) for w in weights], 0.3), sum((float(keras.regularizers.L2(0.3)(w)) for w in weights), 0.0))
    close(l2_penalty([tf.constant(w) for w in weights], 0.3), 0.6 * sum((float(tf.nn.l2_loss(w)) for w in weights), 0.0))


def test_the_gradient_of_the_penalty_is_2_lambda_w():
    weights = [tf.Variable(w) for w in tensors_of((3, 4), (5,))]
    with tf.GradientTape() as tape:
        penalty = l2_penalty(weights, 0.3)
    for weight, gradient in zip(weights, tape.gradient(penalty, weights)):
        close(gradient, 0.6 * weight.numpy())


def keras_network(kernels, biases, lam):
    model = keras.Sequential([keras.Input(kernels[0].shape[:1]), *(
        keras.layers.Dense(kernel.shape[1], kernel_regularizer=keras.regularizers.L2(lam)) for kernel in kernels)])
    model.set_weights([weight for pair in zip(kernels, biases) for weight in pair])
    return model


def test_regularized_loss_is_what_keras_minimises():
    kernels, biases = tensors_of((5, 4), (4, 3)), [normal(7, 4), normal(8, 3)]
    model = keras_network(kernels, biases, 0.2)
    x, y = normal(9, 6, 5), normal(10, 6, 3)
    model.compile(loss="mse")
    loss = np.mean((x @ kernels[0] @ kernels[1] + biases[0] @ kernels[1] + biases[1] - y) ** 2)
    cost = regularized_loss(tf.constant(loss), list(zip(kernels, biases)), 0.2)
    close(cost, model.evaluate(x, y, verbose=0), rtol=1e-4)
    close(cost, loss + 0.2 * sum(np.sum(kernel ** 2) for kernel in kernels))


def test_regularized_loss_by_finite_differences():
    kernels, biases, h = [normal(i, *shape).astype(np.float64) for i, shape in enumerate([(3, 2), (2, 4)])], [np.zeros(2), np.ones(4)], 1e-6
    layers = [(tf.Variable(kernel), tf.Variable(bias)) for kernel, bias in zip(kernels, biases)]
    loss = tf.Variable(1.5, dtype=tf.float64)
    with tf.GradientTape() as tape:
        cost = regularized_loss(loss, layers, 0.3)
    slope, *gradients = tape.gradient(cost, [loss, *(kernel for kernel, _ in layers)])
    close(slope, 1.0)
    for i, gradient in enumerate(gradients):
        for at in np.ndindex(kernels[i].shape):
            plus, minus = ([kernel.copy() for kernel in kernels] for _ in range(2))
            plus[i][at] += h
            minus[i][at] -= h
            up, down = (float(regularized_loss(tf.constant(1.5, tf.float64), list(zip(moved, biases)), 0.3)) for moved in (plus, minus))
            assert abs((up - down) / (2 * h) - float(gradient[at])) < 1e-6


def test_decay_step_is_gradient_descent_on_the_regularized_cost():
    w, c = normal(1, 4, 3), normal(2, 4, 3)
    variable = tf.Variable(w)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(tf.sin(variable) * c) + 0.35 * tf.reduce_sum(variable ** 2)
    expected = w - 0.2 * tape.gradient(cost, variable).numpy()
    close(decay_step(tf.constant(w), tf.constant(np.cos(w) * c), 0.2, 0.35), expected)


def test_decay_step_is_the_weight_decay_of_keras():
    w, grad = normal(1, 4, 3), normal(2, 4, 3)
    variable = keras.Variable(w)
    optimizer = keras.optimizers.SGD(learning_rate=0.2, weight_decay=2 * 0.35)
    optimizer.apply([tf.constant(grad)], [variable])
    close(decay_step(tf.constant(w), tf.constant(grad), 0.2, 0.35), variable.numpy())


@pytest.mark.parametrize("lam, n", [(0.1, 1000), (5.0, 50_000), (2.5, 1)])
def test_book_lambda_gives_the_book_s_penalty_and_its_decay(lam, n):
    w = normal(3, 6)
    close(l2_penalty([tf.constant(w)], book_lambda(lam, n)), lam / (2 * n) * np.sum(w ** 2))
    # The book's equation of the step has the factor 1 - eta lam / n.
    close(decay_step(tf.constant(w), tf.zeros(6), 0.5, book_lambda(lam, n)), (1 - 0.5 * lam / n) * w, rtol=1e-6, atol=0)


def test_l2_is_keras_s_l2_in_a_model_that_trains():
    kernels, biases = tensors_of((5, 4), (4, 3)), [normal(7, 4), normal(8, 3)]
    x, y = normal(9, 6, 5), normal(10, 6, 3)
    trained = []
    for penalty in (L2(0.2), keras.regularizers.L2(0.2)):
        model = keras.Sequential([keras.Input((5,)), *(keras.layers.Dense(units, kernel_regularizer=penalty) for units in (4, 3))])
        model.set_weights([weight for pair in zip(kernels, biases) for weight in pair])
        model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
        model.fit(x, y, batch_size=6, epochs=2, verbose=0)
        trained.append(model.get_weights())
    for own, builtin in zip(*trained):
        close(own, builtin)


def test_l2_is_loaded_by_its_registered_name_alone(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_regularizer=L2(0.25))])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].kernel_regularizer.get_config() == {"lam": 0.25}
    close(sum(loaded.losses), 0.25 * np.sum(model.layers[0].kernel.numpy() ** 2))


def test_l2_neither_is_nor_holds_the_one_of_keras():
    assert L2.__mro__[1] is keras.regularizers.Regularizer
    assert not any(isinstance(value, keras.regularizers.Regularizer) for value in vars(L2(0.5)).values())


# ---------------------------------------------------------------------------------------------------- bump_network


def as_keras_model(network):
    w1, b1, w2, b2 = (np.asarray(weight, np.float32) for weight in network)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(w1.shape[1], activation="sigmoid"), keras.layers.Dense(1)])
    model.set_weights([w1, b1, w2, b2])
    return model


@pytest.mark.parametrize("n", [1, 7, 40])
def test_bump_network_is_a_staircase(n):
    f = lambda x: 2 + math.sin(7 * x) - x  # noqa: E731
    model = as_keras_model(bump_network(f, n))
    x = (np.arange(n)[:, None] + np.array([0.25, 0.5, 0.75])).ravel() / n  # on each piece, away from its ends
    expected = [f((math.floor(value * n) + 0.5) / n) for value in x]
    close(model(x[:, None].astype(np.float32))[:, 0], expected, atol=1e-3)
    assert np.max(np.abs(np.array(expected) - [f(value) for value in x])) <= 8 / (2 * n)  # its steepest slope is below 8


def test_bump_network_gets_as_close_as_one_likes():
    f = lambda x: math.exp(x) * math.cos(9 * x)  # noqa: E731
    x = np.linspace(0.02, 0.98, 500, dtype=np.float32)
    truth = np.array([f(value) for value in x])
    errors = [np.mean(np.abs(as_keras_model(bump_network(f, n))(x[:, None])[:, 0] - truth)) for n in (30, 60, 120, 240)]
    assert all(0.45 < b / a < 0.55 for a, b in zip(errors, errors[1:]))


# ---------------------------------------------------------------------------------------------------- what the prose says


def test_examples_in_the_docstrings():
    train, val = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], [0.9, 0.7, 0.8, 0.6, 0.7, 0.6, 0.9]
    assert [first_overfitting_epoch(train, val, patience) for patience in (1, 2, 4)] == [1, 3, None]
    close(l2_penalty([tf.constant([[1.0, 2.0], [3.0, 0.0]]), tf.constant([2.0, -1.0])], 0.5), 9.5)
    layers = [(tf.constant([[1.0, 2.0]]), tf.constant([5.0, 5.0])), (tf.constant([[3.0], [0.0]]), tf.constant([7.0]))]
    close(regularized_loss(tf.constant(2.0), layers, 0.1), 3.4)
    close(decay_step(tf.constant([1.0, -2.0]), tf.constant([0.5, 0.0]), 0.1, 0.5), [0.85, -1.8])
    close(book_lambda(6.0, 300), 0.01)
    close(L2(0.5)(tf.constant([[1.0, 2.0], [3.0, -1.0]])), 7.5)
    close(as_keras_model(bump_network(lambda x: x, 2))(np.array([[0.25], [0.75]], np.float32)), [[0.25], [0.75]], atol=1e-4)


def test_numbers_in_the_prose():
    assert book_lambda(0.1, 1000) == pytest.approx(5e-5) and book_lambda(5.0, 50_000) == pytest.approx(5e-5)
    assert round(1.3 * 0.99 ** 400, 2) == 0.02
    assert 64 * 50 + 50 + 50 * 10 + 10 == 3760
    best, curvature = np.array([2.0, 1.5]), np.array([[1.0, 0.12], [0.12, 0.15]])
    for lam, expected, cost in [(0.2, (1.74, 0.73), 0.202), (1.0, (1.07, 0.29), 1.348)]:
        w = np.linalg.solve(curvature + lam * np.eye(2), curvature @ best)
        assert (round(w[0], 2), round(w[1], 2)) == expected and round((w - best) @ curvature @ (w - best), 3) == cost


def test_the_model_answer_is_for_the_instructor():
    cell = next(cell for cell in read_lesson(FOLDER) if cell.kind == "written")
    assert (cell.id, cell.points) == ("choose_lambda", 10)
    assert cell.source.startswith(BEGIN) and cell.source.endswith(END)


# ---------------------------------------------------------------------------------------------------- what probes say


@pytest.mark.parametrize("network, words", [
    (lambda f, n: f(np.zeros(n)), "one float at a time"),
    (lambda f, n: f(1.5), "outside of"),
    (lambda f, n: (np.zeros((2 * n, 1)), np.zeros(2 * n), np.zeros((2 * n, 1)), np.zeros(1)), r"returned w1 in a shape .* expected \(1, 2n\) for w1"),
    (lambda f, n: (np.zeros((1, 2 * n)), np.zeros(2 * n), np.zeros((2 * n, 1))), "returned 3 values"),
    (lambda f, n: None, "returned one value"),
])
def test_what_is_wrong_with_a_bump_network_is_said(network, words):
    case = QUESTIONS["bump_network"].cases[1]
    with pytest.raises(AnswerError, match=words):
        observe(network, case.probe, list(case.make(np.random.default_rng(0))), "x", OWN)


@pytest.mark.parametrize("answer, words", [
    (lambda x, y, fraction, seed: (x, y), "returned 2 values; expected 4"),
    (lambda x, y, fraction, seed: (x, y, None, None), "returned None as x_val"),
    (lambda x, y, fraction, seed: x, "returned one value"),
])
def test_what_is_wrong_with_a_split_is_said(answer, words):
    case = QUESTIONS["split"].cases[1]
    with pytest.raises(AnswerError, match=words):
        observe(answer, case.probe, list(case.make(np.random.default_rng(0))), "x", OWN)


# ------------------------------------------------------------------------------------- right answers, written differently


def split_by_shuffling(x, y, fraction, seed):
    np.random.default_rng(seed).shuffle(x)
    np.random.default_rng(seed).shuffle(y)
    k = len(x) - int(np.round(fraction * len(x)))
    return [x[:k], y[:k], x[k:], y[k:]]


def split_with_tensorflow(x, y, fraction, seed):
    tf.random.set_seed(seed)
    order = tf.random.shuffle(tf.range(len(x)), seed=seed)
    k = round(fraction * len(x))
    for rows in (order[k:], order[:k]):
        yield tf.gather(x, rows)
        yield tf.gather(y, rows)


def split_with_python(x, y, fraction, seed):
    import random

    held_back = set(random.Random(seed).sample(range(len(x)), round(fraction * len(x))))
    train, val = [i for i in range(len(x)) if i not in held_back], sorted(held_back)
    return [x[i] for i in train], [y[i] for i in train], [x[i] for i in val], [y[i] for i in val]


def epoch_with_numpy(train_loss, val_loss, patience):
    train, val = np.array(train_loss), np.array(val_loss)
    for e in range(len(val) - patience):
        if (val[:e] > val[e]).all() and (val[e + 1:e + patience + 1] >= val[e]).all() and train[e + patience] < train[e]:
            return np.int64(e)


def epoch_by_waiting(train_loss, val_loss, patience):
    best, best_epoch, wait = float("inf"), None, 0
    for epoch, loss in enumerate(val_loss):
        if loss < best:
            best, best_epoch, wait = loss, epoch, 0
            continue
        wait += 1
        if wait == patience and train_loss[epoch] < train_loss[best_epoch]:
            return best_epoch
    return None


def l2_with_ops(weights, lam):
    total = keras.ops.convert_to_tensor(0.0)
    for w in weights:
        total = total + keras.ops.sum(w * w)
    return lam * total


def l2_in_a_graph(weights, lam):
    @tf.function
    def total(weights):
        flat = [tf.cast(tf.reshape(w, [-1]), tf.float64) for w in weights] or [tf.zeros(0, tf.float64)]
        flat = tf.concat(flat, axis=0)
        return tf.cast(lam * tf.tensordot(flat, flat, 1), tf.float32)

    return total(weights)


def l2_from_l2_loss(weights, lam):
    return 2 * lam * tf.add_n([tf.nn.l2_loss(w) for w in weights]) if len(weights) else 0


def loss_with_ops(loss, layers, lam):
    return loss + keras.ops.sum(keras.ops.stack([lam * keras.ops.sum(keras.ops.square(layer[0])) for layer in layers]))


def loss_by_a_loop(loss, layers, lam):
    for kernel, _ in layers:
        loss += lam * tf.einsum("i,i->", tf.reshape(kernel, [-1]), tf.reshape(kernel, [-1]))
    return loss


def loss_through_the_penalty(loss, layers, lam):
    kernels, biases = zip(*layers)
    return tf.add(loss, l2_penalty(list(kernels), lam))


def step_with_numpy(w, grad, learning_rate, lam):
    w = np.asarray(w, np.float64)
    return (1 - 2 * learning_rate * lam) * w - learning_rate * np.asarray(grad)


def step_with_ops(w, grad, learning_rate, lam):
    return keras.ops.subtract(w, learning_rate * keras.ops.add(grad, 2.0 * lam * w))


def step_in_a_graph(w, grad, learning_rate, lam):
    step = tf.function(lambda w, grad: w - learning_rate * grad - learning_rate * lam * (w + w))
    return step(w, grad)


def lambda_with_numpy(lam, n):
    return np.float64(lam) / n / 2


def lambda_with_tensorflow(lam, n):
    return tf.constant(0.5 * lam) / tf.cast(n, tf.float32)


@keras.saving.register_keras_serializable(package="a5")
class L2WithOps(keras.regularizers.Regularizer):
    def __init__(self, lam=0.01):
        self.strength = keras.ops.convert_to_tensor(lam)

    def __call__(self, w):
        return self.strength * keras.ops.sum(keras.ops.square(w))

    def get_config(self):
        return {"lam": float(self.strength)}


@keras.saving.register_keras_serializable("my_own", name="price")
class L2FromTensordot(keras.regularizers.Regularizer):
    def __init__(self, lam):
        super().__init__()
        self.config = dict(lam=lam)

    def __call__(self, w):
        w = tf.convert_to_tensor(w)
        return tf.cast(tf.tensordot(w, w, len(w.shape)), tf.float32) * self.config["lam"]

    def get_config(self):
        return {**self.config}


def bumps_in_float32(f, n):
    """Heights at the left ends of the pieces, very steep steps, bumps in pairs of units, biases with a leading axis."""
    w1, b1, w2 = np.zeros((1, 2 * n), np.float32), np.zeros((1, 2 * n), np.float32), np.zeros((2 * n, 1), np.float32)
    for k in range(n):
        w1[0, 2 * k:2 * k + 2] = 2000 * n
        b1[0, 2 * k], b1[0, 2 * k + 1] = -2000 * k, -2000 * (k + 1)
        w2[2 * k, 0], w2[2 * k + 1, 0] = f(k / n), -f(k / n)
    return w1, b1, w2, 0.0


def stairs_of_differences(f, n):
    """No bumps: 2n steps, each with the difference to the height before it, and the first height in the output bias."""
    heights = [f((k + 0.5) / (2 * n)) for k in range(2 * n)]
    steps = tf.range(2 * n, dtype=tf.float32) / (2 * n)
    jumps = tf.constant([0.0] + [b - a for a, b in zip(heights, heights[1:])])
    return tf.fill([1, 2 * n], 40.0 * n), -40.0 * n * steps, tf.reshape(jumps, (-1, 1)), tf.constant([heights[0]])


def soft_bumps_that_step_down(f, n):
    """Soft steps, the second of each bump with a negative weight; float tensors of TensorFlow go into f."""
    k = tf.range(n, dtype=tf.float64)
    h = tf.stack([f(value) for value in (k + 0.5) / n])
    s = 8.0 * n
    w1 = tf.concat([tf.fill([n], s), tf.fill([n], -s)], 0)
    b1 = tf.concat([-8 * tf.cast(k, tf.float32), 8 * tf.cast(k + 1, tf.float32)], 0)  # the second step goes down at (k + 1)/n
    h = tf.cast(h, tf.float32)
    return [w1[None], b1, tf.concat([h, h], 0)[:, None], -tf.reduce_sum(h)[None]]


STYLES = {
    "numpy": (dict(split=split_by_shuffling, first_overfitting_epoch=epoch_with_numpy, decay_step=step_with_numpy,
                   book_lambda=lambda_with_numpy, bump_network=bumps_in_float32, l2_penalty=l2_from_l2_loss,
                   regularized_loss=loss_by_a_loop), ()),
    "keras": (dict(split=split_with_python, first_overfitting_epoch=epoch_by_waiting, l2_penalty=l2_with_ops,
                   regularized_loss=loss_with_ops, decay_step=step_with_ops, L2=L2WithOps, bump_network=stairs_of_differences), ()),
    "graph": (dict(split=split_with_tensorflow, l2_penalty=l2_in_a_graph, regularized_loss=loss_through_the_penalty,
                   decay_step=step_in_a_graph, book_lambda=lambda_with_tensorflow, L2=L2FromTensordot,
                   bump_network=soft_bumps_that_step_down), ()),
}
