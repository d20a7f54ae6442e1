"""Errors of loading that name the video that cannot be read."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from mmkd_video.core.mistakes import WorkFailedError, name_of_kind
from mmkd_video.datasets.unreadable import is_unreadable
from mmkd_video.datasets.watched_loader import ReadingBoard


class PipelineWithNamedErrors:
    """Load a sample; if its video cannot be read, the error names the video and says what to do.

    Training replaces such videos; a validation that did would give the score of other videos.

    Args:
        pipeline: Pipeline that loads samples; its attributes are reached through the wrapper.
        board: Board on which workers note the video that they read; None where nobody looks.
    """

    def __init__(self, pipeline: Callable[[dict], Any], board: ReadingBoard | None = None) -> None:
        self.pipeline = pipeline
        self.board = board

    def __getattr__(self, name: str) -> Any:
        # Unpickling and copying ask before there is a pipeline.
        if name.startswith('__') or 'pipeline' not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def __call__(self, info: dict) -> Any:
        """Load the sample that ``info`` describes.

        Raises:
            RuntimeError: Its video cannot be read.
        """
        name = info.get('filename') or info.get('frame_dir')
        try:
            with self.board.reading(str(name)) if self.board and name else nullcontext():
                return self.pipeline(info)
        except Exception as error:
            if name is None or not is_unreadable(error):
                raise
            reason = f'{name_of_kind(error)}: {error}'.splitlines()[0]
            raise WorkFailedError(
                f'{name} cannot be read ({reason}), and the videos of validation and test are not replaced by others: '
                'mend it, or take its line out of the annotation file; --resume goes on from the last checkpoint'
            ) from error


def name_unreadable_videos(dataset: Any, board: ReadingBoard | None = None) -> None:
    """Make a dataset, and all that it wraps, name videos that cannot be read in their errors.

    Args:
        dataset: Its pipelines are replaced.
        board: Board on which workers say which video they read; None where nobody looks.
    """
    held = vars(dataset)
    if 'pipeline' in held and not isinstance(held['pipeline'], PipelineWithNamedErrors):
        dataset.pipeline = PipelineWithNamedErrors(held['pipeline'], board)
    for inner in (*[held[key] for key in ('dataset', '_dataset') if key in held], *held.get('datasets', ())):
        name_unreadable_videos(inner, board)
