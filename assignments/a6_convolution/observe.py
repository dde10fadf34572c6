"""What a convolutional layer or network does, concluded from its outputs, gradients, layers and operations."""

import numpy as np

from autograder.inside.probes import AnswerError

PARTS = {"detection": ("box", "label"), "control": ("mean", "scale")}
SETS = 4  # of weights, under which each network was asked


def keeps_its_weights(seen, inputs):
    """What Keras knows of a layer's weights, and whether calls leave them alone."""
    filters, (first, second) = seen["filters"], (seen[f"{which} output"] for which in ("first", "second"))
    config, (images,) = inputs["config"], inputs["call"]
    height, width = config["kernel_size"]
    if filters.shape != (height, width, images.shape[-1], config["filters"]):
        raise AnswerError("has a kernel of another shape.")
    if not np.any(filters) or first.shape != (*images.shape[:3], config["filters"]):
        raise AnswerError("has filters that are all zero, or an output of another shape.")
    return {
        "number of weights that Keras would train and save": np.array(len(seen["sizes of weights"])),
        "do two calls on the same images agree?": np.array(bool(np.allclose(first, second, atol=1e-5))),
        "do the filters start out different from one another?": np.array(bool(
            all(np.ptp(filters[..., i] - filters[..., 0]) > 0 for i in range(1, filters.shape[-1]))))}


def network(seen, inputs):
    """Shapes, ranges, gradients, and that equal images, and they alone, have equal answers."""
    shape, task, n = tuple(inputs["input_shape"]), inputs["task"], inputs["outputs"]
    names, images = PARTS.get(task, ("output",)), inputs["images"]
    right = {"box": (4,), "output": (*shape[:2], n)} if task == "segmentation" else {"box": (4,)}
    for name in names:
        for batch in (1, 5):
            if seen[f"{name} for a batch of {batch}"].shape != (batch, *right.get(name, (n,))):
                raise AnswerError("returns {which} of another shape for the task {task}; for one image it is to be {shape}.",
                                  which=name, task=task, shape=right.get(name, (n,)))
    if lost := int(np.sum(seen["largest gradients"] == 0)):
        raise AnswerError("has weights that get no gradient for the task {task}, as if the output did not depend on them.",
                          task=task, number=lost)
    results = {name: [np.asarray(seen[f"{name} under weights {i}"], np.float64) for i in range(SETS)] for name in names}
    for name, values in results.items():
        if not all(np.all(np.isfinite(value)) for value in values):
            raise AnswerError("returns NaN or infinite values in {which} for the task {task}.", which=name, task=task)
    convolutions, poolings = map(max, zip(_by_layers(seen["layers"]), _by_operations(seen["operations"], shape)))
    observation = {"are there two convolutions at least?": np.array(convolutions >= 2),
                   "are there two poolings at least?": np.array(poolings >= 2),
                   "does every image get an answer of its own?": np.array(_told_apart(images, results))}
    for name in names:
        values, which = np.stack(results[name]), "the output" if name == "output" else f"the {name}"
        if name == "label" or task in ("classification", "segmentation"):
            observation[f"is no probability of {which} negative?"] = np.array(bool(np.all(values >= 0)))
            observation[f"do the probabilities of {which} sum to 1 over the last axis?"] = np.array(bool(
                np.allclose(values.sum(axis=-1), 1, atol=1e-4)))
        elif name == "box":
            observation["are all entries of the box between 0 and 1?"] = np.array(bool(np.all((values >= 0) & (values <= 1))))
        elif name == "scale":
            observation["is every scale above 0?"] = np.array(bool(np.all(values > 0)))
        elif task == "regression":
            observation["can the output be negative?"] = np.array(bool(np.any(values < 0)))
            observation["can the output be above 1?"] = np.array(bool(np.any(values > 1)))
    return observation


def _told_apart(images, results):
    """Different images have different answers under some weights; the same image has one answer under all."""
    for i in range(len(images)):
        for j in range(i):
            apart = [np.abs(value[i] - value[j]).max() for values in results.values() for value in values]
            largest = max(np.abs(value).max() for values in results.values() for value in values)
            if np.array_equal(images[i], images[j]):
                if max(apart) > 1e-4 * max(largest, 1):
                    return False
            elif max(apart) <= 1e-6:
                return False
    return True


def _by_layers(rows):
    """How many layers convolve and how many pool: known by their class's name, or by what they do to maps."""
    convolve = (rows[:, 0] != 0) | (rows[:, 2] != 0)
    pool = ~convolve & ((rows[:, 1] != 0) | ((rows[:, 4] != 0) & (rows[:, 3] == 0)))
    return int(convolve.sum()), int(pool.sum())


def _by_operations(rows, shape):
    """The same, counted by what runs.

    A pooling, ready-made or written with slices, takes largest or mean entries and leaves maps of about half the size; one
    pixel is a mean over the whole map.
    """
    sizes = {(int(height), int(width)) for convolves, height, width in rows if not convolves and height * width > 1}
    poolings, (height, width) = 0, shape[:2]
    for smaller in sorted(sizes, reverse=True):
        if smaller[0] <= 0.6 * height and smaller[1] <= 0.6 * width:  # a convolution without padding takes less away
            poolings, (height, width) = poolings + 1, smaller
    return int(np.sum(rows[:, 0] != 0)), poolings
