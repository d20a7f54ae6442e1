"""No child outlives the command that started it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

LAUNCHER_VARIABLES = (
    'RANK',
    'LOCAL_RANK',
    'WORLD_SIZE',
    'LOCAL_WORLD_SIZE',
    'MASTER_ADDR',
    'MASTER_PORT',
    'GROUP_RANK',
)
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


def without_launcher() -> dict[str, str]:
    """Return the environment without what launchers set, for a child that is no rank of this launch."""
    return {key: value for key, value in os.environ.items() if not _of_launcher(key)}


def _of_launcher(variable: str) -> bool:
    return variable in LAUNCHER_VARIABLES or variable.startswith(('TORCHELASTIC_', 'SLURM_', 'OMPI_', 'PMI_'))
