"""Cases and misconceptions of the attention assignment."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

ATTENTION_LAYERS = ("keras.layers.Attention", "keras.layers.AdditiveAttention", "keras.layers.MultiHeadAttention",
                    "keras.layers.GroupQueryAttention", "keras.ops.dot_product_attention")


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


# ---------------------------------------------------------------------------------------------------- positions

# Large angles lose digits in float32: a looser tolerance accepts answers that compute in it.
positional_encoding = Question(lesson.positional_encoding, atol=2e-4)


@positional_encoding.case(points=2, visible=True)
def three_positions(rng):
    """Three positions of depth 4: two hands of the clock, the second a hundred times slower than the first."""
    return 3, 4


@positional_encoding.case(points=4)
def more_columns_than_positions(rng):
    """Short sequence, many columns."""
    return int(rng.integers(5, 25)), 2 * int(rng.integers(13, 64))


@positional_encoding.case(points=4)
def more_positions_than_columns(rng):
    """A longer sequence with fewer columns."""
    return int(rng.integers(40, 100)), 2 * int(rng.integers(3, 20))


@positional_encoding.case(points=2)
def odd_depth(rng):
    """An odd depth: the last sine has no cosine beside it."""
    return 2 * int(rng.integers(3, 33)), 2 * int(rng.integers(4, 40)) + 1


@positional_encoding.case(points=2)
def one_position(rng):
    """A single position: its angles are all zero."""
    return 1, 2 * int(rng.integers(4, 1028))  # the depth is all that a right answer has to know


@positional_encoding.misconception
def concatenates_sines_and_cosines(length, depth):
    """All your sines come first and then all cosines; here the columns alternate, a sine and its cosine side by side."""
    encoding = np.array(lesson.positional_encoding(length, depth))
    return np.concatenate([encoding[:, ::2], encoding[:, 1::2]], axis=1)


@positional_encoding.misconception
def gives_each_column_its_own_wavelength(length, depth):
    """Your sine and cosine of a pair turn at different speeds; both columns of a pair share one exponent, 2i/D with
    the pair's i."""
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] / 10000 ** (columns / depth)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.misconception
def pairs_a_cosine_with_the_next_sine(length, depth):
    """Your cosines turn as the sines that follow them do; a sine and the cosine after it share one exponent."""
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] / 10000 ** ((columns + 1) // 2 * 2 / depth)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.misconception
def leaves_row_0_empty(length, depth):
    """Your first row is all zeros; at position 0 the cosines are 1."""
    encoding = np.array(lesson.positional_encoding(length, depth))
    encoding[0] = 0
    return encoding


@positional_encoding.misconception
def doubles_the_column_index(length, depth):
    """Your exponents run up to nearly 2; in 2i/D the i counts pairs of columns, so that the exponents stay below 1."""
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] / 10000 ** (2 * columns / depth)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.misconception
def wavelengths_grow_too_slowly(length, depth):
    """Your slow columns turn too fast, as if the base were 100; check the base, 10000, and the 2 in the exponent 2i/D."""
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] / 100 ** (columns // 2 * 2 / depth)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.misconception
def starts_at_position_one(length, depth):
    """Your first row is not made of sin 0 and cos 0; positions count from 0."""
    return np.array(lesson.positional_encoding(length + 1, depth))[1:]


@positional_encoding.misconception
def takes_angles_for_degrees(length, depth):
    """Your encoding turns about 57 times too slowly: the angles are in radians, so there is nothing to convert."""
    columns = np.arange(depth)
    angles = np.deg2rad(np.arange(length)[:, None] / 10000 ** (columns // 2 * 2 / depth))
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.misconception
def swaps_sine_and_cosine(length, depth):
    """Your even columns hold cosines; the even columns are the sines and the odd ones the cosines."""
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] / 10000 ** (columns // 2 * 2 / depth)
    return np.where(columns % 2 == 0, np.cos(angles), np.sin(angles))


@positional_encoding.misconception
def multiplies_by_the_power(length, depth):
    """Your later columns turn faster and faster; the position is divided by the power of 10000."""
    columns = np.arange(depth)
    angles = np.arange(length)[:, None] * 10000 ** (columns // 2 * 2 / depth)
    return np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))


@positional_encoding.misconception
def puts_positions_in_columns(length, depth):
    """Your encoding has one column per position; it should have one row per position."""
    return np.array(lesson.positional_encoding(length, depth)).T


@positional_encoding.variation({"np.sin(angles)": "np.cos(angles)"}, {"np.cos(angles)": "np.sin(angles)"})
def one_function_for_all():
    """All your columns are sines, or all are cosines: they alternate, starting with a sine."""


@positional_encoding.variation({"columns % 2 == 0": "columns // 2 == 0"}, {"columns % 2 == 0": "columns == 0"})
def other_columns_are_sines():
    """The columns that are sines are not the right ones: every even column is one, every odd column a cosine."""


@positional_encoding.variation({"/ 10000": "/ 1000"}, {"/ 10000": "/ 100000"})
def another_base():
    """Your wavelengths grow by another base: it is 10000."""


# ---------------------------------------------------------------------------------------------------- masks

causal_mask = Question(lesson.causal_mask)


@causal_mask.case(points=1, visible=True)
def three_by_three(rng):
    """Three positions: the last one sees everything, the first only itself."""
    return 3,


@causal_mask.case(points=4, probe=own.mask_of_each())
def longer_sequence(rng):
    """A longer sequence, and another."""
    return {"lengths": rng.integers(9, 60, size=2).tolist()}


@causal_mask.case(points=1, probe=own.mask_of_each())
def single_position(rng):
    """A sequence of one position, which may attend to itself; beside it two that are longer."""
    return {"lengths": rng.permutation([1, *rng.integers(2, 26, size=2)]).tolist()}


@causal_mask.misconception
def hides_the_past(length):
    """Your mask is True exactly where attention is forbidden; True means "may attend"."""
    return np.logical_not(lesson.causal_mask(length))


@causal_mask.misconception
def forbids_itself(length):
    """Your diagonal is False; a position may attend to itself as well as to earlier ones."""
    return np.tril(np.ones((length, length), bool), -1)


@causal_mask.misconception
def shows_the_future(length):
    """Your rows may attend to later positions; rows are the positions that look and columns those looked at."""
    return np.transpose(lesson.causal_mask(length))


@causal_mask.misconception
def allows_everything(length):
    """Your mask allows every pair; a position must not attend to later ones."""
    return np.ones((length, length), bool)


@causal_mask.misconception
def returns_penalties(length):
    """You return numbers to add to the scores, 0 and a huge negative one; the mask should hold True or 1 where
    attention is allowed."""
    return np.where(lesson.causal_mask(length), 0.0, -1e9)


padding_mask = Question(lesson.padding_mask, forbid=("tf.sequence_mask",))


@padding_mask.case(points=1, visible=True)
def two_short_sequences(rng):
    """Two sequences in four places."""
    return [1, 3], 4


@padding_mask.case(points=4)
def batch_of_lengths(rng):
    """A batch of different lengths, two of them alike."""
    lengths = rng.choice(np.arange(2, 12), size=4, replace=False)
    return rng.permutation([*lengths, lengths[0]]).astype("int32"), int(rng.integers(12, 20))


@padding_mask.case(points=2)
def full_and_shortest(rng):
    """The shortest possible sequence, and one without any padding."""
    longest = int(rng.integers(8, 33))
    return rng.permutation([longest, 1, rng.integers(2, longest)]).astype("int32"), longest


@padding_mask.case(points=1)
def batch_of_one(rng):
    """A single sequence still has a batch axis."""
    return rng.integers(2, 42, size=1).astype("int32"), int(rng.integers(43, 73))


@padding_mask.misconception
def marks_the_padding(lengths, max_length):
    """Your mask is True on the padding; True means "may attend"."""
    return np.logical_not(lesson.padding_mask(lengths, max_length))


@padding_mask.misconception
def allows_one_too_many(lengths, max_length):
    """Your mask also allows the first place of padding; positions count from 0, so the last real one is n - 1."""
    return np.arange(max_length)[None, :] <= np.asarray(lengths)[:, None]


@padding_mask.misconception
def allows_one_too_few(lengths, max_length):
    """Your mask forbids the last real position, as if positions counted from 1; they count from 0."""
    return np.arange(max_length)[None, :] < np.asarray(lengths)[:, None] - 1


@padding_mask.misconception
def pads_at_the_front(lengths, max_length):
    """Your real positions stand at the end; padding comes after them, so they start each row."""
    return np.array(lesson.padding_mask(lengths, max_length))[:, ::-1]


@padding_mask.misconception
def puts_the_batch_last(lengths, max_length):
    """Your mask has one column per sequence; the batch comes first, one row per sequence."""
    return np.transpose(lesson.padding_mask(lengths, max_length))


@padding_mask.misconception
def returns_padding_penalties(lengths, max_length):
    """You return numbers to add to the scores, 0 and a huge negative one; the mask should hold True or 1 where
    attention is allowed."""
    return np.where(lesson.padding_mask(lengths, max_length), 0.0, -1e9)


@causal_mask.variation({"tf.range(length)": "tf.range(length - 1)"}, {"tf.range(length)": "tf.range(length + 1)"})
def another_length():
    """Your mask is one position too short or too long: it has a row and a column for each position."""


@padding_mask.variation({"tf.range(max_length)": "tf.range(max_length - 1)"},
                        {"tf.range(max_length)": "tf.range(max_length + 1)"})
def another_width():
    """Your mask is one column too narrow or too wide: there are `max_length` positions."""


@padding_mask.variation({" < lengths": " > lengths"})
def marks_what_is_beyond():
    """Your mask is True beyond the end of each sequence, and False on its words: it is True where there is a word."""


# ---------------------------------------------------------------------------------------------------- attention

scaled_dot_product_attention = Question(
    lesson.scaled_dot_product_attention, probe=probes.call(returns=("output", "weights")), forbid=ATTENTION_LAYERS)


@scaled_dot_product_attention.case(points=2, visible=True)
def two_queries_three_keys(rng):
    """Two queries, three keys, d = 4: the root is 2 and the scores are small whole numbers."""
    q = [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 2.0]]
    k = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    v = [[10.0, 0.0], [0.0, 20.0], [30.0, 30.0]]
    return q, k, v


@scaled_dot_product_attention.case(points=2, visible=True)
def one_key_is_hidden(rng):
    """The same by pencil, as a batch of one, with a mask: the second query must not see the last key."""
    q = [[[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 2.0]]]
    k = [[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]]
    v = [[[10.0, 0.0], [0.0, 20.0], [30.0, 30.0]]]
    return q, k, v, [[True, True, True], [True, True, False]]


@scaled_dot_product_attention.case(points=4)
def batch_of_sequences(rng):
    """A batch, with queries and keys of different lengths and values of another depth; no mask."""
    return normal(rng, 3, 5, 6), normal(rng, 3, 7, 6), normal(rng, 3, 7, 4)


@scaled_dot_product_attention.case(points=3)
def causal_self_attention(rng):
    """One sequence attends to itself under a causal mask, given as booleans."""
    return normal(rng, 4, 6, 3), normal(rng, 4, 6, 3), normal(rng, 4, 6, 5), np.tril(np.ones((6, 6), bool))


@scaled_dot_product_attention.case(points=3)
def padded_keys(rng):
    """A padding mask of shape (B, 1, T) holds for every query."""
    mask = np.arange(6)[None, None, :] < np.array([4, 6, 1])[:, None, None]
    return normal(rng, 3, 4, 5), normal(rng, 3, 6, 5), normal(rng, 3, 6, 2), mask


@scaled_dot_product_attention.case(points=3)
def mask_of_floats(rng):
    """The mask comes as 0.0 and 1.0, different for every sequence and query."""
    mask = (rng.random((2, 3, 8)) < 0.5).astype("float32")
    mask[..., 3] = 1
    mask[..., 5] = 0
    return normal(rng, 2, 3, 5), normal(rng, 2, 8, 5), normal(rng, 2, 8, 4), mask


@scaled_dot_product_attention.case(points=4)
def heads_and_batch(rng):
    """Two leading axes, batch and heads, with one mask of 0 and 1 per sequence, the same for all heads."""
    mask = (np.arange(6)[None, None, None, :] < np.array([6, 3])[:, None, None, None]).astype("int32")
    return normal(rng, 2, 3, 4, 5), normal(rng, 2, 3, 6, 5), normal(rng, 2, 3, 6, 7), mask


@scaled_dot_product_attention.case(points=2)
def no_leading_axes(rng):
    """Plain matrices, without any batch."""
    return normal(rng, 6, 3), normal(rng, 4, 3), normal(rng, 4, 5)


@scaled_dot_product_attention.case(points=3)
def enormous_scores(rng):
    """Scores in the thousands, some of them hidden: everything stays finite, and what is hidden gets nothing."""
    # Whole numbers and d = 4: every score is exact in float32, so that near ties cannot depend on rounding.
    q, k = rng.integers(-60, 61, size=(2, 5, 4)), rng.integers(-60, 61, size=(2, 3, 4))
    mask = np.arange(3) != (q @ k.transpose(0, 2, 1)).argmax(axis=-1)[..., None]  # the best key of each query is hidden
    return q.astype("float32"), k.astype("float32"), normal(rng, 2, 3, 6), mask


@scaled_dot_product_attention.misconception
def leaves_scores_unscaled(q, k, v, mask=None):
    """Your scores are not divided by √d: with greater depth they grow and the softmax grows too sure of itself."""
    return lesson.scaled_dot_product_attention(q * tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype)), k, v, mask)


@scaled_dot_product_attention.misconception
def divides_by_d(q, k, v, mask=None):
    """Your scores are divided by d itself; the formula has its square root."""
    return lesson.scaled_dot_product_attention(q / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype)), k, v, mask)


@scaled_dot_product_attention.misconception
def divides_by_root_of_length(q, k, v, mask=None):
    """Your scores are divided by the root of the number of keys; what counts is the depth d of queries and keys."""
    root = tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype) / tf.cast(tf.shape(k)[-2], q.dtype))
    return lesson.scaled_dot_product_attention(q * root, k, v, mask)


@scaled_dot_product_attention.misconception
def divides_by_root_of_value_depth(q, k, v, mask=None):
    """Your scores are divided by the root of the values' depth; what counts is the depth d of queries and keys."""
    root = tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype) / tf.cast(tf.shape(v)[-1], q.dtype))
    return lesson.scaled_dot_product_attention(q * root, k, v, mask)


@scaled_dot_product_attention.misconception
def multiplies_by_the_root(q, k, v, mask=None):
    """Your scores are multiplied by √d; they are divided by it, to keep them small."""
    return lesson.scaled_dot_product_attention(q * tf.cast(tf.shape(q)[-1], q.dtype), k, v, mask)


@scaled_dot_product_attention.misconception
def softmax_over_the_queries(q, k, v, mask=None):
    """The columns of your weights sum to 1; every query shares out its attention over the keys, so rows must."""
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, -1e9)
    weights = tf.nn.softmax(scores, axis=-2)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception
def masks_after_the_softmax(q, k, v, mask=None):
    """Your masked rows sum to less than 1: forbidden keys have taken their share before you hid them. Mask the scores."""
    _, weights = lesson.scaled_dot_product_attention(q, k, v)
    if mask is not None:
        weights = weights * tf.cast(mask, weights.dtype)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception
def turns_the_mask_round(q, k, v, mask=None):
    """You attend exactly where the mask forbids it; True or 1 means "may attend"."""
    return lesson.scaled_dot_product_attention(q, k, v, None if mask is None else tf.logical_not(tf.cast(mask, tf.bool)))


@scaled_dot_product_attention.misconception
def adds_the_mask_as_it_is(q, k, v, mask=None):
    """You add the mask's 0 and 1 to the scores: allowed keys gain a little and forbidden ones stay. Their scores must
    fall very far."""
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores += tf.cast(mask, scores.dtype)
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception(variants=[{"penalty": 10.0}])
def hides_too_little(q, k, v, mask=None, penalty=100.0):
    """What you take off the scores of forbidden keys is too little where scores are large: they still win. Take off 1e9."""
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores -= penalty * (1 - tf.cast(mask, scores.dtype))
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception(variants=[{"where": True}])
def takes_one_kind_of_mask(q, k, v, mask=None, where=False):
    """Your attention takes one type of mask and fails on others: booleans, whole numbers and floats may come. Cast them first."""
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores = tf.where(mask, scores, -1e9) if where else scores + (1.0 - mask) * -1e9
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception
def multiplies_scores_by_the_mask(q, k, v, mask=None):
    """Forbidden keys still get weight: a score of 0 is not a weight of 0, because exp 0 is 1."""
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores *= tf.cast(mask, scores.dtype)
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception
def ignores_the_mask(q, k, v, mask=None):
    """Your weights are the same with and without a mask; keys that it forbids must get no weight."""
    return lesson.scaled_dot_product_attention(q, k, v)


@scaled_dot_product_attention.misconception
def reshapes_the_keys(q, k, v, mask=None):
    """Your scores mix entries of different keys: a reshape does not transpose. Make the last two axes change places."""
    flipped = tf.reshape(k, tf.concat([tf.shape(k)[:-2], [tf.shape(k)[-1], tf.shape(k)[-2]]], 0))
    scores = tf.matmul(q, flipped) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, -1e9)
    weights = tf.nn.softmax(scores)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception
def overflows(q, k, v, mask=None):
    """Your softmax is not finite on large scores, because exp overflows; subtract each row's maximum, or use tf.nn.softmax."""
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, -1e9)
    weights = tf.exp(scores)
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    return tf.matmul(weights, v), weights


@scaled_dot_product_attention.misconception
def returns_scores_for_weights(q, k, v, mask=None):
    """What you return as weights are the scores before the softmax; rows of weights sum to 1."""
    output, _ = lesson.scaled_dot_product_attention(q, k, v, mask)
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(tf.shape(q)[-1], q.dtype))
    if mask is not None:
        scores = tf.where(tf.cast(mask, tf.bool), scores, -1e9)
    return output, scores


@scaled_dot_product_attention.misconception
def returns_weights_first(q, k, v, mask=None):
    """You return the weights before the output; the order is (output, weights)."""
    output, weights = lesson.scaled_dot_product_attention(q, k, v, mask)
    return weights, output


@scaled_dot_product_attention.variation({"tf.nn.softmax(scores, axis=-1)": "tf.nn.softmax(scores, axis=0)"})
def softmax_over_the_first_axis():
    """Your softmax runs over the first axis, whatever that is: every query's weights over its keys add up to 1."""


@scaled_dot_product_attention.variation({"tf.nn.softmax(scores, axis=-1)": "scores"})
def scores_for_weights():
    """Your weights are the scores themselves: a softmax makes weights of them, which add up to 1."""


# ---------------------------------------------------------------------------------------------------- heads

split_heads = Question(lesson.split_heads)


@split_heads.case(points=1, visible=True)
def two_heads_of_two(rng):
    """Three positions of depth 4, numbered from 0 to 11, for two heads."""
    return np.arange(12, dtype="float32").reshape(1, 3, 4), 2


@split_heads.case(points=5)
def three_heads(rng):
    """A batch for three heads, every axis of another size."""
    return normal(rng, 2, 5, 12), 3


@split_heads.case(points=2, probe=own.with_an_unknown_batch())
def heads_of_depth_one(rng):
    """As many heads as columns: every head is one number wide; inside a model, where the size of the batch is unknown."""
    return normal(rng, 4, 3, 5), 5


@split_heads.case(points=1)
def a_single_head(rng):
    """One head takes the whole depth, and still has an axis."""
    return normal(rng, 3, 2, 7), 1


@split_heads.misconception
def splits_by_reshape_alone(x, heads):
    """Your shape is right but numbers of different positions share a head: a reshape moves nothing. Reshape, then let
    axes change places."""
    shape = tf.shape(x)
    return tf.reshape(x, (shape[0], heads, shape[1], x.shape[2] // heads))


@split_heads.misconception
def leaves_heads_behind_time(x, heads):
    """Your heads axis comes after time; it belongs before it, so that attention works on time and depth."""
    shape = tf.shape(x)
    return tf.reshape(x, (shape[0], shape[1], heads, x.shape[2] // heads))


@split_heads.misconception
def reads_the_batch_size(x, heads):
    """Your values are right, but inside a model x.shape[0] is None: take tf.shape(x)[0], or -1 in a reshape."""
    return tf.transpose(tf.reshape(x, (x.shape[0], x.shape[1], heads, x.shape[2] // heads)), (0, 2, 1, 3))


@split_heads.misconception
def deals_columns_out(x, heads):
    """Your heads take turns in picking columns; each head owns a slice of neighbouring columns."""
    shape = tf.shape(x)
    return tf.transpose(tf.reshape(x, (shape[0], shape[1], x.shape[2] // heads, heads)), (0, 3, 1, 2))


@split_heads.misconception
def puts_heads_before_the_batch(x, heads):
    """Your heads axis comes first; the batch stays first and heads follow it."""
    return tf.stack(tf.split(x, heads, axis=-1))


@split_heads.misconception
def puts_time_last(x, heads):
    """Your last axis is time; each head keeps positions in rows, (B, H, T, D/H)."""
    shape = tf.shape(x)
    return tf.transpose(tf.reshape(x, (shape[0], shape[1], heads, x.shape[2] // heads)), (0, 2, 3, 1))


merge_heads = Question(lesson.merge_heads)


@merge_heads.case(points=1, visible=True)
def two_heads_side_by_side(rng):
    """Two heads of three positions and depth 2, numbered from 0 to 11."""
    return np.arange(12, dtype="float32").reshape(1, 2, 3, 2),


@merge_heads.case(points=5)
def four_heads(rng):
    """A batch of four heads, every axis of another size."""
    return normal(rng, 2, 4, 5, 3),


@merge_heads.case(points=2, probe=own.with_an_unknown_batch())
def columns_of_one_number(rng):
    """Heads that are one number wide; inside a model, where the size of the batch is unknown."""
    return normal(rng, 3, 4, 2, 1),


@merge_heads.case(points=1)
def only_one_head(rng):
    """One head: its axis disappears and nothing else changes."""
    return normal(rng, 2, 1, 5, 3),


@merge_heads.misconception
def merges_by_reshape_alone(x):
    """Your shape is right but each row mixes several positions: a reshape moves nothing. Bring time to the front of
    the heads first."""
    shape = tf.shape(x)
    return tf.reshape(x, (shape[0], shape[2], x.shape[1] * x.shape[3]))


@merge_heads.misconception
def reads_the_batch_size(x):  # noqa: F811
    """Your values are right, but inside a model x.shape[0] is None: take tf.shape(x)[0], or -1 in a reshape."""
    return tf.reshape(tf.transpose(x, (0, 2, 1, 3)), (x.shape[0], x.shape[2], x.shape[1] * x.shape[3]))


@merge_heads.misconception
def interleaves_the_heads(x):
    """Your columns alternate between heads; all columns of head 0 come first, then those of head 1."""
    shape = tf.shape(x)
    return tf.reshape(tf.transpose(x, (0, 2, 3, 1)), (shape[0], shape[2], x.shape[1] * x.shape[3]))


@merge_heads.misconception
def averages_the_heads(x):
    """Your result is the mean over heads, only D/H wide; heads are laid side by side, so that nothing is lost."""
    return tf.reduce_mean(x, axis=1)


@merge_heads.misconception
def leaves_the_heads_apart(x):
    """Your result still has a heads axis; after the axes have changed places, heads and their depth become one axis."""
    return tf.transpose(x, (0, 2, 1, 3))


@merge_heads.misconception
def lays_heads_end_to_end(x):
    """Your heads follow each other along time; lay them side by side along the depth."""
    shape = tf.shape(x)
    return tf.reshape(x, (shape[0], x.shape[1] * shape[2], x.shape[3]))


# ---------------------------------------------------------------------------------------------------- the layer

MultiHeadAttention = Question(
    lesson.MultiHeadAttention, forbid=ATTENTION_LAYERS, uses=("scaled_dot_product_attention", "split_heads", "merge_heads"))

BOTH = ("output", "weights")


def weights_for(rng, d_model):
    """Kernels and biases of the four dense maps, by path."""
    weights = {}
    for name in ("query_dense", "key_dense", "value_dense", "output_dense"):
        weights[f"{name}/kernel"] = (rng.normal(size=(d_model, d_model)) * 1.5 / np.sqrt(d_model)).astype("float32")
        weights[f"{name}/bias"] = rng.normal(size=d_model).astype("float32")
    return weights


def layer_inputs(rng, d_model, num_heads, call, **options):
    config = {"d_model": d_model, "num_heads": num_heads}
    return {"config": config, "weights": weights_for(rng, d_model), "call": call, "options": options}


@MultiHeadAttention.case(points=2, visible=True)
def two_heads_by_hand(rng):
    """Two queries, three values, depth 4, two heads; the kernels only copy, scale and swap columns."""
    eye = np.eye(4, dtype="float32")
    weights = {
        "query_dense/kernel": 2 * eye, "query_dense/bias": np.array([1, 0, 0, 1], "float32"),
        "key_dense/kernel": eye, "key_dense/bias": np.array([0, 1, 0, -1], "float32"),
        "value_dense/kernel": 3 * eye, "value_dense/bias": np.array([0, 0, 1, 2], "float32"),
        "output_dense/kernel": eye[:, ::-1].copy(), "output_dense/bias": np.array([0, 1, 2, 3], "float32")}
    query = np.array([[[1, 0, 0, 1], [0, 1, 0, 0]]], "float32")
    value = np.array([[[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]], "float32")
    return {"config": {"d_model": 4, "num_heads": 2}, "weights": weights, "call": [query, value], "options": {}}


@MultiHeadAttention.case(points=2, visible=True, probe=probes.refuses())
def heads_must_fit(rng):
    """Numbers of heads that do and do not divide the depth: the layer raises a ValueError where it must, and only there."""
    return {"calls": [{"d_model": 6, "num_heads": heads} for heads in (1, 2, 3, 4, 5, 6)]}


@MultiHeadAttention.case(points=1, visible=True, probe=probes.layer(returns=BOTH))
def weights_and_mask_by_hand(rng):
    """Two sequences with one query each, a separate key, a padding mask and `return_attention`: the heads share the
    mask of their sequence."""
    query = np.array([[[1, 0, 0, 1]], [[0, 1, 0, 0]]], "float32")
    value = np.array([[[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], [[0, 1, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0]]], "float32")
    key = np.array([[[0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]], [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]]], "float32")
    mask = np.array([[[True, True, False]], [[True, True, True]]])
    return two_heads_by_hand(rng) | {"call": [query, value, key], "options": {"mask": mask, "return_attention": True}}


@MultiHeadAttention.case(points=2)
def self_attention(rng):
    """A batch of sequences attends to itself; no mask."""
    x = normal(rng, 2, 5, 12)
    return layer_inputs(rng, 12, 4, [x, x])


@MultiHeadAttention.case(points=3)
def separate_keys(rng):
    """Queries, values and keys are three different inputs, and queries have another length."""
    return layer_inputs(rng, 12, 3, [normal(rng, 2, 6, 12), normal(rng, 2, 5, 12), normal(rng, 2, 5, 12)])


@MultiHeadAttention.case(points=3, probe=probes.layer(returns=BOTH))
def padded_values(rng):
    """A padding mask of shape (B, 1, T), the same for all heads; output and weights."""
    mask = np.arange(6)[None, None, :] < np.array([4, 6, 2])[:, None, None]
    return layer_inputs(rng, 8, 2, [normal(rng, 3, 5, 8), normal(rng, 3, 6, 8)], mask=mask, return_attention=True)


@MultiHeadAttention.case(points=2, probe=probes.layer(returns=BOTH))
def own_mask_for_every_sequence(rng):
    """A mask of 0.0 and 1.0 of shape (B, S, T); output and weights."""
    mask = (rng.random((2, 5, 7)) < 0.5).astype("float32")
    mask[..., 2], mask[..., 4] = 1, 0
    return layer_inputs(rng, 12, 3, [normal(rng, 2, 5, 12), normal(rng, 2, 7, 12)], mask=mask, return_attention=True)


@MultiHeadAttention.case(points=6, probe=probes.layer_gradients(), rtol=1e-3, atol=1e-4)
def gradients_reach_everything(rng):
    """Gradients with respect to all inputs and all eight weights, under a causal mask."""
    mask = np.tril(np.ones((5, 5), "int32"))
    return layer_inputs(rng, 8, 2, [normal(rng, 3, 5, 8), normal(rng, 3, 5, 8), normal(rng, 3, 5, 8)], mask=mask)


@MultiHeadAttention.case(points=3, probe=probes.layer_in_model(returns=BOTH))
def inside_a_model(rng):
    """In a functional model of unknown batch size, compiled by tf.function; with a separate key and a mask, returning
    the weights."""
    mask = rng.random((3, 6, 5)) < 0.6
    mask[..., 1], mask[..., 3] = True, False
    call = [normal(rng, 3, 6, 8), normal(rng, 3, 5, 8), normal(rng, 3, 5, 8), mask]
    return layer_inputs(rng, 8, 4, call, return_attention=True)


@MultiHeadAttention.case(points=2, probe=probes.layer_config())
def rebuilt_from_its_configuration(rng):
    """A copy made from `get_config` behaves the same with the same weights."""
    return layer_inputs(rng, 6, 3, [normal(rng, 2, 4, 6), normal(rng, 2, 5, 6)])


@MultiHeadAttention.case(points=2, probe=probes.layer_saved())
def saved_and_loaded(rng):
    """A model that contains the layer is saved, loaded and used."""
    return layer_inputs(rng, 10, 5, [normal(rng, 2, 3, 10), normal(rng, 2, 4, 10)])


@MultiHeadAttention.variation({
    "scaled_dot_product_attention(q, k, v, mask)": "scaled_dot_product_attention(q / self.num_heads ** 0.5, k, v, mask)"})
def scales_by_the_whole_depth():
    """Your scores are divided by √d_model; each head compares vectors of its own, smaller depth."""


@MultiHeadAttention.variation({
    "scaled_dot_product_attention(q, k, v, mask)":
    "scaled_dot_product_attention(q * (self.d_model / self.num_heads) ** 0.5, k, v, mask)"})
def leaves_head_scores_unscaled():
    """Your scores are not scaled at all; divide them by the root of a head's depth."""


@MultiHeadAttention.variation({"self.value_dense(value)": "self.value_dense(key)"})
def takes_values_from_the_key():
    """Your values are made from the key input; key decides where to look, value what is seen there."""


@MultiHeadAttention.variation({
    "v = split_heads(self.value_dense(value), self.num_heads)":
    "self.value_dense(value)  # built, and its result unused\n"
    "        v = split_heads(self.key_dense(value), self.num_heads)"})
def projects_values_with_the_key_map():
    """Your values have gone through key_dense; values have a map of their own, value_dense."""


@MultiHeadAttention.misconception
class ignores_the_key(lesson.MultiHeadAttention):
    """Your layer gives the same result whatever key it gets; value serves as key only when key is None."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        return super().call(query, value, None, mask, return_attention)


@MultiHeadAttention.misconception
class looks_from_value_to_query(lesson.MultiHeadAttention):
    """Your output has a row per value: query and value have changed roles. Queries come from query, keys and values
    from the others."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        return super().call(value, query, key, mask, return_attention)


@MultiHeadAttention.variation({
    "output = self.output_dense(merge_heads(output))":
    "output = merge_heads(output)\n        self.output_dense(output)"})
def leaves_out_the_output_map():
    """Your merged heads are returned as they are; output_dense comes after merging, so that the heads can mingle."""


@MultiHeadAttention.variation({"self.output_dense(merge_heads(output))": "merge_heads(output)"})
def never_uses_the_output_map():
    """Your output_dense is made and never called, so that it has no weights; it comes after merging, to let heads mingle."""


@MultiHeadAttention.variation({
    "output, weights = scaled_dot_product_attention(q, k, v, mask)":
    "_, weights = scaled_dot_product_attention(q, k, v, mask)\n"
    "        weights = tf.zeros_like(weights) + tf.reduce_mean(weights, axis=1, keepdims=True)\n"
    "        output = tf.matmul(weights, v)"})
def lets_all_heads_look_alike():
    """Your heads share one map of weights, the mean of theirs; every head mixes its values with its own weights."""


@MultiHeadAttention.variation({"(output, weights) if": "(output, tf.reduce_mean(weights, axis=1)) if"})
def returns_the_mean_of_the_weights():
    """Your output is right, but the weights you return are averaged over heads; return one map per head, (B, H, S, T)."""


@MultiHeadAttention.misconception
class attends_with_one_head(lesson.MultiHeadAttention):
    """Your layer attends once over the whole depth; cut queries, keys and values into num_heads slices first."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        key = value if key is None else key
        q, k, v = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        output, weights = lesson.scaled_dot_product_attention(q, k, v, mask)
        output = self.output_dense(output)
        return (output, weights[:, tf.newaxis]) if return_attention else output


@MultiHeadAttention.misconception
class cuts_heads_by_reshape(lesson.MultiHeadAttention):
    """Your heads mix numbers of different positions: splitting and merging by reshape alone moves nothing. Let axes
    change places as well."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        key = value if key is None else key
        size = self.d_model // self.num_heads
        q, k, v = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        q = tf.reshape(q, (-1, self.num_heads, q.shape[1], size))
        k = tf.reshape(k, (-1, self.num_heads, k.shape[1], size))
        v = tf.reshape(v, (-1, self.num_heads, v.shape[1], size))
        if mask is not None:
            mask = tf.expand_dims(mask, -3)
        output, weights = lesson.scaled_dot_product_attention(q, k, v, mask)
        output = self.output_dense(tf.reshape(output, (-1, q.shape[2], self.d_model)))
        return (output, weights) if return_attention else output


@MultiHeadAttention.variation({"mask = tf.expand_dims(mask, -3)": "pass"})
def gives_the_mask_no_heads_axis():
    """Your layer fails on masks with a batch axis, whose batch meets the heads axis; insert an axis for the heads."""


@MultiHeadAttention.variation({
    "mask = tf.expand_dims(mask, -3)":
    "first = tf.reshape(tf.range(self.num_heads), (-1, 1, 1)) == 0  # (H, 1, 1)\n"
    "            mask = tf.where(first, tf.cast(tf.expand_dims(mask, -3), tf.bool), True)"})
def masks_the_first_head_only():
    """Only your first head obeys the mask; it holds for all of them."""


@MultiHeadAttention.misconception
class drops_the_mask(lesson.MultiHeadAttention):
    """Your layer gives the same result with and without a mask; hand the mask on to the attention of the heads."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        return super().call(query, value, key, None, return_attention)


@MultiHeadAttention.misconception
class inverts_the_mask(lesson.MultiHeadAttention):
    """Your layer attends exactly where the mask forbids it; True or 1 means "may attend"."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        if mask is not None:
            mask = tf.logical_not(tf.cast(mask, tf.bool))
        return super().call(query, value, key, mask, return_attention)


@MultiHeadAttention.misconception
class expects_equal_lengths(lesson.MultiHeadAttention):
    """Your layer fails when queries and values differ in length. Keys and values keep a length of their own: see what you
    cut them with, and what stands in for the key when there is none."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        key = value if key is None else key
        batch, length, size = tf.shape(query)[0], query.shape[1], self.d_model // self.num_heads
        q, k, v = (tf.transpose(tf.reshape(x, (batch, length, self.num_heads, size)), (0, 2, 1, 3))
                   for x in (self.query_dense(query), self.key_dense(key), self.value_dense(value)))
        if mask is not None:
            mask = tf.expand_dims(mask, -3)
        output, weights = lesson.scaled_dot_product_attention(q, k, v, mask)
        output = self.output_dense(lesson.merge_heads(output))
        return (output, weights) if return_attention else output


@MultiHeadAttention.variation({"(output, weights) if return_attention else output": "output, weights"})
def returns_weights_always():
    """Your layer returns the weights without being asked; they come along only when return_attention is true."""


@MultiHeadAttention.misconception
class reads_a_fixed_batch(lesson.MultiHeadAttention):
    """Your layer fails where the batch size is unknown: inside a model x.shape[0] is None. Take tf.shape(x)[0], or -1
    in a reshape."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        query = tf.reshape(query, (query.shape[0], query.shape[1], self.d_model))
        return super().call(query, value, key, mask, return_attention)


@MultiHeadAttention.misconception
class leaves_tensorflow(lesson.MultiHeadAttention):
    """Your layer computes with NumPy on the way, where no gradient can follow; use TensorFlow or keras.ops from input
    to output."""

    def call(self, query, value, key=None, mask=None, return_attention=False):
        output, weights = super().call(query, value, key, mask, True)
        output = tf.constant(np.array(output))
        return (output, weights) if return_attention else output


@MultiHeadAttention.misconception
class accepts_any_number_of_heads(lesson.MultiHeadAttention):
    """Your layer accepts a depth that its heads cannot share equally; raise a ValueError in __init__."""

    def __init__(self, d_model, num_heads, **kwargs):
        super().__init__(d_model, 1, **kwargs)
        self.num_heads = num_heads


@MultiHeadAttention.misconception
class asserts_instead_of_raising(lesson.MultiHeadAttention):
    """Your layer stops with an AssertionError; assertions state what you believe, while wrong arguments deserve a ValueError."""

    def __init__(self, d_model, num_heads, **kwargs):
        assert d_model % num_heads == 0
        super().__init__(d_model, num_heads, **kwargs)


@MultiHeadAttention.misconception
class forgets_its_configuration(lesson.MultiHeadAttention):
    """Your layer cannot be built again from its get_config; it has to hold every argument of __init__ by name."""

    def get_config(self):
        config = super().get_config()
        del config["num_heads"]
        return config
