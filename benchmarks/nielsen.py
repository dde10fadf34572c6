"""The experiments of Nielsen's book on MNIST, with the answers that this course's lessons arrive at.

    KIT_MNIST=mnist.npz python benchmarks/nielsen.py [--quick] [--only NAME …] [--json build/benchmarks/nielsen.json]

Michael Nielsen, *Neural Networks and Deep Learning* (2015), chapters 1, 3 and 6: the same data (50,000 images to train, 10,000 to
validate, 10,000 to test), layers, learning rates, penalties and mini-batches of ten, by plain stochastic gradient descent.
Every piece is a solved answer: `minibatches` and `gradient_step` (a2), `backprop` (a3), `cross_entropy` and
`binary_cross_entropy` (a4), `l2_penalty` and `book_lambda` (a5), `conv2d` and `max_pool` (a6). `--quick` trains each on a tenth
of the images for a few epochs. What is finished is saved after every epoch: a stopped run goes on where it was.
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
    arguments.add_argument("--json", type=Path, default=ROOT / "build" / "benchmarks" / "nielsen.json")
    options = arguments.parse_args()
    path = options.json.with_stem(options.json.stem + "-quick") if options.quick else options.json
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


def make_step(experiment: Experiment, variables, images: int):
    """One step of gradient descent on a mini-batch, compiled."""
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

    @tf.function(reduce_retracing=True)
    def by_tape(x, y):
        return a2.gradient_step(variables, lambda: loss(x, y), experiment.learning_rate)

    @tf.function(reduce_retracing=True)
    def by_hand(x, y):
        flat = tf.reshape(x, (tf.shape(x)[0], 784))
        gradients = a3.backprop(flat, tf.one_hot(y, 10), kernels, variables[1::2])
        for variable, gradient in zip([*kernels, *variables[1::2]], [*gradients[0], *gradients[1]]):
            variable.assign_sub(experiment.learning_rate * tf.cast(gradient, tf.float32))

    return by_hand if experiment.cost == "quadratic" else by_tape


def run(experiment: Experiment, epochs: int, data: dict, results: dict, path: Path, progress: Progress) -> None:
    record = results.setdefault(experiment.name, {"epochs": epochs, "validation": [], "test": [], "seconds": 0.0})
    checkpoint = path.parent / f"{path.stem}-{experiment.name}.npz"
    variables = initial(experiment)
    if record["validation"] and len(record["validation"]) < epochs:
        try:
            with np.load(checkpoint) as saved:
                for i, variable in enumerate(variables):
                    variable.assign(saved[f"v{i}"])
        except (OSError, KeyError, ValueError):  # without its weights a run cannot go on: from the beginning
            record |= {"validation": [], "test": [], "seconds": 0.0}
    x, y = map(tf.constant, data["train"])  # once: each batch gathers from them
    step = make_step(experiment, variables, len(x))
    steps = len(x) // BATCH  # an epoch's
    task = progress.add_task(experiment.name, total=epochs * steps, completed=len(record["validation"]) * steps)
    for epoch in range(len(record["validation"]), epochs):
        start = time.perf_counter()
        for count, (batch, labels) in enumerate(a2.minibatches(x, y, BATCH, seed=epoch), 1):
            step(batch, labels)
            if count % 50 == 0:
                progress.advance(task, 50)
        record["seconds"] += time.perf_counter() - start
        for name in ("validation", "test"):
            record[name].append(accuracy(experiment, variables, *data[name]))
        progress.update(task, completed=(epoch + 1) * steps,
                        description=f"{experiment.name} {record['validation'][-1]:.2f} %")
        with atomic(checkpoint) as file:
            np.savez(file, **{f"v{i}": variable.numpy() for i, variable in enumerate(variables)})
        with atomic(path) as file:
            file.write(json.dumps(results, indent=1).encode() + b"\n")


def accuracy(experiment: Experiment, variables, x, y) -> float:
    """Per cent of images recognised; the largest logit is the largest sigmoid and the largest softmax, too."""
    found = [np.argmax(logits(experiment, variables, tf.constant(x[i:i + 1000])), axis=1) for i in range(0, len(x), 1000)]
    return float(100 * np.mean(np.concatenate(found) == y))


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


if __name__ == "__main__":
    main()
