"""Histograms of the motion in a video: no network, nothing learnt."""

from pathlib import Path

import cv2
import numpy as np

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.datasets.decoders import open_video

SIZE = (96, 80)  # pixels, width and height, in which flow is computed
PAIRS = 40  # neighbouring frames that are compared, spread over the video
CELLS = (6, 4)  # of a frame, across and down
ORIENTATIONS = 8
SEGMENTS = 3  # of time
STILL = 0.1  # pixels a frame; less counts as noise


def flow_histogram(video: str | Path) -> np.ndarray:
    """Describe a video by histograms of optical flow (Farneback's) in cells of space and segments of time.

    Each histogram adds up how many pixels a frame everything in its cell moves, by direction; the square root of that
    keeps large movements from hiding small ones.

    Args:
        video: The file.

    Returns:
        Float64 ``(SEGMENTS * cells * ORIENTATIONS,)``, at least 0.

    Raises:
        ValueError: The file cannot be read as a video; names it.
        FileNotFoundError: There is no such file.
    """
    flow = _flow(_grey_frames(Path(video)))
    histograms = np.stack([_frame_histogram(each) for each in flow])
    segments = np.array_split(histograms, SEGMENTS) if len(flow) >= SEGMENTS else [histograms] * SEGMENTS
    return np.sqrt(np.concatenate([segment.mean(0) for segment in segments]))


def _grey_frames(video: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return pairs of neighbouring frames ``(H, W)``, uint8, spread over the video."""
    if not video.is_file():
        raise MissingFileError(f'{video} does not exist')
    try:
        reader = open_video(video.read_bytes())
        last = len(reader) - 1
        starts = np.unique(np.linspace(0, max(last - 1, 0), PAIRS).round().astype(int))
        indices = np.unique([starts, np.minimum(starts + 1, last)])
        frames = reader.get_batch(list(indices)).asnumpy()
    except ImportError:
        raise
    except Exception as error:  # decoders raise their own types for files that are no videos
        raise WrongValueError(
            f'{video} cannot be read as a video ({str(error).splitlines()[0][:120]}); mend it, or take its line out '
            'of the annotation file'
        ) from None
    small = [
        cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), SIZE, interpolation=cv2.INTER_AREA) for frame in frames
    ]
    by_index = dict(zip(indices.tolist(), small, strict=True))
    return [(by_index[start], by_index[min(start + 1, last)]) for start in starts.tolist()]


def _flow(pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return ``(pairs, H, W, 2)``, pixels a frame."""
    settings = dict(pyr_scale=0.5, levels=2, winsize=13, iterations=2, poly_n=5, poly_sigma=1.1, flags=0)
    return np.stack([cv2.calcOpticalFlowFarneback(first, second, None, **settings) for first, second in pairs])


def _frame_histogram(flow: np.ndarray) -> np.ndarray:
    """Return how much moves in each cell and direction, for flow ``(H, W, 2)``; each pixel goes to two directions."""
    height, width = flow.shape[:2]
    across, down = CELLS
    length = np.hypot(flow[..., 0], flow[..., 1]).astype(np.float64)
    length[length < STILL] = 0
    turn = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1 * ORIENTATIONS
    below = np.floor(turn).astype(int)
    cell = (np.arange(height) * down // height)[:, None] * across + np.arange(width) * across // width
    found = np.zeros(across * down * ORIENTATIONS)
    for direction, share in ((below, below + 1 - turn), (below + 1, turn - below)):
        place = cell * ORIENTATIONS + direction % ORIENTATIONS
        found += np.bincount(place.ravel(), (length * share).ravel(), found.size)
    return found / length.size
