"""The recurrence assignment against independent oracles, and right answers of other shapes."""

import fnmatch
import math
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from conftest import observe

from autograder import data
from autograder.authoring.question import load_questions
from autograder.grading.compare import difference
from autograder.inside.probes import AnswerError, own_probes

# Keras warns when a layer cannot be traced: some answers below do that on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:keras")

FOLDER = Path(__file__).parents[1] / "solutions" / "a7_recurrence"
QUESTIONS = {question.name: question for question in load_questions(FOLDER)}
EXTRA = own_probes(FOLDER)
LESSON = SimpleNamespace(**{name: question.answer for name, question in QUESTIONS.items()})


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def outcome(answer, case, seed=0):
    try:
        return observe(answer, case.probe, case.make(np.random.default_rng(seed)), "x", EXTRA)
    except AnswerError as error:
        return f"AnswerError: {error}"  # its words are ours, and tell as much as a value
    except Exception as error:
        return type(error).__name__


def same(a, b, case):
    if isinstance(a, str) or isinstance(b, str):
        return a == b if isinstance(a, str) and isinstance(b, str) else False
    return difference(a, b, case.rtol, case.atol) is None


EXPECTED = {}  # question -> the reference's outcomes: computed once, wanted by many tests


def expected(question):
    if question.name not in EXPECTED:
        EXPECTED[question.name] = [outcome(question.answer, case) for case in question.cases]
    return EXPECTED[question.name]


def lost_cases(answer, question):
    """The names of the cases that an answer loses."""
    return [case.name for case, right in zip(question.cases, expected(question)) if not same(right, outcome(answer, case), case)]


# ---------------------------------------------------------------------------------------------------- declarations


def test_the_loop_that_the_probes_use_is_free_in_the_cell():
    assert not any(fnmatch.fnmatch("keras.layers.RNN", pattern) for pattern in QUESTIONS["LSTMCell"].forbid)
    for name in ("rnn_step", "rnn", "lstm"):
        assert any(fnmatch.fnmatch("keras.layers.RNN", pattern) for pattern in QUESTIONS[name].forbid)


# ---------------------------------------------------------------------------------------------------- characters


def test_encode_is_a_search_and_decode_its_inverse(rng):
    text = data.sonnets()[:900]
    vocabulary = sorted(set(data.sonnets()))
    ids = np.asarray(LESSON.encode(text, vocabulary))
    np.testing.assert_array_equal(ids, np.searchsorted(vocabulary, list(text)))
    np.testing.assert_array_equal(ids, keras.layers.StringLookup(vocabulary=vocabulary, num_oov_indices=0)(list(text)))
    assert LESSON.decode(tf.constant(ids), vocabulary) == text == LESSON.decode(list(ids), "".join(vocabulary))
    assert LESSON.decode([], vocabulary) == "" and np.asarray(LESSON.encode("", vocabulary)).shape == (0,)


@pytest.mark.parametrize("text", ["two\nlines", "A", "it's", "\t", "é"])
def test_encode_shows_the_character_it_does_not_know(text):
    stranger = next(character for character in text if character not in " abcdefghijklmnopqrstuvwxyz")
    with pytest.raises(ValueError) as caught:
        LESSON.encode(text, " abcdefghijklmnopqrstuvwxyz")
    assert repr(stranger) in str(caught.value)


def test_embed_is_a_product_with_one_hot_rows(rng):
    ids, table = rng.integers(0, 6, size=(2, 5)), normal(rng, 6, 3)
    np.testing.assert_allclose(LESSON.embed(tf.constant(ids), tf.constant(table)), np.eye(6)[ids] @ table, atol=1e-6)
    layer = keras.layers.Embedding(6, 3)
    layer.build()
    layer.set_weights([table])
    np.testing.assert_array_equal(LESSON.embed(tf.constant(ids), tf.constant(table)), layer(ids))


def test_the_tables_gradient_counts_how_often_a_row_is_looked_up():
    ids, table = tf.constant([[1, 3, 1, 5], [1, 0, 3, 2]]), tf.ones((6, 2))
    with tf.GradientTape() as tape:
        tape.watch(table)
        total = tf.reduce_sum(LESSON.embed(ids, table))
    np.testing.assert_array_equal(tf.convert_to_tensor(tape.gradient(total, table))[:, 0], [1, 3, 1, 2, 0, 1])


# ---------------------------------------------------------------------------------------------------- recurrence


def recurrent_numbers(rng, batch, time, depth, units):
    return (normal(rng, batch, time, depth), normal(rng, batch, units), 0.5 * normal(rng, depth, units),
            0.5 * normal(rng, units, units), normal(rng, units))


@pytest.mark.parametrize("size", [(1, 1, 1, 1), (3, 7, 4, 5), (2, 1, 3, 6)])
def test_rnn_agrees_with_keras_in_values_and_gradients(rng, size):
    numbers = [tf.constant(value) for value in recurrent_numbers(rng, *size)]
    x, h0, *weights = numbers
    oracle = keras.layers.SimpleRNN(size[3], return_sequences=True)
    oracle.build(x.shape)
    oracle.set_weights([weight.numpy() for weight in weights])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(numbers)
        ours, theirs = LESSON.rnn(*numbers), oracle(x, initial_state=h0)
        scores = [tf.reduce_sum(states ** 2 * np.arange(1.0, size[1] + 1)[:, None]) for states in (ours, theirs)]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    variables = [variable.value for variable in oracle.trainable_variables]
    for mine, other in zip(tape.gradient(scores[0], numbers), tape.gradient(scores[1], [x, h0, *variables])):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)


def test_a_step_and_a_sequence_agree_with_loops(rng):
    x, h0, w_x, w_h, b = (np.asarray(value, np.float64) for value in recurrent_numbers(rng, 2, 4, 3, 5))
    states, h = np.zeros((2, 4, 5)), h0.copy()
    for example in range(2):
        for t in range(4):
            old = h[example].copy()
            for unit in range(5):
                total = b[unit] + sum(x[example, t, i] * w_x[i, unit] for i in range(3))
                h[example, unit] = math.tanh(total + sum(old[j] * w_h[j, unit] for j in range(5)))
            states[example, t] = h[example]
    inputs = [tf.constant(value, tf.float32) for value in (x, h0, w_x, w_h, b)]
    np.testing.assert_allclose(LESSON.rnn(*inputs), states, atol=1e-5)
    np.testing.assert_allclose(LESSON.rnn_step(inputs[0][:, 0], *inputs[1:]), states[:, 0], atol=1e-5)


def test_the_gradient_of_a_step_is_its_slope(rng):
    x, h, w_x, w_h, b = (np.asarray(value, np.float64) for value in recurrent_numbers(rng, 2, 1, 3, 4))
    inputs = [tf.constant(value) for value in (x[:, 0], h, w_x, w_h, b)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(LESSON.rnn_step(*inputs) ** 3)
    for position, gradient in enumerate(tape.gradient(total, inputs)):
        for index in ((0,) * len(inputs[position].shape), (-1,) * len(inputs[position].shape)):
            up, down = ([value.numpy() for value in inputs] for _ in range(2))
            up[position][index] += 1e-6
            down[position][index] -= 1e-6
            slope = np.sum(np.asarray(LESSON.rnn_step(*up)) ** 3) - np.sum(np.asarray(LESSON.rnn_step(*down)) ** 3)
            assert gradient.numpy()[index] == pytest.approx(slope / 2e-6, rel=1e-5, abs=1e-7)


# ---------------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("n, length, batch_size", [(75, 5, 4), (42, 6, 4), (29, 7, 2), (9, 9, 2), (8, 1, 10), (1, 3, 2), (13, 4, 3)])
def test_windows_follow_one_another_and_targets_come_next(n, length, batch_size):
    batches = LESSON.next_character_batches(tf.range(n), length, batch_size)  # each id is its own position
    read = [position for inputs, _ in batches for row in np.asarray(inputs) for position in row]
    asked = [position for _, targets in batches for row in np.asarray(targets) for position in row]
    assert read == list(range((n - 1) // length * length)) and asked == [position + 1 for position in read]
    assert all(np.asarray(part).shape[1] == length for batch in batches for part in batch)
    sizes = [len(inputs) for inputs, _ in batches]
    assert all(size == batch_size for size in sizes[:-1]) and all(1 <= size <= batch_size for size in sizes)


def test_windows_agree_with_keras(rng):
    ids = rng.integers(0, 30, size=47)
    dataset = keras.utils.timeseries_dataset_from_array(
        ids[:-1], None, sequence_length=6, sequence_stride=6, batch_size=3, shuffle=False)
    ours = LESSON.next_character_batches(tf.constant(ids), 6, 3)
    theirs = [batch.numpy() for batch in dataset]
    assert len(ours) == len(theirs)
    for (inputs, targets), batch in zip(ours, theirs):
        np.testing.assert_array_equal(inputs, batch)
        np.testing.assert_array_equal(np.asarray(targets)[:, :-1], batch[:, 1:])


# ---------------------------------------------------------------------------------------------------- LSTM


def lstm_numbers(rng, batch, time, depth, units):
    return (normal(rng, batch, time, depth), normal(rng, batch, units), normal(rng, batch, units),
            0.6 * normal(rng, depth, 4 * units), 0.6 * normal(rng, units, 4 * units), normal(rng, 4 * units))


def two_loops(numbers, units, **options):
    """The lesson's cell and Keras's, each in a loop of Keras's, with the same weights."""
    x, _, _, *weights = numbers
    loops = [keras.layers.RNN(LESSON.LSTMCell(units), return_sequences=True, return_state=True, **options),
             keras.layers.LSTM(units, return_sequences=True, return_state=True, **options)]
    for loop in loops:
        loop.build(x.shape)
        for name, weight in zip(("kernel", "recurrent_kernel", "bias"), weights):
            getattr(loop.cell, name).assign(weight)
    return loops


@pytest.mark.parametrize("size, masked", [((1, 1, 1, 1), False), ((3, 6, 2, 5), False), ((4, 5, 3, 2), True)])
def test_the_cell_agrees_with_keras_in_sequences_states_and_all_gradients(rng, size, masked):
    numbers = [tf.constant(value) for value in lstm_numbers(rng, *size)]
    x, h0, c0 = numbers[:3]
    mask = tf.sequence_mask([5, 1, 3, 2], 5) if masked else None
    results = []
    for loop in two_loops(numbers, size[3]):
        with tf.GradientTape() as tape:
            tape.watch([x, h0, c0])
            outputs, h, c = loop(x, initial_state=[h0, c0], mask=mask)
            score = tf.reduce_sum(outputs ** 2) + tf.reduce_sum(3 * h) + tf.reduce_sum(tf.sin(c))
        weights = [getattr(loop.cell, name).value for name in ("kernel", "recurrent_kernel", "bias")]
        results.append([outputs, h, c, *tape.gradient(score, [x, h0, c0, *weights])])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_cell_alone_agrees_with_keras_cell(rng):
    x, h, c, *weights = lstm_numbers(rng, 4, 1, 3, 5)
    ours, theirs = LESSON.LSTMCell(5), keras.layers.LSTMCell(5)
    for cell in (ours, theirs):
        cell.build((None, 3))
        cell.set_weights(weights)
    for mine, other in zip(tf.nest.flatten(ours(x[:, 0], (h, c))), tf.nest.flatten(theirs(x[:, 0], [h, c]))):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_a_new_cell_starts_like_keras_cell():
    ours, theirs = LESSON.LSTMCell(3), keras.layers.LSTMCell(3)
    for cell in (ours, theirs):
        keras.layers.RNN(cell)(np.zeros((2, 4, 5), "float32"))
    assert list(ours.state_size) == list(theirs.state_size) == [3, 3]
    np.testing.assert_array_equal(ours.bias, theirs.bias)
    assert [weight.shape for weight in ours.trainable_weights] == [weight.shape for weight in theirs.trainable_weights]
    assert np.std(ours.kernel) > 0 and np.allclose(ours.recurrent_kernel @ np.transpose(ours.recurrent_kernel), np.eye(3), atol=1e-5)


def test_the_cell_stacks_reads_both_ways_and_carries_its_state(rng):
    x = normal(rng, 2, 6, 3)
    stacked = keras.layers.RNN([LESSON.LSTMCell(4), LESSON.LSTMCell(5)])
    assert stacked(x).shape == (2, 5)
    with keras.saving.custom_object_scope({"LSTMCell": LESSON.LSTMCell}):  # the way back is made from the configuration
        assert keras.layers.Bidirectional(keras.layers.RNN(LESSON.LSTMCell(4)))(x).shape == (2, 8)
    loop = keras.layers.RNN(LESSON.LSTMCell(4), stateful=True)
    loop.build((2, 3, 3))
    loop(x[:, :3])
    carried = np.asarray(loop(x[:, 3:]))
    loop.reset_state()
    whole = keras.layers.RNN(loop.cell)
    np.testing.assert_allclose(carried, whole(x), atol=1e-5)


def test_lstm_agrees_with_keras_in_values_and_gradients(rng):
    numbers = [tf.constant(value) for value in lstm_numbers(rng, 3, 5, 2, 4)]
    x, h0, c0 = numbers[:3]
    loop = two_loops(numbers, 4)[1]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(numbers)
        h, c = LESSON.lstm(*numbers)
        outputs, _, last = loop(x, initial_state=[h0, c0])
        scores = [tf.reduce_sum(a ** 2) + tf.reduce_sum(tf.sin(b)) for a, b in ((h, c), (outputs, last))]
    np.testing.assert_allclose(h, outputs, atol=1e-5)
    np.testing.assert_allclose(c, last, atol=1e-5)
    weights = [getattr(loop.cell, name).value for name in ("kernel", "recurrent_kernel", "bias")]
    for mine, other in zip(tape.gradient(scores[0], numbers), tape.gradient(scores[1], [x, h0, c0, *weights])):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)


def test_lstm_agrees_with_loops(rng):
    numbers = lstm_numbers(rng, 2, 3, 4, 2)
    x, h, c, kernel, recurrent, bias = (np.asarray(value, np.float64) for value in numbers)
    shown = np.zeros((2, 3, 2))
    for example in range(2):
        for t in range(3):
            z = [bias[k] + x[example, t] @ kernel[:, k] + h[example] @ recurrent[:, k] for k in range(8)]
            for unit in range(2):
                i, f, o = (1 / (1 + math.exp(-z[block * 2 + unit])) for block in (0, 1, 3))
                c[example, unit] = f * c[example, unit] + i * math.tanh(z[4 + unit])
                shown[example, t, unit] = o * math.tanh(c[example, unit])
            h[example] = shown[example, t]
    outputs, last = LESSON.lstm(*[tf.constant(value) for value in numbers])
    np.testing.assert_allclose(outputs, shown, atol=1e-5)
    np.testing.assert_allclose(last, c, atol=1e-5)


def test_the_forget_gate_is_the_derivative_of_the_memory(rng):
    """What the lesson's picture of gates relies on."""
    x, h, c, *weights = lstm_numbers(rng, 3, 1, 2, 4)
    cell, memory = LESSON.LSTMCell(4), tf.constant(c)
    cell.build((None, 2))
    cell.set_weights(weights)
    with tf.GradientTape() as tape:
        tape.watch(memory)
        _, (_, new) = cell(x[:, 0], [tf.constant(h), memory])
    sums = x[:, 0] @ weights[0] + h @ weights[1] + weights[2]
    np.testing.assert_allclose(tape.gradient(new, memory), scipy.special.expit(sums[:, 4:8]), atol=1e-5)


# ---------------------------------------------------------------------------------------------------- drawing


@pytest.mark.parametrize("temperature, shift", [(1.0, 0), (0.5, 0), (2.0, 0), (1.0, 900), (1.0, -900)])
def test_draws_follow_the_softmax(temperature, shift):
    logits = np.array([0.5, 2.0, -1.0, 1.0, 0.0], "float32")
    drawn = [int(LESSON.sample_next(tf.constant(logits + np.float32(shift)), temperature, seed)) for seed in range(4000)]
    shares = scipy.special.softmax(logits.astype(np.float64) / temperature)
    chi_square = np.sum((np.bincount(drawn, minlength=5) - 4000 * shares) ** 2 / (4000 * shares))
    assert chi_square < 23.5  # one in ten thousand, four degrees of freedom


def test_a_frozen_draw_is_the_largest_logit(rng):
    for seed in range(20):
        logits = rng.permutation(np.linspace(-3, 3, 9)).astype("float32")
        for temperature in (0, 0.0, 1e-3, 1e-6):
            assert LESSON.sample_next(tf.constant(logits), temperature, seed) == np.argmax(logits)


@pytest.mark.parametrize("name", ["at_two", "as_it_is", "hot", "cold"])
def test_the_references_shares_are_near_the_truth(name):
    """Other generators are held against the reference's draws, so these must not be unlucky ones."""
    (case,) = [case for case in QUESTIONS["sample_next"].cases if case.name == name]
    for seed in range(3):
        logits, temperature = case.make(np.random.default_rng(seed))
        shares = outcome(LESSON.sample_next, case, seed)["list of shares"]
        assert np.abs(shares - scipy.special.softmax(np.asarray(logits, np.float64) / temperature)).max() < 0.04


# ---------------------------------------------------------------------------------------------------- other right answers


def encode_in_numpy(text, vocabulary):
    characters = np.array(list(vocabulary))
    for character in text:
        if character not in characters:
            raise ValueError("unknown character " + repr(character))
    return np.searchsorted(characters, list(text)) if text else []


def encode_by_search(text, vocabulary):
    return tf.constant([list(vocabulary).index(character) for character in text], tf.int64)  # index names what it does not find


def encode_one_by_one(text, vocabulary):
    try:
        return tuple({character: i for i, character in enumerate(vocabulary)}[character] for character in text)
    except KeyError as error:
        raise ValueError(f"{error} is not in the vocabulary") from None


def decode_in_numpy(ids, vocabulary):
    return "".join(np.array(list(vocabulary))[np.asarray(ids, int)])


def decode_with_a_loop(ids, vocabulary):
    text = ""
    for number in np.asarray(ids):
        text += list(vocabulary)[number]
    return text


def embed_by_one_hot(ids, table):
    return tf.one_hot(ids, tf.shape(table)[0]) @ table


def embed_with_ops(ids, table):
    return keras.ops.take(table, ids, axis=0)


@tf.function
def embed_row_by_row(ids, table):
    return tf.stack([tf.gather_nd(table, row[:, None]) for row in tf.unstack(ids)])


def step_of_joined_parts(x, h, w_x, w_h, b):
    return tf.tanh(tf.concat([x, h], axis=1) @ tf.concat([w_x, w_h], axis=0) + tf.reshape(b, (1, -1)))


def step_with_ops(x, h, w_x, w_h, b):
    return keras.ops.tanh(keras.ops.matmul(x, w_x) + keras.ops.matmul(h, w_h) + b)


@tf.function
def step_by_sigmoid(x, h, w_x, w_h, b):
    x, h, w_x, w_h, b = (tf.cast(value, tf.float64) for value in (x, h, w_x, w_h, b))
    return tf.cast(2 * tf.sigmoid(2 * (tf.einsum("bd,du->bu", x, w_x) + tf.einsum("bv,vu->bu", h, w_h) + b)) - 1, tf.float32)


def rnn_by_scan(x, h0, w_x, w_h, b):
    step = lambda h, x_t: tf.tanh(x_t @ w_x + h @ w_h + b)  # noqa: E731
    return tf.transpose(tf.scan(step, tf.transpose(x, (1, 0, 2)), initializer=h0), (1, 0, 2))


def rnn_with_ops(x, h0, w_x, w_h, b):
    projected, states = keras.ops.matmul(x, w_x) + b, [h0]
    for t in range(x.shape[1]):
        states.append(keras.ops.tanh(projected[:, t] + keras.ops.matmul(states[-1], w_h)))
    return keras.ops.stack(states[1:], axis=1)


@tf.function
def rnn_in_a_graph(x, h0, w_x, w_h, b):
    states = tf.TensorArray(tf.float32, size=tf.shape(x)[1])
    h = h0
    for t in tf.range(tf.shape(x)[1]):
        h = tf.tanh(x[:, t] @ w_x + h @ w_h + b)
        states = states.write(t, h)
    return tf.transpose(states.stack(), (1, 0, 2))


def batches_in_numpy(ids, length, batch_size):
    ids = np.asarray(ids).tolist()
    rows = [ids[start:start + length + 1] for start in range(0, len(ids) - length, length)]
    for k in range(0, len(rows), batch_size):
        part = np.array(rows[k:k + batch_size], np.float64)
        yield part[:, :-1], part[:, 1:]


def batches_with_ops(ids, length, batch_size):
    windows = (ids.shape[0] - 1) // length
    x = keras.ops.reshape(ids[:windows * length], (windows, length))
    y = keras.ops.reshape(ids[1:windows * length + 1], (windows, length))
    return [[x[k:k + batch_size], y[k:k + batch_size]] for k in range(0, windows, batch_size)]


def batches_as_a_dataset(ids, length, batch_size):
    windows = (len(ids) - 1) // length
    parts = tf.reshape(ids[:windows * length], (-1, length)), tf.reshape(ids[1:windows * length + 1], (-1, length))
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch_size)


class CellOfFourProducts(keras.layers.Layer):
    """Blocks cut from the weights, the states as a tuple, the bias from an initializer."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = (units, units)
        self.output_size = units

    def build(self, input_shape):
        def start(shape, dtype=None):
            return tf.concat([tf.zeros(self.units), tf.ones(self.units), tf.zeros(2 * self.units)], axis=0)

        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, 4 * self.units), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(4 * self.units,), initializer=start, name="bias")

    def call(self, inputs, states):
        h, c = states[0], states[1]
        sums = []
        for block in range(4):
            columns = slice(block * self.units, (block + 1) * self.units)
            sums.append(inputs @ self.kernel[:, columns] + h @ self.recurrent_kernel[:, columns] + self.bias[columns])
        new_c = tf.nn.sigmoid(sums[1]) * c + tf.nn.sigmoid(sums[0]) * tf.nn.tanh(sums[2])
        new_h = tf.nn.sigmoid(sums[3]) * tf.nn.tanh(new_c)
        return new_h, (new_h, new_c)

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class CellWithOps(keras.layers.Layer):
    """keras.ops throughout, a start state of its own, and a training argument."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    @property
    def state_size(self):
        return [self.units, self.units]

    def build(self, input_shape):
        width = 4 * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], width), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, width), initializer="orthogonal", name="recurrent_kernel")
        bias = np.zeros(width, "float32")
        bias[self.units:2 * self.units] = 1
        self.bias = self.add_weight(shape=(width,), initializer=keras.initializers.Constant(bias), name="bias")
        self.built = True

    def call(self, inputs, states, training=False):
        ops = keras.ops
        joined = ops.concatenate([inputs, states[0]], axis=-1)
        z = ops.matmul(joined, ops.concatenate([self.kernel, self.recurrent_kernel], axis=0)) + self.bias
        z = ops.reshape(z, (-1, 4, self.units))
        i, f, o = (keras.activations.sigmoid(z[:, block]) for block in (0, 1, 3))
        c = ops.add(f * states[1], i * keras.activations.tanh(z[:, 2]))
        return o * ops.tanh(c), [o * ops.tanh(c), c]

    def get_initial_state(self, batch_size=None):
        return [keras.ops.zeros((batch_size, self.units)) for _ in range(2)]


class CompiledCell(keras.layers.Layer):
    """A compiled call; weights with other names and starting values."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size = units, [units, units]

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), initializer="random_normal", name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, 4 * self.units), initializer="random_normal", name="recurrent")
        ones = tf.one_hot([1], 4)[0]  # forget gate
        self.bias = self.add_weight(shape=(4 * self.units,), initializer="zeros", name="bias")
        self.bias.assign(tf.repeat(ones, self.units))

    @tf.function
    def call(self, inputs, states):
        (h, c) = states
        z = tf.einsum("bd,dk->bk", inputs, self.kernel) + tf.einsum("bu,uk->bk", h, self.recurrent_kernel) + self.bias
        i, f, g, o = (z[:, k * self.units:(k + 1) * self.units] for k in range(4))
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), [tf.sigmoid(o) * tf.tanh(c), c]


def lstm_by_scan(x, h0, c0, kernel, recurrent_kernel, bias):
    def step(states, x_t):
        h, c = states
        i, f, g, o = tf.split(x_t @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    h, c = tf.scan(step, tf.transpose(x, (1, 0, 2)), initializer=(h0, c0))
    return tf.transpose(h, (1, 0, 2)), c[-1]


def lstm_with_ops(x, h0, c0, kernel, recurrent_kernel, bias):
    ops, h, c, shown = keras.ops, h0, c0, []
    for t in range(x.shape[1]):
        i, f, g, o = ops.split(ops.matmul(x[:, t], kernel) + ops.matmul(h, recurrent_kernel) + bias, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        shown.append(ops.expand_dims(h, 1))
    return [ops.concatenate(shown, axis=1), c]


@tf.function
def lstm_in_a_graph(x, h0, c0, kernel, recurrent_kernel, bias):
    projected = tf.einsum("btd,dk->tbk", x, kernel) + bias
    shown, h, c = tf.TensorArray(tf.float32, size=tf.shape(x)[1]), h0, c0
    for t in tf.range(tf.shape(x)[1]):
        i, f, g, o = tf.unstack(tf.reshape(projected[t] + h @ recurrent_kernel, (-1, 4, tf.shape(h0)[1])), num=4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        shown = shown.write(t, h)
    return tf.transpose(shown.stack(), (1, 0, 2)), c


def sample_by_gumbel(logits, temperature, seed):
    logits = np.asarray(logits, np.float64)
    if temperature == 0:
        return logits.argmax()
    return np.argmax(logits / temperature + np.random.RandomState(seed).gumbel(size=len(logits)))


def sample_stateless(logits, temperature, seed):
    if temperature <= 0:
        return tf.argmax(logits)
    return tf.random.stateless_categorical([logits / temperature], 1, seed=(seed, 0))[0, 0]


def sample_with_global_seed(logits, temperature, seed):
    if temperature == 0:
        return int(tf.argmax(logits))
    keras.utils.set_random_seed(seed)
    return int(tf.random.categorical(tf.reshape(logits / temperature, (1, -1)), 1)[0, 0])


def sample_by_running_sum(logits, temperature, seed):
    if not temperature:
        return max(range(len(logits)), key=lambda i: float(logits[i]))
    shares = np.cumsum(scipy.special.softmax(np.asarray(logits, np.float64) / temperature))
    return int(np.searchsorted(shares, np.random.default_rng(seed).random() * shares[-1]))


STYLES = {
    "numpy": (dict(encode=encode_in_numpy, decode=decode_in_numpy, embed=embed_by_one_hot, rnn_step=step_of_joined_parts,
                   rnn=rnn_by_scan, next_character_batches=batches_in_numpy, LSTMCell=CellOfFourProducts, lstm=lstm_by_scan,
                   sample_next=sample_by_gumbel), ()),
    "ops": (dict(encode=encode_by_search, decode=decode_with_a_loop, embed=embed_with_ops, rnn_step=step_with_ops,
                 rnn=rnn_with_ops, next_character_batches=batches_with_ops, LSTMCell=CellWithOps, lstm=lstm_with_ops,
                 sample_next=sample_stateless), ()),
    "graph": (dict(encode=encode_one_by_one, embed=embed_row_by_row.python_function, rnn_step=step_by_sigmoid.python_function,
                   rnn=rnn_in_a_graph.python_function, next_character_batches=batches_as_a_dataset, LSTMCell=CompiledCell,
                   lstm=lstm_in_a_graph.python_function, sample_next=sample_by_running_sum), ()),
}
COMPILED = [("embed", embed_row_by_row), ("rnn_step", step_by_sigmoid), ("rnn", rnn_in_a_graph), ("lstm", lstm_in_a_graph),
            ("sample_next", sample_with_global_seed)]


@pytest.mark.corpus  # test_assignments.py sends the others through the whole grader
@pytest.mark.parametrize("name, answer", COMPILED)
def test_correct_answers_written_differently_get_full_marks(name, answer):
    assert lost_cases(answer, QUESTIONS[name]) == []


# ---------------------------------------------------------------------------------------------------- what probes say


def test_what_is_no_answer_is_said_in_words():
    (case,) = [case for case in QUESTIONS["sample_next"].cases if case.name == "as_it_is"]
    inputs = case.make(np.random.default_rng(0))
    for wrong, words in ((lambda *_: np.array([[1]]), r"shape \(1, 1\); expected one number"), (lambda *_: None, "None; expected one"),
                         (lambda *_: 0.5, "no id"), (lambda *_: 40, "no id"), (lambda *_: -1, "no id")):
        with pytest.raises(AnswerError, match=words):
            observe(wrong, case.probe, inputs, "x", EXTRA)
    (case,) = [case for case in QUESTIONS["next_character_batches"].cases if case.name == "three_windows"]
    inputs = case.make(np.random.default_rng(0))
    for wrong in (lambda *_: None, lambda *_: 3, lambda *_: [1, 2], lambda *_: [([1], [2], [3])]):
        with pytest.raises(AnswerError, match=r"\(inputs, targets\)"):
            observe(wrong, case.probe, inputs, "x", EXTRA)
    assert observe(lambda *_: [("a", "b")], case.probe, inputs, "x", EXTRA)["stack of inputs"] == "a string"


@pytest.mark.parametrize("returned, words", [
    (lambda h, c: (h, h, c), "3 values from call; expected 2"), (lambda h, c: h, "one value from call; expected 2"),
    (lambda h, c: (h, [h]), "1 new states from call"), (lambda h, c: (h, c), "no list from call")])
def test_a_cell_that_returns_something_else_is_told_what_is_expected(returned, words):
    class Cell(LESSON.LSTMCell):
        def call(self, inputs, states):
            return returned(*super().call(inputs, states)[1])

    for case in QUESTIONS["LSTMCell"].cases[:2]:
        with pytest.raises(AnswerError, match=words):
            observe(Cell, case.probe, case.make(np.random.default_rng(0)), "x", EXTRA)


def visible_losses(name, answer):
    lost = set(lost_cases(answer, QUESTIONS[name]))
    return [case.name for case in QUESTIONS[name].cases if case.visible and case.name in lost]


@pytest.mark.parametrize("name, answer", [
    ("rnn_step", lambda x, h, w_x, w_h, b: tf.tanh(x @ w_x + tf.stop_gradient(h) @ w_h + b)),
    ("rnn", lambda x, *rest: tf.reshape(tf.transpose(LESSON.rnn(x, *rest), (1, 0, 2)), (x.shape[0], x.shape[1], -1))),
    ("lstm", lambda x, h, c, w, r, b: LESSON.lstm(x, h, c, w, 0 * r, b)),
    ("lstm", lambda x, h, c, w, r, b: LESSON.lstm(0 * x, h, c, w, r, b))])
def test_mistakes_without_a_name_lose_a_visible_case_already(name, answer):
    assert visible_losses(name, answer)


def test_a_cell_without_its_weights_is_told_which_one_it_lacks():
    class NoBias(LESSON.LSTMCell):
        def build(self, input_shape):
            super().build(input_shape)
            self.bias = None

        def call(self, inputs, states):
            return states[0], states

    for case in QUESTIONS["LSTMCell"].cases[:2]:
        with pytest.raises(AnswerError, match="bias"):
            observe(NoBias, case.probe, case.make(np.random.default_rng(0)), "x", EXTRA)
