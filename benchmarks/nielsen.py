"""The experiments of Nielsen's book on MNIST, with the answers that this course's lessons arrive at.

    KIT_MNIST=mnist.npz python benchmarks/nielsen.py [--quick] [--only NAME …] [--json benchmarks/nielsen.json]

Michael Nielsen, *Neural Networks and Deep Learning* (2015), chapters 1, 3 and 6: the same data (50,000 images to train, 10,000 to
validate, 10,000 to test), layers, learning rates, penalties and mini-batches of ten, by plain stochastic gradient descent.
Every piece is a solved answer: `minibatches` and `gradient_step` (a2), `backprop` (a3), `cross_entropy` and
`binary_cross_entropy` (a4), `l2_penalty` and `book_lambda` (a5), `conv2d` and `max_pool` (a6). An epoch is one compiled function,
steps and all. `--quick` trains each on a tenth of the images for a few epochs.

The history of every experiment stands in the JSON file, with the weights of an unfinished one beside it, after every epoch: a
stopped run goes on where it was, on another machine, too. When all is done the learning curves are drawn for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from autograder.authoring.lesson import load_lesson
from autograder.data import mnist
from autograder.files import atomic

ROOT = Path(__file__).resolve().parents[1]
HISTORY = ROOT / "benchmarks" / "nielsen.json"
PICTURE = ROOT / "docs" / "nielsen.svg"
BATCH = 10
out = Console()
err = Console(stderr=True)


def answers(assignment: str):
    return load_lesson(ROOT / "solutions" / assignment / "questions.py")


a2, a3, a4, a5, a6 = (answers(name) for name in ("a2_gradient_descent", "a3_backpropagation", "a4_cross_entropy",
                                                "a5_regularization", "a6_convolution"))


@dataclass(frozen=True)
class Experiment:
    """One row of the table.

    Attributes:
        maps: feature maps of each convolutional layer (5 by 5 filters, then 2 by 2 pooling).
        hidden: units of the dense layer.
        cost: "quadratic" and "cross_entropy" have ten sigmoid outputs, "softmax" has a softmax with the log-likelihood.
        lam: the book's λ, which stands for λ/(2n) · Σ w².
        book: the book's accuracy in per cent, and where it says so.
    """

    name: str
    hidden: int
    cost: str
    learning_rate: float
    epochs: int
    book: float
    where: str
    maps: tuple[int, ...] = ()
    activation: str = "sigmoid"
    lam: float = 0.0
    large_weights: bool = False  # of standard deviation 1, as in chapter 1


EXPERIMENTS = (
    Experiment("quadratic-30", 30, "quadratic", 3.0, 30, 95.42, "chapter 1, test", large_weights=True),
    Experiment("cross-entropy-100", 100, "cross_entropy", 0.1, 60, 98.04, "chapter 3, validation", lam=5.0),
    Experiment("softmax-100", 100, "softmax", 0.1, 60, 97.80, "chapter 6, test"),
    Experiment("conv-20", 100, "softmax", 0.1, 60, 98.78, "chapter 6, test", maps=(20,)),
    Experiment("conv-20-40", 100, "softmax", 0.1, 60, 99.06, "chapter 6, test", maps=(20, 40)),
    Experiment("conv-20-40-relu", 100, "softmax", 0.03, 60, 99.23, "chapter 6, test", maps=(20, 40), activation="relu", lam=0.1),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="a tenth of the images, a few epochs: minutes instead of hours")
    arguments.add_argument("--only", nargs="+", choices=[item.name for item in EXPERIMENTS], metavar="NAME",
                           help=f"some of {', '.join(item.name for item in EXPERIMENTS)}")
    arguments.add_argument("--json", type=Path, help="where histories are kept; benchmarks/nielsen.json, quick ones below build/")
    options = arguments.parse_args()
    path = options.json or (ROOT / "build" / "benchmarks" / "nielsen-quick.json" if options.quick else HISTORY)
    try:
        data = split(*mnist(), quick=options.quick)
    except FileNotFoundError as error:
        raise SystemExit(f"nielsen.py: {error}") from None
    results = json.loads(path.read_text()) if path.is_file() else {}
    chosen = [item for item in EXPERIMENTS if not options.only or item.name in options.only]
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
                  console=err) as progress:
        for experiment in chosen:
            epochs = min(3, experiment.epochs) if options.quick else experiment.epochs
            run(experiment, epochs, data, results, path, progress)
    show(results, options.quick)
    out.print(f"written to {path}")
    if path == HISTORY:
        draw(results, PICTURE)
        out.print(f"drawn in {PICTURE}")


def split(train, test, quick: bool) -> dict:
    """Images (n, 28, 28, 1) from 0 to 1 with labels (n,): the book's 50,000, 10,000 and 10,000."""
    (images, labels), (test_images, test_labels) = train, test
    parts = {"train": (images[:50_000], labels[:50_000]), "validation": (images[50_000:], labels[50_000:]),
             "test": (test_images, test_labels)}
    step = 10 if quick else 1
    return {name: (x[::step, ..., None].astype(np.float32), y[::step].astype(np.int32)) for name, (x, y) in parts.items()}


# ---------------------------------------------------------------------------------------------------- one experiment


def initial(experiment: Experiment) -> list[tf.Variable]:
    """Kernels and biases, alternately, first layer first."""
    rng = np.random.default_rng(0)
    variables, channels, size = [], 1, 28
    for maps in experiment.maps:
        size = (size - 4) // 2
        variables += [rng.normal(0, (25 * maps / 4) ** -0.5, (5, 5, channels, maps)), rng.normal(0, 1, maps)]
        channels = maps
    for inputs, outputs in ((size * size * channels, experiment.hidden), (experiment.hidden, 10)):
        scale = 1.0 if experiment.large_weights else inputs ** -0.5
        if outputs == 10 and experiment.cost == "softmax":
            variables += [np.zeros((inputs, outputs)), np.zeros(outputs)]  # as the book's program starts its softmax layer
        else:
            variables += [rng.normal(0, scale, (inputs, outputs)), rng.normal(0, 1, outputs)]
    return [tf.Variable(value.astype(np.float32)) for value in variables]


def logits(experiment: Experiment, variables, x):
    activate = tf.sigmoid if experiment.activation == "sigmoid" else a3.relu
    for i in range(len(experiment.maps)):
        x = a6.max_pool(activate(a6.conv2d(x, variables[2 * i], variables[2 * i + 1])), 2, 2)
    x = tf.reshape(x, (tf.shape(x)[0], -1))
    w1, b1, w2, b2 = variables[-4:]
    return activate(x @ w1 + b1) @ w2 + b2


def make_epoch(experiment: Experiment, variables, images: int):
    """An epoch of gradient descent, one step for each row of `order` (steps, BATCH), as one function for XLA.

    Five thousand steps on ten images each are mostly calls of operations: within one compiled loop an epoch of a convolutional
    network takes a half to a quarter of the time.
    """
    kernels = variables[::2]
    lam = a5.book_lambda(experiment.lam, images)

    def loss(x, y):
        z = logits(experiment, variables, x)
        if experiment.cost == "softmax":
            data = a4.cross_entropy(y, z)
        else:  # ten yes-or-no answers; the book sums over them, the answer takes the mean
            targets = tf.reshape(tf.one_hot(y, 10), (-1,))
            data = 10 * a4.binary_cross_entropy(targets, tf.reshape(z, (-1,)))
        return data + a5.l2_penalty(kernels, lam) if experiment.lam else data

    def by_tape(x, y):
        a2.gradient_step(variables, lambda: loss(x, y), experiment.learning_rate)

    def by_hand(x, y):
        flat = tf.reshape(x, (BATCH, 784))
        gradients = a3.backprop(flat, tf.one_hot(y, 10), kernels, variables[1::2])
        for variable, gradient in zip([*kernels, *variables[1::2]], [*gradients[0], *gradients[1]]):
            variable.assign_sub(experiment.learning_rate * tf.cast(gradient, tf.float32))

    step = by_hand if experiment.cost == "quadratic" else by_tape

    @tf.function(jit_compile=True)
    def epoch(x, y, order):
        for i in tf.range(len(order)):
            step(tf.gather(x, order[i]), tf.gather(y, order[i]))

    return epoch


def run(experiment: Experiment, epochs: int, data: dict, results: dict, path: Path, progress: Progress) -> None:
    record = results.setdefault(experiment.name, {"validation": [], "test": [], "seconds": 0.0})
    checkpoint = path.parent / f"{path.stem}-{experiment.name}.npz"
    variables = initial(experiment)
    if record["validation"] and len(record["validation"]) < epochs:
        try:
            with np.load(checkpoint) as saved:
                for i, variable in enumerate(variables):
                    variable.assign(saved[f"v{i}"])
        except (OSError, KeyError, ValueError):  # without its weights a run cannot go on: from the beginning
            record |= {"validation": [], "test": [], "seconds": 0.0}
    x, y = map(tf.constant, data["train"])
    train = make_epoch(experiment, variables, len(x))
    task = progress.add_task(experiment.name, total=epochs, completed=len(record["validation"]))
    for number in range(len(record["validation"]), epochs):
        start = time.perf_counter()
        train(x, y, tf.stack([batch for batch, _ in a2.minibatches(tf.range(len(x)), y, BATCH, seed=number)]))
        record["seconds"] = round(record["seconds"] + time.perf_counter() - start, 1)
        for name in ("validation", "test"):
            record[name].append(accuracy(experiment, variables, *data[name]))
        progress.update(task, advance=1, description=f"{experiment.name} {record['validation'][-1]:.2f} %")
        with atomic(checkpoint) as file:
            np.savez(file, **{f"v{i}": variable.numpy() for i, variable in enumerate(variables)})
        with atomic(path) as file:
            file.write(json.dumps(results).replace("}, ", "},\n ").encode() + b"\n")
    checkpoint.unlink(missing_ok=True)


def accuracy(experiment: Experiment, variables, x, y) -> float:
    """Per cent of images recognised; the largest logit is the largest sigmoid and the largest softmax, too."""
    found = [np.argmax(logits(experiment, variables, tf.constant(x[i:i + 1000])), axis=1) for i in range(0, len(x), 1000)]
    return round(float(100 * np.mean(np.concatenate(found) == y)), 2)


def show(results: dict, quick: bool) -> None:
    title = "MNIST, per cent right" + (" (quick: a tenth of the images)" if quick else "")
    table = Table(title=title, title_justify="left", box=None)
    for column in ("experiment", "epochs", "validation, best", "test, there", "test, best", "the book", "", "s an epoch"):
        table.add_column(column, justify="right" if column not in ("experiment", "") else "left")
    for experiment in EXPERIMENTS:
        record = results.get(experiment.name)
        if not record or not record["validation"]:
            continue
        best = int(np.argmax(record["validation"]))
        epochs = len(record["validation"])
        figures = (record["validation"][best], record["test"][best], max(record["test"]), experiment.book)
        table.add_row(experiment.name, str(epochs), *(f"{figure:.2f}" for figure in figures), experiment.where,
                      f"{record['seconds'] / epochs:.1f}")
    out.print(table)


def draw(results: dict, path: Path) -> None:
    """Error on the test images after each epoch, of every experiment, with the book's figure as a mark at the end."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"font.size": 10, "svg.hashsalt": "nielsen", "svg.fonttype": "none", "axes.spines.top": False,
                            "axes.spines.right": False}
    figure, axes = matplotlib.pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for i, experiment in enumerate(EXPERIMENTS):
        history = results.get(experiment.name, {}).get("test", ())
        if len(history):
            axes.plot(range(1, len(history) + 1), 100 - np.array(history), color=f"C{i}", lw=1.5, label=experiment.name)
            axes.plot(61.5, 100 - experiment.book, marker="_", ms=12, mew=3, color=f"C{i}", clip_on=False)
    axes.set(yscale="log", xlim=(0, 62), xlabel="epoch", ylabel="test images not recognised, per cent")
    axes.set_yticks([0.8, 1, 1.5, 2, 3, 5, 10, 20], [f"{tick:g}" for tick in (0.8, 1, 1.5, 2, 3, 5, 10, 20)], minor=False)
    axes.minorticks_off()
    axes.legend(frameon=False, ncols=2)
    axes.set_title("Dashes at the right: the book's accuracies", fontsize=10, loc="right")
    with atomic(path) as file:
        figure.savefig(file, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
