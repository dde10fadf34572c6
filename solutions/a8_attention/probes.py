"""How `MultiHeadAttention` is asked about arguments that it must refuse."""

import numpy as np

from autograder.inside.probes import AnswerError, probe


@probe
def refuses(answer, inputs):
    """Construct a layer with each of several configurations and observe which ones raise a ValueError."""
    refused = []
    for config in inputs["configs"]:
        try:
            answer(**config)
        except ValueError:
            refused.append(True)
        except AssertionError:
            raise AnswerError("raised an AssertionError; expected a ValueError that says what was wrong.") from None
        else:
            refused.append(False)
    return {"refusals": np.array(refused)}
