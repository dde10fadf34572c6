# For graders and authors: Python, the locked releases, the autograder and bubblewrap. No course is in the image: mount yours at /course.
#
#     docker build --tag autograder .
#     docker run --rm --volume "$PWD:/course" autograder autograder doctor
FROM python:3.12-slim

# git is asked for the commits of collected repositories.
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap git make && rm -rf /var/lib/apt/lists/*

WORKDIR /course
COPY requirements.lock .
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock
# Editable: what is mounted here later is what runs.
COPY pyproject.toml requirements.txt README.md LICENSE ./
COPY autograder autograder
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-build-isolation --no-deps --editable .

RUN useradd --create-home grader
USER grader
CMD ["autograder", "--help"]
