"""No child outlives the command that started it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 60.0  # seconds; more than a training takes for its last checkpoint


@contextmanager
def terminate_on_error(child: subprocess.Popen) -> Iterator[None]:
    """Where the block ends with an error, a ctrl-C or SIGTERM, end the child too, and wait for its end.

    The child gets SIGTERM, so that a training writes a checkpoint; SIGKILL when it takes too long.

    Args:
        child: Process that runs, or has ended.
    """
    try:
        yield
    except BaseException:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
