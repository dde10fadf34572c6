"""From what came out of a sandbox to a verdict: key, comparison, diagnosis, judgement. Trusted; runs no student code."""
