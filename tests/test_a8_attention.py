"""The attention assignment against independent oracles, and other right answers."""

import math
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from conftest import observe

from autograder.authoring.question import load_questions
from autograder.grading.compare import difference
from autograder.inside.probes import own_probes

# Keras warns when a layer without build is loaded, and when one cannot be traced: both happen to answers below on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:keras")

FOLDER = Path(__file__).parents[1] / "solutions" / "a8_attention"
QUESTIONS = {question.name: question for question in load_questions(FOLDER)}
EXTRA = own_probes(FOLDER)
LESSON = SimpleNamespace(**{name: question.answer for name, question in QUESTIONS.items()})
DENSE = ("query_dense", "key_dense", "value_dense", "output_dense")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def outcome(answer, case):
    try:
        return observe(answer, case.probe, case.make(np.random.default_rng(0)), "x", EXTRA)
    except Exception as error:
        return type(error).__name__


def same(a, b, case):
    if isinstance(a, str) or isinstance(b, str):
        return a == b if isinstance(a, str) and isinstance(b, str) else False
    return difference(a, b, case.rtol, case.atol) is None


def full_marks(answer, question):
    """The names of the cases that an answer loses."""
    return [case.name for case in question.cases if not same(outcome(question.answer, case), outcome(answer, case), case)]


# ---------------------------------------------------------------------------------------------------- declarations


@pytest.mark.parametrize("name", ["scaled_dot_product_attention", "split_heads", "merge_heads"])
def test_misconceptions_work_inside_a_compiled_function(name):
    for wrong in QUESTIONS[name].misconceptions:
        if wrong.name in ("reads_the_batch_size", "takes_one_kind_of_mask"):  # to fail there is their mistake
            continue
        case = QUESTIONS[name].cases[-1]
        inputs = [tf.constant(value) if isinstance(value, np.ndarray) else value for value in case.make(np.random.default_rng(0))]
        tensors = [value for value in inputs if tf.is_tensor(value)]
        rest = [value for value in inputs if not tf.is_tensor(value)]
        signature = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in tensors]
        compiled = tf.function(lambda *values, wrong=wrong, rest=rest: wrong.answer(*values, *rest), input_signature=signature)
        for direct, traced in zip(tf.nest.flatten(wrong.answer(*inputs)), tf.nest.flatten(compiled(*tensors))):
            np.testing.assert_allclose(direct, traced, 1e-4, 1e-5)


# ---------------------------------------------------------------------------------------------------- oracles


@pytest.mark.parametrize("length, depth", [(1, 2), (4, 6), (50, 16), (9, 7)])
def test_positional_encoding_is_the_papers_formula(length, depth):
    encoding = LESSON.positional_encoding(length, depth)
    expected = np.zeros((length, depth))
    for position in range(length):
        for column in range(depth):
            i = column // 2
            angle = position / 10000 ** (2 * i / depth)
            expected[position, column] = math.cos(angle) if column % 2 else math.sin(angle)
    assert encoding.dtype == tf.float32
    np.testing.assert_allclose(encoding, expected, atol=1e-6)


def test_positional_encoding_rotates_by_the_same_angle_at_every_position():
    encoding = np.asarray(LESSON.positional_encoding(60, 32), np.float64)
    hands = encoding[:, 1::2] + 1j * encoding[:, ::2]  # the unit circle: cos + i sin
    np.testing.assert_allclose(hands, np.exp(1j * np.outer(np.arange(60), 10000 ** (-np.arange(16) / 16))), atol=1e-5)
    np.testing.assert_allclose(hands[5:] / hands[:-5], np.broadcast_to((hands[5] / hands[0])[None], (55, 16)), atol=1e-5)


def test_dot_products_of_encodings_depend_on_distance_alone():
    encoding = np.asarray(LESSON.positional_encoding(100, 64), np.float64)
    products = encoding @ encoding.T
    for distance in range(-99, 100):
        assert np.ptp(np.diagonal(products, distance)) < 1e-4
    np.testing.assert_allclose(np.diagonal(products), 32, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 9])
def test_causal_mask_is_a_lower_triangle(length):
    mask = np.asarray(LESSON.causal_mask(length))
    np.testing.assert_array_equal(mask, np.tril(np.ones((length, length))))
    np.testing.assert_array_equal(mask, tf.linalg.band_part(tf.ones((length, length)), -1, 0))
    np.testing.assert_array_equal(mask, [[t <= s for t in range(length)] for s in range(length)])


def test_padding_mask_is_a_sequence_mask(rng):
    lengths = rng.integers(1, 12, size=8)
    mask = np.asarray(LESSON.padding_mask(tf.constant(lengths, tf.int32), 11))
    np.testing.assert_array_equal(mask, tf.sequence_mask(lengths, 11))
    np.testing.assert_array_equal(mask, [[1] * n + [0] * (11 - n) for n in lengths])


def test_attention_is_a_softmax_of_scaled_products(rng):
    q, k, v = normal(rng, 3, 4, 6), normal(rng, 3, 5, 6), normal(rng, 3, 5, 2)
    output, weights = LESSON.scaled_dot_product_attention(q, k, v)
    expected = scipy.special.softmax(np.einsum("bsd,btd->bst", q, k) / np.sqrt(6), axis=-1)
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    np.testing.assert_allclose(output, np.einsum("bst,bte->bse", expected, v), atol=1e-5)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_masked_attention_is_attention_to_fewer_keys(rng, dtype):
    q, k, v = normal(rng, 4, 6), normal(rng, 7, 6), normal(rng, 7, 3)
    allowed = np.array([0, 3, 4])
    mask = np.isin(np.arange(7), allowed).astype(dtype)[None]
    output, weights = LESSON.scaled_dot_product_attention(q, k, v, tf.constant(mask))
    fewer, fewer_weights = LESSON.scaled_dot_product_attention(q, k[allowed], v[allowed])
    np.testing.assert_allclose(output, fewer, atol=1e-6)
    np.testing.assert_allclose(np.asarray(weights)[:, allowed], fewer_weights, atol=1e-6)
    assert not np.delete(weights, allowed, axis=1).any()


def test_attention_agrees_with_keras(rng):
    q, k, v = normal(rng, 2, 3, 4, 5), normal(rng, 2, 3, 6, 5), normal(rng, 2, 3, 6, 5)
    mask = rng.random((2, 1, 4, 6)) < 0.6
    mask[..., 0] = True
    output, _ = LESSON.scaled_dot_product_attention(q, k, v, tf.constant(mask))
    swap = lambda x: np.swapaxes(x, 1, 2)  # noqa: E731  Keras puts time before heads
    built_in = keras.ops.dot_product_attention(swap(q), swap(k), swap(v), mask=np.broadcast_to(mask, (2, 3, 4, 6)))
    np.testing.assert_allclose(output, swap(built_in), atol=1e-5)


def test_causal_attention_agrees_with_the_keras_layer(rng):
    q, k, v = normal(rng, 2, 5, 4), normal(rng, 2, 5, 4), normal(rng, 2, 5, 4)
    output, weights = LESSON.scaled_dot_product_attention(q, k, v, LESSON.causal_mask(5))
    layer = keras.layers.Attention()  # does not scale: q is scaled before
    expected, expected_weights = layer([q / 2, v, k], use_causal_mask=True, return_attention_scores=True)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-5)


def test_random_dot_products_spread_with_the_root_of_the_depth(rng):
    assert np.std(np.sum(rng.normal(size=(2, 20000, 64)).prod(axis=0), axis=-1)) == pytest.approx(8, rel=0.03)


def test_heads_are_contiguous_slices(rng):
    x = normal(rng, 2, 5, 12)
    heads = np.asarray(LESSON.split_heads(x, 3))
    np.testing.assert_array_equal(heads, np.stack(np.split(x, 3, axis=-1), axis=1))
    np.testing.assert_array_equal(heads[:, 1], x[..., 4:8])
    np.testing.assert_array_equal(LESSON.merge_heads(tf.constant(heads)), x)
    np.testing.assert_array_equal(LESSON.merge_heads(tf.constant(heads)), np.concatenate(list(np.moveaxis(heads, 1, 0)), axis=-1))


def build_layer(rng, d_model, num_heads, *call):
    layer = LESSON.MultiHeadAttention(d_model, num_heads)
    layer(*call)
    for name in DENSE:
        dense = getattr(layer, name)
        dense.set_weights([normal(rng, d_model, d_model), normal(rng, d_model)])
    return layer


@pytest.mark.parametrize("mask_shape", [None, (4, 5), (2, 1, 5), (2, 4, 5)])
def test_the_layer_agrees_with_keras(rng, mask_shape):
    query, value, key = normal(rng, 2, 4, 6), normal(rng, 2, 5, 6), normal(rng, 2, 5, 6)
    layer = build_layer(rng, 6, 3, query, value)
    mask = None
    if mask_shape:
        mask = rng.random(mask_shape) < 0.5
        mask[..., 1] = True
    oracle = keras.layers.MultiHeadAttention(num_heads=3, key_dim=2)
    oracle.build(query.shape, value.shape, key.shape)
    weights = [w for name in DENSE[:3] for w in getattr(layer, name).get_weights()]
    weights = [w.reshape(6, 3, 2) if w.ndim == 2 else w.reshape(3, 2) for w in weights]
    kernel, bias = layer.output_dense.get_weights()
    oracle.set_weights([*weights, kernel.reshape(3, 2, 6), bias])
    attention_mask = None if mask is None else tf.constant(np.broadcast_to(mask, (2, 4, 5)))
    expected, expected_weights = oracle(query, value, key=key, attention_mask=attention_mask, return_attention_scores=True)
    output, attention = layer(query, value, key=key, mask=None if mask is None else tf.constant(mask), return_attention=True)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(attention, expected_weights, atol=1e-5)


def by_loops(layer, query, value, key, mask):
    """Multi-head attention, head by head and query by query, in float64."""
    (wq, bq), (wk, bk), (wv, bv), (wo, bo) = (getattr(layer, name).get_weights() for name in DENSE)
    q, k, v = query @ wq + bq, key @ wk + bk, value @ wv + bv
    size = q.shape[-1] // layer.num_heads
    merged = np.zeros_like(q)
    for b in range(len(q)):
        for h in range(layer.num_heads):
            columns = slice(h * size, (h + 1) * size)
            for s in range(q.shape[1]):
                scores = [q[b, s, columns] @ k[b, t, columns] / math.sqrt(size) for t in range(k.shape[1])]
                shares = [math.exp(score) * allowed for score, allowed in zip(scores, mask[s])]
                merged[b, s, columns] = sum(share / sum(shares) * row for share, row in zip(shares, v[b, :, columns]))
    return merged @ wo + bo


def test_the_layer_and_its_gradient_agree_with_loops(rng):
    query, value, key = (rng.normal(size=(2, length, 4)) for length in (3, 5, 5))
    mask = np.tril(np.ones((3, 5)), 2)
    layer = build_layer(rng, 4, 2, query, value)
    tensors = [tf.constant(x, tf.float32) for x in (query, value, key)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = layer(*tensors, mask=tf.constant(mask))
        total = tf.reduce_sum(output ** 2)
    np.testing.assert_allclose(output, by_loops(layer, query, value, key, mask), rtol=1e-4, atol=1e-4)
    gradient = tape.gradient(total, tensors[2]).numpy()
    for b, t, d in ((0, 0, 1), (1, 3, 2), (1, 4, 0)):
        step = np.zeros_like(key)
        step[b, t, d] = 1e-5
        up, down = (np.sum(by_loops(layer, query, value, key + sign * step, mask) ** 2) for sign in (1, -1))
        assert gradient[b, t, d] == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-3)


def test_permuting_the_input_permutes_the_output(rng):
    x, order = normal(rng, 1, 4, 6), [2, 0, 3, 1]
    layer = build_layer(rng, 6, 2, x, x)
    np.testing.assert_allclose(layer(x[:, order], x[:, order]), np.asarray(layer(x, x))[:, order], atol=1e-5)


@pytest.mark.parametrize("heads", [1, 8])
def test_the_papers_layer_has_a_million_parameters(heads):
    layer = LESSON.MultiHeadAttention(512, heads)
    layer(np.zeros((1, 2, 512), "float32"), np.zeros((1, 3, 512), "float32"))
    assert layer.count_params() == 1_050_624 == 4 * (512 * 512 + 512)


def test_a_depth_that_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="d_model=6, num_heads=4"):
        LESSON.MultiHeadAttention(6, 4)


def test_the_layers_mask_is_not_handed_on(rng, recwarn):
    x = tf.constant(normal(rng, 2, 4, 6))
    output = LESSON.MultiHeadAttention(6, 2)(x, x, mask=LESSON.causal_mask(4))
    assert getattr(output, "_keras_mask", None) is None
    assert [warning for warning in recwarn if "mask" in str(warning.message)] == []


# ---------------------------------------------------------------------------------------------------- other right answers


def encoding_in_float32(length, depth):
    pairs = tf.range(0, depth, 2, dtype=tf.float32)
    angles = tf.range(length, dtype=tf.float32)[:, None] * tf.exp(-math.log(10000.0) * pairs / depth)
    return tf.reshape(tf.stack([tf.sin(angles), tf.cos(angles)], axis=-1), (length, -1))[:, :depth]


def encoding_by_assignment(length, depth):
    encoding = np.zeros((length, depth))
    angles = np.arange(length)[:, None] / np.power(10000, np.arange(0, depth, 2) / depth)
    encoding[:, 0::2], encoding[:, 1::2] = np.sin(angles), np.cos(angles[:, :depth // 2])
    return encoding


def encoding_with_ops(length, depth):
    column = keras.ops.arange(depth)
    power = keras.ops.power(10000.0, keras.ops.cast(2 * (column // 2), "float32") / depth)
    angles = keras.ops.expand_dims(keras.ops.arange(length, dtype="float32"), 1) / power
    return keras.ops.where(column % 2 == 0, keras.ops.sin(angles), keras.ops.cos(angles))


def attention_in_numpy(q, k, v, mask=None):
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(k.shape[-1])
    if mask is not None:
        scores = np.where(np.asarray(mask) != 0, scores, -np.inf)
    weights = scipy.special.softmax(scores, axis=-1)
    return weights @ v, weights


def attention_with_ops(q, k, v, mask=None):
    ops = keras.ops
    scores = ops.einsum("...sd,...td->...st", q, k) / ops.sqrt(ops.cast(ops.shape(k)[-1], "float32"))
    if mask is not None:
        scores = scores + (1.0 - ops.cast(mask, "float32")) * -1e9
    weights = ops.softmax(scores, axis=-1)
    return [ops.matmul(weights, v), weights]


@tf.function
def attention_compiled(q, k, v, mask=None):
    scores = tf.matmul(q / tf.sqrt(tf.cast(tf.shape(q)[-1], tf.float32)), tf.linalg.matrix_transpose(k))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.float32) > 0, scores, -1e30)  # first: what is hidden may have the largest score
        weights = tf.exp(scores - tf.reduce_max(scores, axis=-1, keepdims=True))
        weights = weights / tf.reduce_sum(weights, axis=-1, keepdims=True)
    else:
        weights = tf.nn.softmax(scores)
    return weights @ v, weights


def split_in_numpy(x, heads):
    return np.stack(np.split(np.asarray(x, np.float64), heads, axis=-1), axis=1)


def split_with_ops(x, heads):
    return keras.ops.transpose(keras.ops.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads)), (0, 2, 1, 3))


def merge_in_numpy(x):
    return np.concatenate(list(np.swapaxes(np.asarray(x), 0, 1)), axis=-1)


def merge_with_ops(x):
    return keras.ops.reshape(keras.ops.transpose(x, (0, 2, 1, 3)), (-1, x.shape[2], x.shape[1] * x.shape[3]))


class MadeInBuild(keras.layers.Layer):
    """Sublayers made in build, and everything by einsum on one tensor of heads."""

    def __init__(self, d_model, num_heads, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if d_model % num_heads != 0:
            raise ValueError("no")
        self.d_model, self.num_heads = d_model, num_heads

    def build(self, input_shape):
        for name in DENSE:
            dense = keras.layers.Dense(self.d_model)
            dense.build((None, None, self.d_model))
            setattr(self, name, dense)

    def call(self, query, value, key=None, mask=None, return_attention=False):
        if key is None:
            key = value
        size = self.d_model // self.num_heads
        q, k, v = (tf.reshape(dense(x), (-1, x.shape[1], self.num_heads, size)) for dense, x in (
            (self.query_dense, query), (self.key_dense, key), (self.value_dense, value)))
        scores = tf.einsum("bshd,bthd->bhst", q, k) * size ** -0.5
        if mask is not None:
            mask = tf.cast(mask, tf.float32)
            mask = mask[None, None] if len(mask.shape) == 2 else mask[:, None]
            scores += (1 - mask) * -1e9
        weights = tf.nn.softmax(scores)
        output = self.output_dense(tf.reshape(tf.einsum("bhst,bthd->bshd", weights, v), (-1, query.shape[1], self.d_model)))
        if return_attention:
            return output, weights
        return output

    def get_config(self):
        config = super().get_config()
        config.update(d_model=self.d_model, num_heads=self.num_heads)
        return config


class WithOps(keras.layers.Layer):
    """keras.ops throughout, a loop over heads."""

    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads:
            raise ValueError("no")
        self.d_model, self.num_heads = d_model, num_heads
        self.query_dense, self.key_dense, self.value_dense, self.output_dense = (keras.layers.Dense(d_model) for _ in range(4))

    def call(self, query, value, key=None, mask=None, return_attention=False):
        q, k, v = self.query_dense(query), self.key_dense(value if key is None else key), self.value_dense(value)
        slices = zip(*(keras.ops.split(x, self.num_heads, axis=-1) for x in (q, k, v)))
        heads = [attention_with_ops(*head, mask) for head in slices]
        output = self.output_dense(keras.ops.concatenate([found for found, _ in heads], axis=-1))
        return (output, keras.ops.stack([weights for _, weights in heads], axis=1)) if return_attention else output

    def get_config(self):
        return dict(super().get_config(), d_model=self.d_model, num_heads=self.num_heads)


class Compiled(QUESTIONS["MultiHeadAttention"].answer):
    """The attention itself compiled."""

    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(d_model, num_heads, **kwargs)

    def call(self, query, value, key=None, mask=None, return_attention=False):
        key = value if key is None else key
        q, k, v = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        q, k, v = (split_with_ops(x, self.num_heads) for x in (q, k, v))
        output, weights = attention_compiled(q, k, v, None if mask is None else tf.expand_dims(mask, -3))
        output = self.output_dense(merge_with_ops(output))
        return (output, weights) if return_attention else output


VARIANTS = {
    "positional_encoding": [encoding_in_float32, encoding_by_assignment, encoding_with_ops, tf.function(encoding_in_float32)],
    "causal_mask": [
        lambda length: np.tril(np.ones((length, length))),
        lambda length: keras.ops.tril(keras.ops.ones((length, length), dtype="int32")),
        lambda length: [[t <= s for t in range(length)] for s in range(length)],
        tf.function(lambda length: tf.linalg.band_part(tf.ones((length, length)), -1, 0))],
    "padding_mask": [
        lambda lengths, size: np.array([[1.0] * n + [0.0] * (size - n) for n in np.asarray(lengths)]),
        lambda lengths, size: keras.ops.cast(keras.ops.arange(size)[None] < keras.ops.expand_dims(lengths, 1), "int32"),
        tf.function(lambda lengths, size: tf.cast(tf.range(size) < tf.reshape(lengths, (-1, 1)), tf.float32))],
    "scaled_dot_product_attention": [attention_in_numpy, attention_with_ops, attention_compiled],
    "split_heads": [split_in_numpy, split_with_ops, tf.function(split_with_ops)],
    "merge_heads": [merge_in_numpy, merge_with_ops, tf.function(merge_with_ops)],
    "MultiHeadAttention": [MadeInBuild, WithOps, Compiled],
}


@pytest.mark.corpus  # test_assignments has one of each through the whole grader
@pytest.mark.parametrize("name, variant", [(name, i) for name, variants in VARIANTS.items() for i in range(len(variants))])
def test_correct_answers_written_differently_get_full_marks(name, variant):
    assert full_marks(VARIANTS[name][variant], QUESTIONS[name]) == []


# Whole sets of right answers, for tests/test_assignments.py; the helpers are what they need beside them.
DENSE_NAMES = f"DENSE = {DENSE!r}"
STYLES = {
    "numpy": (dict(positional_encoding=encoding_in_float32, scaled_dot_product_attention=attention_in_numpy,
                   split_heads=split_in_numpy, merge_heads=merge_in_numpy, MultiHeadAttention=MadeInBuild), (DENSE_NAMES,)),
    "ops": (dict(positional_encoding=encoding_with_ops, scaled_dot_product_attention=attention_with_ops,
                 split_heads=split_with_ops, merge_heads=merge_with_ops, MultiHeadAttention=WithOps),
            (DENSE_NAMES, attention_with_ops)),
    "loops": (dict(positional_encoding=encoding_by_assignment), ()),
}
