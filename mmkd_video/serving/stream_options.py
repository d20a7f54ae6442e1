"""How a stream is run."""

import math
from dataclasses import dataclass

from mmkd_video.core.checked import Number, OneOf, Optional, Whole, checked
from mmkd_video.export import ExportMetadata
from mmkd_video.serving.video_source import VideoSource
from mmkd_video.serving.window_queue import DROPPING

POLICIES = (*DROPPING, 'none')
SPREAD_OVER = 2.0  # seconds of a window, for models whose frames are spread over a whole video
DEFAULT_FPS = 25.0


@checked(
    hop=Optional(Whole(1), 'half of a window'),
    interval=Optional(Whole(1), "the model's"),
    smooth=Number(0, 1, below=True),
    drop=Optional(OneOf(*POLICIES), 'as the source needs it'),
    queue=Whole(1),
    reconnects=Whole(0),
    pause=Number(0),
)
@dataclass(frozen=True)
class StreamOptions:
    """How windows are taken, and what happens when there are too many.

    Args:
        hop: Number of pictures from one window to the next; half of a window's length by default, ``interval`` for a
            model that takes one frame at a time.
        interval: Number of pictures between two frames of a window; by default the model's, or for a model whose frames
            are spread over the whole video such that a window lasts two seconds.
        smooth: Weight of earlier windows, see :class:`ScoreSmoother`.
        drop: Rule for windows that are too many: ``'oldest'`` drops the one that waits longest, ``'newest'`` the
            new one, ``'none'`` lets the decoder wait. By default ``'oldest'`` for live sources, ``'none'`` for files.
        queue: Number of windows that may wait before one is dropped.
        reconnects: Number of times in a row that a lost live source is opened again before it is given up.
        pause: Number of seconds before each time.
        fit: Whether pictures are resized first, see :class:`FramePreparer`.

    Raises:
        ValueError: A number is out of range, or the policy is unknown.
    """

    hop: int | None = None
    interval: int | None = None
    smooth: float = 0.0
    drop: str | None = None
    queue: int = 4
    reconnects: int = 5
    pause: float = 1.0
    fit: bool = False

    def interval_for(self, metadata: ExportMetadata, fps: float) -> int:
        """Return the distance of frames.

        Args:
            metadata: Metadata of the model.
            fps: Pictures a second of the source; 0 where it is not known.
        """
        if self.interval is not None:
            return self.interval
        if metadata.interval is None:
            return max(1, math.floor(SPREAD_OVER * (fps or DEFAULT_FPS) / metadata.frames))
        wanted = next((step['target_fps'] for step in metadata.pipeline if step.get('target_fps')), None)
        return max(1, round(metadata.interval * fps / wanted)) if wanted and fps else metadata.interval

    def hop_for(self, frames: int, interval: int, streams: bool = False) -> int:
        """Return the distance of windows.

        Args:
            frames: Number of frames of a window.
            interval: Number of pictures between two of them.
            streams: Whether the model takes one frame at a time: each then has scores.
        """
        usual = interval if streams else max(1, frames * interval // 2)
        return usual if self.hop is None else self.hop

    def policy_for(self, source: VideoSource) -> str:
        """Return what happens to windows that are too many."""
        return self.drop or ('oldest' if source.live else 'none')
