"""The end of a training whose processes have lost one of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import get_rank, get_world_size

from mmkd_video.compat import gloo_exit
from mmkd_video.core.mistakes import Mistake, WorkFailedError

# What the backends say when the other side of a connection is gone, or has not answered for a whole timeout.
LOST = re.compile(
    'Connection (?:reset|closed) by peer|Connection refused|Broken pipe|Timed out waiting|Application timeout|'
    'remote process exited|NCCL communicator was aborted',
    re.IGNORECASE,
)


@contextmanager
def told_of_a_lost_process(work_dir: str | Path) -> Iterator[None]:
    """End in one line where another process of the training has ended or does not answer.

    Args:
        work_dir: Folder of the training, whose last checkpoint a resume goes on from.

    Raises:
        WorkFailedError: The connection to another process broke; other errors are raised as they are.
    """
    try:
        yield
    except RuntimeError as error:
        why = LOST.search(str(error))
        if isinstance(error, Mistake) or get_world_size() == 1 or why is None:
            raise
        gloo_exit.leave_without_the_others()
        raise WorkFailedError(
            f'rank {get_rank()}: the connection to another of the {get_world_size()} processes broke ({why[0]}): that '
            f'process has ended, or hangs; its own last lines say why. {_remedy(work_dir)}'
        ) from error


def _remedy(work_dir: str | Path) -> str:
    if Path(work_dir, 'last_checkpoint').exists():
        return f'Run the same command with --resume: it goes on from the last checkpoint in {work_dir}.'
    return f'There is no checkpoint in {work_dir} yet: run the same command again.'
