"""The frames that a teacher sees, given the frames that a student drew."""

import numpy as np

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.view_spec import ViewSpec


def plan_frames(
    spec: ViewSpec,
    student_frames: np.ndarray,
    total_frames: int,
    fps: float | None = None,
    clamp: bool = False,
    video: str = '?',
) -> np.ndarray:
    """Plan a teacher's frames within what the student sampled; draws nothing.

    A view with an interval of its own is a window centred in the student's span; where it is wider than the span, the
    span's first and last frames are repeated, so that the teacher never sees what the student could not. Other views
    take frames spread as the student's are, so that a teacher of as many frames as the student takes the same ones.

    Args:
        spec: The teacher's view.
        student_frames: Frames the student drew, counted from 0, any shape.
        total_frames: Frames of the video.
        fps: Frame rate of the video, needed only when the view has a ``target_fps``.
        clamp: Whether to repeat the first and last frames when the window is longer than the video, instead of failing.
        video: Name of the video for the message.

    Returns:
        Frames of the teacher, counted from 0, integers of shape (num_clips * clip_len,).

    Raises:
        ValueError: If the window is longer than the video and ``clamp`` is off.
    """
    drawn = np.sort(np.asarray(student_frames, dtype=np.int64), axis=None)
    if spec.stretch:
        return _spread(drawn, spec.num_frames)
    offsets = _offsets(spec, fps)
    needed = int(offsets[-1]) + 1
    if needed > total_frames and not clamp:
        raise WrongValueError(
            f'view {spec.name!r} is longer than the video: needs {needed} frames (clip_len {spec.clip_len}, '
            f"frame_interval {spec.frame_interval}), found {total_frames} in {video}; use span='stretch', a shorter "
            "clip_len or frame_interval in the teacher's pipeline, or on_short='clamp'"
        )
    edges = np.linspace(drawn[0], drawn[-1], spec.num_clips + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    starts = np.floor(centres - (needed - 1) / 2 + 0.5).astype(np.int64)
    return np.clip(starts[:, None] + offsets[None, :], drawn[0], drawn[-1]).reshape(-1)


def _spread(drawn: np.ndarray, count: int) -> np.ndarray:
    """Take ``count`` frames spread as the sorted ``drawn`` ones are."""
    last = len(drawn) - 1
    positions = np.linspace(0, last, count) if count > 1 else np.array([last / 2])
    return np.floor(np.interp(positions, np.arange(len(drawn)), drawn) + 0.5).astype(np.int64)


def _offsets(spec: ViewSpec, fps: float | None) -> np.ndarray:
    """Frames of one clip relative to its first, shape (clip_len,)."""
    if not spec.target_fps or not fps:
        return np.arange(spec.clip_len) * spec.frame_interval
    length = max(1.0, spec.clip_len * spec.frame_interval * fps / spec.target_fps)
    return np.linspace(0, length - 1, spec.clip_len).astype(np.int64)
