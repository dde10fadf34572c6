"""Cases and misconceptions of a4: cross-entropy, softmax and the learning slowdown."""

import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

# ---------------------------------------------------------------------------------------------------- train_neuron

train_neuron = Question(lesson.train_neuron, forbid=["tf.GradientTape", "tf.gradients", "keras.optimizers.*", "tf.optimizers.*"])


@train_neuron.case(points=2, visible=True)
def one_quadratic_step(rng):
    """One step with the quadratic cost from w = b = 0, where σ is 1/2 and σ′ is 1/4."""
    return 0.0, 0.0, 4.0, 1, "quadratic"


@train_neuron.case(points=2, visible=True)
def one_cross_entropy_step(rng):
    """One step with cross-entropy from w = b = 0, where σ is 1/2."""
    return 0.0, 0.0, 1.0, 1, "cross_entropy"


@train_neuron.case(points=4)
def quadratic(rng):
    """Many steps with the quadratic cost."""
    return float(rng.uniform(0.4, 0.9)), float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.4, 0.6)), 60, "quadratic"


@train_neuron.case(points=4)
def cross_entropy_cost(rng):
    """Many steps with cross-entropy."""
    return float(rng.uniform(0.4, 0.9)), float(rng.uniform(-0.2, 0.3)), float(rng.uniform(0.1, 0.2)), 40, "cross_entropy"


@train_neuron.case(points=2)
def a_certain_start(rng):
    """The quadratic cost from a neuron that is certain, and wrong: it hardly moves."""
    return float(rng.uniform(1.8, 2.2)), float(rng.uniform(1.8, 2.2)), 0.15, int(rng.integers(30, 90)), "quadratic"


@train_neuron.case(points=2)
def no_steps(rng):
    """No epochs at all: the output before the first step is still there, alone."""
    return float(rng.uniform(-1, 2)), float(rng.uniform(-1, 2)), 0.3, 0, "cross_entropy"


@train_neuron.misconception
def no_sigma_prime(w, b, learning_rate, epochs, cost):
    """Your quadratic cost learns as fast as cross-entropy: its gradient has one more factor, the slope of the sigmoid."""
    return lesson.train_neuron(w, b, learning_rate, epochs, "cross_entropy")


@train_neuron.misconception
def extra_sigma_prime(w, b, learning_rate, epochs, cost):
    """Your cross-entropy learns as slowly as the quadratic cost: in its gradient σ′ has cancelled."""
    return lesson.train_neuron(w, b, learning_rate, epochs, "quadratic")


@train_neuron.misconception
def costs_swapped(w, b, learning_rate, epochs, cost):
    """Each cost behaves as the other should: compare the two branches on `cost` with the table."""
    return lesson.train_neuron(w, b, learning_rate, epochs, "quadratic" if cost == "cross_entropy" else "cross_entropy")


@train_neuron.misconception
def updates_b_with_the_new_w(w, b, learning_rate, epochs, cost):
    """Your bias steps by a gradient taken after the weight had moved: take both gradients first, then both steps."""

    def output():
        return 1 / (1 + math.exp(-(w + b)))

    def slope():
        return output() ** 2 * (1 - output()) if cost == "quadratic" else output()

    outputs = [output()]
    for _ in range(epochs):
        w -= learning_rate * slope()
        b -= learning_rate * slope()
        outputs.append(output())
    return np.array(outputs, np.float32)


@train_neuron.misconception
def misses_the_first_output(w, b, learning_rate, epochs, cost):
    """The output before the first step is missing: record it too, so that there are epochs + 1 outputs."""
    return np.asarray(lesson.train_neuron(w, b, learning_rate, epochs, cost))[1:]


@train_neuron.misconception
def misses_the_last_output(w, b, learning_rate, epochs, cost):
    """The output after the last step is missing: record once more when the steps are done."""
    return np.asarray(lesson.train_neuron(w, b, learning_rate, epochs, cost))[:-1]


@train_neuron.misconception
def forgets_the_half(w, b, learning_rate, epochs, cost):
    """Your quadratic gradient is twice too large: the cost is (a − y)²/2, with the half."""
    return lesson.train_neuron(w, b, learning_rate * (2 if cost == "quadratic" else 1), epochs, cost)


@train_neuron.misconception
def trains_one_parameter(w, b, learning_rate, epochs, cost):
    """Only one of weight and bias moves: each has its own gradient and takes its own step."""
    return lesson.train_neuron(w, b, learning_rate / 2, epochs, cost)  # w + b falls half as fast


@train_neuron.misconception
def climbs(w, b, learning_rate, epochs, cost):
    """Your output moves away from 0: gradient descent steps against the gradient."""
    return lesson.train_neuron(w, b, -learning_rate, epochs, cost)


@train_neuron.misconception
def slope_of_the_output(w, b, learning_rate, epochs, cost):
    """Your σ′ is off: the sigmoid seems to be applied to an output that has been through it. In terms of a, σ′ is a(1 − a)."""
    outputs = []
    for _ in range(epochs + 1):
        a = 1 / (1 + math.exp(-(w + b)))
        outputs.append(a)
        twice = 1 / (1 + math.exp(-a))
        step = learning_rate * a * (twice * (1 - twice) if cost == "quadratic" else 1)
        w, b = w - step, b - step
    return np.array(outputs, np.float32)


@train_neuron.misconception
def returns_the_costs(w, b, learning_rate, epochs, cost):
    """These are the costs of the outputs: return the outputs a themselves."""
    a = np.asarray(lesson.train_neuron(w, b, learning_rate, epochs, cost))
    return a ** 2 / 2 if cost == "quadratic" else -np.log(1 - a)


@train_neuron.variation({"tf.sigmoid(w + b)": "tf.tanh(w + b)"})
def hyperbolic_neuron():
    """Your neuron's outputs are those of another activation: it is a sigmoid neuron."""


@train_neuron.variation({"tf.sigmoid(w + b)": "tf.sigmoid(w)"}, {"tf.sigmoid(w + b)": "tf.sigmoid(b)"})
def one_parameter_alone_counts():
    """Your outputs depend on one of w and b alone: the neuron's sum is w x + b, with x = 1."""


@train_neuron.variation({"w - learning_rate * slope": "w - learning_rate / slope"},
                        {"b - learning_rate * slope": "b - learning_rate / slope"})
def divides_by_the_slope():
    """Your steps get longer the flatter the cost is: a step is the rate times the slope."""


# ---------------------------------------------------------------------------------------------------- binary_cross_entropy

binary_cross_entropy = Question(lesson.binary_cross_entropy, forbid=[
    "tf.nn.*cross_entropy*", "tf.raw_ops.*CrossEntropy*", "keras.losses.*", "keras.metrics.*", "keras.ops.*crossentropy*"])


@binary_cross_entropy.case(points=3, visible=True)
def three_answers(rng):
    """A yes, a no and a perhaps, with probabilities 3/4, 1/2 and 1/4."""
    return [1.0, 0.0, 0.5], [math.log(3), 0.0, -math.log(3)]


@binary_cross_entropy.case(points=5)
def seven_answers(rng):
    """Seven answers whose targets are 0 or 1."""
    return np.array([1, 0, 1, 1, 0, 0, 1], np.float32), rng.uniform(-3, 3, size=7)


@binary_cross_entropy.case(points=4)
def uncertain_targets(rng):
    """Targets strictly between 0 and 1."""
    return rng.uniform(0.1, 0.9, size=5), rng.uniform(-3, 3, size=5)


@binary_cross_entropy.case(points=4)
def huge_logits(rng):
    """Logits around ±1000, some right and some wrong: the cost is large but finite."""
    order = rng.permutation(6)
    logits = np.array([1000.0, -1000, -1000, 1000, 2, -1000]) * rng.uniform(0.8, 1.2, 6)
    return np.array([1, 0, 1, 0, 1, 0.25])[order], logits[order]


@binary_cross_entropy.misconception
def takes_logits_for_probabilities(targets, logits):
    """Your loss treats the logits as probabilities: pass them through the sigmoid's formula."""
    p = tf.clip_by_value(logits, 1e-7, 1 - 1e-7)
    return -tf.reduce_mean(targets * tf.math.log(p) + (1 - targets) * tf.math.log(1 - p))


@binary_cross_entropy.misconception
def logarithm_of_logits(targets, logits):
    """Your loss is NaN for ordinary logits: they may be any number, and a logarithm wants a probability."""
    return -tf.reduce_mean(targets * tf.math.log(logits) + (1 - targets) * tf.math.log(1 - logits))


@binary_cross_entropy.misconception
def one_sided(targets, logits):
    """A target of 0 costs nothing, whatever the logit: the term with 1 − t is missing."""
    return tf.reduce_mean(targets * tf.nn.softplus(-logits))


@binary_cross_entropy.misconception
def sums_over_the_batch(targets, logits):
    """Your loss grows with the batch: it is the sum, and the mean is asked for."""
    return lesson.binary_cross_entropy(targets, logits) * len(targets)


@binary_cross_entropy.misconception
def logarithm_of_the_sigmoid(targets, logits):
    """Your loss is not finite for huge logits: the sigmoid has rounded to 0 or 1 before the logarithm. Simplify first."""
    p = 1 / (1 + tf.exp(-logits))
    return -tf.reduce_mean(targets * tf.math.log(p) + (1 - targets) * tf.math.log(1 - p))


@binary_cross_entropy.misconception
def overflows(targets, logits):
    """Your loss is right until exp(z) overflows: find a form whose exponents are never positive."""
    return tf.reduce_mean(tf.math.log(1 + tf.exp(logits)) - targets * logits)


@binary_cross_entropy.misconception
def clips_the_probability(targets, logits):
    """Your loss cannot exceed 16: a probability held 1e-7 away from 0 caps it. Compute from the logits instead."""
    p = tf.clip_by_value(tf.cast(tf.sigmoid(logits), tf.float64), 1e-7, 1 - 1e-7)
    t = tf.cast(targets, tf.float64)
    return -tf.reduce_mean(t * tf.math.log(p) + (1 - t) * tf.math.log(1 - p))


@binary_cross_entropy.misconception
def sigmoid_twice(targets, logits):
    """Your loss hardly depends on the logits: the sigmoid seems to be applied twice."""
    return lesson.binary_cross_entropy(targets, tf.sigmoid(logits))


@binary_cross_entropy.misconception
def rounds_the_targets(targets, logits):
    """Targets between 0 and 1 count as hard ones: use them as they are."""
    return lesson.binary_cross_entropy(tf.cast(targets > 0.5, tf.float32), logits)


@binary_cross_entropy.misconception
def targets_swapped(targets, logits):
    """Right answers cost more than wrong ones: t belongs to σ(z), and 1 − t to 1 − σ(z)."""
    return lesson.binary_cross_entropy(1 - targets, logits)


@binary_cross_entropy.misconception
def forgets_the_minus(targets, logits):
    """Your loss is negative: the logarithm of a probability is, so the mean wants a minus sign."""
    return -lesson.binary_cross_entropy(targets, logits)


@binary_cross_entropy.variation({" + tf.math.log1p(tf.exp(-tf.abs(logits)))": " - tf.math.log1p(tf.exp(-tf.abs(logits)))"},
                                {" + tf.math.log1p(tf.exp(-tf.abs(logits)))": ""}, {"tf.maximum(logits, 0.0) + ": ""},
                                {"tf.maximum(logits, 0.0) +": "tf.minimum(logits, 0.0) +"})
def half_a_softplus():
    """What stands for ln(1 + e^z) in your cost is another function: try it at 0, where it is ln 2, and far out on both sides."""


@binary_cross_entropy.variation({"- targets * logits": ""})
def targets_left_out():
    """Your cost does not depend on the targets: an answer that is right has to be cheaper than one that is wrong."""


@binary_cross_entropy.variation({"- targets * logits": "- targets"}, {"- targets * logits": "- logits"},
                                {"- targets * logits": "+ targets * logits"})
def other_last_term():
    """The part of your cost with the targets in it is not right: look at its sign, and at what each target is multiplied by."""


# ---------------------------------------------------------------------------------------------------- softmax

softmax = Question(lesson.softmax, forbid=[
    "tf.nn.softmax", "tf.nn.log_softmax", "tf.math.softmax", "tf.math.log_softmax", "tf.raw_ops.*Softmax*",
    "keras.activations.softmax", "keras.activations.log_softmax", "keras.ops.softmax", "keras.ops.log_softmax",
    "keras.layers.Softmax", "scipy.special.softmax", "scipy.special.log_softmax"])


@softmax.case(points=3, visible=True)
def two_rows(rng):
    """Two rows that you can work out by hand."""
    return [[0.0, math.log(2), math.log(5)], [math.log(3), 0.0, 0.0]],


@softmax.case(points=6)
def five_rows(rng):
    """Five rows of three scores."""
    return rng.normal(scale=2, size=(5, 3)),


@softmax.case(points=3)
def more_classes_than_rows(rng):
    """Four rows of seven scores."""
    return rng.normal(scale=2, size=(4, 7)),


@softmax.case(points=5)
def shifted_rows(rng):
    """Rows shifted by 900, up and down: `exp` overflows or vanishes unless each row's own maximum is subtracted."""
    return rng.normal(size=(5, 3)) + rng.permutation([900, -900, 900, -900, 0])[:, None],


@softmax.case(points=3)
def one_score_far_ahead(rng):
    """In each row one score is hundreds ahead of the others: its probability is 1, and nothing overflows."""
    logits = rng.normal(size=(5, 7))
    logits[np.arange(5), rng.integers(0, 7, size=5)] += 300
    return logits,


@softmax.misconception
def normalises_over_the_batch(logits):
    """Your columns sum to 1, not your rows: every example has its own probabilities, so reduce over the classes."""
    return tf.transpose(lesson.softmax(tf.transpose(logits)))


@softmax.misconception
def normalises_over_everything(logits):
    """All entries together sum to 1: every row should, on its own."""
    return tf.reshape(lesson.softmax(tf.reshape(logits, (1, -1))), logits.shape)


@softmax.misconception
def never_shifts(logits):
    """Your rows become NaN when scores are large: `exp` overflows. Softmax does not change when a row is shifted, so shift it."""
    weights = tf.exp(logits)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


@softmax.misconception
def shifts_by_the_largest_of_all(logits):
    """Rows far below the largest score of the batch become 0/0: each row needs a maximum of its own."""
    weights = tf.exp(logits - tf.reduce_max(logits))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


@softmax.misconception
def shifts_by_the_mean(logits):
    """A score far above the mean of its row still overflows: which shift makes sure that no exponent is positive?"""
    weights = tf.exp(logits - tf.reduce_mean(logits, axis=1, keepdims=True))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


@softmax.misconception
def shifts_columns(logits):
    """Scores of one row are shifted by different amounts: take the maximum over the classes and keep its axis."""
    return lesson.softmax(logits - tf.reduce_max(logits, axis=0))


@softmax.misconception
def clips_the_scores(logits):
    """Scores beyond a limit are treated as equal: clipping avoids the overflow but loses the differences. Shift instead."""
    return lesson.softmax(tf.clip_by_value(logits, -80.0, 80.0))


@softmax.misconception
def sigmoid_of_each_score(logits):
    """Each entry looks at its own score alone: softmax compares the scores of a row, so that they share a total of 1."""
    return tf.sigmoid(logits)


@softmax.misconception
def returns_logarithms(logits):
    """These are logarithms of probabilities: return the probabilities themselves."""
    return logits - tf.reduce_logsumexp(logits, axis=1, keepdims=True)


@softmax.misconception
def divides_without_exp(logits):
    """The scores are divided by their sum as they are: make them positive with the exponential first."""
    return logits / tf.reduce_sum(logits, axis=1, keepdims=True)


@softmax.variation({"tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True))":
                    "logits - tf.reduce_max(logits, axis=1, keepdims=True)"})
def shifts_without_exp():
    """You divide the shifted scores by their sum: take the exponential function of each first."""


# ---------------------------------------------------------------------------------------------------- cross_entropy

cross_entropy = Question(lesson.cross_entropy, forbid=[
    "tf.nn.*cross_entropy*", "tf.raw_ops.*CrossEntropy*", "tf.nn.log_softmax", "tf.math.log_softmax", "tf.raw_ops.LogSoftmax",
    "keras.losses.*", "keras.metrics.*", "keras.ops.*crossentropy*", "keras.ops.log_softmax", "keras.activations.log_softmax",
    "scipy.special.log_softmax"])


@cross_entropy.case(points=3, visible=True)
def two_labels(rng):
    """Two rows whose right classes have probabilities 1/4 and 3/5."""
    return [1, 0], [[0.0, math.log(2), math.log(5)], [math.log(3), 0.0, 0.0]]


@cross_entropy.case(points=6)
def five_labels(rng):
    """Five rows, three classes."""
    return rng.permutation([0, 1, 2, 1, 0]), rng.normal(scale=2, size=(5, 3))


@cross_entropy.case(points=4)
def many_classes(rng):
    """More classes than rows."""
    return rng.permutation(7)[:4], rng.normal(scale=2, size=(4, 7))


@cross_entropy.case(points=4)
def hopeless_rows(rng):
    """The right classes have probabilities around 1e-13: the cost is about 30, and still rises with the logits."""
    labels = rng.permutation([0, 1, 2, 3, 1, 2])
    logits = rng.normal(size=(6, 4))
    logits[np.arange(6), labels] -= rng.uniform(27, 33)
    return labels, logits


@cross_entropy.case(points=5)
def logits_times_1000(rng):
    """Logits multiplied by 1000, some rows right and some wrong: the cost is large but finite."""
    logits = rng.normal(size=(8, 3))
    labels = (logits.argmax(axis=1) + [0, 1, 2, 0, 1, 2, 0, 1]) % 3
    return labels, 1000 * logits


@cross_entropy.misconception
def sums_over_the_batch(labels, logits):  # noqa: F811
    """Your loss grows with the batch: it is the sum, and the mean is asked for."""
    return lesson.cross_entropy(labels, logits) * len(labels)


@cross_entropy.misconception
def averages_over_the_classes_too(labels, logits):
    """Your loss is too small by the number of classes: each row counts once, so average over the rows alone."""
    return lesson.cross_entropy(labels, logits) / logits.shape[1]


@cross_entropy.misconception
def forgets_the_minus(labels, logits):  # noqa: F811
    """Your loss is negative: the logarithm of a probability is, so the mean wants a minus sign."""
    return -lesson.cross_entropy(labels, logits)


@cross_entropy.misconception
def forgets_the_logarithm(labels, logits):
    """Your loss is minus a probability, and never below −1: the cost of a row is minus the logarithm of it."""
    return -tf.reduce_mean(tf.gather(lesson.softmax(logits), labels, axis=1, batch_dims=1))


@cross_entropy.misconception
def logarithm_of_softmax(labels, logits):
    """Your loss becomes infinite for large logits: an `exp` has overflowed, or a probability has rounded to 0 before its
    logarithm. Stay with the logits, and shift each row by its maximum."""
    p = tf.gather(lesson.softmax(logits), labels, axis=1, batch_dims=1)
    return -tf.reduce_mean(tf.math.log(p))


@cross_entropy.misconception
def logarithm_of_an_overflow(labels, logits):
    """Your loss becomes NaN for large logits: infinity over infinity, or 0 times the logarithm of 0. Shift each row by its
    maximum, and combine log and exp."""
    weights = tf.exp(logits)
    p = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    return -tf.reduce_mean(tf.math.log(tf.gather(p, labels, axis=1, batch_dims=1)))


@cross_entropy.misconception(variants=[{"epsilon": 10.0 ** -n} for n in (5, 6, 8, 9, 10, 11, 12, 14, 15, 16)])
def adds_an_epsilon(labels, logits, epsilon=1e-7):
    """The loss of a row cannot exceed a cap: an epsilon inside the logarithm sets it. From the logits, none is needed."""
    p = tf.gather(lesson.softmax(logits), labels, axis=1, batch_dims=1)
    return -tf.reduce_mean(tf.math.log(p + epsilon))


@cross_entropy.misconception
def softmax_twice(labels, logits):
    """Your loss moves in a narrow band however wrong the logits are: softmax seems to be applied twice."""
    return lesson.cross_entropy(labels, lesson.softmax(logits))


@cross_entropy.misconception
def logarithm_to_base_10(labels, logits):
    """Your loss is too small by a factor of ln 10: use the natural logarithm."""
    return lesson.cross_entropy(labels, logits) / math.log(10)


@cross_entropy.misconception
def logarithm_to_base_2(labels, logits):
    """Your loss is measured in bits: use the natural logarithm."""
    return lesson.cross_entropy(labels, logits) / math.log(2)


@cross_entropy.misconception
def normalises_over_the_batch(labels, logits):  # noqa: F811
    """Your probabilities sum to 1 over the batch: take the log-sum-exp over the classes of each row."""
    p = logits - tf.reduce_logsumexp(logits, axis=0)
    return -tf.reduce_mean(tf.gather(p, labels, axis=1, batch_dims=1))


@cross_entropy.misconception
def picks_rows(labels, logits):
    """The labels pick whole rows: they should pick one class in each row."""
    p = logits - tf.reduce_logsumexp(logits, axis=1, keepdims=True)
    return -tf.reduce_mean(tf.gather(p, labels))


@cross_entropy.misconception
def binary_form_on_one_hot(labels, logits):
    """The wrong classes are charged too: with several classes only the probability of the right one counts."""
    p = lesson.softmax(logits)
    right = tf.one_hot(labels, logits.shape[1])
    return -tf.reduce_mean(tf.math.log(tf.where(right > 0, p, 1 - p)))


@cross_entropy.misconception
def sigmoid_of_each_class(labels, logits):
    """Every class is judged on its own, by a sigmoid: classes that exclude one another share one softmax."""
    right = tf.one_hot(labels, logits.shape[1])
    return tf.reduce_mean(tf.nn.softplus(logits) - right * logits)


@cross_entropy.misconception
def forgets_the_normaliser(labels, logits):
    """Your loss is minus the right class's score: the log-sum-exp of the row is missing."""
    return -tf.reduce_mean(tf.gather(logits, labels, axis=1, batch_dims=1))


@cross_entropy.variation({", axis=1, batch_dims=1": ", axis=1"})
def every_label_in_every_row():
    """Every row's cost is taken at the labels of all rows: each row has one label, its own."""


@cross_entropy.variation({"axis=1) - right": "axis=1) + right"},
                         {"tf.reduce_logsumexp(logits, axis=1) - right": "tf.reduce_logsumexp(logits, axis=1)"})
def right_score_not_subtracted():
    """A high score of the right class does not lower your cost: subtract it from the logarithm of the sum."""


@cross_entropy.variation({"tf.reduce_logsumexp(logits, axis=1)": "tf.reduce_logsumexp(logits)"})
def one_normaliser_for_all_rows():
    """All your rows share one sum of exponentials: every row has its own, over its classes."""


# ---------------------------------------------------------------------------------------------------- cross_entropy_gradient

cross_entropy_gradient = Question(lesson.cross_entropy_gradient, uses=("softmax",), forbid=[
    "tf.GradientTape", "tf.gradients", "tf.raw_ops.*CrossEntropy*"])


@cross_entropy_gradient.case(points=3, visible=True)
def two_labels(rng):  # noqa: F811
    """Two rows that you can work out by hand."""
    return [1, 0], [[0.0, math.log(2), math.log(5)], [math.log(3), 0.0, 0.0]]


@cross_entropy_gradient.case(points=6)
def five_labels(rng):  # noqa: F811
    """Five rows, three classes."""
    return rng.permutation([0, 1, 2, 1, 0]), rng.normal(scale=2, size=(5, 3))


@cross_entropy_gradient.case(points=3)
def many_classes(rng):  # noqa: F811
    """More classes than rows."""
    return rng.permutation(7)[:4], rng.normal(scale=2, size=(4, 7))


@cross_entropy_gradient.case(points=4)
def shifted_rows(rng):  # noqa: F811
    """Rows shifted by 900, up and down: the gradient stays finite, and small."""
    return rng.permutation([0, 1, 2, 3, 1, 2]), rng.normal(size=(6, 4)) + rng.permutation([900, -900, 900, -900, 0, 0])[:, None]


@cross_entropy_gradient.misconception
def sign_reversed(labels, logits):
    """Your gradient points downhill: it is what the network says minus what it should have said."""
    return -lesson.cross_entropy_gradient(labels, logits)


@cross_entropy_gradient.misconception
def not_divided_by_the_batch(labels, logits):
    """Your gradient is that of the sum: the cost is a mean over the batch, so each row has its share of the weight."""
    return lesson.cross_entropy_gradient(labels, logits) * len(labels)


@cross_entropy_gradient.misconception
def divided_by_the_classes_too(labels, logits):
    """Your gradient is too small by the number of classes: the mean runs over the rows alone."""
    return lesson.cross_entropy_gradient(labels, logits) / logits.shape[1]


@cross_entropy_gradient.misconception
def divided_by_the_classes(labels, logits):
    """Your gradient is divided by the number of classes: the mean runs over the rows, so divide by the batch."""
    return lesson.cross_entropy_gradient(labels, logits) * len(labels) / logits.shape[1]


@cross_entropy_gradient.misconception
def forgets_the_one_hot(labels, logits):
    """Your rows are probabilities still, and do not sum to 0: the right class is missing from them."""
    return lesson.softmax(logits) / len(labels)


@cross_entropy_gradient.misconception
def right_class_alone(labels, logits):
    """Only the right class gets a gradient: the others share the normaliser, so their scores matter too."""
    return lesson.cross_entropy_gradient(labels, logits) * tf.one_hot(labels, logits.shape[1])


@cross_entropy_gradient.misconception
def stops_at_the_probabilities(labels, logits):
    """This is the gradient with respect to the probabilities: go on through softmax to the logits."""
    right = tf.one_hot(labels, logits.shape[1])
    return -right / lesson.softmax(logits) / len(labels)


@cross_entropy_gradient.misconception
def extra_slope(labels, logits):
    """Your gradient has a factor p(1 − p) too many: it cancels when softmax meets cross-entropy."""
    p = lesson.softmax(logits)
    return lesson.cross_entropy_gradient(labels, logits) * p * (1 - p)


@cross_entropy_gradient.misconception
def sigmoid_minus_one_hot(labels, logits):
    """Your rows do not sum to 0: each class has a sigmoid of its own, where the classes should share a softmax."""
    return (tf.sigmoid(logits) - tf.one_hot(labels, logits.shape[1])) / len(labels)


@cross_entropy_gradient.misconception
def overflows(labels, logits):  # noqa: F811
    """Your gradient becomes NaN when rows are shifted far: `exp` overflows. Subtract each row's maximum first."""
    weights = tf.exp(logits)
    p = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    return (p - tf.one_hot(labels, logits.shape[1])) / len(labels)


@cross_entropy_gradient.misconception
def normalises_over_the_batch(labels, logits):  # noqa: F811
    """Your probabilities sum to 1 over the batch: normalise over the classes of each row."""
    p = tf.transpose(lesson.softmax(tf.transpose(logits)))
    return (p - tf.one_hot(labels, logits.shape[1])) / len(labels)


@cross_entropy_gradient.variation({"softmax(logits) - tf": "softmax(logits) + tf"})
def adds_the_one_hot():
    """Your gradient pushes the right class down: its entry is the probability minus 1, so subtract the one-hot rows."""


@cross_entropy_gradient.variation({"(softmax(logits)": "(logits"})
def scores_for_probabilities():
    """You take the scores themselves for probabilities: what the labels are subtracted from are the softmax's."""


# ---------------------------------------------------------------------------------------------------- accuracy

accuracy = Question(lesson.accuracy, forbid=["keras.metrics.*", "sklearn.metrics.*"])


@accuracy.case(points=1, visible=True)
def two_of_three(rng):
    """Three rows, two of them right."""
    return [0, 2, 0], [[1.0, 0.2, 0.5], [5.0, 4.0, 7.0], [1.0, 2.0, 0.5]]


@accuracy.case(points=1, visible=True)
def none_of_two(rng):
    """Two rows, none of them right."""
    return [2, 1], [[4.0, 3.0, 1.0], [0.0, 2.0, 3.0]]


def some_wrong(rng, logits, right=None):
    """Labels that differ from the largest score in all rows but `right`; by default in a share that nobody can guess."""
    rows, classes = logits.shape
    right = int(rng.integers(rows // 4, 3 * rows // 4 + 1)) if right is None else right
    return (logits.argmax(axis=1) + rng.permutation([0] * right + ([1, 2] * rows)[:rows - right])) % classes


@accuracy.case(points=4, probe=probes.each())
def eight_rows(rng):
    """Eight rows of three scores, and five times eight others; of one batch all rows are right."""
    batches = [rng.normal(size=(8, 3)) for _ in range(6)]
    rights = rng.permutation([8] + 5 * [None])
    return {"calls": [[some_wrong(rng, logits, right), logits] for right, logits in zip(rights, batches)]}


@accuracy.case(points=2)
def all_scores_negative(rng):
    """Ten classes, and not one score above 0."""
    logits = rng.normal(size=(rng.integers(1000, 2000), 10)) - 8
    return some_wrong(rng, logits), logits


@accuracy.case(points=2)
def huge_scores(rng):
    """Scores of several thousand: only their order matters."""
    logits = 1000 * rng.normal(size=(rng.integers(1000, 2000), 4)) + 3000
    return some_wrong(rng, logits), logits


@accuracy.misconception
def best_row_of_each_class(labels, logits):
    """The highest score is sought over the batch: each row answers for itself, so compare the classes."""
    return tf.reduce_mean(tf.cast(tf.argmax(logits, axis=0, output_type=tf.int32) == labels, tf.float32))


@accuracy.misconception
def compares_rounded_probabilities(labels, logits):
    """Every entry counts as an answer, right zeros included: a row is right or wrong as a whole."""
    p = tf.round(lesson.softmax(logits))
    return tf.reduce_mean(tf.cast(p == tf.one_hot(labels, logits.shape[1]), tf.float32))


@accuracy.misconception
def counts(labels, logits):
    """This is the number of right rows: their share is asked for."""
    return lesson.accuracy(labels, logits) * len(labels)


@accuracy.misconception
def per_cent(labels, logits):
    """This is the share in per cent: it is asked for as a number between 0 and 1."""
    return 100 * lesson.accuracy(labels, logits)


@accuracy.misconception
def whole_numbers(labels, logits):
    """Your share is cut down to a whole number: the mean of whole numbers is one in TensorFlow. Cast to float32 first."""
    return tf.cast(lesson.accuracy(labels, logits), tf.int32)


@accuracy.misconception
def share_of_errors(labels, logits):
    """This is the share of wrong rows: accuracy counts the right ones."""
    return 1 - lesson.accuracy(labels, logits)


@accuracy.misconception
def lowest_score(labels, logits):
    """The lowest score is taken for the answer: look for the highest."""
    return lesson.accuracy(labels, -logits)


@accuracy.misconception
def divides_by_the_entries(labels, logits):
    """The right rows are divided by the number of entries: divide by the number of rows."""
    return lesson.accuracy(labels, logits) / logits.shape[1]


@accuracy.misconception
def asks_for_a_majority(labels, logits):
    """A row counts only when its right class has more than half of the probability: the highest score is enough."""
    p = tf.gather(lesson.softmax(logits), labels, axis=1, batch_dims=1)
    return tf.reduce_mean(tf.cast(p > 0.5, tf.float32))


@accuracy.misconception
def among_the_best_two(labels, logits):
    """A row counts when its right class has the second highest score: only the highest is an answer."""
    best = tf.math.top_k(logits, 2).indices  # (B, 2)
    return tf.reduce_mean(tf.cast(tf.reduce_any(best == labels[:, None], axis=1), tf.float32))


@accuracy.misconception
def asks_for_a_positive_score(labels, logits):
    """A row counts when the score of its right class is above 0: compare it with the other scores instead."""
    right = tf.gather(logits, labels, axis=1, batch_dims=1)
    return tf.reduce_mean(tf.cast(right > 0, tf.float32))
