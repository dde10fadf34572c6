"""Probes against closed forms and Keras's own layers."""

import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import observe

from autograder.inside import probes
from autograder.inside.probes import AnswerError, Probe, array, tensors
from autograder.inside.protocol import Failure


def run(answer, probe, inputs):
    return observe(answer, probe, inputs, "seed")


def test_inputs_become_tensors_and_scalars_stay():
    x, labels, mask, rate, name, weights, none = tensors([[1, 2.5], np.array([1, 2]), [True, False], 0.5, "sum",
                                                          [np.zeros((2, 3)), np.zeros(3)], None])
    assert (x.dtype, labels.dtype, mask.dtype) == (tf.float32, tf.int32, tf.bool)
    assert (rate, name, none) == (0.5, "sum", None)
    assert isinstance(weights, list) and weights[0].shape == (2, 3)


@pytest.mark.parametrize("value, right", [
    (tf.constant([1.0, 2.0]), [1, 2]), (tf.Variable([1.0, 2.0]), [1, 2]), ([tf.constant(1.0), np.float64(2)], [1, 2]),
    ((x for x in (1, 2)), [1, 2]), (iter([tf.constant([1.0])]), [[1]]), (3, 3), (True, True), (np.matrix([[1, 2]]), [[1, 2]]),
    (tf.cast([1.0, 2.0], tf.bfloat16), [1, 2]), ([], []), (np.ma.masked_array([1.0, 2.0], [0, 0]), [1, 2]),
    (tf.sparse.from_dense([[0, 1]]), [[0, 1]]), ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    (keras.Variable([1.0, 2.0]), [1, 2]), (range(3), [0, 1, 2]),
])
def test_whatever_holds_the_values_they_are_the_answer(value, right):
    got = array(value)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got.astype(float), np.asarray(right, float))


class Evil:
    def __array__(self, *args, **kwargs):
        raise SystemError("boo")


@pytest.mark.parametrize("value, words", [
    (None, "None"), ("text", "a string"), (b"x", "a string"), ({}, "a dictionary"), (len, "a function"), (int, "a class"),
    (object(), "Python objects"), (Evil(), "no array"), ([1, None], "None"), ([[1, 2], [3]], "different shapes"), (10**400, "64 bits"),
    (np.array(["a"]), "strings"), (np.array([None]), "Python objects"), (tf.constant(["a"]), "Python objects"),
    (tf.ragged.constant([[1], [1, 2]]), "ragged"), (keras.Input((3,)), "symbolic"), (iter(int, 1), "too many"),
    (np.broadcast_to(np.zeros(1), (10**6, 10**6)), "too large"), (np.zeros(2, "datetime64[s]"), "another type"),
    (np.zeros(2, [("a", int)]), "another type"),
])
def test_what_is_no_array_is_described(value, words):
    assert words in array(value)


def test_a_list_that_holds_itself_ends():
    circle = []
    circle.append(circle)
    assert "nested" in array(circle)


def test_gradients_match_the_closed_form_and_finite_differences():
    x = np.array([[0.3, -1.2, 2.0], [1.1, 0.4, -0.6]])
    got = run(lambda x, y: tf.nn.softmax(x) * y, probes.gradients(arguments=["x", "y"]), (x, np.array(2.0).reshape(1, 1)))
    weights = np.random.default_rng(0).uniform(0.5, 1.5, x.shape)

    def score(x, y=2.0):
        e = np.exp(x)
        return (weights * y * e / e.sum(-1, keepdims=True)).sum()

    numeric = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-5
        numeric[i] = (score(x + step) - score(x - step)) / 2e-5
    np.testing.assert_allclose(got["gradient of x"], numeric, atol=1e-5)
    np.testing.assert_allclose(got["gradient of y"], [[score(x, 1.0)]], rtol=1e-5)


@pytest.mark.parametrize("answer, words", [
    (lambda x: x.numpy(), "gradients flow only through TensorFlow"), (lambda x: tf.constant(1.0), "has no gradient with respect to x"),
    (lambda x: None, "no tensor"),
])
def test_an_answer_without_gradients_is_told_so(answer, words):
    with pytest.raises(AnswerError, match=words):
        run(answer, probes.gradients(arguments=["x"]), (np.ones(3),))


def test_named_outputs_are_counted():
    two = probes.call(returns=("output", "weights"))
    assert set(run(lambda x: (x, x), two, (np.ones(3),))) == {"output", "weights"}
    assert set(run(lambda x: iter([x, x]), two, (np.ones(3),))) == {"output", "weights"}
    for answer in (lambda x: x, lambda x: (x, x, x)):
        with pytest.raises(AnswerError, match="expected 2: output, weights"):
            run(answer, two, (np.ones(3),))


class Pair(keras.layers.Layer):
    def call(self, x):
        return 2 * x, x


@pytest.mark.parametrize("answer, probe, inputs", [
    (lambda x: (2 * x, [x]), probes.call(), [[1.0, 2.0]]), (lambda x: (2 * x, [x]), probes.gradients(), [[1.0, 2.0]]),
    (Pair, probes.layer(), {"call": [[1.0, 2.0]]}), (Pair, probes.layer_in_model(), {"call": [[[1.0, 2.0]]]})])
def test_of_several_values_the_first_can_be_taken_for_the_only_one(answer, probe, inputs):
    counts = []
    found = observe(probes.first_of(answer, counts), probe, inputs, "x")
    assert set(counts) == {2} and np.ravel(found["output"]).tolist() == [2, 4]
    assert probes.first_of(lambda: [1, 2], counts)() == [1, 2] and set(counts) == {2}


def test_mutation_is_observed_on_the_variables_themselves():
    def step(variables, rate):
        for variable in variables:
            variable.assign_sub(rate * variable)
        return 7.0

    def rebinds(variables, rate):
        for i in range(len(variables)):
            variables[i] = tf.Variable(0.0)
        return 7.0

    inputs = ([np.array([1.0, 2.0]), np.array([[4.0]])], 0.5)
    got = run(step, probes.mutates(), inputs)
    np.testing.assert_allclose(got["variable 1 afterwards"], [0.5, 1.0])
    np.testing.assert_allclose(got["variable 2 afterwards"], [[2.0]])
    np.testing.assert_allclose(run(rebinds, probes.mutates(), inputs)["variable 1 afterwards"], [1.0, 2.0])


def test_the_same_seed_gives_the_same_random_numbers_and_another_does_not():
    def answer():
        return tf.stack([tf.random.normal([]), tf.cast(np.random.normal(), tf.float32)])

    first, second = (observe(answer, probes.call(), (), seed)["output"] for seed in ("a", "b"))
    np.testing.assert_array_equal(observe(answer, probes.call(), (), "a")["output"], first)
    assert not np.allclose(first, second)


def test_a_seed_is_what_tensorflow_makes_of_it_at_its_first_use_too():
    """A worker seeds a case once; TensorFlow's own way costs every kernel. Operations with a seed of their own are the touchstone."""
    def answer():
        return tf.concat([tf.random.normal([3]), tf.random.uniform([3], seed=5), tf.random.shuffle(tf.range(3.0)),
                          tf.function(lambda: tf.random.normal([3]))()], 0)

    def by_tensorflow():
        tf.random.set_seed(zlib.crc32(b"never seeded before"))
        return answer()

    first = observe(answer, probes.call(), (), "never seeded before")["output"]
    np.testing.assert_array_equal(first, by_tensorflow())
    np.testing.assert_array_equal(first, observe(answer, probes.call(), (), "never seeded before")["output"])


class Scaled(keras.layers.Layer):
    """A Dense layer of one's own, with a factor."""

    def __init__(self, units, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.factor = units, factor
        self.inner = keras.layers.Dense(units)

    def call(self, x):
        return self.factor * self.inner(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "factor": self.factor}


class Compiled(Scaled):
    @tf.function
    def call(self, x):
        return self.factor * self.inner(x)


class ForgetsFactor(Scaled):
    def get_config(self):
        config = super().get_config()
        del config["factor"]
        return config


class ForgetsUnits(Scaled):
    def get_config(self):
        config = super().get_config()
        del config["units"]
        return config


class FixedBatch(Scaled):
    def call(self, x):
        return super().call(tf.reshape(x, (int(x.shape[0]), -1)))


RNG = np.random.default_rng(3)
X, KERNEL, BIAS = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=4)
CASE = {"config": {"units": 4, "factor": 3.0}, "weights": {"inner/kernel": KERNEL, "inner/bias": BIAS}, "call": [X]}
RIGHT = 3 * (X @ KERNEL + BIAS)


@pytest.mark.parametrize("layer", [Scaled, Compiled])
@pytest.mark.parametrize("probe", [probes.layer(), probes.layer_config(), probes.layer_in_model(), probes.layer_saved()])
def test_a_layer_gives_the_closed_form_every_way_it_is_used(probe, layer):
    np.testing.assert_allclose(run(layer, probe, CASE)["output"], RIGHT, rtol=1e-4, atol=1e-5)


def test_a_layers_gradients_match_the_closed_form():
    got = run(Scaled, probes.layer_gradients(), CASE)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, (5, 4))
    np.testing.assert_allclose(got["gradient of input 1"], 3 * weights @ KERNEL.T, rtol=1e-4)
    np.testing.assert_allclose(got["gradient of inner/kernel"], 3 * X.T @ weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got["gradient of inner/bias"], 3 * weights.sum(0), rtol=1e-4)


def test_layers_that_break_the_contract_are_told_how():
    assert not np.allclose(run(ForgetsFactor, probes.layer_config(), CASE)["output"], RIGHT)
    with pytest.raises(AnswerError, match="get_config"):
        run(ForgetsUnits, probes.layer_config(), CASE)
    run(FixedBatch, probes.layer(), CASE)
    with pytest.raises(TypeError):
        run(FixedBatch, probes.layer_in_model(), CASE)
    for weights, words in (({"outer/kernel": KERNEL}, "on the way to it is missing"), ({"inner/kernel": KERNEL.T}, "shape"),
                           ({"factor": BIAS}, "not a variable")):
        with pytest.raises(AnswerError, match=words):
            run(Scaled, probes.layer(), {**CASE, "weights": weights})


def test_a_configuration_that_is_whole_is_not_blamed():
    class Narrow(keras.layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return self.factor * x

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    class Forgets(Narrow):
        def get_config(self):
            return {"name": "forgets", "units": 3}

    for layer, words in ((Narrow, r"which is whole: __init__ must take \*\*kwargs"), (Forgets, "must hold every argument")):
        with pytest.raises(AnswerError, match=words):
            observe(layer, probes.layer_config(), {"config": {"factor": 2.0}, "call": [[1.0]]}, "x")


@pytest.mark.parametrize("mistake, words", [
    (lambda a: tf.equal(tf.constant([1], tf.int64), tf.constant([1], tf.int32)),
     "Equal takes tensors of one type, and these are int64 and int32: cast one with tf.cast"),
    (lambda a: tf.matmul(a, tf.ones((2, 3), tf.int32)), "MatMul takes tensors of one type, and these are float and int32"),
    (lambda a: a @ a, "a matrix [2,3] cannot be multiplied by one of [2,3]"),
    (lambda a: a @ tf.ones(3), "tf.matmul and @ multiply matrices"),
    (lambda a: a + tf.ones(2), "the shapes [2,3] and [2] do not fit together"),
    (lambda a: a.__setitem__(0, 1.0), "the entries of a tensor cannot be changed"),
    (lambda a: a.reshape(3, 2), "a tensor has no .reshape"),
    (lambda a: a.sum(), "a tensor has no .sum"),
    (lambda a: tf.exp(1), "this operation takes no int32 tensor: cast it with tf.cast to one of"),
    (lambda a: tf.reduce_sum(None), "None where a tensor is expected"),
    (lambda a: tf.gather(a, [5]), "indices[0] = 5 is not in [0, 2)")])
def test_the_commonest_errors_of_tensorflow_are_said_in_plain_words(mistake, words):
    with pytest.raises(Exception) as caught:  # noqa: B017
        mistake(tf.ones((2, 3)))
    message = probes.failure(caught.value).message
    assert message.startswith(words) and "[Op:" not in message and "{{" not in message, message


def test_a_librarys_reason_is_said_and_not_its_headings():
    class Wide(keras.layers.Layer):
        def __init__(self, make, **kwargs):
            super().__init__(**kwargs)
            self.make = make

        def call(self, x):
            return tf.matmul(x, tf.zeros((9, 9)))

    @tf.function
    def traced(x):
        return tf.matmul(x, x)

    sizes = "Dimensions must be equal, but are 3 and {} for MatMul with input shapes: [{},3], [{}]."
    for provoke, words in (
            (lambda: traced(tf.zeros((2, 3))), sizes.format(2, 2, "2,3")),
            (lambda: Wide(len)(keras.Input((3,))), sizes.format(9, "?", "9,9")),
            (lambda: Wide(len)(tf.zeros((2, 3))), "a matrix [2,3] cannot be multiplied by one of [9,9]"),
            (lambda: Wide(len).get_config(), "Object Wide was created by passing non-serializable argument values in `__init__()`, and therefore "),
            (lambda: Wide.from_config({}), "missing 1 required positional argument: 'make'")):
        with pytest.raises(Exception) as error:
            provoke()
        assert words in probes.failure(error.value).message, str(error.value)


def test_several_calls_are_stacked_result_by_result():
    calls = {"calls": [[[1.0, 2.0]], [[3.0, -4.0]], [[5.0, 6.0]]]}
    found = run(lambda x: (x, tf.reduce_sum(x)), probes.each(returns=("x", "sum")), calls)
    assert found["x"].tolist() == [[1, 2], [3, -4], [5, 6]] and found["sum"].tolist() == [3, -1, 11]
    assert run(lambda x: x if x[1] > 0 else None, probes.each(), calls) == {"output": "None"}
    assert run(lambda x: x[x > 0], probes.each(), calls) == {"output": "a list of arrays with different shapes"}
    assert run(len, probes.each(inputs_as="python"), {"calls": [[np.zeros(3)], [[1, 2]]]})["output"].tolist() == [3, 2]


def test_an_assignments_own_probe_comes_first_and_an_unknown_one_is_our_error():
    class Own:
        @staticmethod
        def run_it(answer, inputs):
            return {"output": array(41)}

    Own.call = type("P", (), {"run": staticmethod(Own.run_it)})
    assert observe(len, Probe("call"), (), "s", Own)["output"] == 41
    with pytest.raises(LookupError):
        observe(len, Probe("no_such_probe"), (), "s")


def test_what_a_probe_returns_is_an_array_or_words_whatever_its_author_wrote():
    class Own:
        @staticmethod
        @probes.probe
        def counts(answer, inputs):
            return {"int": 3, "generic": np.float32(0.5), "list": [1.0, 2.0], "array": np.zeros(2), "words": "a string", "secret": "x = 3.7"}

    found = observe(len, Probe("counts"), (), "s", Own)
    assert {name: type(value) for name, value in found.items()} == dict.fromkeys(("int", "generic", "list", "array"), np.ndarray) | {"words": str, "secret": str}
    assert (found["int"], found["generic"].shape, found["list"].tolist(), found["words"]) == (3, (), [1, 2], "a string")
    assert found["secret"] == "something that is no array"


def test_a_failure_is_plain_data_even_when_its_message_raises():
    class Nasty(Exception):
        def __str__(self):
            raise ValueError

    assert probes.failure(Nasty()) == Failure("Nasty")


def test_what_an_answer_keeps_between_calls_shows_in_the_second():
    kept = []

    def counts(x):
        kept.append(x)
        return len(kept) * x

    assert run(counts, probes.call(), ([1.0, 3.0],))["output"].tolist() == [1, 3]
    assert run(counts, probes.call(times=2), ([1.0, 3.0],))["output"].tolist() == [3, 9]


def test_refusals_are_value_errors_and_nothing_else():
    def root(x):
        if isinstance(x, str):
            raise TypeError("no number")
        if x < 0:
            raise ValueError("negative")

    assert run(root, probes.refuses(), {"calls": [[4.0], {"x": -4.0}, [-1.0], {"x": 0.0}]})["refusals"].tolist() == [False, True, True, False]
    with pytest.raises(TypeError):
        run(root, probes.refuses(), {"calls": [["four"]]})
