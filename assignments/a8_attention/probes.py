"""How `causal_mask` is called with several lengths, and `MultiHeadAttention` with arguments to refuse; see also `observe.py`."""

import numpy as np

from autograder.inside.probes import array, probe


@probe
def mask_of_each(answer, inputs):
    """Call `causal_mask` once for each of several lengths."""
    return {f"mask {i + 1}": array(answer(length)) for i, length in enumerate(inputs["lengths"])}


@probe
def refuses(answer, inputs):
    """Construct a layer with each of several configurations: 1 where that raises a ValueError, 2 an AssertionError, 0 nothing."""
    raised = []
    for config in inputs["configs"]:
        try:
            answer(**config)
        except ValueError:
            raised.append(1)
        except AssertionError:
            raised.append(2)
        else:
            raised.append(0)
    return {"raised": np.array(raised)}
