"""What a circuit with a broken part says of how it is built."""

import numpy as np


def stuck(seen, inputs, *, part):
    """Does the circuit say what its broken part says, for each level at which that is stuck?"""
    outputs = [(level, seen[f"output {place}"]) for place, level in enumerate(inputs["levels"])]
    return {f"is every answer {level} with `{part}` stuck at {level}?": np.array(all(
        not isinstance(output, str) and output.shape == (len(inputs["rows"]),) and bool(np.all(output == level))
        for stuck_at, output in outputs if stuck_at == level)) for level in (0, 1)}
