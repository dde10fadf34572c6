"""What holds of mini-batches, whichever way they are shuffled: concluded from the batches themselves."""

import numpy as np

from autograder.inside.probes import AnswerError

SEEDS, RUNS = 6, 8  # the first runs have a seed each; the others have the first one's, in another world


def batches(seen, inputs):
    """Were rows lost, repeated, torn from their y, shuffled; does the seed, and nothing else, decide?

    Inputs: x (n, …), y (n, …), batch_size, seed.
    """
    x, y = np.asarray(inputs[0], np.float32), np.asarray(inputs[1])
    batch_size, n = int(inputs[2]), len(x)
    place = {row.astype(np.float64).tobytes(): i for i, row in enumerate(x)}
    runs, paired = [], True
    for run in range(RUNS):
        rows = []
        for number in range(min(int(seen[f"batches of run {run}"]), 10 * n)):
            part_x, part_y = (seen[f"{name} of batch {number} of run {run}"] for name in "xy")
            for part, whole in ((part_x, x), (part_y, y)):
                if isinstance(part, str) or part.ndim == 0:
                    raise AnswerError("has something in a batch that is no array of rows.")
                if part.shape[1:] != whole.shape[1:]:
                    raise AnswerError("has a batch whose rows have another shape than those of x and y.")
            if len(part_x) != len(part_y):
                raise AnswerError("has a batch with another number of rows in x than in y.")
            found = [place.get(np.asarray(row, np.float64).tobytes()) for row in part_x]
            if None in found:
                raise AnswerError("has a row in a batch that is no row of x.")
            rows.append(found)
            paired = paired and np.array_equal(part_y, y[found])
        runs.append(rows)
    seeds, again = runs[:SEEDS], runs[SEEDS:]
    flat = [sum(rows, []) for rows in seeds]
    as_cut = sorted(list(range(i, min(i + batch_size, n))) for i in range(0, n, batch_size))
    observation = {
        "list of batch sizes": np.array([len(rows) for rows in runs[0]]),
        "rows lost?": any(len(set(rows)) < n for rows in flat),
        "rows repeated?": any(len(set(rows)) < len(rows) for rows in flat),
        "pairs kept?": paired,
        "rows shuffled?": any(np.any(np.diff(rows) % n != 1) for rows in flat),  # to begin in the middle is not to shuffle
        # Batches of one row, and a single batch, hold the same rows however they are shuffled.
        "batches mixed?": not 1 < batch_size < n or any(sorted(map(sorted, rows)) != as_cut for rows in seeds),
        "same for the same seed?": all(rows == runs[0] for rows in again),
        "new for a new seed?": any(rows != flat[0] for rows in flat),
    }
    return {name: np.asarray(value) for name, value in observation.items()}
