"""Cases and misconceptions of a2: the cost, gradient descent, mini-batches and a training loop."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

OPTIMIZERS = ["keras.optimizers.*", "tf.optimizers.*", "tf.compat.v1.train.*Optimizer", "tf.raw_ops.ResourceApply*"]
FITTING = ["keras.Model.fit", "keras.Model.train_on_batch", "keras.Model.compile"]


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def number(rng, low, high):
    return float(rng.uniform(low, high))


# ---------------------------------------------------------------------------------------------------- mean_squared_error

mean_squared_error = Question(lesson.mean_squared_error, forbid=[
    *OPTIMIZERS, "keras.losses.*", "keras.metrics.*", "tf.losses.*", "tf.metrics.*", "sklearn.metrics.*"])


@mean_squared_error.case(points=2, visible=True)
def two_rows(rng):
    """Two rows of three: the differences are 0, 0, 2 and 0, -3, -1."""
    return [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 2.0, 1.0], [4.0, 8.0, 7.0]]


@mean_squared_error.case(points=4)
def five_rows(rng):
    """More rows than columns."""
    return normal(rng, 5, 3), normal(rng, 5, 3)


@mean_squared_error.case(points=2)
def seven_columns(rng):
    """More columns than rows."""
    return 3 * normal(rng, 4, 7), normal(rng, 4, 7)


@mean_squared_error.case(points=1)
def one_column(rng):
    """A single number per row."""
    return normal(rng, 6, 1) + 1, normal(rng, 6, 1) - 1


@mean_squared_error.case(points=1, probe=probes.each())
def perfect(rng):
    """Every prediction is right, and the cost is 0; or one of them is wrong, and it is not."""
    targets, wrong = normal(rng, 4, 3, 2), int(rng.integers(4))
    predictions = targets.copy()
    predictions[wrong, rng.integers(3), rng.integers(2)] += number(rng, 1, 3)
    return {"calls": [list(pair) for pair in zip(targets, predictions)]}


@mean_squared_error.case(points=2)
def far_from_zero(rng):
    """Targets and predictions around 4,000, close to one another: their squares would use up all digits of float32."""
    targets = 4000 + normal(rng, 6, 4)
    return targets, targets + normal(rng, 6, 4)


@mean_squared_error.misconception
def sums_instead(targets, predictions):
    """Your cost grows with the number of entries: it is the sum of the squares, and their mean is asked for."""
    return tf.reduce_sum((targets - predictions) ** 2)


@mean_squared_error.misconception
def halves(targets, predictions):
    """Your cost is half of what is asked for: the ½ of some books is not part of the mean squared error."""
    return tf.reduce_mean((targets - predictions) ** 2) / 2


@mean_squared_error.misconception
def takes_the_root(targets, predictions):
    """Your cost is the root of the mean squared error: leave the square root away."""
    return tf.sqrt(tf.reduce_mean((targets - predictions) ** 2))


@mean_squared_error.misconception
def absolute_differences(targets, predictions):
    """Your differences count by their size alone: they should be squared, so that a large one counts more than its share."""
    return tf.reduce_mean(tf.abs(targets - predictions))


@mean_squared_error.misconception
def divides_by_the_rows_alone(targets, predictions):
    """Your cost is too large by the number of columns: the mean runs over all entries, not over the rows alone."""
    return tf.reduce_sum((targets - predictions) ** 2) / len(targets)


@mean_squared_error.misconception
def divides_by_the_columns_alone(targets, predictions):
    """Your cost is too large by the number of rows: the mean runs over all entries, not over the columns alone."""
    return tf.reduce_sum((targets - predictions) ** 2) / targets.shape[1]


@mean_squared_error.misconception
def books_quadratic_cost(targets, predictions):
    """Your cost is the quadratic cost of Nielsen's book, 1/(2B) times the sum: here the mean runs over all entries, without ½."""
    return tf.reduce_sum((targets - predictions) ** 2) / (2 * len(targets))


@mean_squared_error.misconception
def squares_the_mean(targets, predictions):
    """Your differences cancel one another before they are squared: square each first, then take the mean."""
    return tf.reduce_mean(targets - predictions) ** 2


@mean_squared_error.misconception
def forgets_to_square(targets, predictions):
    """Your cost can be negative: the differences are averaged as they are, where their squares should be."""
    return tf.reduce_mean(targets - predictions)


@mean_squared_error.misconception
def one_number_per_row(targets, predictions):
    """You return a cost for each row: one number is asked for, the mean over rows and columns."""
    return tf.reduce_mean((targets - predictions) ** 2, axis=1)


@mean_squared_error.misconception(variants=[{"at_once": True}])
def expands_the_square(targets, predictions, at_once=False):
    """Your cost loses its digits when the numbers are large and close together: subtract before you square, instead of
    expanding (t − p)² into t² − 2tp + p²."""
    if at_once:
        return tf.reduce_mean(targets ** 2 - 2 * targets * predictions + predictions ** 2)
    return tf.reduce_mean(targets ** 2) - 2 * tf.reduce_mean(targets * predictions) + tf.reduce_mean(predictions ** 2)


@mean_squared_error.variation({"targets - predictions": "targets + predictions"}, {"targets - predictions": "targets"},
                              {"targets - predictions": "predictions"})
def no_differences():
    """You do not square differences: take the predictions from the targets first. Where the two agree, the cost is 0."""


@mean_squared_error.variation({"** 2": "** 3"}, {"** 2": "** 4"},
                              {"(targets - predictions) ** 2": "2 ** (targets - predictions)"})
def another_power():
    """Your differences are raised to another power than the second: the square of d is d times d."""


# ---------------------------------------------------------------------------------------------------- gradient_step

gradient_step = Question(lesson.gradient_step, forbid=[*OPTIMIZERS, *FITTING])


@gradient_step.case(points=3, visible=True, probe=own.take_steps(loss="line"))
def two_numbers(rng):
    """The example of the docstring at half its rate: the loss is (2w + b − 1)², w = b = 1, and the gradients are 8 and 4."""
    return [1.0, 1.0], [[2.0], [1.0]], 0.05


@gradient_step.case(points=1, visible=True, probe=own.take_steps(loss="bowl"))
def one_vector(rng):
    """One variable, a vector at (1, 3): the loss is its squared distance to (0, 1), and the gradient is (2, 4)."""
    return [[1.0, 3.0]], [[0.0, 1.0]], 0.25


@gradient_step.case(points=4, probe=own.take_steps(loss="layer"))
def a_matrix_and_a_vector(rng):
    """The weights and biases of a layer."""
    return [normal(rng, 4, 3), normal(rng, 3)], [normal(rng, 5, 4), normal(rng, 5, 3)], number(rng, 0.2, 0.4)


@gradient_step.case(points=5, probe=own.take_steps(loss="network", steps=5))
def five_steps_in_a_row(rng):
    """A small network: four variables, five steps one after the other, every one of them observed."""
    variables = [normal(rng, 2, 6), normal(rng, 6), normal(rng, 6, 3), normal(rng, 3)]
    return variables, [normal(rng, 7, 2), normal(rng, 7, 3)], number(rng, 0.1, 0.2)


@gradient_step.case(points=3, probe=own.take_steps(loss="product", steps=2))
def a_product(rng):
    """A product of three numbers: the gradient of each depends on the other two."""
    return [number(rng, 1, 1.4), number(rng, 0.6, 0.9), number(rng, 1.5, 1.9)], [number(rng, 3, 4)], number(rng, 0.02, 0.04)


@gradient_step.case(points=2, probe=own.take_steps(loss="bowl", steps=3))
def a_single_variable(rng):
    """A list with one variable in it."""
    return [normal(rng, 3, 2)], [normal(rng, 3, 2)], number(rng, 0.05, 0.15)


@gradient_step.case(points=2, probe=own.take_steps(loss="line"))
def large_numbers(rng):
    """Inputs in the hundreds and a rate to match."""
    return [number(rng, 2, 3), number(rng, 50, 90)], [500 * normal(rng, 6), 100 * normal(rng, 6)], 1e-6


@gradient_step.misconception
def climbs(variables, loss_fn, learning_rate):
    """Your step goes uphill: the gradient points where the loss grows, so it is subtracted."""
    return lesson.gradient_step(variables, loss_fn, -learning_rate)


@gradient_step.misconception
def one_variable_at_a_time(variables, loss_fn, learning_rate):
    """Your later gradients are taken after earlier variables have moved: take all gradients first, then all steps."""
    losses = [lesson.gradient_step([variable], loss_fn, learning_rate) for variable in variables]
    return losses[0]


@gradient_step.variation({"variable.assign_sub(learning_rate * gradient)": "variable = variable - learning_rate * gradient"})
def rebinds_names():
    """Your loss is right, and the variables are as they were: `v = v - …` makes a new tensor under the old name, and a tape that
    has not seen the loss has nothing to subtract. Change each variable itself, in place, by its gradient."""


@gradient_step.misconception
def forgets_the_rate(variables, loss_fn, learning_rate):
    """Your step is the whole gradient: multiply it by the learning rate."""
    return lesson.gradient_step(variables, loss_fn, 1.0)


@gradient_step.misconception
def divides_by_the_rate(variables, loss_fn, learning_rate):
    """Your step gets longer the smaller the learning rate is: multiply the gradient by the rate."""
    return lesson.gradient_step(variables, loss_fn, 1 / learning_rate)


@gradient_step.misconception
def returns_the_loss_afterwards(variables, loss_fn, learning_rate):
    """Your variables are right, but the loss you return is the one after the step: return the one the tape has seen."""
    lesson.gradient_step(variables, loss_fn, learning_rate)
    return loss_fn()


@gradient_step.misconception
def forward_pass_outside_the_tape(variables, loss_fn, learning_rate):
    """Your tape has seen nothing, so that its gradients are None: call `loss_fn()` inside the `with` block."""
    loss = loss_fn()
    with tf.GradientTape() as tape:
        pass
    for variable, gradient in zip(variables, tape.gradient(loss, variables)):
        variable.assign_sub(learning_rate * gradient)
    return loss


@gradient_step.variation({"variable.assign_sub(learning_rate * gradient)": "variable.assign(-learning_rate * gradient)"})
def assigns_the_step():
    """Your variables become the step itself: subtract it from the value they had."""


@gradient_step.variation({"learning_rate * gradient": "learning_rate * tf.sign(gradient)"})
def steps_of_equal_length():
    """Your steps depend on the signs of the gradients alone: steep directions deserve longer steps, so use the gradients
    whole."""


@gradient_step.misconception
def moves_the_first_alone(variables, loss_fn, learning_rate):
    """Only your first variable moves: every variable of the list takes its step, each by its own gradient."""
    return lesson.gradient_step(variables[:1], loss_fn, learning_rate)


@gradient_step.misconception
def returns_the_gradients(variables, loss_fn, learning_rate):
    """Your variables are right, but you return gradients: return the loss before the step."""
    with tf.GradientTape() as tape:
        loss = loss_fn()
    gradients = tape.gradient(loss, variables)
    for variable, gradient in zip(variables, gradients):
        variable.assign_sub(learning_rate * gradient)
    return gradients[0]


@gradient_step.variation({"learning_rate * gradient": "learning_rate"})
def forgets_the_gradient():
    """Your step is the learning rate itself, the same in all variables: multiply it by each variable's gradient."""


# ---------------------------------------------------------------------------------------------------- minimize

minimize = Question(lesson.minimize, uses=("gradient_step",), forbid=[*OPTIMIZERS, *FITTING, "scipy.optimize.*"])


@minimize.case(points=3, visible=True, probe=own.descend(function="bowl"))
def two_steps_towards_4(rng):
    """Two steps on (x − 4)² from x = 0 at the rate 1/4: each halves the distance to 4. (The last two inputs are the 4 and
    the factor 1 of the square.)"""
    return [0.0], 0.25, 2, [[4.0], [1.0]]


@minimize.case(points=3, probe=own.descend(function="bowl"))
def a_bowl(rng):
    """Many steps in three dimensions, each with a steepness of its own."""
    return 2 * normal(rng, 3), number(rng, 0.04, 0.07), 25, [normal(rng, 3), rng.permutation([0.5, 2.0, 6.0])]


@minimize.case(points=4, probe=own.descend(function="banana"))
def a_bent_valley(rng):
    """A valley with a bend: the gradient changes direction on the way."""
    return [number(rng, -1.4, -1.1), number(rng, 0.8, 1.2)], 0.006, 24, [1.0, number(rng, 8, 12)]


@minimize.case(points=3, probe=own.descend(function="quadratic form"))
def a_turned_valley(rng):
    """Five dimensions that influence one another."""
    a = rng.normal(size=(5, 5))
    return normal(rng, 5), number(rng, 0.03, 0.05), 12, [a @ a.T / 5 + np.eye(5), normal(rng, 5)]


@minimize.case(points=2, probe=own.descend(function="bowl"))
def too_high_a_rate(rng):
    """A rate so high that every step lands further away than the one before."""
    return normal(rng, 2) + 2, number(rng, 1.2, 1.3), 9, [normal(rng, 2) - 2, [1.0, 0.9]]


@minimize.case(points=2, probe=own.descend(function="bowl"))
def no_steps(rng):
    """No steps at all: x0 alone, as a trajectory of one row."""
    return normal(rng, 4), 0.1, 0, [normal(rng, 4), [1.0, 1.0, 1.0, 1.0]]


@minimize.case(points=1, probe=own.descend(function="bowl"))
def from_the_bottom(rng):
    """A start where the gradient is 0: every step is taken, and leads nowhere."""
    bottom = normal(rng, 3)
    return bottom, 0.1, 6, [bottom, [0.5, 1.0, 2.0]]


@minimize.misconception
def stops_at_rest(f, x0, learning_rate, steps):
    """Rows are missing where the descent has come to rest: take all the steps, however small they have become."""
    x, trajectory = tf.Variable(x0), [x0]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            value = f(x)
        gradient = tape.gradient(value, x)
        if tf.norm(gradient) < 1e-6:
            break
        x.assign_sub(learning_rate * gradient)
        trajectory.append(tf.identity(x))
    return tf.stack(trajectory)


@minimize.misconception
def misses_x0(f, x0, learning_rate, steps):
    """The start is missing: the first row is x0, so that there are steps + 1 rows."""
    return lesson.minimize(f, x0, learning_rate, steps)[1:]


@minimize.misconception
def misses_the_last_point(f, x0, learning_rate, steps):
    """The point after the last step is missing: record once more when the steps are done."""
    return lesson.minimize(f, x0, learning_rate, steps)[:-1]


@minimize.misconception
def one_step_too_many(f, x0, learning_rate, steps):
    """There is one row too many: x0 and one row after each of the steps make steps + 1."""
    return lesson.minimize(f, x0, learning_rate, steps + 1)


@minimize.misconception
def constant_not_watched(f, x0, learning_rate, steps):
    """The tape watches variables by itself, but no constants: make x a `tf.Variable`, or call `tape.watch(x)`."""
    x, trajectory = x0, [x0]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            value = f(x)
        x = x - learning_rate * tape.gradient(value, x)
        trajectory.append(x)
    return tf.stack(trajectory)


@minimize.misconception
def records_the_variable_itself(f, x0, learning_rate, steps):
    """All your rows are alike: the list holds the same variable many times, and it shows its last value. Record a copy of
    the value, such as `x.numpy()` or `tf.identity(x)`."""
    return lesson.minimize(f, x0, learning_rate, steps)[-1] + tf.zeros((steps + 1, 1))


@minimize.misconception
def returns_the_last_point(f, x0, learning_rate, steps):
    """You return the point where the descent ends: the whole trajectory is asked for, one row per point."""
    return lesson.minimize(f, x0, learning_rate, steps)[-1]


@minimize.misconception(variants=[{"shape": (-1, 1)}])
def returns_the_values(f, x0, learning_rate, steps, shape=(-1,)):
    """You return the values of f along the way: the points themselves are asked for."""
    return tf.reshape([f(x) for x in lesson.minimize(f, x0, learning_rate, steps)], shape)


@minimize.misconception
def uphill(f, x0, learning_rate, steps):
    """Your trajectory climbs: subtract the gradient."""
    return lesson.minimize(f, x0, -learning_rate, steps)


@minimize.misconception
def keeps_the_first_gradient(f, x0, learning_rate, steps):
    """Your steps are all alike: the gradient has to be taken anew at every point."""
    points = lesson.minimize(f, x0, learning_rate, 1)
    return x0 + tf.range(steps + 1, dtype=tf.float32)[:, None] * (points[1] - x0)


@minimize.misconception
def takes_the_whole_gradient(f, x0, learning_rate, steps):
    """Your steps have the length of the whole gradient: multiply it by the learning rate."""
    x, trajectory = tf.Variable(x0), [x0]
    for _ in range(min(steps, 6)):  # further on there would be infinities only
        with tf.GradientTape() as tape:
            value = f(x)
        x.assign_sub(tape.gradient(value, x))
        trajectory.append(tf.identity(x))
    return tf.stack(trajectory + trajectory[-1:] * (steps - min(steps, 6)))


@minimize.misconception
def steps_of_one_length(f, x0, learning_rate, steps):
    """Your steps are all equally long: a step is the rate times the gradient, which is not divided by its length first."""
    x, trajectory = tf.Variable(x0), [x0]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            value = f(x)
        gradient = tape.gradient(value, x)
        x.assign_sub(learning_rate * gradient / tf.norm(gradient))
        trajectory.append(tf.identity(x))
    return tf.stack(trajectory)


@minimize.misconception
def one_column_per_point(f, x0, learning_rate, steps):
    """Your points stand in columns: the trajectory has one row per point."""
    return tf.transpose(lesson.minimize(f, x0, learning_rate, steps))


# ---------------------------------------------------------------------------------------------------- minibatches

minibatches = Question(lesson.minibatches, probe=own.batches(), forbid=OPTIMIZERS)


@minibatches.case(points=2, visible=True)
def five_rows_in_twos(rng):
    """Five rows in batches of 2: two full batches and a last one of 1."""
    return [[0.0, 0.5], [1.0, 1.5], [2.0, 2.5], [3.0, 3.5], [4.0, 4.5]], [0, 1, 2, 3, 4], 2, 1


@minibatches.case(points=1, visible=True)
def six_rows_in_threes(rng):
    """Six rows, each of the shape (1, 2), in batches of 3: two full ones and no empty one."""
    return [[[i, i + 0.5]] for i in range(6)], list(range(6)), 3, 1


@minibatches.case(points=5)
def small_images(rng):
    """Images with labels, and a last batch that is not full."""
    return normal(rng, 23, 3, 2), rng.integers(4, size=23).astype("int32"), 5, int(rng.integers(100, 1000))


@minibatches.case(points=4)
def targets_with_columns(rng):
    """Targets that have columns too."""
    return normal(rng, 20, 3), normal(rng, 20, 4), 6, int(rng.integers(100, 1000))


@minibatches.case(points=2)
def no_rest(rng):
    """The batch size divides the number of rows: no empty batch at the end."""
    return normal(rng, 24, 2), normal(rng, 24), 8, 0


@minibatches.case(points=2)
def more_than_there_is(rng):
    """A batch size larger than the number of rows: one batch with all of them."""
    return normal(rng, 7, 2), rng.integers(4, size=7).astype("int32"), 10, int(rng.integers(100, 1000))


@minibatches.case(points=2)
def one_row_each(rng):
    """Batches of a single row, which are still batches."""
    return normal(rng, 9, 4), normal(rng, 9, 2), 1, int(rng.integers(100, 1000))


@minibatches.misconception
def drops_the_tail(x, y, batch_size, seed):
    """Rows are lost: the last batch is left out when it is not full. Let it be smaller."""
    return [batch for batch in lesson.minibatches(x, y, batch_size, seed) if len(batch[0]) == batch_size]


@minibatches.misconception
def wraps_around(x, y, batch_size, seed):
    """The last batch is filled up with rows that have been used before: let it be smaller."""
    order = np.random.default_rng(seed).permutation(len(x))
    starts = range(0, len(x), batch_size)
    parts = [np.take(order, range(start, start + batch_size), mode="wrap") for start in starts]
    return [(tf.gather(x, rows), tf.gather(y, rows)) for rows in parts]


@minibatches.misconception
def shuffles_x_and_y_apart(x, y, batch_size, seed):
    """Rows of x come with a y that is not theirs: one order has to serve both."""
    rng = np.random.default_rng(seed)
    x, y = tf.gather(x, rng.permutation(len(x))), tf.gather(y, rng.permutation(len(y)))
    return [(x[start:start + batch_size], y[start:start + batch_size]) for start in range(0, len(x), batch_size)]


@minibatches.misconception
def never_shuffles(x, y, batch_size, seed):
    """Your batches come in the order of the data, whatever the seed: shuffle the rows first."""
    return [(x[start:start + batch_size], y[start:start + batch_size]) for start in range(0, len(x), batch_size)]


@minibatches.misconception
def cuts_before_shuffling(x, y, batch_size, seed):
    """Your batches always hold the same rows, neighbours in the data: shuffle all the rows first, then cut."""
    rng = np.random.default_rng(seed)
    order = [start + rng.permutation(min(batch_size, len(x) - start)) for start in range(0, len(x), batch_size)]
    return [(tf.gather(x, rows), tf.gather(y, rows)) for rows in order]


@minibatches.misconception(variants=[{"shuffle": lambda n, seed: tf.random.shuffle(tf.range(n), seed)}])
def listens_to_the_global_seed(x, y, batch_size, seed, shuffle=lambda n, seed: np.random.permutation(n)):
    """The same seed gives other batches when the global seeds differ: give the seed to a generator of your own, as in
    `np.random.default_rng(seed)`."""
    order = shuffle(len(x), seed)
    starts = range(0, len(x), batch_size)
    return [(tf.gather(x, order[start:start + batch_size]), tf.gather(y, order[start:start + batch_size])) for start in starts]


@minibatches.misconception
def one_shuffle_for_all_seeds(x, y, batch_size, seed):
    """Every seed gives the same batches: hand the seed on to the generator."""
    return lesson.minibatches(x, y, batch_size, 0)


@minibatches.misconception
def draws_with_replacement(x, y, batch_size, seed):
    """Some rows come twice and others not at all: every row belongs to exactly one batch, so take a permutation."""
    order = np.random.default_rng(seed).integers(len(x), size=len(x))
    starts = range(0, len(x), batch_size)
    return [(tf.gather(x, order[start:start + batch_size]), tf.gather(y, order[start:start + batch_size])) for start in starts]


@minibatches.misconception
def ends_with_an_empty_batch(x, y, batch_size, seed):
    """There is an empty batch at the end where the batch size divides the number of rows: stop before it."""
    batches = list(lesson.minibatches(x, y, batch_size, seed))
    return batches + [(x[:0], y[:0])] if len(x) % batch_size == 0 else batches


@minibatches.misconception
def stops_after_one_batch(x, y, batch_size, seed):
    """You return a single batch: all of them are asked for, until every row has had its turn."""
    return lesson.minibatches(x, y, batch_size, seed)[:1]


@minibatches.misconception
def evens_the_batches_out(x, y, batch_size, seed):
    """Your batches share the rows evenly: every batch has `batch_size` rows but the last, which holds the rest."""
    order = np.array_split(np.random.default_rng(seed).permutation(len(x)), -(-len(x) // batch_size))
    return [(tf.gather(x, rows), tf.gather(y, rows)) for rows in order]


@minibatches.misconception
def counts_batches(x, y, batch_size, seed):
    """You make as many batches as each of them should have rows: `batch_size` is the number of rows in a batch."""
    order = np.array_split(np.random.default_rng(seed).permutation(len(x)), min(batch_size, len(x)))
    return [(tf.gather(x, rows), tf.gather(y, rows)) for rows in order]


@minibatches.variation({"tf.gather(x, rows), tf.gather(y, rows)": "tf.gather(x, rows), tf.gather(rows, y)"})
def order_and_targets_exchanged():
    """Your targets are not those of the rows: gather from y, at the places that the order names, as you do from x."""


@minibatches.variation({"start:start + batch_size": "start:start - batch_size"}, {"start:start + batch_size": "start:start"})
def all_batches_empty():
    """Your batches are empty: a slice from `start` ends at `start + batch_size`."""


# ---------------------------------------------------------------------------------------------------- fit_line

fit_line = Question(lesson.fit_line, probe=probes.call(returns=("w", "b")), uses=("mean_squared_error", "gradient_step"), forbid=[
    *OPTIMIZERS, *FITTING, "numpy.polyfit", "numpy.polynomial.*", "numpy.linalg.lstsq", "tf.linalg.lstsq",
    "tf.raw_ops.MatrixSolveLs", "scipy.linalg.lstsq", "scipy.stats.linregress", "scipy.optimize.*", "sklearn.linear_model.*"])


@fit_line.case(points=3, visible=True)
def two_epochs(rng):
    """Two steps on the points (1, 3) and (2, 5) at the rate 1/10: the gradients are −13 and −8, then −4.1 and −2.5."""
    return [1.0, 2.0], [3.0, 5.0], 0.1, 2


@fit_line.case(points=4)
def seven_points(rng):
    """Seven points, some way down the hill."""
    x = normal(rng, 7) + 0.5
    return x, 2 * x - 1 + 0.5 * normal(rng, 7), number(rng, 0.08, 0.12), 9


@fit_line.case(points=3)
def many_epochs(rng):
    """Five points and so many epochs that the line has come to rest in one direction at least."""
    x = normal(rng, 5)
    return x, 1.5 - x + normal(rng, 5), number(rng, 0.15, 0.2), 45


@fit_line.case(points=2)
def far_from_the_origin(rng):
    """Inputs around 20: the weight is steep and the bias hardly moves."""
    x = 20 + normal(rng, 6)
    return x, 3 * x + 5 + normal(rng, 6), 0.0004, 15


@fit_line.case(points=1)
def one_point(rng):
    """A single point, which many lines would fit."""
    return [number(rng, 1.5, 1.9)], [number(rng, 3, 4)], 0.1, 4


@fit_line.case(points=1, probe=probes.each(returns=("w", "b")))
def no_epochs(rng):
    """No epochs: w = b = 0 as at the start. In two more calls there are one and two."""
    epochs = rng.permutation(3).tolist()
    return {"calls": [[normal(rng, 4), normal(rng, 4), number(rng, 0.08, 0.12), count] for count in epochs]}


@fit_line.misconception
def sum_for_mean(x, y, learning_rate, epochs):
    """Your steps grow with the number of points: the cost is the mean of the squares, not their sum."""
    return lesson.fit_line(x, y, learning_rate * len(x), epochs)


@fit_line.misconception
def half_the_cost(x, y, learning_rate, epochs):
    """Your steps are half as long as they should be: there is no ½ in the mean squared error."""
    return lesson.fit_line(x, y, learning_rate / 2, epochs)


@fit_line.misconception
def bias_not_trained(x, y, learning_rate, epochs):
    """Your bias stays 0: it is a variable as the weight is, with a gradient of its own."""
    w = tf.Variable(0.0)
    for _ in range(epochs):
        lesson.gradient_step([w], lambda: tf.reduce_mean((w * x - y) ** 2), learning_rate)
    return float(w), 0.0


@fit_line.misconception
def updates_b_with_the_new_w(x, y, learning_rate, epochs):
    """Your bias steps by a gradient taken after the weight had moved: take both gradients first, then both steps."""
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        lesson.gradient_step([w], lambda: tf.reduce_mean((w * x + b - y) ** 2), learning_rate)
        lesson.gradient_step([b], lambda: tf.reduce_mean((w * x + b - y) ** 2), learning_rate)
    return float(w), float(b)


@fit_line.misconception
def one_point_at_a_time(x, y, learning_rate, epochs):
    """You take a step for every point: an epoch here is a single step, on the cost of all points together."""
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        for i in range(len(x)):
            lesson.gradient_step([w, b], lambda i=i: (w * x[i] + b - y[i]) ** 2, learning_rate)
    return float(w), float(b)


@fit_line.misconception
def compares_all_pairs(x, y, learning_rate, epochs):
    """Every prediction is compared with every target: `(B, 1)` minus `(B,)` makes a table `(B, B)`. Give both the same shape."""
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        lesson.gradient_step([w, b], lambda: tf.reduce_mean((y[:, None] - (w * x + b)) ** 2), learning_rate)
    return float(w), float(b)


@fit_line.misconception(variants=[{"at": (0.0, 1.0)}, {"at": (1.0, 1.0)}])
def starts_at_one(x, y, learning_rate, epochs, at=(1.0, 0.0)):
    """Your line does not start at 0: w and b are both 0 before the first step."""
    w, b = tf.Variable(at[0]), tf.Variable(at[1])
    for _ in range(epochs):
        lesson.gradient_step([w, b], lambda: tf.reduce_mean((w * x + b - y) ** 2), learning_rate)
    return float(w), float(b)


@fit_line.misconception(variants=[{"cost": lambda d: tf.reduce_mean(tf.abs(d))}])
def another_cost(x, y, learning_rate, epochs, cost=lambda d: tf.sqrt(tf.reduce_mean(d ** 2))):
    """Your steps follow another cost than the mean squared error: a root of it, or absolute differences."""
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    for _ in range(epochs):
        lesson.gradient_step([w, b], lambda: cost(w * x + b - y), learning_rate)
    return float(w), float(b)


@fit_line.misconception
def one_epoch_too_many(x, y, learning_rate, epochs):
    """Your line takes one step too many: as many as there are epochs, and none for 0."""
    return lesson.fit_line(x, y, learning_rate, epochs + 1)


@fit_line.misconception
def jumps_to_the_answer(x, y, learning_rate, epochs):
    """This is the line of least squares itself: return how far gradient descent has come after the given epochs."""
    rows = np.stack([x, np.ones(len(x))], axis=1)
    w, b = np.linalg.lstsq(rows, np.asarray(y), rcond=None)[0]
    return float(w), float(b)


@fit_line.misconception
def swaps_w_and_b(x, y, learning_rate, epochs):
    """Weight and bias have changed places: return (w, b)."""
    w, b = lesson.fit_line(x, y, learning_rate, epochs)
    return b, w


@fit_line.misconception
def predicts_x_from_y(x, y, learning_rate, epochs):
    """Your line predicts x from y: the prediction is w x + b, and y the target."""
    return lesson.fit_line(y, x, learning_rate, epochs)


@fit_line.misconception
def steps_uphill(x, y, learning_rate, epochs):
    """Your line moves away from the points: subtract the gradients."""
    return lesson.fit_line(x, y, -learning_rate, epochs)


@fit_line.misconception
def one_epoch_only(x, y, learning_rate, epochs):
    """Your line takes one step, however many epochs there are: is the `return` inside the loop?"""
    return lesson.fit_line(x, y, learning_rate, min(epochs, 1))


@fit_line.variation({"range(epochs)": "range(epochs - 1)"})
def one_epoch_too_few():
    """Your line takes one step too few: as many as there are epochs."""


@fit_line.variation({"range(epochs)": "range(0)"})
def never_steps():
    """Your w and b are 0, however many epochs there are: each epoch changes both by a step, in place."""


# ---------------------------------------------------------------------------------------------------- train

train = Question(lesson.train, uses=("gradient_step",), forbid=[*OPTIMIZERS, *FITTING])


def layers(rng, *sizes):
    return [[0.8 * normal(rng, n, m), 0.5 * normal(rng, m)] for n, m in zip(sizes, sizes[1:])]


@train.case(points=2, visible=True, probe=own.training(loss="squares"))
def two_examples(rng):
    """One linear neuron with w = 1 and b = 0, two batches of one example, one epoch: the losses are 4 and 4.84."""
    return [[[[1.0]], [0.0]]], [[[[1.0]], [[3.0]]], [[[2.0]], [[1.0]]]], 0.1, 1


@train.case(points=1, visible=True, probe=own.training(loss="squares"))
def two_epochs_of_two_batches(rng):
    """Two epochs of a batch of two examples and a batch of one. All inputs are 0, so that only the bias moves."""
    return [[[[1.0]], [0.0]]], [[[[0.0], [0.0]], [[1.0], [1.0]]], [[[0.0]], [[3.0]]]], 0.25, 2


@train.case(points=5, probe=own.training(loss="linex", activation="tanh"))
def a_small_network(rng):
    """Two layers, three batches of different sizes, two epochs, and a loss that is not the same the other way round."""
    batches = [[normal(rng, size, 3), 0.5 * normal(rng, size, 2)] for size in (5, 6, 1)]
    return layers(rng, 3, 4, 2), batches, number(rng, 0.1, 0.2), 2


@train.case(points=4, probe=own.training(loss="cross-entropy", activation="relu"))
def labels(rng):
    """Classes as whole numbers, and a cross-entropy of the logits."""
    batches = [[normal(rng, size, 2), rng.integers(3, size=size).astype("int32")] for size in (7, 4)]
    return layers(rng, 2, 5, 3), batches, number(rng, 0.2, 0.4), 2


@train.case(points=3, probe=own.training(loss="squares", normalise=True))
def a_layer_that_knows_training(rng):
    """A batch normalisation between the layers: in training it does something else than afterwards."""
    return layers(rng, 3, 4, 1), [[normal(rng, size, 3), normal(rng, size, 1)] for size in (6, 8)], number(rng, 0.05, 0.1), 2


@train.case(points=2, probe=own.training(loss="squares", activation="tanh", frozen=0))
def a_frozen_layer(rng):
    """A layer that is not trainable: it stays as it was."""
    return layers(rng, 2, 4, 1), [[normal(rng, 5, 2), normal(rng, 5, 1)], [normal(rng, 3, 2), normal(rng, 3, 1)]], 0.2, 2


@train.case(points=1, probe=own.training(loss="squares", penalty=0.2))
def one_batch(rng):
    """A single batch: an epoch is one step. The layer has a weight penalty, which is no part of the loss."""
    return layers(rng, 3, 2), [[normal(rng, 5, 3), normal(rng, 5, 2)]], number(rng, 0.1, 0.2), 3


@train.misconception
def last_loss_of_the_epoch(model, batches, loss_fn, learning_rate, epochs):
    """An epoch's loss is that of its last batch alone: take the mean over all its batches."""
    history = []
    for _ in range(epochs):
        for x, y in batches:
            loss = lesson.train(model, [(x, y)], loss_fn, learning_rate, 1)[0]
        history.append(loss)
    return history


@train.misconception
def first_loss_of_the_epoch(model, batches, loss_fn, learning_rate, epochs):
    """An epoch's loss is that of its first batch alone: take the mean over all its batches."""
    return [[lesson.train(model, [batch], loss_fn, learning_rate, 1)[0] for batch in batches][0] for _ in range(epochs)]


@train.misconception
def forgets_the_rate(model, batches, loss_fn, learning_rate, epochs):  # noqa: F811
    """Your step is the whole gradient: multiply it by the learning rate."""
    return lesson.train(model, batches, loss_fn, 1.0, epochs)


@train.misconception
def trains_a_copy(model, batches, loss_fn, learning_rate, epochs):
    """Your losses are right, and the model's weights are as they were: change its own variables, in place, and not a copy's."""
    before = model.get_weights()
    history = lesson.train(model, batches, loss_fn, learning_rate, epochs)
    model.set_weights(before)
    return history


@train.misconception
def leaves_the_biases(model, batches, loss_fn, learning_rate, epochs):
    """The biases are as they were: all of `model.trainable_variables` take their step."""
    def step(x, y):
        kernels = [variable for variable in model.trainable_variables if len(variable.shape) > 1]
        return lesson.gradient_step(kernels, lambda: loss_fn(y, model(x, training=True)), learning_rate)

    return [np.mean([float(step(x, y)) for x, y in batches]) for _ in range(epochs)]


@train.misconception
def first_batch_only(model, batches, loss_fn, learning_rate, epochs):
    """Only the first batch is learnt from: an epoch goes through all of them."""
    return lesson.train(model, batches[:1], loss_fn, learning_rate, epochs)


@train.misconception
def stops_after_one_epoch(model, batches, loss_fn, learning_rate, epochs):
    """Your training ends after one epoch, however many there are: is the `return` inside the loop?"""
    return lesson.train(model, batches, loss_fn, learning_rate, 1)


@train.misconception
def reverses_the_batches(model, batches, loss_fn, learning_rate, epochs):
    """Your epochs begin with the last batch: go through the batches in the order given."""
    return lesson.train(model, batches[::-1], loss_fn, learning_rate, epochs)


@train.misconception
def sums_the_losses(model, batches, loss_fn, learning_rate, epochs):
    """Your losses are too large by the number of batches: divide the sum by it."""
    return [loss * len(batches) for loss in lesson.train(model, batches, loss_fn, learning_rate, epochs)]


@train.misconception
def one_loss_per_batch(model, batches, loss_fn, learning_rate, epochs):
    """You return the loss of every batch: one number per epoch is asked for, the mean over its batches."""
    return [lesson.train(model, [batch], loss_fn, learning_rate, 1)[0] for _ in range(epochs) for batch in batches]


@train.misconception
def weights_losses_by_size(model, batches, loss_fn, learning_rate, epochs):
    """Large batches count more than small ones in your losses: the plain mean over the batches is asked for."""
    sizes = [len(x) for x, _ in batches]
    return [np.average([lesson.train(model, [batch], loss_fn, learning_rate, 1)[0] for batch in batches], weights=sizes)
            for _ in range(epochs)]


@train.misconception
def never_starts_the_mean_anew(model, batches, loss_fn, learning_rate, epochs):
    """Your mean goes on over all epochs so far: start it anew in every epoch."""
    history = lesson.train(model, batches, loss_fn, learning_rate, epochs)
    return np.cumsum(history) / np.arange(1, epochs + 1)


@train.misconception
def losses_after_the_steps(model, batches, loss_fn, learning_rate, epochs):
    """Your losses are taken after the step of their batch: take each before its step, where the tape has it anyway."""
    history = []
    for _ in range(epochs):
        losses = []
        for x, y in batches:
            lesson.train(model, [(x, y)], loss_fn, learning_rate, 1)
            losses.append(float(loss_fn(y, model(x, training=True))))
        history.append(np.mean(losses))
    return history


@train.misconception
def uses_stale_gradients(model, batches, loss_fn, learning_rate, epochs):
    """All gradients of your epoch are taken at the weights it started with: differentiate each batch after the step before."""
    history = []
    for _ in range(epochs):
        losses, steps = [], []
        for x, y in batches:
            with tf.GradientTape() as tape:
                losses.append(loss_fn(y, model(x, training=True)))
            steps.append(tape.gradient(losses[-1], model.trainable_variables))
        for gradients in steps:
            for variable, gradient in zip(model.trainable_variables, gradients):
                variable.assign_sub(learning_rate * gradient)
        history.append(np.mean([float(loss) for loss in losses]))
    return history


@train.misconception
def one_step_per_epoch(model, batches, loss_fn, learning_rate, epochs):
    """Your model takes one step per epoch, by the mean of the batches' gradients: take a step after every batch."""
    history = []
    for _ in range(epochs):
        with tf.GradientTape() as tape:
            losses = [loss_fn(y, model(x, training=True)) for x, y in batches]
            loss = tf.add_n(losses) / len(losses)
        for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
            variable.assign_sub(learning_rate * gradient)
        history.append(float(loss))
    return history


@train.misconception(variants=[{"momentum": 0.5}])
def uses_momentum(model, batches, loss_fn, learning_rate, epochs, momentum=0.9):
    """Your steps remember those before, as with momentum: a plain step follows the gradient of its batch alone."""
    velocities = [np.zeros(variable.shape, np.float32) for variable in model.trainable_variables]
    history = []
    for _ in range(epochs):
        losses = []
        for x, y in batches:
            with tf.GradientTape() as tape:
                loss = loss_fn(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            velocities = [momentum * velocity - learning_rate * gradient for velocity, gradient in zip(velocities, gradients)]
            for variable, velocity in zip(model.trainable_variables, velocities):
                variable.assign_add(velocity)
            losses.append(float(loss))
        history.append(np.mean(losses))
    return history


@train.misconception
def forgets_that_it_trains(model, batches, loss_fn, learning_rate, epochs):
    """A layer that behaves differently in training is not told that it is training: call `model(x, training=True)`."""

    def step(x, y):
        return lesson.gradient_step(model.trainable_variables, lambda: loss_fn(y, model(x, training=False)), learning_rate)

    return [np.mean([float(step(x, y)) for x, y in batches]) for _ in range(epochs)]


@train.misconception
def swaps_targets_and_predictions(model, batches, loss_fn, learning_rate, epochs):
    """Targets and predictions have changed places: call `loss_fn(targets, predictions)`."""
    return lesson.train(model, batches, lambda targets, predictions: loss_fn(predictions, targets), learning_rate, epochs)


@train.misconception
def adds_the_penalties(model, batches, loss_fn, learning_rate, epochs):
    """Your loss holds the model's weight penalties too: it is what `loss_fn` gives and nothing else."""

    def step(x, y):
        return lesson.gradient_step(model.trainable_variables, lambda: loss_fn(y, model(x, training=True)) + sum(model.losses),
                                    learning_rate)

    return [np.mean([float(step(x, y)) for x, y in batches]) for _ in range(epochs)]


@train.misconception
def moves_frozen_layers(model, batches, loss_fn, learning_rate, epochs):
    """A layer that is not trainable moves: only the variables in `model.trainable_variables` take a step."""
    history = []
    for _ in range(epochs):
        losses = []
        for x, y in batches:
            with tf.GradientTape() as tape:
                loss = loss_fn(y, model(x, training=True))
            for variable, gradient in zip(model.weights, tape.gradient(loss, model.weights)):
                if gradient is not None:  # what a normalisation counts has no gradient
                    variable.assign_sub(learning_rate * gradient)
            losses.append(float(loss))
        history.append(np.mean(losses))
    return history


@train.misconception
def leaves_the_model_alone(model, batches, loss_fn, learning_rate, epochs):
    """The model's weights are as they were: assign the new values to its variables, in place."""
    return lesson.train(model, batches, loss_fn, 0.0, epochs)


@train.misconception
def climbs_the_loss(model, batches, loss_fn, learning_rate, epochs):
    """Your losses rise: subtract the gradients."""
    return lesson.train(model, batches, loss_fn, -learning_rate, epochs)


@train.misconception
def trains_the_last_layer_alone(model, batches, loss_fn, learning_rate, epochs):
    """Only the last layer learns: all of `model.trainable_variables` take their step."""

    def step(x, y):
        return lesson.gradient_step(model.trainable_variables[-2:], lambda: loss_fn(y, model(x, training=True)), learning_rate)

    return [np.mean([float(step(x, y)) for x, y in batches]) for _ in range(epochs)]


@train.variation({"for _ in range(epochs)": "for _ in range(epochs - 1)"},
                 {"for _ in range(epochs)": "for _ in range(epochs + 1)"})
def another_number_of_epochs():
    """The number of epochs is off by one: as many as `epochs` says, each with its own entry in the result."""


@train.misconception
def uses_the_previous_gradients(model, batches, loss_fn, learning_rate, epochs):
    """Your steps come one batch late: after the first step each follows the gradient of the batch before. Step by the gradient of
    the batch that has just been seen."""
    history, before = [], None
    for _ in range(epochs):
        losses = []
        for x, y in batches:
            with tf.GradientTape() as tape:
                loss = loss_fn(y, model(x, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            for variable, gradient in zip(model.trainable_variables, before or gradients):
                variable.assign_sub(learning_rate * gradient)
            losses, before = [*losses, float(loss)], gradients
        history.append(np.mean(losses))
    return history
