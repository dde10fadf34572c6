"""Cases and misconceptions of a3: activations, gradients by differences and by hand, and where they vanish."""

import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson = load_lesson(__file__)
own = probes.own_probes(Path(__file__).parent)


def network(rng, *sizes, scale=1.0):
    """Random weights and biases of a network with layers of these sizes."""
    weights = [scale * rng.normal(size=shape) for shape in zip(sizes, sizes[1:])]
    return weights, [rng.normal(scale=0.5, size=size) for size in sizes[1:]]


def examples(rng, batch, inputs, outputs):
    """Random inputs, and targets in [0, 1]."""
    return rng.normal(size=(batch, inputs)), rng.uniform(size=(batch, outputs))


# ---------------------------------------------------------------------------------------------------- relu

relu = Question(lesson.relu, forbid=[
    "tf.nn.relu*", "tf.nn.leaky_relu", "tf.nn.crelu", "tf.raw_ops.Relu*", "tf.raw_ops.LeakyRelu*", "keras.activations.*relu*",
    "keras.ops.*relu*", "keras.layers.ReLU", "keras.layers.LeakyReLU", "keras.layers.PReLU", "keras.layers.Activation"])


@relu.case(points=2, visible=True)
def four_numbers(rng):
    """A number below zero, zero itself, and two above."""
    return [-2.0, 0.0, 0.5, 9.0],


@relu.case(points=3)
def matrix(rng):
    """A matrix of numbers around zero."""
    return rng.normal(scale=2, size=(4, 7)),


@relu.case(points=1)
def three_axes(rng):
    """An array with three axes."""
    return rng.normal(size=(2, 5, 3)),


@relu.case(points=2)
def thousands(rng):
    """Numbers of several thousand, up and down."""
    return rng.normal(scale=3000, size=9),


@relu.misconception(variants=[{"slope": 0.1}, {"slope": 0.2}, {"slope": 0.3}])
def leaks(z, slope=0.01):
    """Your negative numbers still come through, made smaller: that is a leaky ReLU. Here they become 0."""
    return tf.maximum(z, slope * z)


@relu.misconception
def absolute_value(z):
    """Your negative numbers come out positive: they should become 0."""
    return tf.abs(z)


@relu.misconception
def step(z):
    """You return 0 or 1: that is the slope of ReLU. A positive number passes as it is."""
    return tf.where(z > 0, 1.0, 0.0)


@relu.misconception
def keeps_the_negative(z):
    """Your function keeps what it should drop, and drops what it should keep: take the larger of z and 0."""
    return tf.minimum(z, 0.0)


@relu.misconception
def one_maximum_for_all(z):
    """Every entry is the largest of the array: compare each entry with 0, on its own."""
    return tf.fill(tf.shape(z), tf.maximum(tf.reduce_max(z), 0.0))


@relu.misconception
def returns_one_number(z):
    """You return the largest entry alone: the answer has one entry for each entry of z."""
    return tf.maximum(tf.reduce_max(z), 0.0)


@relu.misconception
def removes_the_negative(z):
    """Your array has become shorter: put 0 where a number is negative, and keep the shape."""
    return z[z > 0]


@relu.misconception(variants=[{"limit": 1.0}])
def capped(z, limit=6.0):
    """Large numbers are cut off at a limit: ReLU lets them pass, however large."""
    return tf.clip_by_value(z, 0.0, limit)


@relu.misconception
def softplus(z):
    """Your function is smooth around 0: that is softplus, ln(1 + e^z). ReLU has a kink."""
    return tf.math.softplus(z)


@relu.misconception
def elu(z):
    """Your negative numbers approach −1: that is an exponential unit, ELU. Here they become 0."""
    return tf.where(z > 0, z, tf.math.expm1(tf.minimum(z, 0.0)))


# ---------------------------------------------------------------------------------------------------- sigmoid_prime

sigmoid_prime = Question(lesson.sigmoid_prime, forbid=[
    "tf.GradientTape", "tf.gradients", "tf.autodiff.*", "tf.raw_ops.SigmoidGrad"])


@sigmoid_prime.case(points=2, visible=True)
def three_slopes(rng):
    """Where the sigmoid is 1/2, 3/4 and 1/4."""
    return [0.0, math.log(3), -math.log(3)],


@sigmoid_prime.case(points=3)
def matrix_of_slopes(rng):
    """A matrix of numbers around zero."""
    return rng.normal(scale=2, size=(4, 7)),


@sigmoid_prime.case(points=1)
def three_axes(rng):  # noqa: F811
    """An array with three axes."""
    return rng.normal(size=(2, 5, 3)),


@sigmoid_prime.case(points=2)
def far_out(rng):
    """Numbers around ±1000, where the sigmoid is flat: the slope is 0, and finite; and one number near 1."""
    return rng.permutation([-1000.0, 1000, -700, 650, -90, 120, 1]) + rng.normal(size=7),


@sigmoid_prime.case(points=2, probe=own.in_float64(), rtol=1e-10, atol=1e-13)
def ten_digits(rng):
    """Float64 numbers: the slope has ten right digits and more."""
    return rng.uniform(-3, 3, size=8),


@sigmoid_prime.misconception
def of_the_sigmoid(z):
    """Your slope is taken at σ(z): z goes into the sigmoid once, and σ(z)(1 − σ(z)) follows."""
    return lesson.sigmoid_prime(tf.sigmoid(z))


@sigmoid_prime.misconception
def takes_a_for_z(z):
    """You compute z(1 − z): that would be right if z had been through the sigmoid already."""
    return z * (1 - z)


@sigmoid_prime.misconception
def sigmoid_itself(z):
    """You return the sigmoid: its slope is asked for."""
    return tf.sigmoid(z)


@sigmoid_prime.misconception
def one_minus_sigmoid(z):
    """You return 1 − σ(z): one of the two factors is missing."""
    return 1 - tf.sigmoid(z)


@sigmoid_prime.misconception
def one_plus_sigmoid(z):
    """Your slope grows with z and passes 1/4, which it never does: look at the sign in the second factor."""
    return tf.sigmoid(z) * (1 + tf.sigmoid(z))


@sigmoid_prime.misconception
def sign_reversed(z):
    """Your slope is negative: the sigmoid rises everywhere."""
    return -lesson.sigmoid_prime(z)


@sigmoid_prime.misconception
def squares_the_sigmoid(z):
    """Your slope is not the same at z and −z: the two factors are σ(z) and 1 − σ(z), each of them once."""
    return tf.sigmoid(z) ** 2 * (1 - tf.sigmoid(z))


@sigmoid_prime.misconception
def one_minus_the_square(z):
    """You compute 1 − σ(z)²: that form belongs to tanh. The slope of the sigmoid is never above 1/4."""
    return 1 - tf.sigmoid(z) ** 2


@sigmoid_prime.misconception
def slope_of_tanh(z):
    """Your slope reaches 1 at z = 0: that is the slope of tanh."""
    return 1 - tf.tanh(z) ** 2


@sigmoid_prime.misconception
def infinite_over_infinite(z):
    """Your slope becomes NaN far to the left, where exp(−z) overflows: use the form with σ(z) alone."""
    return tf.exp(-z) / (1 + tf.exp(-z)) ** 2


@sigmoid_prime.misconception
def casts_to_float32(z):
    """Your slope has only seven right digits where z has sixteen: compute in the dtype of z, without a cast to float32."""
    return lesson.sigmoid_prime(tf.cast(z, tf.float32))


@sigmoid_prime.variation({"tf.sigmoid(z)": "tf.tanh(z)"})
def of_tanh_by_the_sigmoids_formula():
    """a (1 − a) is the slope of the sigmoid where a is the sigmoid of z: your a is another function's."""


# ---------------------------------------------------------------------------------------------------- numerical_gradient

# Central differences with h = 1e-5 are good to 1e-9 here; a one-sided difference is off by about 1e-5.
numerical_gradient = Question(lesson.numerical_gradient, probe=own.differentiated(), rtol=1e-6, atol=1e-8, forbid=[
    "tf.GradientTape", "tf.gradients", "tf.autodiff.*", "tf.test.compute_gradient", "numpy.gradient",
    "scipy.optimize.approx_fprime", "scipy.optimize.check_grad", "scipy.differentiate.*"])


def constants(rng, shape):
    return rng.uniform(0.5, 1.5, size=shape) * rng.choice([-1, 1], size=shape)


@numerical_gradient.case(points=2, visible=True, probe=own.differentiated(h=0.5))
def two_cubes(rng):
    """f(x) = x₀³ + x₁³ at (1, 2) with h = 0.5: a large h, so that you can do it by hand."""
    return "sum of cubes", np.array([1.0, 2.0])


@numerical_gradient.case(points=1, visible=True, probe=own.differentiated(observe="bits"))
def square_and_product(rng):
    """f(x) = x₀₀² x₀₁ + x₁₀ x₁₁ at ((3, 2), (1, 4)): nearly ((12, 9), (4, 1)); and x is the same afterwards, bit for bit."""
    return "square and product", np.array([[3.0, 2.0], [1.0, 4.0]])


@numerical_gradient.case(points=4)
def matrix_of_waves(rng):
    """A matrix; every entry adds a wave of its own to f."""
    return "waves", rng.normal(size=(3, 5)), constants(rng, (3, 5))


@numerical_gradient.case(points=3)
def entries_that_interact(rng):
    """A vector; the slope in each entry depends on all the others."""
    return "soft maximum", rng.normal(size=7), constants(rng, 7)


@numerical_gradient.case(points=2, probe=own.differentiated(h=0.01))
def another_step(rng):
    """Three axes, and h = 0.01."""
    return "waves", rng.normal(size=(2, 4, 3)), 2 * constants(rng, (2, 4, 3))


@numerical_gradient.case(points=2)
def single_number(rng):
    """x is a single number, of shape ()."""
    return "waves", np.array(rng.uniform(0.2, 1.2)), np.array(rng.uniform(0.5, 1))


@numerical_gradient.case(points=2, probe=own.differentiated(view=True))
def transposed_view(rng):
    """x is the transpose of another array, whose entries lie elsewhere in memory than x's shape suggests."""
    return "soft maximum", rng.normal(size=(4, 3)), constants(rng, (4, 3))


@numerical_gradient.case(points=2, probe=own.differentiated(observe="x"))
def x_afterwards(rng):
    """After the call x is where it was, up to rounding."""
    return "waves", rng.normal(size=(2, 6)), constants(rng, (2, 6))


@numerical_gradient.case(points=2, probe=own.differentiated(observe="bits"))
def x_bit_for_bit(rng):
    """After the call x is the same, bit for bit."""
    return "waves", rng.normal(size=(5, 11)), constants(rng, (5, 11))


@numerical_gradient.variation({"(f(x + step) - f(x - step)) / (2 * h)": "(f(x + step) - f(x)) / h"})
def forward_difference():
    """Your slope is one-sided: f at x itself is not asked for. Go h to one side and h to the other."""


@numerical_gradient.variation({"(f(x + step) - f(x - step)) / (2 * h)": "(f(x) - f(x - step)) / h"})
def backward_difference():
    """Your slope looks back only: go h to one side and h to the other."""


@numerical_gradient.misconception
def forgets_to_divide(f, x, h=1e-5):
    """Your numbers are differences of f, not slopes: divide by the distance between the two points."""
    return lesson.numerical_gradient(f, x, h) * (2 * h)


@numerical_gradient.misconception
def divides_by_h(f, x, h=1e-5):
    """Your slope is twice too steep: from x − h to x + h it is two h."""
    return lesson.numerical_gradient(f, x, h) * 2


@numerical_gradient.misconception
def halves_and_multiplies(f, x, h=1e-5):
    """Your difference is halved and then multiplied by h: in Python / 2 * h needs brackets, / (2 * h)."""
    return lesson.numerical_gradient(f, x, h) * h ** 2


@numerical_gradient.misconception
def sign_reversed(f, x, h=1e-5):  # noqa: F811
    """Your slope has the wrong sign: take f further up minus f further down."""
    return -lesson.numerical_gradient(f, x, h)


@numerical_gradient.misconception(variants=[{"once": True}])
def moves_all_entries(f, x, h=1e-5, once=False):
    """All entries move at once, which gives the sum of all slopes: move one and leave the others where they are."""
    slope = (f(x + h) - f(x - h)) / (2 * h)
    return slope if once else np.full(x.shape, slope)


@numerical_gradient.variation({"np.ndindex(x.shape)": "range(len(x))"})
def moves_whole_rows():
    """All entries of a row move at once: where x has two axes, x[i] is a row. Move every entry on its own."""


@numerical_gradient.misconception
def moves_nothing(f, x, h=1e-5):
    """All your slopes are 0, as if f had been asked at one and the same place: a second name for an array is no copy of it."""
    return np.zeros(x.shape)


@numerical_gradient.misconception(variants=[{"left": 1}])
def leaves_x_perturbed(f, x, h=1e-5, left=-1):
    """Entries of x stay moved: put each back before you go on to the next, also after the last."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        before = x[i]
        x[i] = before - left * h
        first = f(x)
        x[i] = before + left * h
        gradient[i] = (f(x) - first) / (2 * left * h)
    return gradient


@numerical_gradient.misconception
def restores_by_arithmetic(f, x, h=1e-5):
    """x comes back changed in its last digits: adding and subtracting h rounds. Keep the old value and put it back."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        gradient[i] = (up - f(x)) / (2 * h)
        x[i] += h
    return gradient


@numerical_gradient.misconception
def in_float32(f, x, h=1e-5):
    """Your slopes have hardly two right digits: float32 is too coarse for a move of 1e-5. Stay in float64."""
    x = np.array(x, np.float32)
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


@numerical_gradient.misconception(variants=[{"own": 1e-6}, {"own": 1e-4}])
def ignores_h(f, x, h=1e-5, own=1e-5):
    """You move by a step of your own: use the h you are given."""
    return lesson.numerical_gradient(f, x, own)


@numerical_gradient.misconception
def writes_to_a_copy(f, x, h=1e-5):
    """Where x is a view your slopes are 0: flattening it makes a copy, and f never sees the move. Index x itself."""
    gradient = np.zeros(x.shape)
    flat, slopes = x.reshape(-1), gradient.reshape(-1)
    for i in range(x.size):
        before = flat[i]
        flat[i] = before + h
        up = f(x)
        flat[i] = before - h
        slopes[i] = (up - f(x)) / (2 * h)
        flat[i] = before
    return gradient


@numerical_gradient.misconception
def one_dimension_only(f, x, h=1e-5):
    """Your gradient is a flat list: give it the shape of x."""
    return np.asarray(lesson.numerical_gradient(f, x, h)).reshape(-1)


@numerical_gradient.variation({"- f(x - step)": "- f(x)"}, {"(f(x + step)": "(f(x)"})
def half_the_way():
    """You go one step to one side and divide by two of them: both calls of f are a step away from x, one to either side."""


# ---------------------------------------------------------------------------------------------------- relative_error

relative_error = Question(lesson.relative_error, probe=probes.call(inputs_as="numpy"), rtol=1e-5, atol=1e-14)


@relative_error.case(points=2, visible=True)
def four_entries(rng):
    """Four entries: their errors are 7/7, where the signs differ, 3/15, 3/5 and 0."""
    return np.array([[-2.0, 9.0], [-4.0, 0.0]]), np.array([[5.0, 6.0], [-1.0, 0.0]])


@relative_error.case(points=1, visible=True)
def below_the_floor(rng):
    """Two entries smaller than the floor of 1e-8."""
    return np.array([3e-9]), np.array([1e-9])


@relative_error.case(points=4)
def two_matrices(rng):
    """Two matrices that agree roughly."""
    a = rng.normal(size=(3, 5))
    return a, a * rng.uniform(1.05, 1.5, size=(3, 5))


@relative_error.case(points=3)
def small_entries(rng):
    """Large entries that agree well beside small ones that do not."""
    a = constants(rng, (2, 4, 3)) * 10.0 ** rng.permuted(np.repeat([3.0, 0.0, -3.0], 8)).reshape(2, 4, 3)
    return a, a + rng.uniform(1e-4, 3e-4, size=(2, 4, 3))


@relative_error.case(points=2, probe=probes.each(inputs_as="numpy"))
def signs_and_zeros(rng):
    """Entries that are 0 in both arrays, and entries of opposite signs; then without the latter."""
    calls = []
    for signs in [1, -1, 1, -1], [1, 1, 1, 1]:
        a = np.concatenate([rng.uniform(0.5, 1, size=4), np.zeros(3)])
        calls.append([a, a * np.concatenate([signs * rng.uniform(0.6, 0.9, size=4), np.ones(3)])])
    return {"calls": calls}


@relative_error.case(points=2, rtol=3e-4)
def ten_equal_digits(rng):
    """Two arrays that agree in ten digits: in float32 there would be no difference."""
    a = rng.normal(size=(5, 2)) + 2
    return a, a * (1 + 10 ** rng.uniform(-11, -10) * rng.uniform(1, 3, size=(5, 2)))


@relative_error.misconception
def mean_of_the_entries(a, b):
    """You average over the entries: a single wrong one would be hidden. The worst entry counts."""
    return np.mean(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))


@relative_error.misconception
def not_relative(a, b):
    """Your error is not divided by anything: a difference is large or small only beside the numbers themselves."""
    return np.max(np.abs(a - b))


@relative_error.misconception
def sum_of_the_entries(a, b):
    """You add the entries up: the worst of them is asked for."""
    return np.sum(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))


@relative_error.misconception
def one_error_per_entry(a, b):
    """You return an error for every entry: the largest of them is asked for."""
    return np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b))


@relative_error.misconception
def divides_by_the_larger(a, b):
    """You divide by the larger of the two sizes: here it is their sum, |a| + |b|."""
    return np.max(np.abs(a - b) / np.maximum(1e-8, np.maximum(np.abs(a), np.abs(b))))


@relative_error.misconception(variants=[{"floor": 5e-9}])
def divides_by_the_mean(a, b, floor=1e-8):
    """You divide by the mean of the two sizes, so your errors are twice too large: here it is their sum, |a| + |b|."""
    return np.max(np.abs(a - b) / np.maximum(floor, (np.abs(a) + np.abs(b)) / 2))


@relative_error.misconception(variants=[{"second": True}])
def divides_by_one_of_them(a, b, second=False):
    """You divide by one of the two arrays: the error should be the same when a and b change places."""
    return np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(b if second else a)))


@relative_error.misconception
def compares_lengths(a, b):
    """You compare the arrays as wholes, by their norms: large entries hide what is wrong with small ones. Go entry by entry."""
    return np.linalg.norm(a - b) / max(1e-8, np.linalg.norm(a) + np.linalg.norm(b))


@relative_error.misconception
def largest_by_largest(a, b):
    """You take the largest difference and the largest size apart: divide entry by entry, then take the largest."""
    return np.max(np.abs(a - b)) / max(1e-8, np.max(np.abs(a) + np.abs(b)))


@relative_error.misconception
def signed_difference(a, b):
    """Your differences keep their sign, so that negative ones never count: take the absolute value."""
    return np.max((a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))


@relative_error.misconception
def size_of_the_sum(a, b):
    """You divide by |a + b|, which is small where the signs differ: take the absolute values first, |a| + |b|."""
    return np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a + b)))


@relative_error.misconception
def no_floor(a, b):
    """Two zeros give 0/0: the divisor is never smaller than 1e-8."""
    return np.max(np.abs(a - b) / (np.abs(a) + np.abs(b)))


@relative_error.misconception
def adds_the_floor(a, b):
    """You add 1e-8 to the divisor: it is the larger of 1e-8 and |a| + |b|."""
    return np.max(np.abs(a - b) / (1e-8 + np.abs(a) + np.abs(b)))


@relative_error.misconception
def casts_to_float32(a, b):  # noqa: F811
    """Arrays that agree in ten digits have error 0 or 1e-7: float32 keeps seven. Compute in float64."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return np.max(np.abs(a - b) / np.maximum(np.float32(1e-8), np.abs(a) + np.abs(b)))


@relative_error.variation({"np.float64), np.asarray(b": "np.float16), np.asarray(b"},
                          {"np.asarray(b, np.float64)": "np.asarray(b, np.float16)"})
def casts_one_of_them():
    """One of your arrays has lost its digits in a cast: both are compared in float64."""


@relative_error.variation({"np.max(": "np.min("})
def smallest_instead():
    """You return the best agreement of all entries: the worst is asked for."""


@relative_error.variation({"np.abs(a - b) /": "np.abs(a - b) *"})
def multiplies_by_the_size():
    """Your error grows with the size of the entries: divide by their size."""


@relative_error.variation({"np.abs(a - b)": "np.abs(a + b)"}, {"np.abs(a - b)": "np.abs(a)"})
def no_difference_above():
    """Your error is not 0 where the arrays agree: what is divided is the absolute difference of the two."""


@relative_error.variation({"np.maximum(1e-8,": "np.maximum(1.0,"}, {"np.maximum(1e-8,": "np.maximum(1e-6,"},
                          {"np.maximum(1e-8,": "np.maximum(2e-8,"})
def too_high_a_floor():
    """Your floor is too high, so that disagreements of small entries seem small: what you divide by is at least 1e-8."""


@relative_error.variation({"np.abs(a) + np.abs(b)": "np.abs(a) + b"}, {"np.abs(a) + np.abs(b)": "a + np.abs(b)"},
                          {"np.abs(a) + np.abs(b)": "np.abs(a) - np.abs(b)"})
def sizes_with_a_sign():
    """The sizes you divide by can cancel or be negative: add the absolute values of both entries."""


# ---------------------------------------------------------------------------------------------------- backprop

backprop = Question(lesson.backprop, probe=own.layerwise(), uses=("sigmoid_prime",), atol=1e-6, forbid=[
    "tf.GradientTape", "tf.gradients", "tf.autodiff.*", "tf.raw_ops.SigmoidGrad", "tf.test.compute_gradient",
    "scipy.optimize.approx_fprime", "scipy.differentiate.*"])


@backprop.case(points=3, visible=True)
def two_units(rng):
    """Two layers of one unit: the example worked out above."""
    return np.array([[2.0]]), np.array([[0.0]]), [np.array([[0.0]]), np.array([[2 * math.log(3)]])], [np.zeros(1), np.zeros(1)]


@backprop.case(points=2, visible=True)
def two_by_two(rng):
    """Three layers of two units, and three examples; too long for paper, short enough to print."""
    x, y = np.array([[1.0, 0.0], [0.5, -1.0], [-1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    weights = [np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([[0.5, 1.5], [-2.0, 1.0]]), np.array([[2.0, -1.0], [1.0, 0.5]])]
    return x, y, weights, [np.array([0.0, 0.5]), np.array([-0.5, 1.0]), np.array([0.2, 0.0])]


@backprop.case(points=9)
def three_layers(rng):
    """Three layers of different sizes."""
    return *examples(rng, 7, 5, 3), *network(rng, 5, 4, 6, 3)


@backprop.case(points=4)
def one_layer(rng):
    """A single layer: no hidden one, so nothing to send back."""
    return *examples(rng, 6, 4, 3), *network(rng, 4, 3)


@backprop.case(points=4)
def one_example(rng):
    """A batch of one example."""
    return *examples(rng, 1, 3, 4), *network(rng, 3, 5, 4)


@backprop.case(points=5, probe=own.layerwise(dtype="float64"), rtol=1e-8, atol=1e-12)
def nine_digits(rng):
    """Float64 inputs: the gradient has nine right digits, as a gradient check needs them."""
    return *examples(rng, 5, 2, 3), *network(rng, 2, 6, 4, 3)


@backprop.case(points=5, rtol=2e-3, atol=1e-30)
def faint_gradients(rng):
    """A network so saturated that the first layer's gradient is below 1e-12: small, but right to three digits."""
    sizes = (2, 5, 4, 6, 7, 3)
    weights = [rng.uniform(0.3, 0.9, size=shape) for shape in zip(sizes, sizes[1:])]
    biases = [rng.uniform(-10, -9, size=size) for size in sizes[1:-1]] + [np.zeros(3)]
    return rng.uniform(0.2, 1, size=(4, 2)), np.zeros((4, 3)), weights, biases


@backprop.misconception
def not_divided_by_the_batch(x, y, weights, biases):
    """Your gradients grow with the batch: the cost is a mean over the examples, so δ at the output has a factor 1/B."""
    return [[len(x) * g for g in part] for part in lesson.backprop(x, y, weights, biases)]


@backprop.misconception
def divided_by_the_batch_twice(x, y, weights, biases):
    """Your gradients are divided by the batch twice: line 1 pays the 1/B, and lines 3 and 4 are sums."""
    return [[g / len(x) for g in part] for part in lesson.backprop(x, y, weights, biases)]


@backprop.misconception
def divided_by_the_outputs(x, y, weights, biases):
    """Your gradients are too small by the number of outputs: the cost is a mean over the examples, and a sum over the outputs."""
    return [[g / y.shape[1] for g in part] for part in lesson.backprop(x, y, weights, biases)]


@backprop.misconception
def forgets_the_half(x, y, weights, biases):
    """Your gradients are twice too large: the cost has a ½, which the 2 of the square's derivative cancels."""
    return [[2 * g for g in part] for part in lesson.backprop(x, y, weights, biases)]


@backprop.misconception
def gradient_of_keras_error(x, y, weights, biases):
    """Yours is the gradient of Keras's mean squared error, 2/k times this cost's: keep the ½, and sum over the k outputs."""
    return [[2 * g / y.shape[1] for g in part] for part in lesson.backprop(x, y, weights, biases)]


@backprop.misconception
def sign_reversed(x, y, weights, biases):  # noqa: F811
    """Your gradients point downhill: the error at the output is a − y."""
    return [[-g for g in part] for part in lesson.backprop(x, y, weights, biases)]


@backprop.misconception
def last_layer_first(x, y, weights, biases):
    """Your lists run from the last layer to the first: return them in the order of `weights`."""
    return tuple(list(part)[::-1] for part in lesson.backprop(x, y, weights, biases))


@backprop.misconception
def pairs_of_layers(x, y, weights, biases):
    """You return one pair (dW, db) per layer: return two lists, all dW and all db."""
    return list(zip(*lesson.backprop(x, y, weights, biases)))


@backprop.misconception
def biases_first(x, y, weights, biases):
    """You return the gradients of the biases first: the weights' come first, (dWs, dbs)."""
    return tuple(lesson.backprop(x, y, weights, biases))[::-1]


@backprop.misconception(variants=[{"last": False}])
def slope_at_the_activation(x, y, weights, biases, last=True):
    """You take σ′ of an activation, which has been through the sigmoid already: σ′ wants z."""
    zs, activations = [], [x]
    for w, b in zip(weights, biases):
        zs.append(activations[-1] @ w + b)
        activations.append(tf.sigmoid(zs[-1]))
    delta = (activations[-1] - y) / len(x) * lesson.sigmoid_prime(activations[-1] if last else zs[-1])
    dws, dbs = [], []
    for layer in reversed(range(len(weights))):
        dws.insert(0, tf.transpose(activations[layer]) @ delta)
        dbs.insert(0, tf.reduce_sum(delta, axis=0))
        if layer > 0:
            delta = delta @ tf.transpose(weights[layer]) * lesson.sigmoid_prime(activations[layer])
    return dws, dbs


@backprop.variation({" * sigmoid_prime(zs[-1])": ""})
def no_slope_at_the_output():
    """Your δ at the output is a − y alone: that is cross-entropy's. The quadratic cost has a factor σ′(z) there as well."""


@backprop.variation({" * sigmoid_prime(zs[layer - 1])": ""})
def no_slope_in_hidden_layers():
    """Your hidden layers get too much blame: on its way back δ is multiplied by σ′ of every layer it reaches."""


@backprop.variation({"sigmoid_prime(zs[layer - 1])": "sigmoid_prime(zs[layer])"},
                    {"sigmoid_prime(zs[layer - 1])": "sigmoid_prime(zs[layer - 2])"})
def slope_of_another_layer():
    """A hidden layer's δ is multiplied by σ′ of another layer: use the z of the layer that δ arrives at."""


@backprop.variation({"* sigmoid_prime(zs[-1])": "* sigmoid_prime(zs[-2])"}, {"* sigmoid_prime(zs[-1])": "* sigmoid_prime(zs[0])"},
                    {"(activations[-1] - y)": "(activations[-2] - y)"}, {"(activations[-1] - y)": "(activations[0] - y)"})
def starts_from_another_layer():
    """Your δ at the output is made of another layer's z or a: the blame begins with the last layer's."""


@backprop.variation({"delta @ tf.transpose(weights[layer])": "delta"})
def goes_back_without_weights():
    """Your δ comes back without passing through the weights: units behind a large weight are to blame for more."""


@backprop.variation({"tf.transpose(weights[layer])": "weights[layer]"})
def weights_not_transposed():
    """Blame goes through W where it should go through its transpose: (B, outputs) has to become (B, inputs)."""


@backprop.variation({"tf.transpose(weights[layer])": "tf.transpose(weights[layer - 1])"})
def weights_of_the_layer_below():
    """Blame comes back through the weights of another layer: δ goes through the W by which its own layer was reached."""


@backprop.misconception
def uses_z_for_the_activation(x, y, weights, biases):
    """Your dW multiply δ with the z of the layer before: what came in was its activation, σ(z)."""
    zs, activations = [x], [x]
    for w, b in zip(weights, biases):
        zs.append(activations[-1] @ w + b)
        activations.append(tf.sigmoid(zs[-1]))
    dbs = lesson.backprop(x, y, weights, biases)[1]
    delta = (activations[-1] - y) / len(x) * lesson.sigmoid_prime(zs[-1])
    dws = []
    for layer in reversed(range(len(weights))):
        dws.insert(0, tf.transpose(zs[layer]) @ delta)
        if layer > 0:
            delta = delta @ tf.transpose(weights[layer]) * lesson.sigmoid_prime(zs[layer])
    return dws, dbs


@backprop.misconception
def uses_the_layers_own_output(x, y, weights, biases):
    """Your dW multiply δ with the layer's own output: a weight answers for what came in, a of the layer before."""
    zs, activations = [], [x]
    for w, b in zip(weights, biases):
        zs.append(activations[-1] @ w + b)
        activations.append(tf.sigmoid(zs[-1]))
    dbs = lesson.backprop(x, y, weights, biases)[1]
    delta = (activations[-1] - y) / len(x) * lesson.sigmoid_prime(zs[-1])
    dws = []
    for layer in reversed(range(len(weights))):
        dws.insert(0, tf.transpose(activations[layer + 1]) @ delta)
        if layer > 0:
            delta = delta @ tf.transpose(weights[layer]) * lesson.sigmoid_prime(zs[layer - 1])
    return dws, dbs


@backprop.misconception
def weight_gradients_transposed(x, y, weights, biases):
    """Your dW are transposed: they have the shapes of the weights, (inputs, outputs)."""
    dws, dbs = lesson.backprop(x, y, weights, biases)
    return [tf.transpose(g) for g in dws], dbs


@backprop.misconception(variants=[{"over_units": True}])
def biases_not_summed(x, y, weights, biases, over_units=False):
    """Your db keep the examples apart: a bias is shared by all of them, so sum over the batch, and over nothing else."""
    zs, activations = [], [x]
    for w, b in zip(weights, biases):
        zs.append(activations[-1] @ w + b)
        activations.append(tf.sigmoid(zs[-1]))
    dws = lesson.backprop(x, y, weights, biases)[0]
    delta = (activations[-1] - y) / len(x) * lesson.sigmoid_prime(zs[-1])
    dbs = [delta]
    for layer in reversed(range(1, len(weights))):
        delta = delta @ tf.transpose(weights[layer]) * lesson.sigmoid_prime(zs[layer - 1])
        dbs.insert(0, delta)
    return dws, [tf.reduce_sum(delta, axis=1) for delta in dbs] if over_units else dbs


@backprop.misconception
def biases_keep_an_axis(x, y, weights, biases):
    """Your db are matrices of one row: they have the shapes of the biases, (outputs,), without an axis for the batch."""
    dws, dbs = lesson.backprop(x, y, weights, biases)
    return dws, [g[None, :] for g in dbs]


@backprop.misconception
def biases_averaged(x, y, weights, biases):
    """Your db are divided by the batch twice: the 1/B is in δ already, so sum over the batch and do not average."""
    dws, dbs = lesson.backprop(x, y, weights, biases)
    return dws, [g / len(x) for g in dbs]


@backprop.misconception
def biases_summed_over_everything(x, y, weights, biases):
    """Each layer's db is one number: every unit has a bias of its own, so sum over the batch only."""
    dws, dbs = lesson.backprop(x, y, weights, biases)
    return dws, [tf.reduce_sum(g) for g in dbs]


@backprop.misconception
def linear_output(x, y, weights, biases):
    """Your last layer has no sigmoid: every layer has one here, the last included."""
    zs, activations = [], [x]
    for w, b in zip(weights, biases):
        zs.append(activations[-1] @ w + b)
        activations.append(tf.sigmoid(zs[-1]))
    delta = (zs[-1] - y) / len(x)
    dws, dbs = [], []
    for layer in reversed(range(len(weights))):
        dws.insert(0, tf.transpose(activations[layer]) @ delta)
        dbs.insert(0, tf.reduce_sum(delta, axis=0))
        if layer > 0:
            delta = delta @ tf.transpose(weights[layer]) * lesson.sigmoid_prime(zs[layer - 1])
    return dws, dbs


@backprop.misconception
def forgets_the_biases(x, y, weights, biases):
    """Your forward run leaves the biases out: z is a W + b."""
    return lesson.backprop(x, y, weights, [0 * b for b in biases])


@backprop.misconception
def casts_to_float32(x, y, weights, biases):  # noqa: F811
    """Your gradient has only seven right digits where the inputs are float64: compute in their dtype, without a cast."""
    single = [[tf.cast(value, tf.float32) for value in values] for values in (weights, biases)]
    return lesson.backprop(tf.cast(x, tf.float32), tf.cast(y, tf.float32), *single)


@backprop.misconception
def finite_differences(x, y, weights, biases):
    """Your gradients come from differences of the cost: good for a check, but slow, and blind to small ones. Use lines 1 to 4."""
    parameters = [np.array(value, np.float64) for value in [*weights, *biases]]
    x, y, half = np.asarray(x, np.float64), np.asarray(y, np.float64), len(weights)

    def cost():
        a = x
        for w, b in zip(parameters[:half], parameters[half:]):
            a = 1 / (1 + np.exp(-(a @ w + b)))
        return np.sum((y - a) ** 2) / (2 * len(x))

    gradients = []
    for value in parameters:
        gradient = np.zeros(value.shape)
        for i in np.ndindex(value.shape):
            before = value[i]
            value[i] = before + 1e-5
            up = cost()
            value[i] = before - 1e-5
            gradient[i] = (up - cost()) / 2e-5
            value[i] = before
        gradients.append(gradient)
    return gradients[:half], gradients[half:]


@backprop.variation({"if layer > 0:": "if layer < 0:"}, {"if layer > 0:": "if layer > 1:"})
def delta_not_carried_back():
    """Your delta does not reach every layer: carry it back through the weights of each, down to the first."""


@backprop.variation({"zs.append(activations[-1] @ w + b)": "zs.append(activations[0] @ w + b)"})
def feeds_the_inputs_to_every_layer():
    """All your layers get the network's inputs: each takes the activations of the layer before it."""


# ---------------------------------------------------------------------------------------------------- layer_gradient_norms

layer_gradient_norms = Question(lesson.layer_gradient_norms, uses=("relu",), rtol=5e-4, atol=1e-8)


@layer_gradient_norms.case(points=1, visible=True)
def three_four_five(rng):
    """One layer, which is the last: the gradient is (3, 4) times 9/64."""
    weights = [np.array([[math.log(3) / 3], [0.0]])]
    return np.array([[3.0, 4.0]]), np.array([[0.0]]), weights, [np.zeros(1)], "tanh"


@layer_gradient_norms.case(points=2, visible=True)
def two_tanh_layers(rng):
    """Two layers, the hidden one tanh, four examples and three outputs; too long for paper, short enough to print."""
    x, y = np.array([[1.0, 0.0], [0.5, -1.0], [-1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    weights = [np.array([[1.0, 0.5], [-1.0, 2.0]]), np.array([[0.5, 1.5, -1.0], [-2.0, 1.0, 0.5]])]
    return x, y, weights, [np.array([0.0, 0.5]), np.array([-0.5, 1.0, 0.2])], "tanh"


@layer_gradient_norms.case(points=3)
def sigmoid_layers(rng):
    """Three layers, the hidden ones sigmoid."""
    return *examples(rng, 7, 5, 3), *network(rng, 5, 4, 6, 3), "sigmoid"


@layer_gradient_norms.case(points=3)
def tanh_layers(rng):
    """Four layers, the hidden ones tanh."""
    return *examples(rng, 4, 6, 3), *network(rng, 6, 2, 5, 7, 3), "tanh"


@layer_gradient_norms.case(points=3)
def relu_layers(rng):
    """Three layers, the hidden ones ReLU."""
    weights, biases = network(rng, 2, 9, 8, 3, scale=0.6)
    return *examples(rng, 5, 2, 3), weights, [np.abs(b) for b in biases], "relu"


@layer_gradient_norms.case(points=2)
def a_dead_layer(rng):
    """A ReLU layer that never fires: nothing gets past it, so the gradients below are 0."""
    weights, biases = network(rng, 2, 7, 5, 4, 3)
    biases[1], biases[2] = biases[1] - 200, np.abs(biases[2]) + 0.5
    return *examples(rng, 6, 2, 3), weights, biases, "relu"


@layer_gradient_norms.case(points=2, atol=1e-12)
def seven_layers(rng):
    """Seven sigmoid layers: the first gradient is thousands of times shorter than the last."""
    sizes = (8, 6, 7, 5, 9, 6, 7, 3)
    weights = [rng.normal(size=shape) / math.sqrt(shape[0]) for shape in zip(sizes, sizes[1:])]
    return *examples(rng, 4, 8, 3), weights, [np.zeros(size) for size in sizes[1:]], "sigmoid"


@layer_gradient_norms.misconception
def last_layer_first(x, y, weights, biases, activation):  # noqa: F811
    """Your list begins with the last layer: the first layer comes first."""
    return list(lesson.layer_gradient_norms(x, y, weights, biases, activation))[::-1]


@layer_gradient_norms.misconception
def one_length_for_all(x, y, weights, biases, activation):
    """You return one length, of all gradients together: each layer has its own, in a list of one number per layer."""
    return tf.linalg.global_norm([tf.constant(norm) for norm in lesson.layer_gradient_norms(x, y, weights, biases, activation)])


@layer_gradient_norms.misconception
def squared(x, y, weights, biases, activation):
    """You return squared lengths: the square root is missing."""
    return [norm ** 2 for norm in lesson.layer_gradient_norms(x, y, weights, biases, activation)]


@layer_gradient_norms.misconception
def root_of_the_mean(x, y, weights, biases, activation):
    """Your squares are averaged: the Frobenius norm is the root of their sum."""
    return [norm / math.sqrt(w.shape[0] * w.shape[1])
            for norm, w in zip(lesson.layer_gradient_norms(x, y, weights, biases, activation), weights)]


@layer_gradient_norms.misconception
def sum_over_the_batch(x, y, weights, biases, activation):
    """Your gradients grow with the batch: the cost is a mean over the examples."""
    return [norm * len(x) for norm in lesson.layer_gradient_norms(x, y, weights, biases, activation)]


@layer_gradient_norms.misconception
def forgets_the_half(x, y, weights, biases, activation):  # noqa: F811
    """Your gradients are twice too long: the cost has a ½."""
    return [2 * norm for norm in lesson.layer_gradient_norms(x, y, weights, biases, activation)]


@layer_gradient_norms.misconception
def keras_mean_squared_error(x, y, weights, biases, activation):
    """Yours belong to Keras's mean squared error, 2/k times this cost: keep the ½, and sum over the k outputs."""
    return [2 * norm / y.shape[1] for norm in lesson.layer_gradient_norms(x, y, weights, biases, activation)]


@layer_gradient_norms.misconception
def same_activation_at_the_output(x, y, weights, biases, activation):
    """Your last layer uses the hidden layers' activation: it is a sigmoid, always."""
    function = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for w, b in zip(weights, biases):
            a = function(a @ w + b)
        cost = tf.reduce_sum((y - a) ** 2) / (2 * len(x))
    return [tf.norm(gradient) for gradient in tape.gradient(cost, weights)]


@layer_gradient_norms.misconception
def linear_output(x, y, weights, biases, activation):  # noqa: F811
    """Your last layer has no sigmoid: it has one, whatever the hidden layers have."""
    function = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for w, b in zip(weights[:-1], biases[:-1]):
            a = function(a @ w + b)
        a = a @ weights[-1] + biases[-1]
        cost = tf.reduce_sum((y - a) ** 2) / (2 * len(x))
    return [tf.norm(gradient) for gradient in tape.gradient(cost, weights)]


@layer_gradient_norms.misconception
def always_sigmoid(x, y, weights, biases, activation):
    """Your hidden layers are sigmoids whatever `activation` says: choose the function by its name."""
    return lesson.layer_gradient_norms(x, y, weights, biases, "sigmoid")


@layer_gradient_norms.misconception
def biases_count(x, y, weights, biases, activation):
    """Your lengths include the gradients of the biases: only the weights' count."""
    function = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch([weights, biases])
        a = x
        for w, b in zip(weights[:-1], biases[:-1]):
            a = function(a @ w + b)
        a = tf.sigmoid(a @ weights[-1] + biases[-1])
        cost = tf.reduce_sum((y - a) ** 2) / (2 * len(x))
    dws, dbs = tape.gradient(cost, [weights, biases])
    return [tf.sqrt(tf.reduce_sum(dw ** 2) + tf.reduce_sum(db ** 2)) for dw, db in zip(dws, dbs)]


@layer_gradient_norms.misconception(variants=[{"reduce": tf.reduce_mean}])
def sum_of_sizes(x, y, weights, biases, activation, reduce=tf.reduce_sum):
    """You add up absolute values, or average them: square the entries, add, and take the root."""
    function = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for w, b in zip(weights[:-1], biases[:-1]):
            a = function(a @ w + b)
        a = tf.sigmoid(a @ weights[-1] + biases[-1])
        cost = tf.reduce_sum((y - a) ** 2) / (2 * len(x))
    return [reduce(tf.abs(gradient)) for gradient in tape.gradient(cost, weights)]


@layer_gradient_norms.misconception
def largest_singular_value(x, y, weights, biases, activation):
    """You return the spectral norm, which is NumPy's norm of order 2 for a matrix: the Frobenius norm is its default."""
    function = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "relu": tf.nn.relu}[activation]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        a = x
        for w, b in zip(weights[:-1], biases[:-1]):
            a = function(a @ w + b)
        a = tf.sigmoid(a @ weights[-1] + biases[-1])
        cost = tf.reduce_sum((y - a) ** 2) / (2 * len(x))
    return [np.linalg.norm(gradient, 2) for gradient in tape.gradient(cost, weights)]


@layer_gradient_norms.misconception
def lengths_of_the_weights(x, y, weights, biases, activation):
    """These are the lengths of the weights themselves: their gradients are asked for."""
    return [tf.norm(w) for w in weights]


@layer_gradient_norms.variation({"hidden(a @ w + b)": "hidden(a @ w)"}, {"weights[-1] + biases[-1]": "weights[-1]"},
                                {"hidden(a @ w + b)": "hidden(a @ w)", "weights[-1] + biases[-1]": "weights[-1]"})
def leaves_biases_out():
    """Biases make no difference in your hidden layers, in your last one or in all: each adds its own before the activation."""


@layer_gradient_norms.variation({"hidden(a @ w + b)": "hidden(a @ w - b)"},
                                {"weights[-1] + biases[-1]": "weights[-1] - biases[-1]"})
def subtracts_biases():
    """Biases are subtracted in your hidden layers or in your last one: they are added."""


@layer_gradient_norms.variation({"(y - a) ** 2": "(y - a)"}, {"(y - a) ** 2": "(y - a) ** 3"}, {"(y - a) ** 2": "tf.abs(y - a)"},
                                {"(y - a) ** 2": "(y + a) ** 2"})
def another_cost():
    """Your gradients belong to another cost: this one has the squares of the differences between y and a."""


@layer_gradient_norms.variation({"a = tf.sigmoid(": "a = tf.tanh("})
def tanh_at_the_output():
    """Your last layer is a tanh: it is a sigmoid, whatever the hidden layers have."""
