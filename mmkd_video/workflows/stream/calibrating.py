"""What ordinary videos look like to an exported model, kept for streams that are watched for drift."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from mmkd_video.core.files.new import expect_new
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.serving import DriftReference, InferenceEngine, OpenCVSource, Stream, StreamOptions
from mmkd_video.workflows.stream.folder import videos_in
from mmkd_video.workflows.stream.run import ModelSettings

WINDOWS, FALSE_ALARMS = 50, 0.01


def calibrate_watch(
    folder: str | Path,
    model: ModelSettings,
    how: StreamOptions,
    path: str | Path,
    *,
    windows: int = WINDOWS,
    false_alarms: float = FALSE_ALARMS,
    force: bool = False,
    decoder_threads: int = 1,
) -> DriftReference:
    """Run a model over ordinary videos, and write what streams are compared with.

    Args:
        folder: Folder of videos, such as those of the validation; labels are not needed.
        model: Model and how it is run.
        how: Windows to take, as the stream will.
        path: File to write.
        windows: Number of windows of a block.
        false_alarms: Share of the blocks of ordinary videos that may be taken for drift.
        force: Whether an existing file may be replaced.
        decoder_threads: Number of the decoder's threads.

    Raises:
        ValueError: It is no folder of enough videos, or a setting drops windows.
        FileNotFoundError: There is no such model.
        FileExistsError: The file is there.
        MissingExtraError: The runtime is not installed.
    """
    if not Path(folder).is_dir():
        raise WrongValueError(f'--calibrate: got {str(folder)!r}; expected a folder of ordinary videos')
    if how.drop not in (None, 'none'):
        raise WrongValueError(f'--drop {how.drop}: for --calibrate nothing is dropped; leave it out')
    expect_new('--calibrate', path, force)
    videos = videos_in(Path(folder))
    with closing(model.open()) as engine, ProgressBar('calibrating', 'videos', at_each_tenth) as bar:
        scores = []
        for number, video in enumerate(videos, 1):
            scores.append(_scores(video, engine, how, decoder_threads))
            bar(number, len(videos))
        reference = DriftReference.calibrated(scores, engine.model, how, windows, false_alarms)
    reference.write(path)
    return reference


def _scores(video: Path, engine: InferenceEngine, how: StreamOptions, threads: int) -> np.ndarray:
    """Return the scores ``(W, K)`` of a video's windows; of one that cannot be read, none, with a warning."""
    try:
        rows = [prediction.scores for prediction in Stream(OpenCVSource(video, threads), engine, how)]
    except (OSError, ValueError) as error:
        print(f'warning: {video}: {" ".join(str(error).split())}', file=sys.stderr)
        return np.empty((0, 0))
    return np.stack(rows) if rows else np.empty((0, 0))
