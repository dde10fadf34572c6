"""What is concluded from the outputs of layers and networks, from their weights and from lists of what they are made of.

Images come several times within a batch, in places that only the case knows: outputs that do not follow the images are no
network's, and nothing is concluded from them.
"""

import numpy as np

from autograder.inside.probes import AnswerError

SETS = 4  # of weights that a network is tried with


def keeps_its_weights(seen, inputs):
    """What Keras knows of a layer's weights, whether calls leave them alone, and whether its filters start out different."""
    images, filters = inputs["call"][0], seen["filters"]
    first, second = (_follow(seen[name], images, differ=True) for name in ("first call", "second call"))
    apart = np.ptp((filters - filters[..., :1]).reshape(-1, filters.shape[-1]), axis=0)
    return {
        "shape of the kernel": np.array(filters.shape),
        "number of weights that Keras would train and save": np.array(sum(name.startswith("weight ") for name in seen)),
        "do two calls on the same images agree?": np.array(bool(np.allclose(first, second, atol=1e-5))),
        "do the filters start out different from one another?": np.array(bool(np.all(apart[1:] > 0)))}


def network(seen, inputs):
    """Shapes, ranges and gradients of a network for a task under several sets of weights, and what it is made of."""
    shape, task, n = tuple(inputs["input_shape"]), inputs["task"], inputs["outputs"]
    expected = {"box": (4,), "output": (*shape[:2], n)} if task == "segmentation" else {"box": (4,)}
    for name in inputs["parts"]:
        for batch in (1, 5):
            if _numbers(seen[f"{name} of {batch}"]).shape != (batch, *expected.get(name, (n,))):
                raise AnswerError("returns {part} in another shape than the task {task} asks for: the batch comes first, and "
                                  "each image has as many numbers as the description says.", part=name, task=task)
    convolutions, poolings = map(max, zip(_layers(seen), _operations(seen, shape)))
    results = {name: _answers(seen, inputs, name) for name in inputs["parts"]}
    reached = np.any(np.nan_to_num(seen["gradients"]) != 0, axis=0)
    if not reached.size or not reached.all():
        raise AnswerError("has weights that get no gradient for the task {task}, as if the output did not depend on them.",
                          task=task)
    moved = any(np.any(np.ptp(value, axis=1) > 1e-6) for value in results.values())
    observation = {"are there two convolutions at least?": np.array(convolutions >= 2),
                   "are there two poolings at least?": np.array(poolings >= 2),
                   "does every image get an answer of its own?": np.array(bool(moved))}
    for name, values in results.items():
        which = "the output" if name == "output" else f"the {name}"
        if name == "label" or task in ("classification", "segmentation"):
            observation[f"is no probability of {which} negative?"] = np.array(bool(np.all(values >= 0)))
            observation[f"do the probabilities of {which} sum to 1 over the last axis?"] = np.array(bool(
                np.allclose(values.sum(axis=-1), 1, atol=1e-4)))
        elif name == "box":
            observation["are all entries of the box between 0 and 1?"] = np.array(bool(
                np.all((values >= 0) & (values <= 1))))
        elif name == "scale":
            observation["is every scale above 0?"] = np.array(bool(np.all(values > 0)))
        elif task == "regression":
            observation["can the output be negative?"] = np.array(bool(np.any(values < 0)))
            observation["can the output be above 1?"] = np.array(bool(np.any(values > 1)))
    return observation


def _answers(seen, inputs, name):
    """An output under every set of weights: (set, image, …)."""
    values = np.stack([np.asarray(_numbers(seen[f"{name} under weights {i + 1}"]), np.float64) for i in range(SETS)])
    if not np.all(np.isfinite(values)):
        raise AnswerError("returns NaN or infinite values in {part} for the task {task}.", part=name, task=inputs["task"])
    for value in values:
        _follow(value, inputs["images"])
    return values


def _numbers(value):
    if isinstance(value, str):
        raise AnswerError("returned {what}; expected a tensor.", what=value)
    return value


def _follow(outputs, images, differ=False):
    """The outputs for a batch of images, if equal images have equal ones; and, with `differ`, different images do not."""
    if _numbers(outputs).ndim < 2 or len(outputs) != len(images):
        raise AnswerError("returned no output for every image of the batch.")
    size = np.abs(outputs).max()
    for i in range(len(images)):
        for j in range(i):
            apart = np.abs(outputs[i] - outputs[j]).max()
            alike = np.array_equal(images[i], images[j])
            if (alike and not apart <= 1e-3 * size) or (not alike and differ and not apart > 1e-6 * size):
                raise AnswerError("gives the same image different outputs, or different images the same: an output depends on "
                                  "its own image and on nothing else.")
    return outputs


def _layers(seen):
    """How many layers convolve and how many pool: known by their class's name, or by what they do to maps."""
    convolutions = poolings = 0
    kinds, maps, weights = _names(seen["names of layers"]), seen["maps of layers"].tolist(), seen["weights of layers"].tolist()
    for kind, (height, width, lower, narrower), (number, of_four_axes) in zip(kinds, maps, weights, strict=True):
        if "transpose" in kind or "global" in kind:
            continue
        if "conv" in kind or (lower > 0 and of_four_axes):
            convolutions += 1
        elif "pool" in kind or (0 < lower < height and 0 < narrower < width and not number):
            poolings += 1
    return convolutions, poolings


def _operations(seen, shape):
    """The same, counted by what runs: for a layer that is called twice, and for poolings that are no layer.

    A pooling, ready-made or written with slices, takes largest or mean entries and leaves maps of about half the size; one
    pixel is a mean over the whole map.
    """
    convolutions, sizes = 0, set()
    for kind, (height, width) in zip(_names(seen["names of operations"]), seen["maps of operations"].tolist(), strict=True):
        convolutions += kind in ("conv2d", "depthwiseconv2dnative")
        if kind in ("maxpool", "maxpoolv2", "avgpool", "max", "maximum", "mean") and height > 0 and width > 0 \
                and (height, width) != (1, 1):
            sizes.add((height, width))
    poolings, (height, width) = 0, shape[:2]
    for smaller in sorted(sizes, reverse=True):
        if smaller[0] <= 0.6 * height and smaller[1] <= 0.6 * width:  # a convolution without padding takes less away
            poolings, (height, width) = poolings + 1, smaller
    return convolutions, poolings


def _names(table):
    return ["".join(map(chr, row)).rstrip("\0").lower() for row in table.tolist()]
