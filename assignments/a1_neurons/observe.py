"""What a circuit with a broken part says of how it is built."""

import numpy as np


def broken(seen, inputs, *, part):
    """Does the circuit say what its part says where that is stuck? Where it is not: what the circuit says."""
    found = {}
    for i, table in enumerate(inputs["tables"]):
        level, output = table[0], seen[f"output {i + 1}"]
        if set(table) != {level}:
            found[f"output {i + 1}"] = output
            continue
        name = f"is every answer {level} with `{part}` stuck at {level}?"
        same = not isinstance(output, str) and output.shape == (len(inputs["rows"]),) and bool(np.all(output == level))
        found[name] = found.get(name, True) and same
    return found
