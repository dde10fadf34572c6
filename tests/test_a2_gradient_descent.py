"""a2's reference answers against independent oracles, right answers written differently, and the numbers in its prose."""

import random
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import observe

from autograder.authoring.question import load_questions
from autograder.grading.compare import difference
from autograder.grading.observe import load_observers, observed
from autograder.inside.probes import AnswerError, Probe, own_probes
from autograder.inside.protocol import Outcome

FOLDER = Path(__file__).resolve().parents[1] / "solutions" / "a2_gradient_descent"
QUESTIONS = {question.name: question for question in load_questions(FOLDER)}
EXTRA = own_probes(FOLDER)
NAMES = list(QUESTIONS)
mean_squared_error, gradient_step, minimize, minibatches, fit_line, train = (QUESTIONS[name].answer for name in NAMES)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def close(value, expected, rtol=1e-5, atol=1e-6):
    np.testing.assert_allclose(np.asarray(value), expected, rtol, atol)


def outcome(answer, case, seed=0):
    """What an answer does on a case: named arrays, or the exception it raises."""
    try:
        return observe(answer, case.probe, case.make(np.random.default_rng(seed)), "x", EXTRA)
    except Exception as error:
        return type(error).__name__


def alike(a, b, case):
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and a == b
    return difference(a, b, case.rtol, case.atol) is None


def lost(answer, question, seed=0):
    """The names of the cases that an answer loses."""
    return [case.name for case in question.cases
            if not alike(outcome(question.answer, case, seed), outcome(answer, case, seed), case)]


def mistake(question, name):
    return next(item.answer for item in QUESTIONS[question].misconceptions if item.name == name)


# ---------------------------------------------------------------------------------------------------- oracles


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (4, 7)])
@pytest.mark.parametrize("shift", [0, 4000])
def test_mean_squared_error(rng, size, shift):
    t, p = normal(rng, *size) + np.float32(shift), normal(rng, *size) + np.float32(shift)
    by_hand = sum((float(t[i]) - float(p[i])) ** 2 for i in np.ndindex(size)) / (size[0] * size[1])
    close(mean_squared_error(tf.constant(t), tf.constant(p)), by_hand)
    close(mean_squared_error(tf.constant(t), tf.constant(p)), keras.losses.MeanSquaredError()(t, p))
    assert mean_squared_error(tf.constant(t), tf.constant(t)) == 0


def test_mean_squared_error_has_the_gradient_of_the_prose(rng):
    t, p = tf.constant(normal(rng, 5, 3)), tf.Variable(normal(rng, 5, 3))
    with tf.GradientTape() as tape:
        cost = mean_squared_error(t, p)
    close(tape.gradient(cost, p), 2 * (p - t) / 15)
    book = tf.reduce_sum((t - p) ** 2) / (2 * 5)  # k/2 times as large, the table says
    close(book, cost * 3 / 2)


def network(v, x, y):
    """The cost of a small network, in float64."""
    w1, b1, w2, b2 = v
    return np.mean((np.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2)


def test_a_gradient_step_follows_finite_differences(rng):
    start = [normal(rng, *shape) for shape in ((2, 4), (4,), (4, 3), (3,))]
    x, y = normal(rng, 7, 2), normal(rng, 7, 3)
    v = [tf.Variable(value) for value in start]
    loss = gradient_step(v, lambda: tf.reduce_mean((tf.matmul(tf.tanh(x @ v[0] + v[1]), v[2]) + v[3] - y) ** 2), 0.3)
    exact = [value.astype(np.float64) for value in start]
    close(loss, network(exact, x, y))
    for i, value in enumerate(exact):
        expected = value.copy()
        for place in np.ndindex(value.shape):
            shifted = [[part.copy() for part in exact] for _ in range(2)]
            shifted[0][i][place] += 1e-6
            shifted[1][i][place] -= 1e-6
            expected[place] -= 0.3 * (network(shifted[0], x, y) - network(shifted[1], x, y)) / 2e-6
        close(v[i], expected, atol=1e-5)


def test_gradient_steps_are_those_of_keras_sgd(rng):
    target = normal(rng, 3, 2)
    a, b = [[tf.Variable(value) for value in (normal(np.random.default_rng(0), 3, 2), np.float32(0.7))] for _ in range(2)]
    sgd = keras.optimizers.SGD(0.07)
    for _ in range(5):
        with tf.GradientTape() as tape:
            expected = tf.reduce_sum(tf.sin(b[0] * b[1]) * target) + b[1] ** 2
        sgd.apply_gradients(zip(tape.gradient(expected, b), b))
        close(gradient_step(a, lambda: tf.reduce_sum(tf.sin(a[0] * a[1]) * target) + a[1] ** 2, 0.07), expected)
        for own, keras_s in zip(a, b):
            close(own, keras_s)


def test_a_gradient_step_trains_the_variables_of_a_keras_model(rng):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    kernel, x = model.layers[0].kernel.numpy(), normal(rng, 5, 3)
    gradient_step(model.trainable_variables, lambda: tf.reduce_mean(model(x)), 0.5)
    close(model.layers[0].kernel, kernel - 0.5 * np.repeat(x.sum(axis=0)[:, None], 2, axis=1) / 10)


@pytest.mark.parametrize("rate", [0.03, 0.2, 0.3])
def test_minimize_on_a_quadratic_is_a_matrix_power(rng, rate):
    a, b, x0 = normal(rng, 4, 4), normal(rng, 4), normal(rng, 4)
    a = a @ a.T / 2 + np.eye(4, dtype="float32")
    path = minimize(lambda x: tf.tensordot(x, tf.linalg.matvec(a, x), 1) / 2 - tf.tensordot(b, x, 1), tf.constant(x0), rate, 12)
    goal, shrink = np.linalg.solve(a.astype(np.float64), b), np.eye(4) - rate * a.astype(np.float64)
    expected = [goal + np.linalg.matrix_power(shrink, step) @ (x0 - goal) for step in range(13)]
    close(path, expected, rtol=1e-4, atol=1e-4)


def test_minimize_in_a_bent_valley_follows_the_gradient_by_hand():
    path = np.asarray(minimize(lambda x: (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2, tf.constant([-1.2, 1.0]), 0.005, 40))
    x, y = -1.2, 1.0
    for point in path:
        close(point, [x, y], rtol=1e-4)
        x, y = x - 0.005 * (-2 * (1 - x) - 40 * x * (y - x * x)), y - 0.005 * 20 * (y - x * x)
    assert minimize(tf.reduce_sum, tf.constant([1.0, 2.0, 3.0]), 0.1, 0).shape == (1, 3)


def test_minimize_leaves_its_start_alone(rng):
    x0 = tf.constant(normal(rng, 3))
    before = x0.numpy()
    close(minimize(lambda x: tf.reduce_sum(x ** 2), x0, 0.1, 3)[0], before)
    close(x0, before)


@pytest.mark.parametrize("n, size, sizes", [(5, 2, [2, 2, 1]), (12, 4, [4, 4, 4]), (3, 7, [3]), (4, 1, [1] * 4), (6, 6, [6])])
def test_minibatches(rng, n, size, sizes):
    x, y = normal(rng, n, 2, 3), np.arange(n, dtype="int32")
    batches = minibatches(tf.constant(x), tf.constant(y), size, 5)
    assert [len(part) for part, _ in batches] == sizes == [len(part) for _, part in batches]
    order = np.concatenate([part for _, part in batches])
    assert sorted(order) == list(range(n))
    close(np.concatenate([part for part, _ in batches]), x[order])


def test_minibatches_are_a_fair_shuffle_that_belongs_to_its_seed():
    x, y = tf.zeros((3, 1)), tf.range(3)
    orders = []
    for seed in range(300):
        orders.append(tuple(np.concatenate([part for _, part in minibatches(x, y, 2, seed)])))
        np.random.seed(seed + 1)
        tf.random.set_seed(seed + 2)
        random.seed(seed + 3)
    assert orders[:50] == [tuple(np.concatenate([part for _, part in minibatches(x, y, 2, seed)])) for seed in range(50)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6 and 25 < counts.min() and counts.max() < 75  # 50 of each order are expected


@pytest.mark.parametrize("epochs", [0, 1, 7, 60])
def test_fit_line_shrinks_towards_least_squares(rng, epochs):
    x = normal(rng, 9)
    y = 2 * x - 1 + normal(rng, 9)
    rows = np.stack([x, np.ones(9)], axis=1).astype(np.float64)
    goal = np.linalg.lstsq(rows, y, rcond=None)[0]
    shrink = np.linalg.matrix_power(np.eye(2) - 0.1 * 2 * rows.T @ rows / 9, epochs)
    close(fit_line(tf.constant(x), tf.constant(y), 0.1, epochs), goal + shrink @ (0 - goal), atol=1e-5)


def test_fit_line_is_a_keras_neuron_trained_on_the_full_batch(rng):
    x, y = normal(rng, 6) + 1, normal(rng, 6)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    model.fit(x[:, None], y[:, None], batch_size=6, epochs=8, verbose=0)
    w, b = fit_line(tf.constant(x), tf.constant(y), 0.05, 8)
    close([[[w]], [[b]]], [model.layers[0].kernel, [model.layers[0].bias]])


def models(rng, *layers):
    """The same model twice."""
    model = keras.Sequential(list(layers))
    model.set_weights([normal(rng, *weight.shape) * 0.7 for weight in model.get_weights()])
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return model, copy


def test_train_is_keras_fit(rng):
    own, other = models(rng, keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(2))
    x, y = normal(rng, 12, 3), normal(rng, 12, 2)
    batches = [(tf.constant(x[i:i + 4]), tf.constant(y[i:i + 4])) for i in (0, 4, 8)]
    history = train(own, batches, mean_squared_error, 0.1, 3)
    other.compile(keras.optimizers.SGD(0.1), "mse")
    fitted = other.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)  # batches of one size: its mean is ours
    close(history, fitted.history["loss"])
    for a, b in zip(own.get_weights(), other.get_weights()):
        close(a, b)
    assert isinstance(history, list) and all(type(loss) is float for loss in history)


def test_train_on_a_network_by_hand(rng):
    model, _ = models(rng, keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(3))
    w1, b1, w2, b2 = (weight.astype(np.float64) for weight in model.get_weights())
    batches = [(normal(rng, size, 2), normal(rng, size, 3)) for size in (5, 1, 4)]
    expected = []
    for _ in range(4):
        losses = []
        for x, y in batches:
            h = np.tanh(x @ w1 + b1)
            error = h @ w2 + b2 - y
            losses.append(np.mean(error ** 2))
            d2 = 2 * error / error.size
            d1 = d2 @ w2.T * (1 - h * h)
            w1, b1, w2, b2 = w1 - 0.2 * x.T @ d1, b1 - 0.2 * d1.sum(0), w2 - 0.2 * h.T @ d2, b2 - 0.2 * d2.sum(0)
        expected.append(np.mean(losses))
    history = train(model, [(tf.constant(x), tf.constant(y)) for x, y in batches], mean_squared_error, 0.2, 4)
    close(history, expected)
    for a, b in zip(model.get_weights(), (w1, b1, w2, b2)):
        close(a, b, atol=1e-5)


def test_train_tells_layers_that_it_trains(rng):
    seen = []

    class Spy(keras.layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    model = keras.Sequential([keras.Input((2,)), Spy(), keras.layers.Dense(1)])
    seen.clear()
    train(model, [(tf.ones((3, 2)), tf.ones((3, 1)))] * 2, mean_squared_error, 0.1, 3)
    assert seen == [True] * 6


# ---------------------------------------------------------------------------------------------------- what the prose says


def test_worked_examples():
    assert round(float(mean_squared_error(tf.constant([[1.0, 2, 3], [4, 5, 6]]), tf.constant([[1.0, 2, 1], [4, 8, 7]]))), 4) == 2.3333
    w, b = tf.Variable(1.0), tf.Variable(1.0)
    assert float(gradient_step([w, b], lambda: (2 * w + b - 1) ** 2, 0.1)) == 4
    close([w, b], [0.2, 0.6])
    close(minimize(lambda x: (x[0] - 4) ** 2, tf.constant([0.0]), 0.25, 2), [[0], [2], [3]])
    close(fit_line(tf.constant([1.0, 2.0]), tf.constant([3.0, 5.0]), 0.1, 1), [1.3, 0.8])
    close(fit_line(tf.constant([1.0, 2.0]), tf.constant([3.0, 5.0]), 0.1, 2), [1.71, 1.05])
    case = QUESTIONS["train"].cases[0]
    seen = outcome(train, case)
    close(seen["loss history"], [4.42])
    close([seen["final kernel of layer 1"][0], seen["final bias of layer 1"]], [[0.52], [-0.04]])
    seen = outcome(train, QUESTIONS["train"].cases[1])
    close(seen["loss history"], [(1 + 6.25) / 2, (0.5625 + 2.640625) / 2])
    close([seen["final kernel of layer 1"][0], seen["final bias of layer 1"]], [[1], [2.1875]])


def test_numbers_of_the_descent_to_4():
    path = np.asarray(minimize(lambda x: (x[0] - 4) ** 2, tf.constant([0.0]), 0.01, 500))[:, 0]
    assert [round(float(path[step]), 4) for step in (100, 500)] == [3.4695, 3.9998]
    assert np.argmax(path >= 2) == 35
    for rate, factor in [(0.1, 0.8), (0.95, -0.9), (1.01, -1.02)]:
        close(4 - np.asarray(minimize(lambda x: (x[0] - 4) ** 2, tf.constant([0.0]), rate, 20))[:, 0], 4 * factor ** np.arange(21.0),
              atol=1e-5)


@pytest.mark.parametrize("rate, after_10, after_30", [(0.01, 40.95, 27.36), (0.075, 11.76, 0.47), (0.081, 38.73, 79.51)])
def test_numbers_of_the_valley(rate, after_10, after_30):
    steps = np.array([10, 30])
    x, y = 10 * (1 - rate) ** steps, 1.2 * (1 - 25 * rate) ** steps
    assert list(np.round((x ** 2 + 25 * y ** 2) / 2, 2)) == [after_10, after_30]


# ---------------------------------------------------------------------------------------------------- probes


def test_no_optimizer_is_allowed_anywhere():
    assert all({"keras.optimizers.*", "tf.optimizers.*"} <= set(question.forbid) for question in QUESTIONS.values())


def test_a_loss_computed_outside_the_tape_is_told_from_other_errors():
    case = QUESTIONS["gradient_step"].cases[0]
    seen = outcome(mistake("gradient_step", "forward_pass_outside_the_tape"), case)
    assert set(seen.values()) == {"None"}
    with pytest.raises(TypeError):  # after a gradient, a None is a mistake of another kind
        observe(lambda *arguments: 0.1 * (gradient_step(*arguments) and None), case.probe, case.make(None), "x", EXTRA)
    case = QUESTIONS["minimize"].cases[0]
    with pytest.raises(AnswerError, match="got None from the tape"):
        observe(mistake("minimize", "constant_not_watched"), case.probe, case.make(None), "x", EXTRA)


def rows(n):
    return [np.arange(2.0 * n).reshape(n, 2), np.arange(n), 2, 1]


@pytest.mark.parametrize("answer, words", [
    (lambda x, y, size, seed: None, "returned something else than a list"),
    (lambda x, y, size, seed: [x, y], "no pair"),
    (lambda x, y, size, seed: [(x, y[:1])], "another number of rows in x than in y"),
    (lambda x, y, size, seed: [(x + 0.5, y)], "no row of x"),
    (lambda x, y, size, seed: [(1.0, 2.0)], "no array of rows"),
    (lambda x, y, size, seed: [(x, None)], "no array of rows"),
])
def test_what_is_no_list_of_batches_is_said_in_words(answer, words):
    with pytest.raises(AnswerError, match=words):
        observe(answer, Probe("batches"), rows(4), "x", EXTRA)


def test_batch_properties_say_what_is_wrong():
    def asked(name):
        return f"{name}?"

    right = observe(minibatches, Probe("batches"), rows(11), "x", EXTRA)
    assert list(right["list of batch sizes"]) == [2, 2, 2, 2, 2, 1]
    for wrong, expected in {
        "drops_the_tail": {"rows lost": True}, "wraps_around": {"rows repeated": True},
        "shuffles_x_and_y_apart": {"pairs kept": False}, "cuts_before_shuffling": {"batches mixed": False},
        "never_shuffles": {"rows shuffled": False, "batches mixed": False, "new for a new seed": False},
        "listens_to_the_global_seed": {"same for the same seed": False},
        "one_shuffle_for_all_seeds": {"new for a new seed": False},
        "draws_with_replacement": {"rows lost": True, "rows repeated": True},
    }.items():
        seen = observe(mistake("minibatches", wrong), Probe("batches"), rows(11), "x", EXTRA)
        differs = {name: bool(value) for name, value in seen.items() if name.endswith("?") and value != right[name]}
        assert differs == {asked(name): value for name, value in expected.items()}, wrong


FORGED = [{}, {"list of batch sizes": np.ones(3)}, {f"batches of run {run}": np.array(0) for run in range(8)},
          {f"batches of run {run}": np.array(10**9) for run in range(8)}, {f"batches of run {run}": "None" for run in range(8)}]


@pytest.mark.parametrize("seen", FORGED)
def test_a_forged_reply_wins_no_hidden_case(seen):
    observers = load_observers(FOLDER)
    for case in QUESTIONS["minibatches"].cases:
        inputs = case.make(np.random.default_rng(3))
        expected = observe(minibatches, case.probe, inputs, "x", EXTRA)
        got = observed(Outcome(seen), case.probe, inputs, observers)
        assert got.observation is None or difference(expected, got.observation, case.rtol, case.atol)
        rows = {name: np.zeros_like(np.asarray(inputs[0 if name[0] == "x" else 1])) for name in ("x of batch 0 of run 0", "y of batch 0 of run 0")}
        forged = {f"batches of run {run}": np.array(1) for run in range(8)} | {
            name.replace("run 0", f"run {run}"): value for name, value in rows.items() for run in range(8)}
        got = observed(Outcome(forged), case.probe, inputs, observers)
        assert got.observation is None or difference(expected, got.observation, case.rtol, case.atol)


def test_a_correct_shuffle_is_never_taken_for_a_wrong_one():
    for seed in range(20):  # five rows are so few that one fair shuffle in 15 has the batches of an unshuffled cut, of six one in 10
        for n, size in (5, 2), (6, 3):
            seen = observe(minibatches, Probe("batches"), [*rows(n)[:2], size, seed], "x", EXTRA)
            assert [bool(value) for name, value in seen.items() if name.endswith("?")] == [False, False] + [True] * 5


# ---------------------------------------------------------------------------------- right answers, written differently


def mse_numpy(targets, predictions):
    difference = np.asarray(targets, np.float64) - np.asarray(predictions, np.float64)
    return float((difference ** 2).sum() / difference.size)


def step_numpy(variables, loss_fn, learning_rate):
    loss = loss_fn().numpy()  # a first call, outside: allowed, if not needed
    with tf.GradientTape(persistent=True) as tape:
        again = loss_fn()
    gradients = [tape.gradient(again, variable).numpy() for variable in variables]
    for i in range(len(variables)):
        variables[i].assign(variables[i].numpy() - np.float32(learning_rate) * gradients[i])
    return loss


def minimize_numpy(f, x0, learning_rate, steps):
    path = np.empty((steps + 1, len(x0)))
    path[0] = x0
    for step in range(steps):
        x = tf.constant(path[step])  # float64
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = f(x)
        path[step + 1] = path[step] - learning_rate * tape.gradient(value, x).numpy()
    return path


def batches_numpy(x, y, batch_size, seed):
    import random
    order = list(range(len(x)))
    random.Random(seed).shuffle(order)
    x, y = np.asarray(x)[order], np.asarray(y)[order]
    return [[x[i:i + batch_size], y[i:i + batch_size]] for i in range(0, len(x), batch_size)]


def line_numpy(x, y, learning_rate, epochs):
    x, y, w, b = np.asarray(x, np.float64), np.asarray(y, np.float64), 0.0, 0.0
    for _ in range(epochs):
        error = w * x + b - y
        w, b = w - learning_rate * 2 * (error @ x) / len(x), b - learning_rate * 2 * error.mean()
    return w, b


def train_numpy(model, batches, loss_fn, learning_rate, epochs):
    history = np.zeros(epochs)
    for epoch in range(epochs):
        for x, y in batches:
            with tf.GradientTape() as tape:
                loss = loss_fn(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_weights)
            for weight, gradient in zip(model.trainable_weights, gradients):
                weight.assign(weight.numpy() - learning_rate * gradient.numpy())
            history[epoch] += loss.numpy() / len(batches)
    return history


def mse_graph(targets, predictions):
    @tf.function
    def cost(t, p):
        return tf.reduce_mean(tf.math.squared_difference(tf.cast(t, tf.float64), tf.cast(p, tf.float64)))

    return cost(targets, predictions)


def step_graph(variables, loss_fn, learning_rate):
    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_fn()
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            variable.assign_add(-learning_rate * gradient)
        return loss

    return step()


def minimize_graph(f, x0, learning_rate, steps):
    @tf.function
    def descend(x):
        points = tf.TensorArray(tf.float32, steps + 1).write(0, x)
        for step in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = f(x)
            x -= learning_rate * tape.gradient(value, x)
            points = points.write(step + 1, x)
        return points.stack()

    return descend(x0)


def batches_graph(x, y, batch_size, seed):
    order = tf.random.experimental.stateless_shuffle(tf.range(len(x)), seed=[seed, 0])
    x, y = tf.gather(x, order), tf.gather(y, order)
    for start in range(0, len(order), batch_size):
        yield x[start:start + batch_size], y[start:start + batch_size]


def line_graph(x, y, learning_rate, epochs):
    @tf.function
    def fit(theta):
        rows = tf.stack([x, tf.ones_like(x)], axis=1)
        for _ in tf.range(epochs):
            with tf.GradientTape() as tape:
                tape.watch(theta)
                cost = tf.reduce_mean((tf.linalg.matvec(rows, theta) - y) ** 2)
            theta -= learning_rate * tape.gradient(cost, theta)
        return theta

    return tf.unstack(fit(tf.zeros(2)))


def train_graph(model, batches, loss_fn, learning_rate, epochs):
    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
            variable.assign_sub(learning_rate * gradient)
        return loss

    mean, history = keras.metrics.Mean(), []
    for _ in range(epochs):
        mean.reset_state()
        for x, y in batches:
            mean.update_state(step(x, y))
        history.append(mean.result())
    return history


def mse_keras(targets, predictions):
    return keras.ops.mean(keras.ops.square(predictions - targets))


def step_keras(variables, loss_fn, learning_rate):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        loss = loss_fn()
    new = [variable - learning_rate * gradient for variable, gradient in zip(variables, tape.gradient(loss, variables))]
    for variable, value in zip(variables, new):
        variable.assign(value)
    return float(loss)


def minimize_keras(f, x0, learning_rate, steps):
    x = tf.Variable(x0)
    rows = [x.numpy()]
    while len(rows) < steps + 1:
        step_keras([x], lambda: f(x), learning_rate)
        rows.append(x.numpy())
    return rows


def batches_keras(x, y, batch_size, seed):
    tf.random.set_seed(seed)
    return list(tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=seed).batch(batch_size))


def line_keras(x, y, learning_rate, epochs):
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        step_keras([w, b], lambda: mse_keras(y[:, None], (w * x + b)[:, None]), learning_rate)
    return w, b


def train_keras(model, batches, loss_fn, learning_rate, epochs):
    history = []
    for _ in range(epochs):
        history.append(sum(step_keras([v.value for v in model.trainable_variables], lambda x=x, y=y: loss_fn(y, model(x, training=True)),
                                      learning_rate) for x, y in batches) / len(batches))
    return history


STYLES = {
    "numpy": (dict(mean_squared_error=mse_numpy, gradient_step=step_numpy, minimize=minimize_numpy, minibatches=batches_numpy,
                   fit_line=line_numpy, train=train_numpy), ()),
    "graph": (dict(mean_squared_error=mse_graph, gradient_step=step_graph, minimize=minimize_graph, minibatches=batches_graph,
                   fit_line=line_graph, train=train_graph), ()),
    "keras": (dict(mean_squared_error=mse_keras, gradient_step=step_keras, minimize=minimize_keras, minibatches=batches_keras,
                   fit_line=line_keras, train=train_keras), (mse_keras, step_keras)),
}
