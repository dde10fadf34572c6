"""nbgrader's settings for this course; what they are and why: `autograder.nbgrader`. Add your own below the call."""

from autograder.nbgrader import configure

c = get_config()  # noqa: F821
configure(c, __file__)
