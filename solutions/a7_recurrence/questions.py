"""Cases and misconceptions of the recurrence assignment."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from autograder import Question, load_lesson, probes

lesson, own = load_lesson(__file__), probes.own_probes(Path(__file__).parent)

# Keras's and TensorFlow's own recurrent networks. The last names are types of operations.
RECURRENT_LAYERS = (
    "keras.layers.SimpleRNN*", "keras.layers.LSTM*", "keras.layers.GRU*", "keras.layers.ConvLSTM*",
    "keras.layers.StackedRNNCells", "tf.compat.v1.nn.*rnn*",
    "tf.raw_ops.CudnnRNN*", "tf.raw_ops.LSTMBlockCell*", "tf.raw_ops.BlockLSTM*", "tf.raw_ops.GRUBlockCell*")
LOOPS = ("keras.layers.RNN", "keras.layers.Bidirectional", "tf.keras.backend.rnn")

LETTERS = "\n '-abcdefghijklmnopqrstuvwxyz"
SONNET = "rough winds do shake the darling buds of may\nand summer's lease hath all too short a date\n"


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def recurrent_inputs(rng, batch, depth, units, *time):
    """x and a start state, then w_x, w_h and b, of a size that keeps tanh from saturating."""
    return (normal(rng, batch, *time, depth), 0.8 * normal(rng, batch, units), 0.5 * normal(rng, depth, units),
            0.7 * normal(rng, units, units) / np.float32(np.sqrt(units)), 0.5 * normal(rng, units))


# ---------------------------------------------------------------------------------------------------- encode and decode

encode = Question(lesson.encode, forbid=("keras.layers.StringLookup", "keras.layers.TextVectorization"))


@encode.case(points=1, visible=True)
def a_word(rng):
    """The word "dab" in a vocabulary of five letters, of which it needs only three."""
    return "dab", "abcde"


@encode.case(points=1, visible=True, probe=own.ids_or_refusals())
def unknown_letter(rng):
    """Texts with and without a letter that the vocabulary does not hold: `ValueError` where it must be, and only there."""
    return {"texts": [["abba", "ab"], ["abc", "ab"], ["a b", "ab"]]}


@encode.case(points=3)
def longer_text(rng):
    """A longer text; the vocabulary is a list, and holds characters that do not occur."""
    start, size = int(rng.integers(0, 40)), int(rng.integers(20, 50))
    return SONNET[start:start + size], list(LETTERS)


@encode.case(points=1)
def characters_that_are_no_letters(rng):
    """Line breaks, spaces, digits, capitals and signs, all in their sorted places."""
    vocabulary = sorted("\n !09AZaz'")
    return "".join(str(rng.choice(vocabulary)) for _ in range(19)), vocabulary


def some_empty(rng, *sizes):
    """Ids in a vocabulary of four, for texts of these sizes and for three empty ones, in any order."""
    return [rng.integers(0, 4, size=int(size)).astype(np.int32) for size in rng.permutation([*sizes, 0, 0, 0])]


@encode.case(points=1, probe=own.ids_of_each())
def empty_text(rng):
    """An empty text has no ids: shape (0,). Some others are among them."""
    return {"calls": [["".join("abcd"[number] for number in ids), "abcd"] for ids in some_empty(rng, 5, 7)]}


@encode.case(points=1, probe=own.ids_or_refusals())
def unknown_signs(rng):
    """A line break, a space or a capital that the vocabulary does not hold, at the start, inside and at the end; and texts
    whose characters it holds."""
    unknown = [["ab\n", "abc"], [" ab", "abc"], ["aCb", "abc"], ["it's", list("ist")], ["a\tbc", "abc"]]
    known = [["".join(rng.choice(list("abc"), size=size)), "abc"] for size in rng.permutation([2, 4, 5, 7])]
    return {"texts": [(unknown + known)[i] for i in rng.permutation(len(unknown) + len(known))]}


@encode.misconception
def counts_from_one(text, vocabulary):
    """Your ids are one too high: positions count from 0."""
    return np.asarray(lesson.encode(text, vocabulary)) + 1


@encode.misconception
def numbers_by_first_appearance(text, vocabulary):
    """Your ids follow the order in which characters appear in the text; they are positions in the given vocabulary."""
    lesson.encode(text, vocabulary)
    order = "".join(dict.fromkeys(text))
    return [order.index(character) for character in text]


@encode.misconception
def makes_its_own_vocabulary(text, vocabulary):
    """Your ids are positions among the characters of this text alone; use the vocabulary that is given, with all it holds."""
    lesson.encode(text, vocabulary)
    own = sorted(set(text))
    return [own.index(character) for character in text]


@encode.misconception
def returns_character_codes(text, vocabulary):
    """Your ids are the characters' Unicode numbers; an id is the position in the vocabulary, from 0 to V - 1."""
    lesson.encode(text, vocabulary)
    return [ord(character) for character in text]


@encode.misconception
def returns_one_hot_rows(text, vocabulary):
    """You return a one-hot row for each character; an id is a single number."""
    return np.eye(len(vocabulary))[np.asarray(lesson.encode(text, vocabulary))]


@encode.misconception
def drops_unknown_characters(text, vocabulary):
    """Your function leaves out what it does not know, and the text grows shorter without a word. Raise a ValueError that
    shows the character."""
    return lesson.encode("".join(character for character in text if character in vocabulary), vocabulary)


@encode.misconception(variants=[{"fallback": 0}])
def gives_unknown_characters_an_id(text, vocabulary, fallback=-1):
    """Your function gives unknown characters a number, which then stands for another character. Raise a ValueError
    that shows the character."""
    positions = {character: position for position, character in enumerate(vocabulary)}
    return [positions.get(character, fallback) for character in text]


@encode.misconception
def names_no_character(text, vocabulary):
    """Your function raises a ValueError, as it should, but the message does not show which character it was; put its repr in."""
    try:
        return lesson.encode(text, vocabulary)
    except ValueError:
        raise ValueError("unknown character") from None


@encode.misconception
def raises_another_error(text, vocabulary):
    """Unknown characters end in another exception than a ValueError, such as a dictionary's KeyError. Raise a ValueError that
    shows the character."""
    positions = {character: position for position, character in enumerate(vocabulary)}
    return [positions[character] for character in text]


decode = Question(lesson.decode, probe=own.spelled())


@decode.case(points=1, visible=True)
def six_ids(rng):
    """In the vocabulary " aeht" the ids spell "a tea ", with a space at its end: code numbers 97, 32, 116, 101, 97, 32."""
    return [1, 0, 4, 2, 1, 0], " aeht"


@decode.case(points=3)
def many_ids(rng):
    """A longer text, from a vocabulary that is a list."""
    return rng.integers(0, len(LETTERS), size=37).astype(np.int32), list(LETTERS)


@decode.case(points=1)
def spaces_and_line_breaks(rng):
    """Spaces and line breaks stay as they are, also at the ends."""
    return np.array([0, 1, *rng.permutation([4, 1, 1, 5, 0, 7, 3]), 0, 1], np.int32), LETTERS


@decode.case(points=1, probe=own.spelled_each())
def no_ids(rng):
    """No ids at all: an empty string. Some other ids are among them."""
    return {"calls": [[ids, "abcd"] for ids in some_empty(rng, 3, 6)]}


@decode.misconception
def returns_a_list(ids, vocabulary):
    """You return a list of characters; join them to one string."""
    return list(lesson.decode(ids, vocabulary))


@decode.misconception
def puts_spaces_between(ids, vocabulary):
    """Your characters are joined with spaces between them; nothing belongs there."""
    return " ".join(lesson.decode(ids, vocabulary))


@decode.misconception
def takes_ids_for_codes(ids, vocabulary):
    """You take ids for Unicode numbers, as chr does; an id is a position in the vocabulary."""
    return "".join(chr(int(number)) for number in ids)


@decode.misconception
def starts_counting_at_one(ids, vocabulary):
    """Your characters are one place too early in the vocabulary: positions count from 0."""
    return "".join(vocabulary[int(number) - 1] for number in ids)


@decode.misconception
def strips_the_ends(ids, vocabulary):
    """Your text has lost the spaces or line breaks at its ends; every id stands for a character."""
    return lesson.decode(ids, vocabulary).strip()


# ---------------------------------------------------------------------------------------------------- embedding

embed = Question(lesson.embed, probe=probes.call(), forbid=(
    "tf.nn.embedding_lookup*", "tf.nn.safe_embedding_lookup*", "tf.compat.v1.nn.*embedding_lookup*", "keras.layers.Embedding",
    "keras.layers.ReversibleEmbedding"))


@embed.case(points=1, visible=True)
def two_words_of_three(rng):
    """Two sequences of three ids and a table of four rows of two numbers."""
    return [[2, 0, 3], [1, 1, 0]], [[0.0, 1.0], [10.0, 11.0], [20.0, 21.0], [30.0, 31.0]]


@embed.case(points=1, visible=True, probe=probes.gradients())
def two_rows_of_a_table(rng):
    """Id 1 twice, and the gradient with respect to a table of two rows of one number: zero for the row that is not looked up, a
    sum for the other. (What is differentiated is 1.137 times the first vector and 0.77 times the second.)"""
    return [[1, 1]], [[0.0], [10.0]]


@embed.case(points=3)
def a_batch_of_sequences(rng):
    """A batch of sequences, every axis of another size."""
    return rng.integers(0, 7, size=(3, 5)).astype(np.int32), normal(rng, 7, 4)


@embed.case(points=3, probe=probes.gradients())
def gradient_of_the_table(rng):
    """The gradient with respect to the table: rows that are looked up often, once and never."""
    return np.array([[1, 3, 1, 5], [1, 0, 3, 2]], np.int32), normal(rng, 6, 3)


@embed.case(points=1)
def one_id(rng):
    """One sequence of one id keeps its three axes."""
    return np.array([[4]], np.int32), normal(rng, 5, 3)


@embed.case(points=1)
def more_rows_than_places(rng):
    """A long table of which few rows are used, the first and the last among them."""
    return np.array([[0, 22], [11, 0], [22, 5]], np.int32), normal(rng, 23, 4)


@embed.misconception
def one_hot_of_the_length(ids, table):
    """Your one-hot rows have the length of the sequence; they need V entries, one for every row of the table."""
    return tf.matmul(tf.one_hot(ids, ids.shape[1]), tf.broadcast_to(table, (ids.shape[0], *table.shape)))


@embed.misconception
def puts_depth_before_time(ids, table):
    """Your vectors stand upright, (B, D, T); time comes before depth: (B, T, D)."""
    return tf.transpose(tf.gather(table, ids), (0, 2, 1))


@embed.misconception
def puts_time_before_the_batch(ids, table):
    """Your first axis is time; the batch comes first: (B, T, D)."""
    return tf.gather(table, tf.transpose(ids))


@embed.misconception
def runs_all_sequences_together(ids, table):
    """You return one long list of vectors; sequences keep an axis of their own: (B, T, D)."""
    return tf.gather(table, tf.reshape(ids, (-1,)))


@embed.misconception
def averages_over_time(ids, table):
    """You return one vector for a whole sequence; every place keeps its own."""
    return tf.reduce_mean(tf.gather(table, ids), axis=1)


@embed.misconception
def scales_the_vectors(ids, table):
    """Your vectors are multiplied by √D, as a transformer does later; here a row comes out as it is in the table."""
    return tf.gather(table, ids) * tf.sqrt(tf.cast(tf.shape(table)[1], table.dtype))


@embed.misconception
def looks_one_row_too_high(ids, table):
    """You look up the row before the one that is asked for; ids count rows from 0."""
    return tf.gather(tf.roll(table, 1, axis=0), ids)


@embed.misconception
def gathers_in_numpy(ids, table):
    """Your values are right, but they were looked up in NumPy, where no gradient can follow; look up with TensorFlow or
    keras.ops."""
    return np.asarray(table)[np.asarray(ids)]


@embed.misconception
def copies_the_table(ids, table):
    """Your values are right, but they come from a copy of the table, which the tape does not know; look up in table itself."""
    return tf.gather(tf.constant(table.numpy()), ids)


# ---------------------------------------------------------------------------------------------------- one step

rnn_step = Question(lesson.rnn_step, forbid=RECURRENT_LAYERS + LOOPS)


@rnn_step.case(points=1, visible=True)
def two_units_by_hand(rng):
    """Two inputs and two units: the first unit gets tanh(1 + 0.5 - 1), the second tanh(1 + 0.5 - 0.5)."""
    return [[1.0, 2.0]], [[0.5, -0.5]], [[1.0, -1.0], [0.0, 1.0]], [[0.0, 1.0], [-1.0, 0.0]], [-1.0, -0.5]


@rnn_step.case(points=1, visible=True, probe=probes.gradients())
def five_slopes(rng):
    """One input and one unit: tanh(2 - 2 + 0) = 0, where tanh has slope 1, and the gradients with respect to all five arguments.
    (What is differentiated is the output times 1.137.)"""
    return [[1.0]], [[2.0]], [[2.0]], [[-1.0]], [0.0]


@rnn_step.case(points=3)
def a_batch_of_inputs(rng):
    """A batch, every axis of another size."""
    return recurrent_inputs(rng, 5, 3, 4)


@rnn_step.case(points=3, probe=probes.gradients(), rtol=1e-3)
def gradients_of_a_step(rng):
    """Gradients with respect to input, state and all weights."""
    return recurrent_inputs(rng, 4, 5, 3)


@rnn_step.case(points=1)
def one_example_one_unit(rng):
    """A single example, a single unit."""
    return recurrent_inputs(rng, 1, 3, 1)


@rnn_step.case(points=1)
def far_from_zero(rng):
    """Inputs in the hundreds: the state is finite and close to -1 or 1."""
    x, h, w_x, w_h, b = recurrent_inputs(rng, 3, 2, 5)
    return 400 * np.sign(x) + x, h, w_x, w_h, b


@rnn_step.misconception
def squashes_each_part(x, h, w_x, w_h, b):
    """You take tanh of the parts and add them up; tanh acts once, on the whole sum."""
    return tf.tanh(tf.matmul(x, w_x)) + tf.tanh(tf.matmul(h, w_h)) + b


@rnn_step.misconception
def squashes_input_and_state_apart(x, h, w_x, w_h, b):
    """You take tanh of two sums and add them; input, old state and bias are added first, and tanh acts once."""
    return tf.tanh(tf.matmul(x, w_x) + b) + tf.tanh(tf.matmul(h, w_h))


@rnn_step.misconception
def ignores_the_old_state(x, h, w_x, w_h, b):
    """Your new state does not depend on the old one; without h times w_h the network has no past."""
    return tf.tanh(tf.matmul(x, w_x) + tf.matmul(0 * h, w_h) + b)


@rnn_step.misconception
def squashes_with_a_sigmoid(x, h, w_x, w_h, b):
    """Your state lies between 0 and 1: that is a sigmoid. The state of this network is a tanh."""
    return tf.sigmoid(tf.matmul(x, w_x) + tf.matmul(h, w_h) + b)


@rnn_step.misconception
def uses_relu(x, h, w_x, w_h, b):
    """Your state has no upper bound and is never negative: that is ReLU. The state of this network is a tanh."""
    return tf.nn.relu(tf.matmul(x, w_x) + tf.matmul(h, w_h) + b)


@rnn_step.misconception
def forgets_the_tanh(x, h, w_x, w_h, b):
    """Your sum is right, but it is not squashed yet; tanh makes the state of it."""
    return tf.matmul(x, w_x) + tf.matmul(h, w_h) + b


@rnn_step.misconception
def forgets_the_bias(x, h, w_x, w_h, b):
    """Your sum lacks the bias."""
    return tf.tanh(tf.matmul(x, w_x) + tf.matmul(h, w_h) + 0 * b)


@rnn_step.misconception
def adds_the_bias_outside(x, h, w_x, w_h, b):
    """Your bias is added after tanh, and can push the state beyond -1 and 1; it belongs to the sum inside."""
    return tf.tanh(tf.matmul(x, w_x) + tf.matmul(h, w_h)) + b


@rnn_step.misconception
def multiplies_entry_by_entry(x, h, w_x, w_h, b):
    """Your h is multiplied with w_h entry by entry; the formula has a matrix product there."""
    return tf.tanh(tf.matmul(x, w_x) + h * w_h + b)


@rnn_step.misconception
def adds_the_bias_twice(x, h, w_x, w_h, b):
    """Your sum holds the bias twice, once for the input and once for the state; it is added once."""
    return tf.tanh(tf.matmul(x, w_x) + b + tf.matmul(h, w_h) + b)


@rnn_step.misconception
def adds_the_old_state_again(x, h, w_x, w_h, b):
    """Your old state is added to the new one once more; it enters only through w_h, inside the tanh."""
    return h + tf.tanh(tf.matmul(x, w_x) + tf.matmul(h, w_h) + b)


@rnn_step.misconception
def swaps_the_matrices(x, h, w_x, w_h, b):
    """Your input is multiplied with w_h and the state with w_x; each has its own matrix."""
    return tf.tanh(tf.matmul(x, w_h) + tf.matmul(h, w_x) + b)


@rnn_step.misconception
def steps_in_numpy(x, h, w_x, w_h, b):
    """Your values are right, but they were computed in NumPy, where no gradient can follow; use TensorFlow or keras.ops."""
    return np.asarray(lesson.rnn_step(x, h, w_x, w_h, b))


@rnn_step.variation({"tf.matmul(h, w_h)": "tf.matmul(h, w_h, transpose_b=True)"})
def transposes_w_h():
    """Your w_h is transposed: the state is multiplied by it as it is, from the right."""


@rnn_step.variation({"tf.matmul(x, w_x) + ": ""})
def ignores_the_input():
    """Your new state does not depend on the input: x times w_x belongs into the sum."""


@rnn_step.variation({"+ tf.matmul(h, w_h)": "- tf.matmul(h, w_h)"}, {"+ b)": "- b)"})
def subtracts_a_part():
    """A part of your sum has the wrong sign: what comes of the input, what comes of the state and the bias are all added."""


# ---------------------------------------------------------------------------------------------------- sequences

rnn = Question(lesson.rnn, forbid=RECURRENT_LAYERS + LOOPS, uses=("rnn_step",))


@rnn.case(points=2, visible=True)
def a_pulse_and_its_echo(rng):
    """One unit, two sequences: from the state -1 a pulse and three steps of silence; from the state 1 silence and at last a
    pulse. The state is halved each time, before the input is added and tanh taken."""
    pulse = [[2.0], [0.0], [0.0], [0.0]]
    return [pulse, [[0.0], [0.0], [0.0], [1.0]]], [[-1.0], [1.0]], [[1.0]], [[0.5]], [0.0]


@rnn.case(points=4, probe=probes.call(times=2))
def a_batch_with_start_states(rng):
    """A batch of sequences, each with a start state of its own; they are read twice, and the second time is the same."""
    return recurrent_inputs(rng, 2, 5, 4, 3)


@rnn.case(points=4, probe=probes.gradients(), rtol=1e-3, atol=1e-4)
def gradients_through_time(rng):
    """Gradients with respect to inputs, start state and all weights, through every step."""
    return recurrent_inputs(rng, 3, 2, 5, 4)


@rnn.case(points=1)
def a_single_step(rng):
    """Sequences of length 1 keep their time axis."""
    return recurrent_inputs(rng, 4, 3, 2, 1)


@rnn.case(points=3)
def a_long_sequence(rng):
    """Thirty-one steps."""
    return recurrent_inputs(rng, 2, 4, 3, 31)


@rnn.misconception
def returns_the_last_state(x, h0, w_x, w_h, b):
    """You return the last state only, (B, U); the states of all steps are asked for, (B, T, U)."""
    return lesson.rnn(x, h0, w_x, w_h, b)[:, -1]


@rnn.misconception
def puts_time_first(x, h0, w_x, w_h, b):
    """Your first axis is time: stacking states puts the new axis in front unless told otherwise. Expected (B, T, U)."""
    return tf.transpose(lesson.rnn(x, h0, w_x, w_h, b), (1, 0, 2))


@rnn.misconception
def steps_through_the_batch(x, h0, w_x, w_h, b):
    """Your loop runs over the first axis, the batch, and takes examples for steps; time is the second axis."""
    h, states = h0, []
    for example in x:
        h = lesson.rnn_step(example, h, w_x, w_h, b)
        states.append(h)
    return tf.stack(states, axis=1)


@rnn.misconception
def takes_as_many_steps_as_sequences(x, h0, w_x, w_h, b):
    """You take as many steps as there are sequences in the batch; the number of steps is the size of the second axis."""
    h, states = h0, []
    for t in range(x.shape[0]):
        h = lesson.rnn_step(x[:, t], h, w_x, w_h, b)
        states.append(h)
    return tf.stack(states, axis=1)


@rnn.misconception
def leaves_out_the_last_step(x, h0, w_x, w_h, b):
    """The state after the last step is missing; there are T of them."""
    return tf.stack(tf.unstack(lesson.rnn(x, h0, w_x, w_h, b), axis=1)[:-1], axis=1)


@rnn.misconception
def leaves_out_the_first_input(x, h0, w_x, w_h, b):
    """Your first step takes the second input; in Python the first one is number 0."""
    h, states = h0, []
    for t in range(1, x.shape[1]):
        h = lesson.rnn_step(x[:, t], h, w_x, w_h, b)
        states.append(h)
    return tf.stack(states, axis=1)


@rnn.misconception
def starts_anew_at_every_step(x, h0, w_x, w_h, b):
    """Every step of yours starts from h0 again; it has to start from the state that the step before has left."""
    return tf.stack([lesson.rnn_step(x[:, t], h0, w_x, w_h, b) for t in range(x.shape[1])], axis=1)


@rnn.misconception
def starts_from_zeros(x, h0, w_x, w_h, b):
    """Your first step starts from zeros; it starts from the state that is given, h0."""
    return lesson.rnn(x, 0 * h0, w_x, w_h, b)


@rnn.misconception
def includes_the_start_state(x, h0, w_x, w_h, b):
    """You return T + 1 states, h0 among them; only the states after the steps are asked for."""
    return tf.concat([h0[:, None], lesson.rnn(x, h0, w_x, w_h, b)], axis=1)


@rnn.misconception
def records_states_before_the_step(x, h0, w_x, w_h, b):
    """Your states are one step late: h0 comes first and the last is missing. Record each state after its step."""
    return tf.concat([h0[:, None], lesson.rnn(x, h0, w_x, w_h, b)[:, :-1]], axis=1)


@rnn.misconception
def reads_backwards(x, h0, w_x, w_h, b):
    """You read the sequence from its end; the first step takes the first input."""
    return lesson.rnn(tf.reverse(x, [1]), h0, w_x, w_h, b)


@rnn.misconception
def stops_gradients_between_steps(x, h0, w_x, w_h, b):
    """Your values are right, but gradients do not pass from one step to the one before: something between them leaves the tape,
    such as stop_gradient or a new constant."""
    h, states = h0, []
    for t in range(x.shape[1]):
        h = lesson.rnn_step(x[:, t], h if t == 0 else tf.stop_gradient(h), w_x, w_h, b)
        states.append(h)
    return tf.stack(states, axis=1)


@rnn.misconception
def loops_in_numpy(x, h0, w_x, w_h, b):
    """Your values are right, but they were collected in NumPy, where no gradient can follow; collect tensors and stack them."""
    return np.asarray(lesson.rnn(x, h0, w_x, w_h, b))


@rnn.variation({"rnn_step(x[:, t], h0,": "rnn_step(h0, x[:, t],"})
def exchanges_input_and_state():
    """Your steps take the state for the input and the input for the state: their order is x, h."""


# ---------------------------------------------------------------------------------------------------- windows

next_character_batches = Question(lesson.next_character_batches, probe=own.windows(), forbid=(
    "keras.utils.timeseries_dataset_from_array", "keras.preprocessing.timeseries_dataset_from_array"))


@next_character_batches.case(points=2, visible=True)
def three_windows(rng):
    """Twelve ids, 20 to 31, in windows of three: three windows, two to a batch; 29 is the last input's last target."""
    return np.arange(20, 32, dtype=np.int32), 3, 2


@next_character_batches.case(points=4)
def a_ragged_last_batch(rng):
    """A longer text: the last batch is smaller, and a rest of the text is left over."""
    return rng.integers(0, 50, size=75).astype(np.int32), 5, 4


@next_character_batches.case(points=2)
def as_long_as_its_windows(rng):
    """A text whose length is a multiple of the window's: the last window would lack its last target."""
    return rng.integers(0, 50, size=42).astype(np.int32), 6, 4


@next_character_batches.case(points=2)
def one_character_more(rng):
    """A text one character longer than a whole number of windows: every one of them has all its targets."""
    return rng.integers(0, 50, size=29).astype(np.int32), 7, 2


@next_character_batches.case(points=1, probe=own.windows_of_each())
def shorter_than_a_window(rng):
    """As many characters as a window has: too few, so the list is empty. One more is enough."""
    return {"calls": [[rng.integers(0, 50, size=int(size)).astype(np.int32), 9, 2] for size in rng.permutation([9, 9, 10, 8])]}


@next_character_batches.case(points=1)
def windows_of_one(rng):
    """Windows of a single character, in one batch that could hold more."""
    return rng.integers(0, 50, size=8).astype(np.int32), 1, 10


@next_character_batches.misconception
def does_not_shift(ids, length, batch_size):
    """Your targets are the inputs themselves; they are the characters that come next, one place further."""
    return [(inputs, inputs) for inputs, _ in lesson.next_character_batches(ids, length, batch_size)]


@next_character_batches.misconception
def shifts_the_wrong_way(ids, length, batch_size):
    """Your inputs and targets have changed places: you ask for the character before. The target is one place further."""
    return [(targets, inputs) for inputs, targets in lesson.next_character_batches(ids, length, batch_size)]


@next_character_batches.misconception
def wraps_around(ids, length, batch_size):
    """Your last target is the first character of the text: rolling wraps around. A window without its last target is not used."""
    ids = np.asarray(ids)
    targets, windows = np.roll(ids, -1), len(ids) // length
    x, y = ids[:windows * length].reshape(windows, length), targets[:windows * length].reshape(windows, length)
    return [(x[k:k + batch_size], y[k:k + batch_size]) for k in range(0, windows, batch_size)]


@next_character_batches.misconception
def wraps_around_in_every_window(ids, length, batch_size):
    """The last target of each of your windows is the window's own first character; it is the character after the window."""
    return [(inputs, np.roll(inputs, -1, axis=1)) for inputs, _ in lesson.next_character_batches(ids, length, batch_size)]


@next_character_batches.misconception
def drops_the_last_window(ids, length, batch_size):
    """One window is missing at the end of a text that just has room for it; floor((n - 1) / length) windows fit."""
    ids = np.asarray(ids)
    windows = max(len(ids) - 2, 0) // length
    x, y = ids[:windows * length].reshape(windows, length), ids[1:windows * length + 1].reshape(windows, length)
    return [(x[k:k + batch_size], y[k:k + batch_size]) for k in range(0, windows, batch_size)]


@next_character_batches.misconception
def drops_the_small_batch(ids, length, batch_size):
    """Your last batch is missing where it has fewer windows than the others; it is kept."""
    return [batch for batch in lesson.next_character_batches(ids, length, batch_size) if len(batch[0]) == batch_size]


@next_character_batches.misconception
def fills_the_small_batch(ids, length, batch_size):
    """Your last batch is filled up with windows of zeros; it keeps the windows that it has."""
    return [tuple(np.pad(part, ((0, batch_size - len(part)), (0, 0))) for part in batch)
            for batch in lesson.next_character_batches(ids, length, batch_size)]


@next_character_batches.misconception
def lets_windows_overlap(ids, length, batch_size):
    """Your windows overlap: each starts one character after the one before. Each starts where the one before has ended."""
    ids = np.asarray(ids)
    starts = range(len(ids) - length)
    x, y = [ids[s:s + length] for s in starts], [ids[s + 1:s + length + 1] for s in starts]
    return [(np.array(x[k:k + batch_size]), np.array(y[k:k + batch_size])) for k in range(0, len(x), batch_size)]


@next_character_batches.misconception
def leaves_a_gap_between_windows(ids, length, batch_size):
    """Your windows lie length + 1 characters apart, so that one character between them is never an input."""
    ids = np.asarray(ids)
    rows = ids[:len(ids) // (length + 1) * (length + 1)].reshape(-1, length + 1)
    return [(rows[k:k + batch_size, :-1], rows[k:k + batch_size, 1:]) for k in range(0, len(rows), batch_size)]


@next_character_batches.misconception
def runs_along_the_rows(ids, length, batch_size):
    """Your windows are dealt out so that a row goes on in the next batch, as a stateful network wants it; here windows follow one
    another within the batch, in the order of the text."""
    batches = lesson.next_character_batches(ids, length, batch_size)
    if not batches:
        return batches
    x, y = np.concatenate([batch[0] for batch in batches]), np.concatenate([batch[1] for batch in batches])
    return [(x[k::len(batches)], y[k::len(batches)]) for k in range(len(batches))]


@next_character_batches.misconception
def asks_only_for_the_last(ids, length, batch_size):
    """Your targets are one character per window; every place of a window has a target, the character after it."""
    return [(inputs, targets[:, -1]) for inputs, targets in lesson.next_character_batches(ids, length, batch_size)]


@next_character_batches.misconception
def makes_that_many_batches(ids, length, batch_size):
    """You take batch_size for the number of batches; it is the number of windows in each."""
    batches = lesson.next_character_batches(ids, length, batch_size)
    if not batches:
        return batches
    x, y = np.concatenate([batch[0] for batch in batches]), np.concatenate([batch[1] for batch in batches])
    size = -(-len(x) // batch_size)
    return [(x[k:k + size], y[k:k + size]) for k in range(0, len(x), size)]


@next_character_batches.variation({"inputs[k:k + batch_size]": "inputs[k:k - batch_size]"},
                                  {"inputs[k:k + batch_size]": "inputs[k:k]"},
                                  {"targets[k:k + batch_size]": "targets[k:k]"},
                                  {"targets[k:k + batch_size]": "targets[k:k - batch_size]"})
def empty_batches():
    """A part of your batches is empty: a slice from k ends at k + batch_size, for inputs and targets alike."""


@next_character_batches.variation({"inputs[k:k + batch_size]": "inputs[:k + batch_size]"},
                                  {"inputs[k:k + batch_size]": "inputs[k:]"},
                                  {"inputs[k:k + batch_size]": "inputs[k:batch_size]"},
                                  {"inputs[k:k + batch_size]": "inputs[k:]", "targets[k:k + batch_size]": "targets[k:]"})
def cuts_batches_at_one_end():
    """Your batches are not cut out at both ends: a slice goes from k to k + batch_size, for inputs and targets alike."""


@next_character_batches.variation({"range(0, windows": "range(1, windows"})
def leaves_out_the_first_window():
    """Your first window is in no batch; in Python the first one is number 0."""


@next_character_batches.variation({"max(len(ids) - 1, 0)": "min(len(ids) - 1, 0)"},
                                  {"range(0, windows, batch_size)": "range(windows, 0, batch_size)"})
def no_batches():
    """You return no batches at all: look at how many windows you count, and where your range starts and ends."""


# ---------------------------------------------------------------------------------------------------- the cell

LSTMCell = Question(lesson.LSTMCell, probe=own.step(), forbid=RECURRENT_LAYERS)


def cell_inputs(rng, batch, depth, units, *time, **options):
    """A cell with random weights, its input and its states."""
    x, h, c = normal(rng, batch, *time, depth), 0.7 * normal(rng, batch, units), normal(rng, batch, units)
    weights = {"cell/kernel": 0.6 * normal(rng, depth, 4 * units), "cell/recurrent_kernel": 0.6 * normal(rng, units, 4 * units),
               "cell/bias": 0.6 * normal(rng, 4 * units)}
    return {"config": {"units": units}, "weights": weights, "call": [x, h, c], "options": options}


@LSTMCell.case(points=2, visible=True)
def one_step_by_hand(rng):
    """Two units, x = 1, h = (0.5, -0.5), c = (2, -4). The sums are z_i = (0, ln 3) and z_g = (ln 2, ln 3), from x;
    z_f = (ln 3, 0), from h; z_o = (ln 3, -ln 3), from bias and h. So i = (0.5, 0.75), f = (0.75, 0.5), g = (0.6, 0.8),
    o = (0.75, 0.25); c' = (1.5 + 0.3, -2 + 0.6) and h' = (0.75 · tanh 1.8, 0.25 · tanh(-1.4)) = (0.71, -0.221)."""
    two, three = np.log([2, 3])
    weights = {"cell/kernel": [[0, three, 0, 0, two, three, 0, 0]],
               "cell/recurrent_kernel": [[0, 0, 2 * three, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 2 * three]],
               "cell/bias": [0, 0, 0, 0, 0, 0, three, 0]}
    call = [np.array(value, "float32") for value in ([[1]], [[0.5, -0.5]], [[2, -4]])]
    return {"config": {"units": 2}, "weights": {name: np.array(value, "float32") for name, value in weights.items()},
            "call": call, "options": {}}


@LSTMCell.case(points=2, visible=True, probe=own.new_cell())
def two_new_units(rng):
    """A new cell of two units inside `keras.layers.RNN`: the shapes of its weights, `state_size`, and the bias
    0, 0, 1, 1, 0, 0, 0, 0."""
    return {"config": {"units": 2}, "call": [np.zeros((1, 2, 3), "float32")]}


@LSTMCell.case(points=4)
def a_step_of_a_batch(rng):
    """One step of a batch, every axis of another size: output, new h and new c."""
    return cell_inputs(rng, 5, 4, 3)


@LSTMCell.case(points=4, probe=own.step(gradients=True), rtol=1e-3, atol=1e-4)
def gradients_of_the_step(rng):
    """Gradients with respect to the input, both states and all weights."""
    return cell_inputs(rng, 4, 3, 5)


@LSTMCell.case(points=1, probe=own.new_cell())
def more_new_units(rng):
    """A new cell of another size."""
    units, depth = int(rng.integers(41, 90)), int(rng.integers(5, 41))
    return {"config": {"units": units}, "call": [np.zeros((3, 4, depth), "float32")]}


@LSTMCell.case(points=3, probe=own.sequence())
def inside_a_loop(rng):
    """Inside `keras.layers.RNN`, from given start states: all outputs and the last states."""
    return cell_inputs(rng, 2, 4, 3, 6)


@LSTMCell.case(points=2, probe=own.sequence())
def with_padding(rng):
    """Sequences of different lengths with a mask: a step that is masked changes nothing."""
    mask = np.arange(5)[None, :] < np.array([3, 5, 1])[:, None]
    return cell_inputs(rng, 3, 2, 4, 5, mask=mask)


@LSTMCell.case(points=2, probe=own.sequence(gradients=True), rtol=1e-3, atol=1e-4)
def gradients_along_the_sequence(rng):
    """Gradients through all steps of a sequence, with respect to inputs, start states and weights."""
    return cell_inputs(rng, 2, 3, 4, 5)


@LSTMCell.case(points=1, probe=own.in_model())
def any_batch_size(rng):
    """In a functional model of unknown batch size, compiled by tf.function."""
    inputs = cell_inputs(rng, 4, 3, 2, 5)
    return inputs | {"call": inputs["call"][:1]}


@LSTMCell.case(points=1, probe=own.in_model(saved=True))
def saved_and_loaded(rng):
    """A model with the cell is saved, loaded and used."""
    inputs = cell_inputs(rng, 2, 5, 3, 4)
    return inputs | {"call": inputs["call"][:1]}


@LSTMCell.variation({"i, f, g, o = tf.split": "f, i, g, o = tf.split"})
def swaps_input_and_forget_gate():
    """Your input and forget gates have changed places: the order of the blocks is i, f, g, o, and f multiplies the old c."""


@LSTMCell.variation({"i, f, g, o = tf.split": "i, f, o, g = tf.split"})
def swaps_output_gate_and_candidate():
    """Your output gate and candidate have changed places: the order of the blocks is i, f, g, o, so the candidate is third."""


@LSTMCell.variation({"i, f, g, o = tf.split": "i, g, f, o = tf.split"})
def swaps_forget_gate_and_candidate():
    """The candidate stands where the forget gate belongs, and the other way round: the order of the blocks is i, f, g, o."""


@LSTMCell.misconception
class keeps_states_in_reverse(lesson.LSTMCell):
    """You take your states as c, h, and return them so; they come and go as h, c."""
    def call(self, inputs, states):
        h, states = super().call(inputs, [states[1], states[0]])
        return h, [states[1], states[0]]


@LSTMCell.variation({"tf.sigmoid(o) * tf.tanh(c)": "tf.sigmoid(o) * c"})
def shows_the_memory_unsquashed():
    """Your output is o times c'; the memory goes through tanh before it is shown."""


@LSTMCell.variation({
    "c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)": "c = tf.tanh(tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g))",
    "tf.sigmoid(o) * tf.tanh(c)": "tf.sigmoid(o) * c"})
def keeps_the_squashed_memory():
    """Your new memory has gone through tanh; only what is shown does, c' itself stays as it is."""


@LSTMCell.variation({"tf.tanh(g)": "tf.sigmoid(g)"})
def takes_a_sigmoid_for_the_candidate():
    """Your candidate lies between 0 and 1: three blocks are gates with a sigmoid, the candidate g has tanh."""


@LSTMCell.variation({"tf.tanh(g)": "g"})
def leaves_the_candidate_linear():
    """Your candidate has no activation; g is the tanh of its sum."""


@LSTMCell.misconception
class returns_the_memory(lesson.LSTMCell):
    """Your output is the memory c'; what is shown, and returned as output, is h'."""

    def call(self, inputs, states):
        h, states = super().call(inputs, states)
        return states[1], states


@LSTMCell.misconception
class returns_states_in_reverse(lesson.LSTMCell):
    """Your new states come as [c', h']; the order is [h', c'], as they came in."""

    def call(self, inputs, states):
        h, states = super().call(inputs, states)
        return h, [states[1], states[0]]


@LSTMCell.misconception
class takes_states_in_reverse(lesson.LSTMCell):
    """You take the first state for c and the second for h; they come as h, c."""

    def call(self, inputs, states):
        return super().call(inputs, [states[1], states[0]])


@LSTMCell.misconception
class starts_without_forget_bias(lesson.LSTMCell):
    """Your bias starts at 0 everywhere: the cell forgets half of its memory at every step before it has learned anything. The
    forget gate's block starts at 1."""

    def build(self, input_shape):
        super().build(input_shape)
        self.bias.assign(tf.zeros_like(self.bias))


@LSTMCell.misconception
class starts_all_biases_at_one(lesson.LSTMCell):
    """Your bias starts at 1 everywhere; only the forget gate's block does, the others start at 0."""

    def build(self, input_shape):
        super().build(input_shape)
        self.bias.assign(tf.ones_like(self.bias))


@LSTMCell.misconception
class puts_the_ones_into_another_block(lesson.LSTMCell):
    """Your ones are in the input gate's block of the bias; the forget gate's is the second, columns U to 2U - 1."""

    def build(self, input_shape):
        super().build(input_shape)
        self.bias.assign(np.repeat([1.0, 0.0, 0.0, 0.0], self.units))


@LSTMCell.misconception
class adds_one_at_every_call(lesson.LSTMCell):
    """You add 1 to the forget gate's sum in every call; the 1 is only where the bias starts, as part of the weight."""

    def build(self, input_shape):
        super().build(input_shape)
        self.bias.assign(tf.zeros_like(self.bias))

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, f, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class shows_through_the_new_state(lesson.LSTMCell):
    """Your output gate is computed from a new h; all four blocks see the old one."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, f, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        h = tf.sigmoid(tf.split(z, 4, axis=-1)[3]) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class ties_the_forget_gate(lesson.LSTMCell):
    """Your old memory is multiplied by 1 - i, as in other cells; here the forget gate f has a block of its own."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, _, g, o = tf.split(z, 4, axis=-1)
        c = (1 - tf.sigmoid(i)) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class forgets_the_old_memory(lesson.LSTMCell):
    """Your new memory is made of i and g alone; what f leaves of the old c is added."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, _, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(i) * tf.tanh(g) + 0 * c
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class ignores_the_old_output(lesson.LSTMCell):
    """Your gates depend on the input alone; the old h enters them through recurrent_kernel."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(0 * h, self.recurrent_kernel) + self.bias
        i, f, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class leaves_out_the_bias(lesson.LSTMCell):
    """Your sums lack the bias."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + 0 * self.bias
        i, f, g, o = tf.split(z, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class shows_the_old_memory(lesson.LSTMCell):
    """Your output is made of the old memory c; the new one is shown, c'."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, f, g, o = tf.split(z, 4, axis=-1)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)]


@LSTMCell.misconception
class makes_a_bare_variable(lesson.LSTMCell):
    """Not all three of your weights are trained: Keras knows what `self.add_weight` makes, but not a tf.Variable."""

    def build(self, input_shape):
        width = 4 * self.units
        self.kernel = tf.Variable(tf.zeros((input_shape[-1], width)))
        self.recurrent_kernel = self.add_weight(shape=(self.units, width), initializer="orthogonal", name="recurrent_kernel")
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")
        self.bias.assign(np.repeat([0.0, 1.0, 0.0, 0.0], self.units))


@LSTMCell.misconception
class deals_the_columns_out(lesson.LSTMCell):
    """Your gates take turns in picking columns; each owns a block of U neighbouring columns of the sum."""

    def call(self, inputs, states):
        h, c = states
        z = tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent_kernel) + self.bias
        i, f, g, o = z[:, 0::4], z[:, 1::4], z[:, 2::4], z[:, 3::4]
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


@LSTMCell.misconception
class names_one_state_only(lesson.LSTMCell):
    """Your state_size is a single number, so that Keras's loop hands over one state; there are two, [units, units]."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = units


@LSTMCell.variation({"tf.sigmoid(i) *": "i *"}, {"tf.sigmoid(o) *": "o *"})
def leaves_a_gate_linear():
    """One of your gates has no activation: the three gates are sigmoids of their sums, between 0 and 1."""


@LSTMCell.variation({"tf.sigmoid(i) * tf.tanh(g)": "tf.tanh(g)"}, {"tf.sigmoid(o) * tf.tanh(c)": "tf.tanh(c)"})
def leaves_out_a_gate():
    """One of your gates is missing: the input gate multiplies the candidate, the output gate what is shown of the memory."""


@LSTMCell.variation({"tf.sigmoid(f)": "keras.ops.hard_sigmoid(f)", "tf.sigmoid(i)": "keras.ops.hard_sigmoid(i)",
                     "tf.sigmoid(o)": "keras.ops.hard_sigmoid(o)"})
def has_hard_gates():
    """Your gates are hard sigmoids, straight lines that are cut off: they are 1 / (1 + e^(−z))."""


@LSTMCell.variation({"tf.sigmoid(f) * c": "tf.sigmoid(f)"}, {"tf.sigmoid(i) * tf.tanh(g)": "tf.sigmoid(i)"},
                    {"tf.sigmoid(o) * tf.tanh(c)": "tf.sigmoid(o)"})
def has_a_gate_that_gates_nothing():
    """One of your gates stands alone: f multiplies the old memory, i the candidate, and o the tanh of the new memory."""


@LSTMCell.variation({"tf.sigmoid(i) *": "tf.tanh(i) *"}, {"tf.sigmoid(o) *": "tf.tanh(o) *"})
def has_a_tanh_for_a_gate():
    """One of your gates is a tanh: the three gates are sigmoids of their sums, between 0 and 1."""


@LSTMCell.variation({"tf.tanh(c)": "tf.sigmoid(c)"})
def shows_a_sigmoid_of_the_memory():
    """The memory that you show has gone through a sigmoid; it goes through tanh."""


@LSTMCell.variation({"tf.matmul(inputs, self.kernel) + ": ""})
def ignores_the_input():  # noqa: F811
    """Your gates and your candidate do not depend on the input: the input times kernel belongs into the sum."""


@LSTMCell.variation({"* c + tf.sigmoid(i)": "* c - tf.sigmoid(i)"}, {"+ self.bias": "- self.bias"})
def subtracts_a_part():  # noqa: F811
    """A part has the wrong sign: the three parts of a gate's sum are added, and so are the two parts of the new memory."""


# ---------------------------------------------------------------------------------------------------- the loop

BOTH = ("h of every step", "last c")
lstm = Question(lesson.lstm, probe=probes.call(returns=BOTH), forbid=RECURRENT_LAYERS + LOOPS, uses=("LSTMCell",))


def lstm_inputs(rng, batch, time, depth, units):
    return (normal(rng, batch, time, depth), 0.7 * normal(rng, batch, units), normal(rng, batch, units),
            0.6 * normal(rng, depth, 4 * units), 0.6 * normal(rng, units, 4 * units), 0.6 * normal(rng, 4 * units))


def two_steps():
    two, three = float(np.log(2)), float(np.log(3))
    return [[[1.0], [0.0]]], [[0.5]], [[2.0]], [[0.0, 0.0, two, 0.0]], [[0.0, 0.0, 0.0, 2 * three]], [0.0, three, 0.0, 0.0]


@lstm.case(points=1, visible=True)
def two_steps_of_one_unit(rng):
    """One unit, inputs 1 and 0, h0 = 0.5, c0 = 2. At both steps i = 0.5 and f = 0.75; g is tanh(ln 2) = 0.6, then 0, so c is
    1.5 + 0.3 = 1.8, then 1.35. Only o depends on h: it is σ(ln 3) = 0.75, so h = 0.71, then σ(0.71 · 2 ln 3) = 0.826."""
    return two_steps()


@lstm.case(points=1, visible=True, probe=probes.gradients(returns=BOTH))
def two_steps_back(rng):
    """The same two steps, and gradients with respect to all six arguments. (What is differentiated is a sum in which every
    output has a weight of its own.)"""
    return two_steps()


@lstm.case(points=2, probe=probes.call(returns=BOTH, times=2))
def a_batch_with_memories(rng):
    """A batch of sequences, each with start states of its own; they are read twice, and the second time is the same."""
    return lstm_inputs(rng, 2, 5, 4, 3)


@lstm.case(points=3, probe=probes.gradients(returns=BOTH), rtol=1e-3, atol=1e-4)
def gradients_of_everything(rng):
    """Gradients of all h and of the last c with respect to all six inputs."""
    return lstm_inputs(rng, 3, 4, 2, 5)


@lstm.case(points=1)
def sequences_of_one_step(rng):
    """Sequences of length 1 keep their time axis."""
    return lstm_inputs(rng, 4, 1, 3, 2)


@lstm.case(points=1)
def far_from_zero(rng):  # noqa: F811
    """Inputs in the hundreds: gates are open or closed, and everything stays finite."""
    x, *others = lstm_inputs(rng, 3, 2, 4, 5)
    return 400 * np.sign(x) + x, *others


@lstm.case(points=1)
def twenty_three_steps(rng):
    """A longer sequence."""
    return lstm_inputs(rng, 2, 23, 5, 3)


@lstm.misconception
def does_not_carry_the_memory(x, h0, c0, kernel, recurrent_kernel, bias):
    """Every step of yours starts from c0 again; the memory of one step is where the next one starts."""
    h, shown = h0, []
    for t in range(x.shape[1]):
        new_h, c = lesson.lstm(x[:, t:t + 1], h, c0, kernel, recurrent_kernel, bias)
        h = new_h[:, 0]
        shown.append(h)
    return tf.stack(shown, axis=1), c


@lstm.misconception
def does_not_carry_the_output(x, h0, c0, kernel, recurrent_kernel, bias):
    """Every step of yours sees h0; it has to see the h of the step before."""
    c, shown = c0, []
    for t in range(x.shape[1]):
        new_h, c = lesson.lstm(x[:, t:t + 1], h0, c, kernel, recurrent_kernel, bias)
        shown.append(new_h[:, 0])
    return tf.stack(shown, axis=1), c


@lstm.misconception
def starts_with_an_empty_memory(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your memory starts at zero; it starts at c0."""
    return lesson.lstm(x, h0, 0 * c0, kernel, recurrent_kernel, bias)


@lstm.misconception
def starts_with_both_states_empty(x, h0, c0, kernel, recurrent_kernel, bias):
    """Both of your states start at zero; they start at h0 and c0."""
    return lesson.lstm(x, 0 * h0, 0 * c0, kernel, recurrent_kernel, bias)


@lstm.misconception
def shows_the_last_step_only(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your first result is the last h only, (B, U); the h of all steps are asked for, (B, T, U)."""
    h, c = lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias)
    return h[:, -1], c


@lstm.misconception
def puts_the_steps_first(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your first axis is time: stacking puts the new axis in front unless told otherwise. Expected (B, T, U)."""
    h, c = lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias)
    return tf.transpose(h, (1, 0, 2)), c


@lstm.misconception
def returns_the_last_h_for_c(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your second result is the last h; the last c is asked for."""
    h, _ = lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias)
    return h, h[:, -1]


@lstm.misconception
def shows_the_memories(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your first result is the c of every step; what is shown, and asked for, is h."""
    h, c, memories = h0, c0, []
    for t in range(x.shape[1]):
        new_h, c = lesson.lstm(x[:, t:t + 1], h, c, kernel, recurrent_kernel, bias)
        h = new_h[:, 0]
        memories.append(c)
    return tf.stack(memories, axis=1), c


@lstm.misconception
def shows_memories_unsquashed(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your h is o times c; the memory goes through tanh before it is shown."""
    h, c, shown = h0, c0, []
    for t in range(x.shape[1]):
        i, f, g, o = tf.split(tf.matmul(x[:, t], kernel) + tf.matmul(h, recurrent_kernel) + bias, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * c
        shown.append(h)
    return tf.stack(shown, axis=1), c


@lstm.misconception
def sigmoid_overflows(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your states become NaN where inputs are large: in `exp(z) / (1 + exp(z))` both overflow. `tf.sigmoid` does not."""
    h, c, shown = h0, c0, []
    for t in range(x.shape[1]):
        i, f, g, o = tf.split(tf.matmul(x[:, t], kernel) + tf.matmul(h, recurrent_kernel) + bias, 4, axis=-1)
        i, f, o = (tf.exp(z) / (1 + tf.exp(z)) for z in (i, f, o))
        c = f * c + i * tf.tanh(g)
        h = o * tf.tanh(c)
        shown.append(h)
    return tf.stack(shown, axis=1), c


@lstm.misconception(variants=[{"gate": lambda z: tf.nn.relu6(z + 3) / 6}, {"gate": tf.sigmoid, "squash": tf.nn.relu}])
def squashes_otherwise(x, h0, c0, kernel, recurrent_kernel, bias, gate=lambda z: tf.clip_by_value(0.2 * z + 0.5, 0.0, 1.0),
                       squash=tf.tanh):
    """Your gates or your candidate use another function: the three gates have a sigmoid, candidate and shown memory tanh."""
    h, c, shown = h0, c0, []
    for t in range(x.shape[1]):
        i, f, g, o = tf.split(tf.matmul(x[:, t], kernel) + tf.matmul(h, recurrent_kernel) + bias, 4, axis=-1)
        c = gate(f) * c + gate(i) * squash(g)
        h = gate(o) * squash(c)
        shown.append(h)
    return tf.stack(shown, axis=1), c


@lstm.misconception(variants=[{"missing": 1}, {"missing": 3}])
def lacks_a_gate(x, h0, c0, kernel, recurrent_kernel, bias, missing=0):
    """One of your three gates makes no difference: i multiplies the candidate, f the old memory, o what is shown of the new."""
    size = h0.shape[-1]
    block = tf.one_hot(missing, 4)[:, None] * tf.ones((4, size))  # (4, U): as if that gate were open
    opened = tf.reshape(1e4 * block, (-1,))
    closed = 1 - tf.reshape(block, (-1,))
    return lesson.lstm(x, h0, c0, kernel * closed, recurrent_kernel * closed, bias * closed + opened)


@lstm.misconception
def reads_backwards(x, h0, c0, kernel, recurrent_kernel, bias):  # noqa: F811
    """You read the sequence from its end; the first step takes the first input."""
    return lesson.lstm(tf.reverse(x, [1]), h0, c0, kernel, recurrent_kernel, bias)


@lstm.misconception
def exchanges_the_start_states(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your start states have changed places: h0 is what was shown, c0 the memory."""
    return lesson.lstm(x, c0, h0, kernel, recurrent_kernel, bias)


@lstm.misconception
def forgets_the_bias(x, h0, c0, kernel, recurrent_kernel, bias):  # noqa: F811
    """Your sums lack the bias."""
    return lesson.lstm(x, h0, c0, kernel, recurrent_kernel, 0 * bias)


@lstm.misconception
def adds_the_bias_twice(x, h0, c0, kernel, recurrent_kernel, bias):  # noqa: F811
    """Your sums hold the bias twice, once for the input and once for the state; it is added once."""
    return lesson.lstm(x, h0, c0, kernel, recurrent_kernel, 2 * bias)


@lstm.misconception(variants=[{"order": order} for order in (
    (1, 0, 2, 3), (1, 0, 3, 2), (0, 2, 1, 3), (2, 0, 1, 3), (1, 2, 0, 3))])
def cuts_the_blocks_in_another_order(x, h0, c0, kernel, recurrent_kernel, bias, order=(0, 1, 3, 2)):
    """Your blocks of columns come in another order; it is i, f, g, o."""
    kernel, recurrent_kernel, bias = (
        tf.concat([tf.split(value, 4, axis=-1)[block] for block in order], axis=-1) for value in (kernel, recurrent_kernel, bias))
    return lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias)


@lstm.misconception
def returns_every_memory(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your second result holds the c of every step; only the last one is asked for, (B, U)."""
    h, c, memories = h0, c0, []
    for t in range(x.shape[1]):
        new_h, c = lesson.lstm(x[:, t:t + 1], h, c, kernel, recurrent_kernel, bias)
        h = new_h[:, 0]
        memories.append(c)
    return lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias)[0], tf.stack(memories, axis=1)


@lstm.misconception
def returns_the_memory_first(x, h0, c0, kernel, recurrent_kernel, bias):
    """You return c before h; the order is (h, c)."""
    h, c = lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias)
    return c, h


@lstm.misconception
def adds_one_to_the_forget_gate(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your forget gate has an extra 1 in its sum; that 1 is where a new layer's bias starts, and here the bias is given."""
    size = h0.shape[-1]
    extra = tf.concat([tf.zeros(size), tf.ones(size), tf.zeros(2 * size)], axis=0)
    return lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias + extra)


@lstm.misconception
def runs_in_numpy(x, h0, c0, kernel, recurrent_kernel, bias):
    """Your values are right, but they were computed in NumPy, where no gradient can follow; use TensorFlow or keras.ops."""
    return tuple(np.asarray(part) for part in lesson.lstm(x, h0, c0, kernel, recurrent_kernel, bias))


# ---------------------------------------------------------------------------------------------------- drawing

# Shares of 400 draws miss their probability by 0.12 once in a million times; mistakes miss it by more.
sample_next = Question(lesson.sample_next, probe=own.draws(), rtol=0.0, atol=0.12)


@sample_next.case(points=1, visible=True, probe=probes.call())
def no_temperature(rng):
    """Temperature 0: the largest of five logits, 7.5, stands at position 3."""
    return [1.0, -2.0, 0.5, 7.5, 2.5], 0.0, 7


@sample_next.case(points=1, visible=True, probe=own.repeats())
def twice_the_same(rng):
    """Twelve seeds, each used twice, with other random numbers drawn in between: the same id both times."""
    return np.zeros(40, "float32"), 1.0


@sample_next.case(points=1, visible=True)
def at_two(rng):
    """Logits ln 4, 0, 0 and 0 at temperature 2: over four hundred seeds the shares are 0.4, 0.2, 0.2, 0.2, give or take 0.12."""
    return np.log([4.0, 1.0, 1.0, 1.0]).astype("float32"), 2.0


def two_ahead(rng, temperature, *largest):
    """Logits of forty ids, two of which have the `largest` probabilities at a temperature; the first of them is not id 0."""
    first, second = rng.permutation(np.arange(1, 40))[:2]
    probabilities = (1 - sum(largest)) / 38 * rng.uniform(0.9, 1.1, size=40)
    probabilities[[first, second]] = largest
    return (temperature * np.log(probabilities)).astype("float32")


@sample_next.case(points=1)
def as_it_is(rng):
    """Temperature 1: four hundred seeds draw each id as often as its probability says."""
    return two_ahead(rng, 1.0, 0.47, 0.35), 1.0


@sample_next.case(points=1)
def hot(rng):
    """Temperature 3: the probabilities come closer together."""
    return two_ahead(rng, 3.0, 0.42, 0.28), 3.0


@sample_next.case(points=1)
def cold(rng):
    """Temperature 0.25: the largest logits take nearly everything."""
    return two_ahead(rng, 0.25, 0.55, 0.35), 0.25


def shuffled_rows(rng, logits, rows):
    """The same logits in other orders: the largest is not always at the same place."""
    table = rng.permuted(np.tile(np.array(logits, "float32"), (rows, 1)), axis=1)
    return np.concatenate([table, np.roll(table[:1], 1, axis=1)])


@sample_next.case(points=1, probe=own.draws_of_each(times=5))
def logits_far_from_zero(rng):
    """Logits of around 900, where e overflows, one of them far above the others."""
    return 900 + shuffled_rows(rng, [45.0, 5.0, 0.0, -35.0], 6), 1.0


@sample_next.case(points=1, probe=own.draws_of_each(times=5))
def nearly_frozen(rng):
    """Temperature 0.001: as good as always the largest, and everything stays finite."""
    return shuffled_rows(rng, [3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0], 6), 0.001


@sample_next.misconception
def multiplies_by_the_temperature(logits, temperature, seed):
    """Your shares grow bolder where they should grow evener: logits are divided by the temperature."""
    return lesson.sample_next(logits, 1 / temperature if temperature > 0 else 0.0, seed)


@sample_next.misconception
def takes_the_largest_always(logits, temperature, seed):
    """You always return the largest logit; only at temperature 0 is there nothing to draw."""
    return int(np.argmax(logits))


@sample_next.misconception
def takes_logits_for_probabilities(logits, temperature, seed):
    """You take a logarithm of the logits, as if they were probabilities: logits may be negative, and only the softmax makes
    probabilities of them."""
    if temperature == 0:
        return int(np.argmax(logits))
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.exp(np.log(np.asarray(logits, np.float64)) / temperature)
        return int(np.random.default_rng(seed).choice(len(powers), p=powers / np.sum(powers)))


@sample_next.misconception
def ignores_the_temperature(logits, temperature, seed):
    """Your shares are the same at every temperature; logits are divided by it before the softmax."""
    return lesson.sample_next(logits, 1.0 if temperature > 0 else 0.0, seed)


@sample_next.variation({"p=shares": "p=np.full(len(shares), 1 / len(shares))"}, {", p=shares": ""})
def draws_evenly():
    """Every id comes up equally often; it should come up with its probability, the softmax of logits and temperature."""


@sample_next.variation({"(logits - logits.max())": "(logits.max() - logits)"})
def prefers_the_smallest():
    """The smallest logits come up most often: a difference has been taken the wrong way round."""


@sample_next.misconception
def divides_the_probabilities(logits, temperature, seed):
    """You divide probabilities by the temperature, and go through a softmax again; divide the logits, and take one softmax."""
    if temperature == 0:
        return int(np.argmax(logits))
    logits = np.asarray(logits, np.float64)
    shares = np.exp(logits - logits.max())
    return lesson.sample_next(shares / shares.sum(), temperature, seed)


@sample_next.misconception
def ignores_the_seed(logits, temperature, seed):
    """The same seed gives one id now and another later; make a generator from the seed within the call."""
    return lesson.sample_next(logits, temperature, np.random.randint(2 ** 31))


@sample_next.misconception
def uses_one_seed_for_all(logits, temperature, seed):
    """Every seed of yours draws the same id; the generator has to be made from the seed that is given."""
    return lesson.sample_next(logits, temperature, 0)


@sample_next.misconception(variants=[{"error": ValueError}])
def divides_by_zero(logits, temperature, seed, error=ZeroDivisionError):
    """At temperature 0 there is nothing to divide by; return the position of the largest logit there."""
    if temperature == 0:
        raise error("division by zero")
    return lesson.sample_next(logits, temperature, seed)


@sample_next.misconception
def returns_the_largest_logit(logits, temperature, seed):
    """At temperature 0 you return the largest logit itself; its position is asked for."""
    return lesson.sample_next(logits, temperature, seed) if temperature > 0 else float(np.max(logits))


@sample_next.misconception
def returns_the_smallest(logits, temperature, seed):
    """At temperature 0 you return the position of the smallest logit; the largest wins."""
    return lesson.sample_next(logits, temperature, seed) if temperature > 0 else int(np.argmin(logits))


@sample_next.misconception
def overflows(logits, temperature, seed):
    """Your probabilities are not numbers where logits are large or the temperature is small: e overflows. Subtract the
    largest logit before you divide."""
    if temperature == 0:
        return int(np.argmax(logits))
    powers = np.exp(np.asarray(logits, np.float64) / temperature)
    return int(np.random.default_rng(seed).choice(len(powers), p=powers / powers.sum()))


@sample_next.misconception
def returns_an_array(logits, temperature, seed):
    """You return an array with axes, such as the (1, 1) of tf.random.categorical; one number is asked for."""
    return np.array([[lesson.sample_next(logits, temperature, seed)]])
