"""Cases and misconceptions of a5: validation, L2 regularization and universality."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

KERAS_PENALTIES = ("keras.regularizers.L*", "keras.regularizers.l*")


def normal(rng, *shape, scale=1.0):
    return rng.normal(size=shape, scale=scale).astype("float32")


# ---------------------------------------------------------------------------------------------------- split

split = Question(lesson.split, forbid=("sklearn.model_selection.*", "keras.utils.split_dataset"))


def split_properties(*observe):
    return own.split_properties(observe=list(observe))


COMPLETE = ("number of rows in each part", "are rows lost?", "are rows in both parts?")
PAIRS, CHANCE = "does every row keep its own y?", "are the validation rows chosen by chance?"
SEEDS = ("does one seed always give the same split?", "do the rows change from seed to seed?")


@split.case(points=2, visible=True, probe=split_properties(*COMPLETE, PAIRS))
def five_rows(rng):
    """Five rows, of which two are held back: every row is there once, beside its own y."""
    return np.array([[0.0], [1], [2], [3], [4]], "float32"), np.array([0, 10, 20, 30, 40], "int32"), 0.4, 7


@split.case(points=4, probe=split_properties(*COMPLETE))
def a_table(rng):
    """A table of 23 rows: the parts have the right sizes, no row is lost and none is in both."""
    return normal(rng, 23, 3), normal(rng, 23), 0.3, int(rng.integers(100, 1000))


@split.case(points=3, probe=split_properties(PAIRS))
def images(rng):
    """Rows that are images keep their labels."""
    return normal(rng, 17, 4, 5), rng.permutation(17).astype("int32"), 0.2, int(rng.integers(100, 1000))


@split.case(points=2, probe=split_properties("number of rows in each part", CHANCE))
def an_ordered_list(rng):
    """Rows in order of their class: those held back are drawn by lot, not cut off at one end."""
    return normal(rng, 29, 2), np.repeat([0, 1, 2], [10, 10, 9]).astype("int32"), 0.15, int(rng.integers(100, 1000))


@split.case(points=2, probe=split_properties(*SEEDS))
def seeds(rng):
    """The same seed gives the same split whatever was drawn before, another seed another one."""
    return normal(rng, 31, 2), normal(rng, 31), 0.25, int(rng.integers(100, 1000))


@split.case(points=1, probe=split_properties("number of rows in each part"))
def half_a_row(rng):
    """A quarter of ten rows is two and a half: `round` decides."""
    return normal(rng, 10, 3), normal(rng, 10), 0.25, int(rng.integers(100, 1000))


@split.misconception(variants=[{"first": True}])
def cuts_without_shuffling(x, y, fraction, seed, first=False):
    """The rows held back are always those at one end: data often comes in order, so shuffle all rows before you cut."""
    k = round(fraction * len(x))
    return (x[k:], y[k:], x[:k], y[:k]) if first else (x[:-k], y[:-k], x[-k:], y[-k:])


@split.misconception
def trains_on_everything(x, y, fraction, seed):
    """Your training part holds all rows, those for validation among them: take out what is held back."""
    rows = np.random.default_rng(seed).permutation(len(x))[:round(fraction * len(x))]
    return x, y, x[rows], y[rows]


@split.misconception
def draws_the_parts_apart(x, y, fraction, seed):
    """Some rows are in both parts and others in none: the two parts come from two draws. Cut one shuffled list."""
    k, rng = round(fraction * len(x)), np.random.default_rng(seed)
    train, val = rng.permutation(len(x))[k:], rng.permutation(len(x))[:k]
    return x[train], y[train], x[val], y[val]


@split.misconception
def shuffles_x_and_y_apart(x, y, fraction, seed):
    """Rows of x have lost their own y: shuffle both by one and the same permutation."""
    rng, k = np.random.default_rng(seed), round(fraction * len(x))
    x, y = x[rng.permutation(len(x))], y[rng.permutation(len(y))]
    return x[k:], y[k:], x[:k], y[:k]


@split.misconception
def fraction_for_training(x, y, fraction, seed):
    """The fraction went into training: it is the share that is held back for validation."""
    x_train, y_train, x_val, y_val = lesson.split(x, y, fraction, seed)
    k = len(x_val)
    x, y = np.concatenate([x_train, x_val]), np.concatenate([y_train, y_val])
    return x[:k], y[:k], x[k:], y[k:]


@split.misconception
def parts_in_another_order(x, y, fraction, seed):
    """The second thing you return is not y_train: the order is x_train, y_train, x_val, y_val."""
    x_train, y_train, x_val, y_val = lesson.split(x, y, fraction, seed)
    return x_train, x_val, y_train, y_val


@split.misconception
def rounds_down(x, y, fraction, seed):
    """Too few rows are held back when fraction · n is not whole: `int` cuts off, the contract rounds."""
    k, order = int(fraction * len(x)), np.random.default_rng(seed).permutation(len(x))
    return x[order[k:]], y[order[k:]], x[order[:k]], y[order[:k]]


@split.misconception
def rounds_up(x, y, fraction, seed):
    """Too many rows are held back when fraction · n is not whole: the contract rounds to the nearest."""
    k, order = int(np.ceil(fraction * len(x))), np.random.default_rng(seed).permutation(len(x))
    return x[order[k:]], y[order[k:]], x[order[:k]], y[order[:k]]


@split.misconception
def rounds_halves_up(x, y, fraction, seed):
    """Half a row is rounded up: Python's `round` takes a half to the even number, and the contract uses it."""
    k, order = int(fraction * len(x) + 0.5), np.random.default_rng(seed).permutation(len(x))
    return x[order[k:]], y[order[k:]], x[order[:k]], y[order[:k]]


@split.misconception
def ignores_the_seed(x, y, fraction, seed):
    """Every seed gives the same split: hand the seed to the random generator."""
    return lesson.split(x, y, fraction, 0)


@split.misconception
def different_every_time(x, y, fraction, seed):
    """The same seed gives a new split at every call: make a generator from the seed inside the function."""
    order, k = np.random.permutation(len(x)), round(fraction * len(x))
    return x[order[k:]], y[order[k:]], x[order[:k]], y[order[:k]]


@split.variation({"order[k:], order[:k]": "order[k:], order"})
def validates_on_everything():
    """Your validation part holds every row, those of the training part, too: no row belongs to both."""


@split.variation({"round(fraction * len(x))": "round(fraction)"}, {"round(fraction * len(x))": "round(fraction / len(x))"},
                 {"round(fraction * len(x))": "len(x)"})
def sizes_that_are_no_share():
    """The size of your parts is no share of the rows: the validation part has `fraction` of all of them, rounded."""


# ---------------------------------------------------------------------------------------------------- first_overfitting_epoch

first_overfitting_epoch = Question(lesson.first_overfitting_epoch, probe=own.epoch_or_none(), forbid=("keras.callbacks.*",))


@first_overfitting_epoch.case(points=2, visible=True)
def seven_epochs(rng):
    """Seven epochs and a patience of 2: one bad epoch early on is forgiven, two later are not."""
    return [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], [0.9, 0.7, 0.8, 0.6, 0.7, 0.6, 0.9], 2


@first_overfitting_epoch.case(points=1, visible=True)
def still_improving(rng):
    """Validation improves at every second epoch: with a patience of 2 there is no turning point."""
    return [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.9, 0.95, 0.8, 0.85, 0.7, 0.75], 2


@first_overfitting_epoch.case(points=3)
def a_ragged_curve(rng):
    """A long and ragged curve: bad epochs before the turning point, and better ones long after it."""
    turn = int(rng.integers(10, 1500))
    falling = np.linspace(1.5, 0.8, turn + 1) + rng.uniform(-0.2, 0.2, size=turn + 1) / turn
    falling[[3, 4, 7]] = falling[[2, 2, 6]] + rng.uniform(0.05, 0.1, size=3)
    after = falling[turn] + np.array([0.2, 0.1, 0.25, 0.05, 0.2, 0.3, 0.15, 0.25, 0.1]) + rng.uniform(0, 0.03, size=9)
    late = falling[turn] + np.array([-0.1, -0.2, -0.3, -0.25, -0.15, -0.2])
    train = np.linspace(1.4, 0.2, turn + 16) + rng.uniform(-0.3, 0.3, size=turn + 16) / (turn + 16)
    train[-3:] = train[-4] + 0.1
    return train.tolist(), np.concatenate([falling, after, late]).tolist(), 5


@first_overfitting_epoch.case(points=2)
def a_plateau(rng):
    """Validation reaches its best and stays exactly there: a tie is no improvement."""
    turn, best = int(rng.integers(4, 1500)), float(rng.uniform(0.3, 0.4))
    return np.linspace(1, 0.4, turn + 6).tolist(), [*np.linspace(0.9, 0.5, turn).tolist(), *[best] * 6], 3


@first_overfitting_epoch.case(points=2)
def patience_just_fits(rng):
    """The last epoch is just the one that uses up the patience."""
    turn, best = int(rng.integers(4, 1500)), float(rng.uniform(0.3, 0.4))
    val = [*np.linspace(0.9, 0.5, turn).tolist(), best, best + 0.2, best + 0.1, best + 0.3, best + 0.2]
    return np.linspace(1, 0.4, turn + 5).tolist(), val, 4


@first_overfitting_epoch.case(points=1, visible=True)
def too_few_epochs_left(rng):
    """Validation has turned, but training ended one epoch before the patience was used up."""
    best = float(rng.uniform(0.3, 0.4))
    return np.linspace(1, 0.4, 7).tolist(), [0.9, 0.7, 0.5, best, best + 0.2, best + 0.1, best + 0.3], 4


@first_overfitting_epoch.case(points=1, probe=own.epoch_of_each())
def shorter_than_the_patience(rng):
    """Three epochs cannot use up a patience of 5; among longer lists that can, one of which is at its best at once."""
    def lists(turn, epochs):
        best = float(rng.uniform(0.3, 0.4))
        val = [*np.linspace(0.9, 0.5, turn).tolist(), best, *(best + rng.uniform(0.1, 0.3, size=epochs - turn - 1)).tolist()]
        return [np.linspace(1, 0.4, epochs).tolist(), val, 5]

    short = rng.permutation([True, True, True, *rng.integers(0, 2, size=3).astype(bool), False, False])
    turns = iter([0, *rng.integers(4, 9, size=len(short)).tolist()])
    return {"curves": [lists(0, 3) if few else lists(turn := next(turns), turn + 6) for few in short]}


@first_overfitting_epoch.case(points=2)
def training_rises_too(rng):
    """Both losses rise together for a while, which is no overfitting; later only one of them does."""
    low, before = float(rng.uniform(0.4, 0.5)), np.linspace(2, 1.1, int(rng.integers(0, 1500))).tolist()
    train = [*before, 0.95, 0.8, 0.85, 0.9, 0.9, 0.6, 0.8, 1.0, 1.1, 0.5, 0.4, 0.3, 0.2, 0.1]
    # It falls below 0.6 again, but only after the patience of the second rise is over.
    return train, [*before, 1.0, 0.9, 0.95, 0.97, 0.96, 0.7, 0.9, 1.1, 1.2, 0.9, low, low + 0.1, low + 0.2, low + 0.3], 3


@first_overfitting_epoch.misconception
def last_epoch(train_loss, val_loss, patience):
    """You return the last epoch: it is the best for the training set alone."""
    return len(val_loss) - 1


@first_overfitting_epoch.misconception
def training_minimum(train_loss, val_loss, patience):
    """You return the epoch of the lowest training loss: the turning point is one of the validation loss."""
    return int(np.argmin(train_loss))


@first_overfitting_epoch.misconception
def validation_minimum(train_loss, val_loss, patience):
    """You return the lowest validation loss of all: the first epoch that is not improved on for `patience` epochs is asked
    for, and None when there is none."""
    return int(np.argmin(val_loss))


@first_overfitting_epoch.misconception
def ignores_patience(train_loss, val_loss, patience):
    """The first bad epoch is taken for the turning point: wait until `patience` epochs in a row have failed to improve."""
    return lesson.first_overfitting_epoch(train_loss, val_loss, 1)


@first_overfitting_epoch.misconception
def epoch_when_patience_ends(train_loss, val_loss, patience):
    """You return the epoch in which patience ran out: the best one lies `patience` epochs before it."""
    epoch = lesson.first_overfitting_epoch(train_loss, val_loss, patience)
    return None if epoch is None else epoch + patience


@first_overfitting_epoch.misconception
def counts_from_one(train_loss, val_loss, patience):
    """Your epoch is one too high: epochs count from 0, as list indices do."""
    epoch = lesson.first_overfitting_epoch(train_loss, val_loss, patience)
    return None if epoch is None else epoch + 1


@first_overfitting_epoch.misconception
def waits_one_epoch_too_long(train_loss, val_loss, patience):
    """You wait for patience + 1 epochs: after `patience` bad ones in a row the best epoch is settled."""
    return lesson.first_overfitting_epoch(train_loss, val_loss, patience + 1)


@first_overfitting_epoch.misconception
def waits_one_epoch_too_short(train_loss, val_loss, patience):
    """You wait for patience − 1 epochs, or for fewer where the list ends: all `patience` of them have to exist and to fail."""
    return lesson.first_overfitting_epoch(train_loss, val_loss, patience - 1) if patience > 1 else 0


@first_overfitting_epoch.misconception
def accepts_a_list_that_ends(train_loss, val_loss, patience):
    """An epoch near the end counts although fewer than `patience` epochs follow it: they all have to exist."""
    for epoch in range(len(val_loss) - 1):
        following = val_loss[epoch + 1:epoch + 1 + patience]
        last = min(epoch + patience, len(val_loss) - 1)
        if val_loss[epoch] < min(val_loss[:epoch], default=np.inf) and min(following) >= val_loss[epoch] \
                and train_loss[last] < train_loss[epoch]:
            return epoch
    return None


@first_overfitting_epoch.misconception
def a_tie_improves(train_loss, val_loss, patience):
    """An equal validation loss counts as an improvement in your answer: only a lower one does."""
    for epoch in range(len(val_loss) - patience):
        following = val_loss[epoch + 1:epoch + 1 + patience]
        if val_loss[epoch] <= min(val_loss[:epoch], default=np.inf) and min(following) > val_loss[epoch] \
                and train_loss[epoch + patience] < train_loss[epoch]:
            return epoch
    return None


@first_overfitting_epoch.misconception
def zero_is_none(train_loss, val_loss, patience):
    """Where the first epoch is the best you return None: epoch 0 is an epoch, although `0` counts as false in Python."""
    return lesson.first_overfitting_epoch(train_loss, val_loss, patience) or None


@first_overfitting_epoch.misconception
def looks_beyond_the_patience(train_loss, val_loss, patience):
    """The training loss is looked at again and again after the patience has run out: it has to be lower exactly `patience` epochs
    after the best one."""
    best = 0
    for epoch in range(1, len(val_loss)):
        if val_loss[epoch] < val_loss[best]:
            best = epoch
        elif epoch >= best + patience and train_loss[epoch] < train_loss[best]:
            return best
    return None


@first_overfitting_epoch.misconception
def ignores_training(train_loss, val_loss, patience):
    """An epoch counts although the training loss rises too: that is divergence, and the third condition rules it out."""
    falling = list(range(len(train_loss), 0, -1))
    return lesson.first_overfitting_epoch(falling, val_loss, patience)


@first_overfitting_epoch.misconception
def compares_neighbours(train_loss, val_loss, patience):
    """You wait for `patience` rises in a row, each compared with the epoch before: compare with the best epoch so far."""
    for epoch in range(len(val_loss) - patience):
        window = val_loss[epoch:epoch + 1 + patience]
        if all(a <= b for a, b in zip(window, window[1:])) and train_loss[epoch + patience] < train_loss[epoch]:
            return epoch
    return None


@first_overfitting_epoch.misconception
def minus_one_for_none(train_loss, val_loss, patience):
    """Where there is no turning point you return a number: return None, which cannot be taken for an index."""
    epoch = lesson.first_overfitting_epoch(train_loss, val_loss, patience)
    return -1 if epoch is None else epoch


@first_overfitting_epoch.variation({":epoch + 1 + patience]": ":epoch + patience]"}, {"[epoch + 1:epoch": "[epoch + 2:epoch"})
def looks_at_one_epoch_too_few():
    """Of the epochs after a candidate you look at one too few: all `patience` of them count, from the next one on."""


@first_overfitting_epoch.variation({"epoch + 1:epoch + 1 + patience": "epoch + 1:"})
def has_to_stay_worse_for_ever():
    """You look at the validation loss of all later epochs: the next `patience` of them decide."""


@first_overfitting_epoch.variation({"min(following)": "max(following)"}, {"min(following)": "following[-1]"})
def one_worse_epoch_is_enough():
    """One epoch without improvement is enough for you: in none of the next `patience` epochs may the validation loss go below."""


@first_overfitting_epoch.variation({"best and train": "best or train"})
def either_sign_is_enough():
    """Either of the two signs is enough for you: the validation loss stops falling while the training loss falls, both."""


@first_overfitting_epoch.variation({"if val_loss[epoch] >= best:": "if False:"})
def need_not_be_the_best_so_far():
    """Your epoch need not be the best so far: one that is no better than an earlier one is no candidate."""


# ---------------------------------------------------------------------------------------------------- l2_penalty

l2_penalty = Question(lesson.l2_penalty, forbid=KERAS_PENALTIES)


@l2_penalty.case(points=2, visible=True)
def a_matrix_and_a_vector(rng):
    """Six weights in two tensors: their squares sum to 19."""
    return [np.array([[1, 2], [3, 0]], "float32"), np.array([2, -1], "float32")], 0.5


@l2_penalty.case(points=3)
def mixed_shapes(rng):
    """A kernel of a convolution, a matrix, a vector and a single number."""
    return [normal(rng, 3, 2, 4, 5), normal(rng, 6, 7), normal(rng, 8), normal(rng)], float(rng.uniform(0.2, 0.7))


@l2_penalty.case(points=3, probe=probes.gradients())
def gradients_reach_every_tensor(rng):
    """The gradients with respect to all tensors."""
    return [normal(rng, 3, 4), normal(rng, 5, 2), normal(rng, 6)], float(rng.uniform(0.2, 0.7))


def in_any_order(rng, networks):
    return {"networks": [networks[i] for i in rng.permutation(len(networks))]}


@l2_penalty.case(points=1, probe=own.penalty_of_each())
def no_weights(rng):
    """An empty list costs nothing. Some lists with weights are among them."""
    return in_any_order(rng, [[[], 0.3], [[], 0.3], [[normal(rng, 4, 3)], 0.3], [[normal(rng, 2, 6), normal(rng, 5)], 0.3]])


@l2_penalty.case(points=1, probe=own.penalty_of_each())
def a_price_of_zero(rng):
    """λ = 0 switches the penalty off, however large the weights; other prices do not."""
    weights = [normal(rng, 4, 3, scale=1000), normal(rng, 5)]
    return in_any_order(rng, [[weights, lam] for lam in (0.0, 0.0, float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.5, 0.7)))])


@l2_penalty.misconception
def halves(weights, lam):
    """Your penalty is half of the right one: there is no ½ in this course's convention (`tf.nn.l2_loss` has one inside)."""
    return lesson.l2_penalty(weights, lam / 2)


@l2_penalty.misconception
def takes_the_norm(weights, lam):
    """You add up lengths of tensors, square roots of sums of squares: leave the squares as they are."""
    return lam * sum(tf.norm(w) for w in weights)


@l2_penalty.misconception
def takes_one_root_of_all(weights, lam):
    """You take the root of the whole sum: the penalty is the sum of squares itself."""
    total = sum(tf.reduce_sum(tf.square(w)) for w in weights)
    return lam * tf.sqrt(tf.cast(total, tf.float32))


@l2_penalty.misconception
def takes_the_mean(weights, lam):
    """Your penalty is divided by the number of weights: it is a sum, so that every weight pays its own price."""
    count = sum(int(np.prod(w.shape)) for w in weights)
    return lesson.l2_penalty(weights, lam) / max(count, 1)


@l2_penalty.misconception
def takes_the_mean_of_each_tensor(weights, lam):
    """Each tensor counts with the mean of its squares: a sum is asked for, over all entries of all tensors."""
    return lam * sum(tf.reduce_mean(tf.square(w)) for w in weights)


@l2_penalty.misconception
def averages_over_tensors(weights, lam):
    """Your penalty is divided by the number of tensors: it is a sum over all of them."""
    return lesson.l2_penalty(weights, lam) / max(len(weights), 1)


@l2_penalty.misconception
def divides_by_two_n(weights, lam):
    """Your penalty is divided by twice the number of weights: the book's λ/(2n) is another convention, and its n counts
    training examples."""
    count = sum(int(np.prod(w.shape)) for w in weights)
    return lesson.l2_penalty(weights, lam) / max(2 * count, 1)


@l2_penalty.misconception
def forgets_lambda(weights, lam):
    """Your penalty does not depend on lam: it is the price, and multiplies the sum."""
    return lesson.l2_penalty(weights, 1.0)


@l2_penalty.misconception
def absolute_values(weights, lam):
    """You add up absolute values, which is the L1 penalty: L2 takes squares."""
    return lam * sum(tf.reduce_sum(tf.abs(w)) for w in weights)


@l2_penalty.misconception(variants=[{"which": 0}])
def one_tensor_only(weights, lam, which=-1):
    """Only one tensor of the list pays: the sum runs over all of them."""
    return lesson.l2_penalty([weights[which]], lam) if weights else 0.0


@l2_penalty.misconception
def squares_the_sum(weights, lam):
    """You square sums of weights: square every weight first, then add."""
    return lam * sum(tf.square(tf.reduce_sum(w)) for w in weights)


@l2_penalty.misconception
def squares_lambda(weights, lam):
    """λ is squared along with the weights: square the weights alone."""
    return lesson.l2_penalty(weights, lam ** 2)


@l2_penalty.misconception
def leaves_tensorflow(weights, lam):
    """The value is right, but no gradient can follow where NumPy or float() has computed: use TensorFlow or keras.ops."""
    return lam * sum(float(tf.reduce_sum(tf.square(w))) for w in weights)


@l2_penalty.variation({"tf.square(w)": "w"})
def forgets_to_square():
    """Your penalty adds the weights as they are, so that they cancel: square each first."""


@l2_penalty.variation({"lam * sum": "lam / sum"},
                      {"lam * sum(tf.reduce_sum(tf.square(w)) for w in weights)": "lam"})
def large_weights_cost_nothing():
    """Larger weights do not cost more: the penalty is λ times the sum of their squares."""


# ---------------------------------------------------------------------------------------------------- regularized_loss

regularized_loss = Question(lesson.regularized_loss, uses=("l2_penalty",), forbid=KERAS_PENALTIES)


@regularized_loss.case(points=2, visible=True)
def two_small_layers(rng):
    """A loss of 2, kernels whose squares sum to 14, and biases that do not count."""
    first = [np.array([[1, 2]], "float32"), np.array([5, 5], "float32")]
    second = [np.array([[3], [0]], "float32"), np.array([7], "float32")]
    return np.array(2, "float32"), [first, second], 0.1


def layers_of(rng, *sizes):
    return [[normal(rng, a, b), normal(rng, b)] for a, b in zip(sizes, sizes[1:])]


@regularized_loss.case(points=3)
def three_layers(rng):
    """Three layers of different sizes."""
    return np.array(rng.uniform(1, 2), "float32"), layers_of(rng, 5, 4, 6, 3), float(rng.uniform(0.2, 0.4))


@regularized_loss.case(points=1)
def a_convolution(rng):
    """A convolution and a dense layer: kernels need not be matrices."""
    layers = [[normal(rng, 3, 2, 4, 5), normal(rng, 5)], *layers_of(rng, 6, 2)]
    return np.array(rng.uniform(1, 2), "float32"), layers, float(rng.uniform(0.2, 0.4))


@regularized_loss.case(points=1)
def one_layer(rng):
    """A network of one layer."""
    return np.array(rng.uniform(1, 2), "float32"), layers_of(rng, 7, 3), float(rng.uniform(0.2, 0.4))


@regularized_loss.case(points=1)
def a_price_of_zero(rng):  # noqa: F811
    """With λ = 0 the loss comes back as it was."""
    return np.array(rng.uniform(1, 2), "float32"), layers_of(rng, 4, 3, 2), 0.0


@regularized_loss.case(points=2, probe=own.penalised_gradients())
def gradients_reach_loss_and_kernels(rng):
    """The gradients with respect to the loss and all kernels; the biases have none."""
    return np.array(rng.uniform(1, 2), "float32"), layers_of(rng, 4, 3, 5), float(rng.uniform(0.2, 0.4))


@regularized_loss.misconception
def biases_too(loss, layers, lam):
    """Biases are penalised as well: they go free, so take only the first of each pair."""
    return loss + lesson.l2_penalty([w for layer in layers for w in layer], lam)


@regularized_loss.misconception
def biases_only(loss, layers, lam):
    """The biases pay and the kernels go free: it is the other way round."""
    return loss + lesson.l2_penalty([bias for _, bias in layers], lam)


@regularized_loss.misconception
def last_layer_only(loss, layers, lam):
    """Only the last layer pays: the sum runs over all layers (is the penalty overwritten in a loop?)."""
    return loss + lesson.l2_penalty([layers[-1][0]], lam)


@regularized_loss.misconception
def first_layer_only(loss, layers, lam):
    """Only the first layer pays: the sum runs over all layers (is there a return inside a loop?)."""
    return loss + lesson.l2_penalty([layers[0][0]], lam)


@regularized_loss.misconception
def halves(loss, layers, lam):  # noqa: F811
    """Your penalty is half of the right one: there is no ½ in this course's convention."""
    return loss + lesson.l2_penalty([kernel for kernel, _ in layers], lam / 2)


@regularized_loss.misconception
def forgets_lambda(loss, layers, lam):  # noqa: F811
    """Your penalty does not depend on lam: it is the price, and multiplies the sum of squares."""
    return loss + lesson.l2_penalty([kernel for kernel, _ in layers], 1.0)


@regularized_loss.misconception
def matrices_only(loss, layers, lam):
    """Only kernels that are matrices pay: a kernel of a convolution has more axes and pays as well."""
    return loss + lesson.l2_penalty([kernel for kernel, _ in layers if len(kernel.shape) == 2], lam)


@regularized_loss.misconception
def multiplies(loss, layers, lam):
    """You multiply loss and penalty: they are added, so that each keeps its own gradient."""
    return loss * lesson.l2_penalty([kernel for kernel, _ in layers], lam)


@regularized_loss.misconception
def subtracts(loss, layers, lam):
    """Large weights make your cost smaller: the penalty is added."""
    return loss - lesson.l2_penalty([kernel for kernel, _ in layers], lam)


@regularized_loss.misconception
def forgets_the_loss(loss, layers, lam):
    """This is the penalty alone: add it to the loss."""
    return lesson.l2_penalty([kernel for kernel, _ in layers], lam)


@regularized_loss.misconception
def averages_over_layers(loss, layers, lam):
    """The penalty is divided by the number of layers: every kernel pays the full price."""
    return loss + lesson.l2_penalty([kernel for kernel, _ in layers], lam / len(layers))


@regularized_loss.misconception
def charges_the_loss_too(loss, layers, lam):
    """λ multiplies the loss as well: it is the price of the weights alone."""
    return lam * (loss + lesson.l2_penalty([kernel for kernel, _ in layers], 1.0))


@regularized_loss.misconception
def adds_the_loss_per_layer(loss, layers, lam):
    """The loss is added once for each layer: add it once."""
    return len(layers) * loss + lesson.l2_penalty([kernel for kernel, _ in layers], lam)


@regularized_loss.variation({" + l2_penalty([kernel for kernel, _ in layers], lam)": ""})
def forgets_the_penalty():
    """Your loss has no penalty in it: add that of the kernels."""


# ---------------------------------------------------------------------------------------------------- decay_step

decay_step = Question(lesson.decay_step, forbid=("keras.optimizers.*", "tf.optimizers.*", "tf.GradientTape", "tf.gradients"))


@decay_step.case(points=2, visible=True)
def two_weights(rng):
    """Two weights, one of them without a gradient: it decays all the same."""
    return [1.0, -2.0], [0.5, 0.0], 0.1, 0.5


@decay_step.case(points=4)
def a_kernel(rng):
    """A whole kernel takes a step."""
    return normal(rng, 5, 3), normal(rng, 5, 3), float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.3, 0.45))


@decay_step.case(points=2)
def a_kernel_of_a_convolution(rng):
    """The same for a tensor with four axes."""
    return normal(rng, 3, 2, 4, 5), normal(rng, 3, 2, 4, 5), float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.3, 0.45))


@decay_step.case(points=1)
def no_gradient(rng):
    """Where the data has no opinion the weights shrink by one and the same factor."""
    return normal(rng, 4, 6), np.zeros((4, 6), "float32"), float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.3, 0.45))


@decay_step.case(points=1)
def a_price_of_zero(rng):  # noqa: F811
    """With λ = 0 it is an ordinary step."""
    return normal(rng, 7), normal(rng, 7), float(rng.uniform(0.2, 0.4)), 0.0


@decay_step.misconception
def forgets_the_two(w, grad, learning_rate, lam):
    """Your weights decay half as fast as they should: the derivative of λw² is 2λw."""
    return lesson.decay_step(w, grad, learning_rate, lam / 2)


@decay_step.misconception
def decays_after_the_step(w, grad, learning_rate, lam):
    """The decay is computed from the weights after the step: both parts of the gradient belong to the old weights."""
    return (w - learning_rate * grad) * (1 - 2 * learning_rate * lam)


@decay_step.misconception
def grows(w, grad, learning_rate, lam):
    """Your weights are pushed away from 0: the penalty's gradient has the same sign as the cost's, and both are subtracted."""
    return lesson.decay_step(w, grad, learning_rate, -lam)


@decay_step.misconception
def climbs(w, grad, learning_rate, lam):
    """You step along the gradient: descent steps against it."""
    return lesson.decay_step(w, grad, -learning_rate, lam)


@decay_step.misconception
def rate_twice(w, grad, learning_rate, lam):
    """Your steps are too small by the learning rate: it multiplies the whole gradient once."""
    return lesson.decay_step(w, grad, learning_rate ** 2, lam)


@decay_step.misconception
def decays_at_full_rate(w, grad, learning_rate, lam):
    """The learning rate is missing from the decay: it multiplies the whole gradient."""
    return w - learning_rate * grad - 2 * lam * w


@decay_step.misconception
def rate_on_the_decay_only(w, grad, learning_rate, lam):
    """The learning rate multiplies the decay alone: it multiplies the whole gradient."""
    return w - grad - 2 * learning_rate * lam * w


@decay_step.misconception
def gradient_only(w, grad, learning_rate, lam):
    """This is a step without decay: the gradient of the penalty is missing."""
    return w - learning_rate * grad


@decay_step.misconception
def decay_only(w, grad, learning_rate, lam):
    """Your weights decay and do not follow the gradient: add the two."""
    return w - learning_rate * 2 * lam * w


@decay_step.misconception
def pulls_by_the_sign(w, grad, learning_rate, lam):
    """All your weights are pulled equally hard, which is what the L1 penalty does: with L2 a large weight is pulled harder."""
    return w - learning_rate * (grad + lam * np.sign(w))


@decay_step.misconception
def adds_the_penalty_itself(w, grad, learning_rate, lam):
    """You add the penalty where its gradient belongs: differentiate λw² first."""
    return w - learning_rate * (grad + lam * np.square(w))


@decay_step.misconception
def returns_the_change(w, grad, learning_rate, lam):
    """This is the change of the weights: return the weights after the step."""
    return lesson.decay_step(w, grad, learning_rate, lam) - w


# ---------------------------------------------------------------------------------------------------- book_lambda

book_lambda = Question(lesson.book_lambda, probe=probes.call(inputs_as="python"), atol=1e-9)


@book_lambda.case(points=1, visible=True)
def three_hundred_examples(rng):
    """A λ of 6 for 300 examples."""
    return 6.0, 300


@book_lambda.case(points=2)
def many_examples(rng):
    """Some thousands of examples."""
    return float(rng.uniform(1, 4)), int(rng.integers(3001, 9000))


@book_lambda.case(points=1)
def one_example(rng):
    """A single example: then only the 2 remains."""
    return float(rng.uniform(1, 4)), 1


@book_lambda.misconception
def forgets_the_two(lam, n):  # noqa: F811
    """Your λ is twice as large as it should be: the book divides by 2n."""
    return lam / n


@book_lambda.misconception
def forgets_n(lam, n):
    """The number of examples is not used: the book's penalty is divided by 2n."""
    return lam / 2


@book_lambda.misconception(variants=[{"batch": size} for size in (8, 16, 20, 50, 64, 100, 128)] + [{"batch": 32}])
def divides_by_a_batch(lam, n, batch=10):
    """You divide by a number of your own: the n of the book is the size of the training set, and it is an argument."""
    return lam / (2 * batch)


@book_lambda.misconception
def multiplies_by_n(lam, n):
    """You convert in the other direction: set λ Σw² of this course equal to the book's penalty, and solve for the former."""
    return 2 * n * lam


@book_lambda.misconception
def multiplies_by_half_n(lam, n):
    """λ is divided by 2 and multiplied by n: in λ/(2n) both stand below the line, and need parentheses in Python."""
    return lam / 2 * n


@book_lambda.misconception
def divides_whole_numbers(lam, n):
    """Your λ is 0: `//` cuts off the fraction, `/` keeps it."""
    return lam // (2 * n)


@book_lambda.variation({"lam / (2 * n)": "lam"})
def the_same_lambda():
    """Your λ is the book's: its cost divides the penalty by something that Keras's does not."""


@book_lambda.variation({"lam / (2 * n)": "2 * n / lam"})
def fraction_upside_down():
    """Your fraction is upside down: a larger λ of the book is a larger λ of Keras."""


# ---------------------------------------------------------------------------------------------------- L2

L2 = Question(lesson.L2, probe=own.penalty_of(), uses=("l2_penalty",), forbid=KERAS_PENALTIES)


@L2.case(points=2, visible=True)
def four_weights(rng):
    """Four weights whose squares sum to 15."""
    return {"lam": 0.5, "w": np.array([[1, 2], [3, -1]], "float32")}


@L2.case(points=1, visible=True, probe=own.registration())
def known_to_keras(rng):
    """Keras finds the class by its registered name."""
    return {"lam": 0.5}


@L2.case(points=3)
def a_kernel_of_a_convolution(rng):  # noqa: F811
    """A kernel with four axes."""
    return {"lam": float(rng.uniform(0.2, 0.7)), "w": normal(rng, 3, 2, 4, 5)}


@L2.case(points=2, visible=True, probe=own.penalty_after_config())
def made_again(rng):
    """A copy made from `get_config` asks the same price."""
    return {"lam": 0.5, "w": np.array([[1, 2], [3, -1]], "float32")}


def dense(rng, inputs, units):
    return {"lam": float(rng.uniform(0.2, 0.7)), "kernel": normal(rng, inputs, units), "bias": normal(rng, units)}


@L2.case(points=3, probe=own.penalty_in_layer())
def in_a_layer(rng):
    """As the `kernel_regularizer` of a dense layer: the layer's loss, and the gradient of its kernel."""
    return dense(rng, 5, 3)


@L2.case(points=1, probe=own.penalty_in_layer(graph=True))
def in_a_compiled_layer(rng):
    """The same under `tf.function`, as in `fit`."""
    return dense(rng, 4, 7)


@L2.case(points=2, probe=own.penalty_after_loading())
def saved_and_loaded(rng):
    """A model with the regularizer is saved and loaded, and still asks the same price."""
    return dense(rng, 3, 6)


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class halves(lesson.L2):  # noqa: F811
    """Your penalty is half of the right one: there is no ½ in this course's convention (`tf.nn.l2_loss` has one inside)."""

    def __call__(self, w):
        return super().__call__(w) / 2


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class takes_the_mean(lesson.L2):  # noqa: F811
    """Your penalty is divided by the number of weights: it is a sum."""

    def __call__(self, w):
        return super().__call__(w) / float(np.prod(w.shape))


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class takes_the_norm(lesson.L2):  # noqa: F811
    """You take the square root of the sum of squares: leave it as it is."""

    def __call__(self, w):
        return self.get_config()["lam"] * tf.sqrt(tf.reduce_sum(tf.square(w)))


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class absolute_values(lesson.L2):  # noqa: F811
    """You add up absolute values, which is the L1 penalty: L2 takes squares."""

    def __call__(self, w):
        return self.get_config()["lam"] * tf.reduce_sum(tf.abs(w))


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class forgets_lambda(lesson.L2):  # noqa: F811
    """Your penalty does not depend on lam: keep it in __init__ and multiply by it."""

    def __call__(self, w):
        return super().__call__(w) / self.get_config()["lam"]


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class sums_one_axis_only(lesson.L2):
    """You return several numbers: a regularizer returns one, the sum over all axes."""

    def __call__(self, w):
        return self.get_config()["lam"] * tf.reduce_sum(tf.square(w), axis=0)


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class forgets_its_configuration(lesson.L2):
    """Your regularizer cannot be made again from its get_config: it has to hold lam, by that name."""

    def get_config(self):
        return {}


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class falls_back_to_a_default(lesson.L2):
    """Made again from its configuration, your regularizer has another λ: without lam in get_config its default comes back."""

    def __init__(self, lam=0.01):
        super().__init__(lam)

    def get_config(self):
        return {}


@L2.misconception
@keras.saving.register_keras_serializable("mistakes")
class leaves_tensorflow(lesson.L2):  # noqa: F811
    """Your penalty is a number without a past: NumPy and float() stop the gradient, so that the weights would never shrink."""

    def __call__(self, w):
        return float(np.sum(np.square(np.asarray(w)))) * self.get_config()["lam"]


@L2.misconception
class loses_its_registration(lesson.L2):
    """Keras does not know your class by name: keep the line `@keras.saving.register_keras_serializable(...)` above it."""


# ---------------------------------------------------------------------------------------------------- bump_network

# The observation is by how much the mean error exceeds L/(2n), and 0 for all right answers; the tolerance lets wrong ones that
# differ in steepness alone be taken for the same mistake.
PLACES = np.linspace(0, 1, 4001)  # where the functions of hidden cases are tabulated


def wave(offset, slope, height, turns, phase):
    return offset + slope * PLACES + height * np.sin(2 * np.pi * (turns * PLACES + phase))


def several(rng, make):
    """Four functions, some of them small, some large, some upside down: a network made for others is far off for one at least."""
    return np.array([rng.choice([-1, 1]) * np.exp(rng.uniform(-3, 3)) * make() for _ in range(4)])


bump_network = Question(lesson.bump_network, probe=own.approximation_error(), rtol=0.15, atol=0.15)


@bump_network.case(points=2, visible=True, rtol=0.05, atol=0.05)
def a_straight_line(rng):
    """f(x) = 1 + x with four bumps, of the heights 9/8, 11/8, 13/8 and 15/8."""
    return [1.0, 2.0], 4


@bump_network.case(points=3, probe=own.approximation_error_of_each())
def a_curve(rng):
    """Smooth curves, each with nine bumps."""
    return several(rng, lambda: rng.uniform(1.8, 2.2) + PLACES + rng.uniform(0.4, 0.5) * PLACES ** 2), 9


@bump_network.case(points=3, probe=own.approximation_error_of_each())
def a_wave(rng):
    """Waves, each with 24 bumps."""
    return several(rng, lambda: wave(rng.uniform(1.4, 1.6), 0.3, rng.uniform(0.7, 0.9), 1.3, rng.uniform(0.1, 0.2))), 24


@bump_network.case(points=3, probe=own.approximation_error_of_each())
def many_bumps(rng):
    """Fifty bumps: steps have to be narrower, too."""
    return several(rng, lambda: rng.uniform(1.8, 2.2) + np.abs(2 * ((1.5 * PLACES + rng.uniform(0.1, 0.2)) % 1) - 1)), 50


@bump_network.case(points=2, probe=own.approximation_error_of_each())
def one_bump(rng):
    """A single bump: right in the middle at least."""
    return several(rng, lambda: rng.uniform(0.8, 1.2) + PLACES), 1


@bump_network.case(points=1, probe=own.approximation_error_of_each())
def large_values(rng):
    """Values around a thousand, and below zero by as much: the output is not squashed."""
    waves = [wave(0.0, -100.0, rng.uniform(900, 1100), 1.0, phase) for phase in rng.uniform(0, 1, size=4)]
    return np.array(waves), 20


@bump_network.misconception(variants=[{"shift": -1}])
def steps_one_bump_off(f, n, shift=1):
    """Every bump stands on its neighbour's piece: bump k begins at k/n and ends at (k + 1)/n, with k from 0."""
    k = np.arange(n)
    h = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([k + shift, k + shift + 1]) / n
    return np.full((1, 2 * n), 100.0 * n), -100.0 * n * steps, np.concatenate([h, -h])[:, None], np.zeros(1)


@bump_network.misconception
def both_steps_go_up(f, n):
    """Your output climbs from bump to bump: both steps of a bump add its height. The second one takes it away again."""
    w1, b1, w2, b2 = lesson.bump_network(f, n)
    return w1, b1, np.abs(w2) * np.sign(np.tile([f((i + 0.5) / n) for i in range(n)], 2))[:, None], b2


@bump_network.misconception
def heights_not_differences(f, n):
    """Your output adds up the heights of all pieces so far: without steps down, a step carries the difference to the height
    before it, not the height itself."""
    h = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([np.arange(n), np.arange(n)]) / n
    return np.full((1, 2 * n), 100.0 * n), -100.0 * n * steps, np.concatenate([h, 0 * h])[:, None], np.zeros(1)


@bump_network.misconception(variants=[{"steepness": s} for s in (1, 2, 5, 8, 12, 15, 20, 25, 30)])
def too_shallow_steps(f, n, steepness=10):
    """Your steps are as wide as the bumps or wider, and the bumps run into one another: the steepness has to grow with n."""
    k = np.arange(n)
    h = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([k, k + 1]) / n
    return np.full((1, 2 * n), float(steepness)), -steepness * steps, np.concatenate([h, -h])[:, None], np.zeros(1)


@bump_network.misconception(variants=[{"sign": -1, "scaled": False}])
def steps_outside(f, n, sign=1, scaled=True):
    """Inside [0, 1] your network gives nearly 0: its steps are elsewhere. A step stands where w x + b = 0, at x = −b/w."""
    k = np.arange(n)
    h = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([k, k + 1]) / n
    b1 = sign * steps * (1000.0 * n if scaled else 1)
    return np.full((1, 2 * n), 1000.0 * n), b1, np.concatenate([h, -h])[:, None], np.zeros(1)


@bump_network.misconception
def upside_down(f, n):
    """Your output is −f: the step at which a bump begins adds its height, and the one at which it ends takes it away."""
    w1, b1, w2, b2 = lesson.bump_network(f, n)
    return w1, b1, -w2, b2


@bump_network.misconception
def gaps_between_bumps(f, n):
    """Your bumps cover only half of their pieces: each reaches to where the next one begins."""
    k = np.arange(n)
    h = np.array([f((i + 0.5) / n) for i in range(n)])
    steps = np.concatenate([k, k + 0.5]) / n
    return np.full((1, 2 * n), 100.0 * n), -100.0 * n * steps, np.concatenate([h, -h])[:, None], np.zeros(1)


@bump_network.misconception
def starts_from_f_of_0(f, n):
    """Your output is too high by f(0): the bumps carry the whole height already, so that the output bias has nothing to add."""
    w1, b1, w2, b2 = lesson.bump_network(f, n)
    return w1, b1, w2, np.full(1, f(0.0))


@bump_network.misconception
def averages_the_bumps(f, n):
    """Your output is too small by the number of bumps: bumps do not overlap, so they are added and not averaged."""
    w1, b1, w2, b2 = lesson.bump_network(f, n)
    return w1, b1, np.asarray(w2) / n, b2


@bump_network.misconception
def one_height_for_all(f, n):
    """All your bumps have the same height: each has its own, f at the middle of its piece."""
    h = np.full(n, f(0.5))
    w1, b1, w2, b2 = lesson.bump_network(lambda x: h[0], n)
    return w1, b1, w2, b2


@bump_network.variation({"50.0 * n": "50.0"}, {"50.0 * n": "n"}, {"50.0 * n": "50.0 / n"})
def steps_that_smear():
    """Your steps are too shallow for so many bumps: their steepness has to grow with n, and to be large."""


@bump_network.variation({"(i + 0.5) / n": "0.5 / n"}, {"(i + 0.5) / n": "i + 0.5"})
def heights_of_other_places():
    """The heights of your bumps are not those of f in the middle of each: the middle of bump i is at (i + ½)/n."""


@bump_network.variation({"k + 1]": "k + 2]"}, {"k + 1]": "k - 1]"})
def bumps_of_another_width():
    """Your bumps do not end where the next begins: each is 1/n wide."""


@bump_network.variation({"np.zeros(1)": "np.ones(1)"})
def lifts_the_whole_output():
    """Your whole output is lifted: the bumps give the heights, so the output's bias is 0."""
