"""Cases and misconceptions of the transformer assignment."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

NORMALISATIONS = ("keras.layers.*Normalization", "keras.ops.*normalization", "keras.ops.normalize", "tf.nn.batch_normalization",
                  "tf.compat.v1.nn.fused_batch_norm", "tf.raw_ops.FusedBatchNorm*")
ATTENTION_LAYERS = ("keras.layers.Attention", "keras.layers.AdditiveAttention", "keras.layers.MultiHeadAttention",
                    "keras.layers.GroupQueryAttention", "keras.ops.dot_product_attention", "keras_hub.*")


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


# ---------------------------------------------------------------------------------------------------- layer normalisation

layer_norm = Question(lesson.layer_norm, forbid=NORMALISATIONS)


def norm_inputs(rng, *shape, scale=1.0, offset=0.0):
    depth = shape[-1]
    return (offset + scale * normal(rng, *shape)).astype("float32"), 1 + 0.5 * normal(rng, depth), normal(rng, depth)


@layer_norm.case(points=2, visible=True)
def four_rows_by_hand(rng):
    """Two sequences of two positions of depth 2; gamma is (1, 10), beta (0, 5)."""
    return [[[1.0, 3.0], [-2.0, 2.0]], [[7.0, 5.0], [0.0, 8.0]]], [1.0, 10.0], [0.0, 5.0]


@layer_norm.case(points=1, visible=True, probe=probes.gradients(), rtol=1e-3, atol=1e-4)
def gradients_of_a_row(rng):
    """One row of three entries, with the gradient of each input."""
    return [[1.0, 2.0, 6.0]], [1.0, 2.0, 3.0], [0.0, 0.0, 1.0]


@layer_norm.case(points=1, visible=True)
def an_epsilon_you_can_see(rng):
    """The row (4095, 4097) with epsilon 3: the variance is 1, and 1 + 3 has a plain root."""
    return [[4095.0, 4097.0]], [1.0, 1.0], [0.0, 0.0], 3.0


@layer_norm.case(points=4)
def a_batch_of_sequences(rng):
    """Random vectors of shape (B, T, D)."""
    return norm_inputs(rng, 3, 5, 7, scale=2.0, offset=0.7)


@layer_norm.case(points=2)
def a_single_axis_before(rng):
    """Shape (B, D), more columns than rows."""
    return norm_inputs(rng, 4, 9, scale=3.0)


@layer_norm.case(points=2)
def more_axes(rng):
    """Shape (2, 3, 5, 4): any number of leading axes."""
    return norm_inputs(rng, 2, 3, 5, 4, offset=-0.5)


@layer_norm.case(points=2, atol=2e-3)
def equal_entries(rng):
    """Rows whose entries are all the same: nothing to stretch, so beta remains."""
    return np.array([[3.0] * 5, [0.0] * 5, [-0.25] * 5], "float32"), *norm_inputs(rng, 3, 5)[1:]


@layer_norm.case(points=2, rtol=1e-3, atol=1e-3)
def tiny_spread(rng):
    """Entries of about 0.001, where the default epsilon matters and its place too."""
    return norm_inputs(rng, 5, 6, scale=1e-3)


@layer_norm.case(points=2, rtol=1e-2, atol=1e-2)
def far_from_zero(rng):
    """Entries around 3000 with a spread of about 1: a difference of big squares would lose its digits."""
    return norm_inputs(rng, 6, 8, offset=3000.0)


@layer_norm.case(points=2, probe=probes.gradients(), rtol=1e-3, atol=1e-4)
def gradients_of_sequences(rng):
    """Values and gradients with respect to x, gamma and beta."""
    return norm_inputs(rng, 2, 3, 6, scale=1.5)


@layer_norm.misconception
def normalises_over_the_first_axis(x, gamma, beta, epsilon=1e-6):
    """Your columns have mean 0, not your rows. Each vector is normalised by itself: reduce over the last axis."""
    mean, variance = tf.nn.moments(x, axes=[0], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def normalises_over_batch_and_time(x, gamma, beta, epsilon=1e-6):
    """Your mean is taken over all positions of the batch, as in batch normalisation; every position has a mean of its own."""
    mean, variance = tf.nn.moments(x, axes=list(range(len(x.shape) - 1)))
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def normalises_whole_sequences(x, gamma, beta, epsilon=1e-6):
    """Your mean is taken over more than the last axis; the positions of a sequence do not share theirs."""
    mean, variance = tf.nn.moments(x, axes=list(range(1, len(x.shape))), keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def normalises_over_the_second_axis(x, gamma, beta, epsilon=1e-6):
    """Your mean is taken over the second axis, which is time where x is (B, T, D); the depth is the last axis, -1."""
    mean, variance = tf.nn.moments(x, axes=[1], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def normalises_over_everything(x, gamma, beta, epsilon=1e-6):
    """Your mean is a single number, taken over all entries of x; every position has a mean of its own."""
    mean, variance = tf.nn.moments(x, axes=list(range(len(x.shape))))
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def takes_the_sample_variance(x, gamma, beta, epsilon=1e-6):
    """Your variance is divided by D - 1, the sample variance; here it is the plain mean of the squares."""
    depth = x.shape[-1]
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_sum(tf.square(x - mean), axis=-1, keepdims=True) / (depth - 1)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def adds_epsilon_outside_the_root(x, gamma, beta, epsilon=1e-6):
    """Your epsilon is added to the standard deviation; it belongs to the variance, under the root."""
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    deviation = tf.math.reduce_std(x, axis=-1, keepdims=True)
    return gamma * (x - mean) / (deviation + epsilon) + beta


@layer_norm.misconception
def forgets_epsilon(x, gamma, beta, epsilon=1e-6):
    """Your result does not depend on epsilon; without it a row of equal entries divides by 0."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance) + beta


@layer_norm.misconception
def ignores_the_given_epsilon(x, gamma, beta, epsilon=1e-6):
    """Your epsilon is always the same number; use the argument."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + 1e-6) + beta


@layer_norm.misconception
def divides_by_the_variance(x, gamma, beta, epsilon=1e-6):
    """Your vectors are divided by their variance; the root of it, the standard deviation, brings the spread to 1."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * (x - mean) / (variance + epsilon) + beta


@layer_norm.misconception
def leaves_the_mean(x, gamma, beta, epsilon=1e-6):
    """Your vectors keep their mean: subtract it before dividing."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * x / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def divides_by_the_root_mean_square(x, gamma, beta, epsilon=1e-6):
    """Your vectors are divided by the root of their mean square (RMS normalisation); here the mean is taken out first, and the
    squares are those of the differences."""
    return gamma * x / tf.sqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + epsilon) + beta


@layer_norm.misconception
def leaves_out_scale_and_offset(x, gamma, beta, epsilon=1e-6):
    """Your result is the same whatever gamma and beta are; scale and shift the columns at the end."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return (x - mean) / tf.sqrt(variance + epsilon) + 0 * (gamma + beta)


@layer_norm.misconception
def leaves_out_the_offset(x, gamma, beta, epsilon=1e-6):
    """Your result is the same whatever beta is; add it to the scaled columns."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + 0 * beta


@layer_norm.misconception
def scales_the_offset_too(x, gamma, beta, epsilon=1e-6):
    """Your beta is multiplied by gamma: scale first, then add beta as it is."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * ((x - mean) / tf.sqrt(variance + epsilon) + beta)


@layer_norm.misconception
def holds_mean_and_variance_fixed(x, gamma, beta, epsilon=1e-6):
    """Your values are right, but the gradient takes mean and variance for constants; they depend on x as well."""
    mean, variance = tf.nn.moments(tf.stop_gradient(x), axes=[-1], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.misconception
def subtracts_large_squares(x, gamma, beta, epsilon=1e-6):
    """Your variance is a mean of squares minus the square of the mean, two big numbers whose difference has lost its digits in
    float32. Subtract the mean from x before squaring."""
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.maximum(tf.reduce_mean(x * x, axis=-1, keepdims=True) - mean * mean, 0.0)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@layer_norm.variation({"mean = tf.reduce_mean(x, axis=-1,": "mean = tf.reduce_mean(x, axis=0,"},
                      {"mean = tf.reduce_mean(x, axis=-1,": "mean = tf.reduce_mean(x, axis=-2,"},
                      {"mean = tf.reduce_mean(x, axis=-1,": "mean = tf.reduce_mean(x,"})
def mean_over_other_axes():
    """Your mean runs over other axes than your variance: both are taken over the features, the last axis, of each position."""


@layer_norm.variation({"tf.square(x - mean), axis=-1": "tf.square(x - mean), axis=0"},
                      {"tf.square(x - mean), axis=-1": "tf.square(x - mean), axis=-2"},
                      {"tf.square(x - mean), axis=-1": "tf.square(x - mean)"})
def variance_over_other_axes():
    """Your variance runs over other axes than your mean: both are taken over the features, the last axis, of each position."""


@layer_norm.variation({"mean = tf.reduce_mean(x, axis=-1, keepdims=True)": "mean = tf.reduce_mean(x, axis=-1)"},
                      {"tf.square(x - mean), axis=-1, keepdims=True)": "tf.square(x - mean), axis=-1)"})
def loses_the_last_axis():
    """A mean or a variance has lost the last axis, and lines up with another one: keep that axis, of length 1."""


@layer_norm.variation({"tf.reduce_mean(tf.square": "tf.reduce_sum(tf.square"})
def sums_the_squares():
    """Your variance grows with the number of features: it is the mean of the squared deviations, not their sum."""


@layer_norm.variation({"tf.square(x - mean)": "tf.square(x)"}, {"tf.square(x - mean)": "tf.square(x + mean)"})
def squares_without_the_mean():
    """Your variance is not that of the deviations: subtract the mean before you square."""


@layer_norm.variation({" / tf.sqrt(variance + epsilon)": ""},
                      {" / tf.sqrt(variance + epsilon)": " * tf.sqrt(variance + epsilon)"})
def does_not_divide_by_the_spread():
    """Your rows are not of the same spread: divide the deviations by the root of variance and epsilon."""


@layer_norm.variation({"gamma * (x - mean)": "(x - mean)"}, {"gamma * (x - mean)": "gamma"})
def no_scaled_deviations():
    """What is divided in yours is not gamma times the deviation from the mean: one of the two is missing."""


# ---------------------------------------------------------------------------------------------------- feed-forward

feed_forward = Question(lesson.feed_forward)


def network(rng, batch, length, depth, hidden):
    return (normal(rng, batch, length, depth), normal(rng, depth, hidden) / depth ** 0.5, normal(rng, hidden),
            normal(rng, hidden, depth) / hidden ** 0.5, normal(rng, depth))


@feed_forward.case(points=2, visible=True)
def two_positions_by_hand(rng):
    """Two sequences of one position, depth 2, two hidden units: in the first one of them is switched off, in the second both."""
    return [[[1.0, 2.0]], [[-3.0, 1.0]]], [[1.0, 1.0], [1.0, -1.0]], [1.0, -1.0], [[1.0, -2.0], [5.0, 5.0]], [0.0, 1.0]


@feed_forward.case(points=3)
def a_wide_hidden_layer(rng):
    """Random weights; the hidden layer is wider than the input."""
    return network(rng, 3, 5, 4, 9)


@feed_forward.case(points=2)
def a_narrow_hidden_layer(rng):
    """The hidden layer is narrower than the input, which is large."""
    x, *weights = network(rng, 2, 4, 7, 3)
    return 20 * x, *weights


@feed_forward.case(points=1)
def one_position(rng):
    """A single sequence of a single position."""
    return network(rng, 1, 1, 5, 8)


@feed_forward.case(points=1)
def a_silent_hidden_layer(rng):
    """Every hidden unit is switched off: the second bias remains."""
    x, w1, b1, w2, b2 = network(rng, 2, 3, 4, 6)
    return x, w1, b1 - 50, w2, b2


@feed_forward.case(points=3, probe=probes.gradients(), rtol=1e-3, atol=1e-4)
def every_gradient(rng):
    """Values and gradients with respect to the input and all four weights."""
    return network(rng, 2, 4, 3, 7)


@feed_forward.misconception
def activates_after_the_second_layer(x, w1, b1, w2, b2):
    """Your ReLU comes after the second layer; it stands between the two, and the output may be negative."""
    return tf.nn.relu((x @ w1 + b1) @ w2 + b2)


@feed_forward.misconception
def has_no_activation(x, w1, b1, w2, b2):
    """Your hidden layer is not activated: two linear maps in a row are one linear map. ReLU belongs between them."""
    return (x @ w1 + b1) @ w2 + b2


@feed_forward.misconception
def activates_both_layers(x, w1, b1, w2, b2):
    """Your output has no negative entries: ReLU follows the first layer only."""
    return tf.nn.relu(tf.nn.relu(x @ w1 + b1) @ w2 + b2)


@feed_forward.misconception
def activates_the_input(x, w1, b1, w2, b2):
    """Your ReLU is applied to the input; it belongs to the hidden layer, after the first bias."""
    return (tf.nn.relu(x) @ w1 + b1) @ w2 + b2


@feed_forward.misconception
def adds_the_bias_after_the_activation(x, w1, b1, w2, b2):
    """Your first bias is added after the ReLU; it decides where a unit switches on, so it comes before."""
    return (tf.nn.relu(x @ w1) + b1) @ w2 + b2


@feed_forward.misconception
def forgets_the_biases(x, w1, b1, w2, b2):
    """Your result is the same whatever b1 and b2 are; each layer adds its bias."""
    return tf.nn.relu(x @ w1 + 0 * b1) @ w2 + 0 * b2


@feed_forward.misconception
def forgets_the_first_bias(x, w1, b1, w2, b2):
    """Your result is the same whatever b1 is; add it to the hidden layer before the ReLU."""
    return tf.nn.relu(x @ w1 + 0 * b1) @ w2 + b2


@feed_forward.misconception
def forgets_the_last_bias(x, w1, b1, w2, b2):
    """Your result is the same whatever b2 is; add it at the end."""
    return tf.nn.relu(x @ w1 + b1) @ w2 + 0 * b2


@feed_forward.misconception
def adds_the_input(x, w1, b1, w2, b2):
    """Your result contains x itself. The residual connection is the block's business; here it is the network alone."""
    return x + tf.nn.relu(x @ w1 + b1) @ w2 + b2


@feed_forward.misconception
def caps_the_hidden_units(x, w1, b1, w2, b2):
    """Your hidden units stop at 6: ReLU has no upper limit."""
    return tf.nn.relu6(x @ w1 + b1) @ w2 + b2


@feed_forward.misconception(variants=[{"activation": tf.nn.gelu}, {"activation": tf.tanh}, {"activation": tf.nn.leaky_relu}])
def takes_another_activation(x, w1, b1, w2, b2, activation=tf.sigmoid):
    """Your hidden layer is activated by another function than ReLU, max(0, ·)."""
    return activation(x @ w1 + b1) @ w2 + b2


@feed_forward.variation({"x @ w1 + b1": "x @ w1 - b1"}, {"@ w2 + b2": "@ w2 - b2"})
def subtracts_a_bias():
    """One of your biases is subtracted: both are added."""


# ---------------------------------------------------------------------------------------------------- the block

# Values are compared loosely: a block that keeps Keras's own epsilon of 1e-3 loses the case about epsilon and no other.
TransformerBlock = Question(lesson.TransformerBlock, forbid=ATTENTION_LAYERS, rtol=5e-3, atol=1e-2)


def block_weights(rng, d_model, d_ff, scale=1.0):
    """Weights of a block, by path; `scale` is that of the attention's."""
    weights = {}
    for name in ("query_dense", "key_dense", "value_dense", "output_dense"):
        weights[f"attention/{name}/kernel"] = scale * 1.5 * normal(rng, d_model, d_model) / d_model ** 0.5
        weights[f"attention/{name}/bias"] = scale * normal(rng, d_model)
    for name in ("norm1", "norm2"):
        weights[f"{name}/gamma"] = 1 + 0.3 * normal(rng, d_model)
        weights[f"{name}/beta"] = 0.5 * normal(rng, d_model)
    for name, rows, columns in (("dense1", d_model, d_ff), ("dense2", d_ff, d_model)):
        weights[f"{name}/kernel"] = 1.5 * normal(rng, rows, columns) / rows ** 0.5
        weights[f"{name}/bias"] = normal(rng, columns)
    return {path: value.astype("float32") for path, value in weights.items()}


def block_inputs(rng, shape, num_heads, d_ff, causal=False, scale=1.0, **options):
    config = {"d_model": shape[-1], "num_heads": num_heads, "d_ff": d_ff, "causal": causal}
    x = (3 * scale * normal(rng, *shape)).astype("float32")
    return {"config": config, "weights": block_weights(rng, shape[-1], d_ff, scale), "call": [x], "options": options}


def weights_by_hand():
    """Weights of a block of depth 4 with one head, for pen and paper."""
    eye, none, zero, one = np.eye(4, dtype="float32"), np.zeros((4, 4), "float32"), np.zeros(4, "float32"), np.ones(4, "float32")
    return {
        "attention/query_dense/kernel": none, "attention/query_dense/bias": zero,
        "attention/key_dense/kernel": none, "attention/key_dense/bias": zero,
        "attention/value_dense/kernel": eye, "attention/value_dense/bias": zero,
        "attention/output_dense/kernel": eye, "attention/output_dense/bias": zero,
        "norm1/gamma": one, "norm1/beta": zero,
        "dense1/kernel": np.array([[1, 0], [0, 1], [0, 0], [0, 0]], "float32"), "dense1/bias": np.zeros(2, "float32"),
        "dense2/kernel": np.array([[0, 2, 0, -2], [2, -2, 0, 0]], "float32"), "dense2/bias": zero,
        "norm2/gamma": np.array([1, 1, 2, 1], "float32"), "norm2/beta": np.array([0, 1, 0, 0], "float32")}


@TransformerBlock.case(points=2, visible=True)
def one_pass_by_hand(rng):
    """Two positions of depth 4, one head. Query and key kernels are 0, so each position looks at both alike; value and output
    kernels copy."""
    x = np.array([[[4, 0, 0, 4], [0, 4, 4, 0]]], "float32")
    return {"config": {"d_model": 4, "num_heads": 1, "d_ff": 2}, "weights": weights_by_hand(), "call": [x], "options": {}}


@TransformerBlock.case(points=1, visible=True, probe=own.influence())
def the_future_changes_nothing(rng):
    """A causal block: one position of the input is replaced at a time. Outputs may change from there on, and not before."""
    config = {"d_model": 6, "num_heads": 2, "d_ff": 8, "causal": True}
    return {"config": config, "x": normal(rng, 1, 4, 6), "other": normal(rng, 1, 4, 6)}


@TransformerBlock.case(points=2, visible=True)
def a_mask_by_hand(rng):
    """The same weights in a causal block, three positions, and a mask of whole numbers that hides the middle one: so the first
    two look at the first alone, and the last at the first and itself."""
    x = np.array([[[1, 0, 0, 1], [20, 0, 0, 20], [0, 4, 4, 0]]], "float32")
    return {"config": {"d_model": 4, "num_heads": 1, "d_ff": 2, "causal": True}, "weights": weights_by_hand(), "call": [x],
            "options": {"mask": np.array([[[1, 0, 1]]], "int32")}}


@TransformerBlock.case(points=4)
def everybody_looks_at_everybody(rng):
    """Random weights, several heads, no mask."""
    return block_inputs(rng, (2, 5, 6), 3, 7)


@TransformerBlock.case(points=4)
def causal_values(rng):
    """Values of a causal block."""
    return block_inputs(rng, (3, 4, 8), 2, 5, causal=True)


@TransformerBlock.case(points=3)
def padded_sequences(rng):
    """A padding mask of shape (B, 1, T), bool."""
    return block_inputs(rng, (3, 6, 4), 2, 7, mask=np.arange(6)[None, None, :] < np.array([4, 6, 2])[:, None, None])


@TransformerBlock.case(points=2)
def a_square_mask(rng):
    """A mask of shape (T, T) as whole numbers, the same for all sequences."""
    mask = (rng.random((5, 5)) < 0.4) | np.eye(5, k=2, dtype=bool) | np.eye(5, k=-3, dtype=bool)
    return block_inputs(rng, (2, 5, 8), 4, 6, mask=mask.astype("int32"))


@TransformerBlock.case(points=2)
def causal_and_padded(rng):
    """A causal block with a padding mask as 0 and 1 in floats: both have to allow."""
    mask = (np.arange(7)[None, None, :] < np.array([5, 3])[:, None, None]).astype("float32")
    return block_inputs(rng, (2, 7, 6), 2, 9, causal=True, mask=mask)


@TransformerBlock.case(points=2, rtol=1e-3, atol=2e-3)
def small_numbers(rng):
    """An input and attention weights so small that the epsilon of the first norm matters."""
    return block_inputs(rng, (2, 3, 8), 2, 5, scale=0.01)


@TransformerBlock.case(points=4, probe=probes.layer_gradients(), rtol=2e-2, atol=2e-2)
def gradients_of_everything(rng):
    """Gradients with respect to the input and all sixteen weights, in a causal block."""
    return block_inputs(rng, (2, 5, 4), 2, 6, causal=True)


@TransformerBlock.case(points=2, probe=probes.layer_in_model())
def inside_a_model(rng):
    """In a functional model of unknown batch size, compiled by tf.function; causal, with a padding mask."""
    inputs = block_inputs(rng, (3, 5, 4), 2, 7, causal=True)
    mask = np.arange(5)[None, None, :] < np.array([5, 3, 2])[:, None, None]
    return inputs | {"call": [*inputs["call"], mask]}


@TransformerBlock.case(points=2, probe=probes.layer_config())
def rebuilt_from_its_configuration(rng):
    """A copy of a causal block, made from `get_config`, behaves the same with the same weights."""
    return block_inputs(rng, (2, 4, 6), 3, 5, causal=True)


@TransformerBlock.case(points=2, probe=probes.layer_saved())
def saved_and_loaded(rng):
    """A model that contains a causal block is saved, loaded and used."""
    return block_inputs(rng, (2, 3, 10), 5, 4, causal=True)


@TransformerBlock.variation({
    "self.norm1(x + self.attention(x, x, mask=mask))": "x + self.attention(y := self.norm1(x), y, mask=mask)",
    "self.norm2(x + self.dense2(self.dense1(x)))": "x + self.dense2(self.dense1(self.norm2(x)))"})
def normalises_before():
    """Your block normalises what goes into attention and feed-forward (pre-norm); here it is the sums that are normalised."""


@TransformerBlock.variation({"x + self.attention": "self.attention", "x + self.dense2": "self.dense2"})
def has_no_residual():
    """Your block forgets its input: what attention and feed-forward find is added to what went into them."""


@TransformerBlock.variation({"x + self.attention": "self.attention"})
def has_no_residual_around_attention():
    """Your attention's result replaces the input; it is added to it."""


@TransformerBlock.variation({"x + self.dense2": "self.dense2"})
def has_no_residual_around_the_network():
    """Your feed-forward network's result replaces what went into it; it is added to it."""


@TransformerBlock.variation({"self.norm1(x + ": "x + self.norm1(", "self.norm2(x + ": "x + self.norm2("})
def normalises_before_adding():
    """Your block normalises what attention and feed-forward return and adds afterwards; add first, then normalise the sum."""


@TransformerBlock.variation({"return self.norm2(": "return self.norm1("})
def normalises_with_one_layer():
    """Your block uses norm1 twice; the second sum has a norm of its own, with its own gamma and beta."""


@TransformerBlock.variation({"x = self.norm1(": "x = self.norm2(", "return self.norm2(": "return self.norm1("})
def swaps_its_norms():
    """Your norms have changed places: norm1 follows the attention's sum, norm2 the feed-forward network's."""


@TransformerBlock.variation({"self.norm1(x + self.attention(x, x, mask=mask))": "x + self.attention(x, x, mask=mask)"})
def normalises_only_at_the_end():
    """Your block normalises once; there is a norm after the attention's sum as well."""


@TransformerBlock.variation({"self.norm2(x + self.dense2(self.dense1(x)))": "x + self.dense2(self.dense1(x))"})
def normalises_only_in_the_middle():
    """Your output is not normalised: norm2 follows the second addition."""


@TransformerBlock.variation({"x = self.norm1(": "y = self.norm1(", "self.dense1(x)": "self.dense1(y)"})
def adds_the_blocks_input_twice():
    """Your second sum adds the block's input again; what went into the feed-forward network is added to what comes out of it."""


@TransformerBlock.variation({'d_ff, activation="relu"': "d_ff"})
def leaves_out_the_activation():
    """Your dense1 has no activation; ReLU belongs between the two dense maps."""


@TransformerBlock.variation({"keras.layers.Dense(d_model)": 'keras.layers.Dense(d_model, activation="relu")'})
def activates_both_dense_maps():
    """Your dense2 is activated, so that nothing negative is ever added; ReLU belongs to dense1 alone."""


@TransformerBlock.variation({'activation="relu"': 'activation="gelu"'})
def activates_otherwise():
    """Your dense1 is activated by GELU; here it is by ReLU."""


@TransformerBlock.variation({
    "norm1 = keras.layers.LayerNormalization": "norm1 = keras.layers.BatchNormalization",
    "norm2 = keras.layers.LayerNormalization": "norm2 = keras.layers.BatchNormalization"})
def normalises_the_batch():
    """Your norms are those of batches, which average over the examples of training; each position has a norm of its own here."""


@TransformerBlock.variation({"= MultiHeadAttention(d_model, num_heads)": "= MultiHeadAttention(d_model, 1)"})
def attends_with_one_head():
    """Your attention has one head whatever num_heads is; hand the number on to it."""


@TransformerBlock.variation({
    "norm1 = keras.layers.LayerNormalization(epsilon=1e-6)": "norm1 = keras.layers.LayerNormalization()",
    "norm2 = keras.layers.LayerNormalization(epsilon=1e-6)": "norm2 = keras.layers.LayerNormalization()"})
def keeps_keras_epsilon():
    """Your norms keep the epsilon that Keras sets by default, which is 1e-3; ask for 1e-6."""


@TransformerBlock.variation({"if self.causal:": "if False:"})
def is_never_causal():
    """Your causal block lets positions see later ones; with causal=True its attention needs the causal mask."""


@TransformerBlock.variation({"if self.causal:": "if True:"})
def is_always_causal():
    """Your block hides later positions even when causal is False; look at the argument."""


@TransformerBlock.variation({"causal_mask(tf.shape(x)[1])": "tf.transpose(causal_mask(tf.shape(x)[1]))"})
def looks_at_the_future_only():
    """Your causal block shows each position itself and the later ones: the mask is the wrong way round."""


@TransformerBlock.variation({"past if mask is None else tf.logical_and(past, tf.cast(mask, tf.bool))": "past"})
def drops_the_mask_when_causal():
    """Your causal block forgets the mask it is given; a position may be looked at only where both allow it."""


@TransformerBlock.misconception
class drops_the_mask(lesson.TransformerBlock):
    """Your block gives the same result with and without a mask; hand it on to the attention."""

    def call(self, x, mask=None):
        return super().call(x)


@TransformerBlock.variation({"if self.causal:": "if self.causal and mask is None:"})
def drops_causality_when_masked():
    """Your causal block forgets to be causal when it is given a mask; a position may be looked at only where both allow it."""


@TransformerBlock.variation({"tf.logical_and": "tf.logical_or"})
def allows_where_either_allows():
    """Your causal block with a mask lets a position be looked at where one of the two allows it; both have to."""


@TransformerBlock.misconception
class forgets_that_it_was_causal(lesson.TransformerBlock):
    """Your block comes back from its configuration without causality; get_config has to hold every argument of __init__."""

    def get_config(self):
        config = super().get_config()
        del config["causal"]
        return config


# ---------------------------------------------------------------------------------------------------- perplexity

perplexity = Question(lesson.perplexity, forbid=("keras_hub.*",), rtol=1e-3)


def likely(rng, *shape):
    """Labels, and logits that favour them, more or less, often enough for a moderate perplexity."""
    labels = rng.integers(0, shape[-1], size=shape[:-1])
    logits = normal(rng, *shape) + rng.uniform(0.5, 2.5) * np.eye(shape[-1])[labels]
    return labels.astype("int32"), logits.astype("float32")


@perplexity.case(points=2, visible=True)
def a_half_and_an_eighth(rng):
    """Two characters: the softmax of (0, 0) gives the first label 1/2, that of (0, ln 7) gives the second 1/8. The first row is
    shifted by 500 and the second by -300, which softmax does not notice."""
    return [1, 0], [[500.0, 500.0], [-300.0, float(np.log(7)) - 300]]


@perplexity.case(points=1, visible=True)
def a_fair_die(rng):
    """Two sequences of three positions: equal scores for six characters in the first, and ln 5 more for the right one in the
    second. That is 1/6 and 1/2 for what did come: the root of 6 · 2."""
    labels = np.array([[0, 5, 2], [3, 3, 1]], "int32")
    return labels, np.log(5) * np.array([[[0]], [[1]]]) * np.eye(6)[labels]


@perplexity.case(points=3, rtol=2e-4)
def single_characters(rng):
    """Labels of shape (B,)."""
    return likely(rng, 9, 5)


@perplexity.case(points=2, rtol=2e-4)
def whole_sequences(rng):
    """Labels of shape (B, T): the mean is over all of them."""
    return likely(rng, 4, 6, 5)


@perplexity.case(points=2)
def shifted_scores(rng):
    """Rows shifted by 900 up or down: a softmax followed by a logarithm would not survive."""
    labels, logits = likely(rng, 3, 7, 4)
    return labels, logits + rng.choice([-900, 900], size=(3, 7, 1)).astype("float32")


@perplexity.case(points=1, rtol=2e-4)
def sure_and_wrong_once(rng):
    """A label that is 120 below the other scores: its probability is smaller than any float32 above 0, its surprise is not
    infinite."""
    labels, logits = likely(rng, 5, 6, 4)
    logits[2, 3, labels[2, 3]] -= 120
    return labels, logits


@perplexity.case(points=1, rtol=1e-4)
def a_model_that_knows(rng):
    """Scores that leave no doubt, and are right, but for one label in doubt: the perplexity is little above 1."""
    labels, margins = rng.integers(0, 6, size=8).astype("int32"), np.full((8, 1), 60.0)
    margins[rng.integers(8)] = rng.uniform(-2, 2)
    return labels, (margins * np.eye(6)[labels]).astype("float32")


@perplexity.misconception
def returns_the_cross_entropy(labels, logits):
    """Your result is the mean cross-entropy; perplexity is its exponential."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


@perplexity.misconception
def averages_the_exponentials(labels, logits):
    """You take the exponential of each surprise and then the mean; take the mean first."""
    return tf.reduce_mean(tf.exp(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))


@perplexity.misconception(variants=[{"base": base} for base in (10.0, np.exp(1 / np.log(2)), np.exp(1 / np.log(10)))])
def mixes_two_bases(labels, logits, base=2.0):
    """Your exponential has another base than your logarithm, 2 or 10 in one of them and e in the other; they need the same."""
    return base ** tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


@perplexity.misconception
def sums_the_surprise(labels, logits):
    """You take the exponential of a sum, which grows with the length of the text; the mean does not."""
    return tf.exp(tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))


@perplexity.misconception
def sums_each_sequence(labels, logits):
    """You sum over the positions of a sequence and average over the batch; average over both."""
    surprise = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.exp(tf.reduce_mean(tf.reduce_sum(surprise, axis=-1)))


@perplexity.misconception
def averages_the_perplexities_of_sequences(labels, logits):
    """You compute a perplexity for each sequence and average those; the mean over everything comes before the exponential."""
    surprise = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(tf.exp(tf.reduce_mean(surprise, axis=-1)))


@perplexity.misconception
def forgets_the_minus(labels, logits):
    """Your perplexity is below 1: a minus belongs before the mean logarithm."""
    return tf.exp(-tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))


@perplexity.misconception
def takes_logits_for_probabilities(labels, logits):
    """You hand logits to a cross-entropy that expects probabilities: tell it what it gets, `from_logits=True`."""
    return tf.exp(tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, logits)))


@perplexity.misconception
def takes_softmax_twice(labels, logits):
    """You hand probabilities to a cross-entropy that takes the softmax itself; give it the logits."""
    return tf.exp(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.nn.softmax(logits))))


@perplexity.misconception
def averages_the_probabilities(labels, logits):
    """Your result is 1 over the mean probability; the logarithms are averaged, not the probabilities."""
    return 1 / tf.reduce_mean(tf.exp(-tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))


@perplexity.misconception(variants=[{"added": 1e-12}, {"added": 1e-7}])
def takes_the_logarithm_of_a_naive_softmax(labels, logits, added=0.0):
    """Your softmax overflows where scores are large; a cross-entropy that takes logits, or a log-sum-exp, does not."""
    shares = tf.exp(logits) / tf.reduce_sum(tf.exp(logits), axis=-1, keepdims=True)
    return tf.exp(-tf.reduce_mean(tf.math.log(tf.gather(shares, labels, batch_dims=len(labels.shape)) + added)))


@perplexity.misconception(variants=[{"added": 1e-12}, {"added": 1e-7}])
def takes_the_logarithm_of_softmax(labels, logits, added=0.0):
    """Where your model is sure and wrong, the softmax of the label is rounded to 0, or to the small number that is added to it,
    and its logarithm is far off. A cross-entropy that takes logits, or a log-softmax, never computes that probability."""
    shares = tf.gather(tf.nn.softmax(logits), labels, batch_dims=len(labels.shape))
    return tf.exp(-tf.reduce_mean(tf.math.log(shares + added)))


# ---------------------------------------------------------------------------------------------------- the language model

LanguageModel = Question(lesson.LanguageModel, forbid=ATTENTION_LAYERS, uses=("TransformerBlock",))


def model_inputs(vocabulary_size, blocks, max_length, ids, d_model=8, num_heads=2, d_ff=20):
    config = {"vocabulary_size": vocabulary_size, "d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "blocks": blocks,
              "max_length": max_length}
    return {"config": config, "ids": ids}


def repeated_rows(rng, rows, length, characters):
    """Ids of three sequences that come several times, in an order of their own."""
    ids = rng.integers(0, characters, size=(3, length))
    ids[:, -1] = rng.permutation(characters)[:3]
    return ids[rng.permutation([0, 1, 2, *rng.integers(0, 3, size=rows - 3)])]


def order_inputs(rng, characters, max_length, ids, swap):
    """A sequence, itself with two characters swapped, and its first one repeated; some twice, in an order of their own."""
    swapped = ids.copy()
    swapped[list(swap)] = ids[list(swap[::-1])]
    sequences = np.stack([ids, swapped, np.full_like(ids, ids[0])])
    which = rng.permutation([0, 1, 2, int(rng.integers(0, 3)), int(rng.integers(0, 3))])
    return {**model_inputs(characters, 1, max_length, sequences[which]), "rows": [int(np.argmax(which == i)) for i in range(3)]}


@LanguageModel.case(points=1, visible=True, probe=own.logits())
def logits_for_every_position(rng):
    """A model of 7 characters and up to 5 positions: the shapes of what it returns, and whether these are scores, which may be
    negative and sum to anything."""
    return model_inputs(7, 1, 5, [rng.integers(0, 7, size=(2, 5)), rng.integers(0, 7, size=(3, 4))])


@LanguageModel.case(points=1, visible=True, probe=own.influence())
def the_future_is_hidden(rng):
    """One character is replaced at a time: the logits change from there on, and not before."""
    inputs = model_inputs(7, 1, 5, None)
    return {"config": inputs["config"], "x": np.array([[0, 1, 2, 3]]), "other": np.array([[4, 5, 6, 0]])}


@LanguageModel.case(points=1, visible=True, probe=own.order())
def it_knows_who_came_first(rng):
    """Of the characters 0 1 2 3 the first and the third change places, then 0 is repeated: the logits notice both."""
    return order_inputs(rng, 6, 5, np.array([0, 1, 2, 3]), (0, 2))


@LanguageModel.case(points=1, visible=True, probe=own.blocks())
def one_block_and_two(rng):
    """How many blocks' worth of trainable weights are there when 1 and 2 are asked for, and does every weight matrix learn?"""
    return model_inputs(4, 1, 5, np.array([[0, 1, 2, 3, 0], [3, 3, 1, 0, 2]]))


@LanguageModel.case(points=4, probe=own.influence())
def the_future_is_hidden_in_a_stack(rng):
    """The same for two blocks and another length; some characters are replaced by themselves, which changes nothing."""
    length = int(rng.integers(6, 9))
    ids, steps = rng.integers(0, 11, size=(1, length)), rng.integers(1, 11, size=(1, length))
    steps[0, rng.choice(length, size=2, replace=False)] = 0
    inputs = model_inputs(11, 2, 8, None, d_model=12, num_heads=3, d_ff=10)
    return {"config": inputs["config"], "x": ids, "other": (ids + steps) % 11}


@LanguageModel.case(points=3, probe=own.logits())
def any_length_up_to_the_longest(rng):
    """Sequences of one character, of a middle length and of the greatest length."""
    return model_inputs(5, 1, 9, [repeated_rows(rng, 6, 1, 5), rng.integers(0, 5, size=(1, 7)), repeated_rows(rng, 8, 9, 5)])


@LanguageModel.case(points=5, probe=own.order())
def order_matters(rng):
    """Two earlier characters change places, and one character is repeated: the logits notice both."""
    return order_inputs(rng, 9, 7, rng.permutation(9)[:6], tuple(rng.choice(5, size=2, replace=False).tolist()))


@LanguageModel.case(points=4, probe=own.blocks())
def as_many_blocks_as_asked_for(rng):
    """Models with 1 and 2 blocks: how many blocks' worth of trainable weights they have, whether every weight matrix gets a
    gradient, and whether every character has a row of an embedding."""
    heads = int(rng.integers(2, 5))
    ids = repeated_rows(rng, 7, 6, 31)
    return model_inputs(31, 1, 6, ids, d_model=4 * heads, num_heads=heads, d_ff=int(rng.integers(20, 30)))


@LanguageModel.case(points=2, probe=own.compiled())
def any_batch_size(rng):
    """In a compiled function whose batch size is unknown, as in `fit`."""
    return model_inputs(13, 1, 6, repeated_rows(rng, 7, 5, 13))


@LanguageModel.case(points=2, probe=own.saved())
def saved_and_loaded_again(rng):
    """The model is saved to a file, loaded and used."""
    return model_inputs(10, 1, 7, repeated_rows(rng, 6, 7, 10))


@LanguageModel.variation({" + self.positions[:ids.shape[1]]": ""})
def has_no_positions():
    """Your model does not know where a character stands: add positions to the embedding."""


@LanguageModel.variation({
    " + self.positions[:ids.shape[1]]": "",
    "self.to_logits(x)": "self.to_logits(x + self.positions[:ids.shape[1]])"})
def adds_positions_after_the_blocks():
    """Your positions come too late for attention to use them: add them before the first block."""


@LanguageModel.variation({", causal=True": ""})
def sees_the_future():
    """Your model sees the characters it should guess: its blocks have to be causal, and a causal block has to hide what comes
    later."""


@LanguageModel.variation({", causal=True": "", "block(x)": "block(x, mask=tf.transpose(causal_mask(ids.shape[1])))"})
def sees_the_future_only():
    """Your model sees each character and the later ones, not the earlier: the mask of its blocks is the wrong way round."""


@LanguageModel.variation({"causal=True) for _ in": "causal=i == 0) for i in"})
def has_one_block_that_sees_the_future():
    """Your first block is not causal, or not all of them are: one that is not lets the future in."""


@LanguageModel.variation({"Embedding(vocabulary_size, d_model)": "Embedding(vocabulary_size, d_model, trainable=False)"})
def freezes_its_embedding():
    """Your embedding does not learn, or lacks a row for some character: it is trainable, and has as many rows as there are
    characters."""


@LanguageModel.variation({"self.to_logits(x)": "tf.nn.softmax(self.to_logits(x))"})
def returns_probabilities():
    """Your outputs sum to 1: leave the softmax to the loss and return the scores."""


@LanguageModel.variation({"self.to_logits(x)": "tf.nn.relu(self.to_logits(x))"})
def clips_its_scores():
    """Your scores are never negative: the last dense map has no activation."""


@LanguageModel.misconception
class uses_one_block_again_and_again(lesson.LanguageModel):
    """Your model has the weights of one block however many are asked for. Make a new block for each: one layer that is called
    several times shares its weights."""

    def __init__(self, vocabulary_size, d_model, num_heads, d_ff, blocks, max_length, **kwargs):
        super().__init__(vocabulary_size, d_model, num_heads, d_ff, 1, max_length, **kwargs)
        self.arguments["blocks"] = blocks

    def call(self, ids):
        x = self.embedding(ids) * self.scale + self.positions[:ids.shape[1]]
        for _ in range(self.arguments["blocks"]):
            x = self.blocks[0](x)
        return self.to_logits(x)


@LanguageModel.variation({"range(blocks)": "range(blocks + 1)"})
def has_a_block_too_many():
    """Your model has one block more than is asked for."""


@LanguageModel.variation({"x = self.embedding(ids)": "start = self.embedding(ids)", "block(x)": "block(start)"})
def feeds_each_block_the_embedding():
    """Your blocks all start from the embedding, so that only the last one's result counts; hand each one the result of the one
    before."""


@LanguageModel.variation({"self.to_logits(x)": "self.to_logits(x)[:, -1]"})
def answers_for_the_last_position_only():
    """Your model scores what follows the last character only; it makes a guess at every position."""


@LanguageModel.variation({"self.to_logits(x)": "x"})
def stops_before_the_scores():
    """Your model returns the vectors of its last block; a dense map turns each into a score for every character."""


@LanguageModel.variation({"self.positions[:ids.shape[1]]": "self.positions"})
def takes_the_greatest_length_only():
    """Your model fails on sequences shorter than max_length: add as many rows of the positions as there are characters."""


@LanguageModel.misconception
class reads_a_fixed_batch(lesson.LanguageModel):
    """Your model fails where the batch size is unknown: inside `fit`, ids.shape[0] is None. Let it broadcast, or take
    tf.shape(ids)[0]."""

    def call(self, ids):
        places = tf.broadcast_to(self.positions[:ids.shape[1]], (ids.shape[0], ids.shape[1], self.positions.shape[1]))
        x = self.embedding(ids) * self.scale + places
        for block in self.blocks:
            x = block(x)
        return self.to_logits(x)


@LanguageModel.misconception
class forgets_its_configuration(lesson.LanguageModel):
    """Your model cannot be loaded: get_config has to hold every argument of __init__ by name."""

    def get_config(self):
        config = super().get_config()
        del config["blocks"]
        return config
