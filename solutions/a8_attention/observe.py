"""What is concluded from the errors that a layer's constructor raised."""

import numpy as np

from autograder.inside.probes import AnswerError


def refuses(seen, inputs):
    """Which configurations are refused with a ValueError."""
    raised = seen["raised"]
    if raised.shape != (len(inputs["configs"]),):
        raise ValueError("one number for each configuration")
    if np.any(raised == 2):
        raise AnswerError("raised an AssertionError; expected a ValueError that says what was wrong.")
    return {"refusals": raised == 1}
