"""The pipelines of a model that has none of MMAction2's: which frames, and how large."""

from collections.abc import Mapping, Sequence


def view_pipelines(steps: Sequence[Mapping], frames: int, interval: int | None = None) -> dict[str, list[dict]]:
    """Return the pipelines that show a model a video, by the name that configs have for them.

    Args:
        steps: Resizes and crops, of 3D recognizers.
        frames: Number of frames of a clip.
        interval: Distance of neighbouring frames; None: they are spread over the video, or over the student's span.
    """

    def sampler(test_mode: bool) -> dict:
        if interval is None:
            return dict(type='UniformSample', clip_len=frames, num_clips=1, test_mode=test_mode)
        return dict(type='SampleFrames', clip_len=frames, frame_interval=interval, num_clips=1, test_mode=test_mode)

    def around(test_mode: bool) -> list[dict]:
        return [
            dict(type='DecordInit'),
            sampler(test_mode),
            dict(type='DecordDecode'),
            *map(dict, steps),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ]

    return dict(train_pipeline=around(False), val_pipeline=around(True), test_pipeline=around(True))
