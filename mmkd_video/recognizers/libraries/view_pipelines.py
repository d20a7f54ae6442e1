"""The pipelines of a model that has none of MMAction2's: which frames, and how large."""

from collections.abc import Mapping, Sequence

from mmengine.config import Config

PIXEL = 255.0  # these libraries count in parts of the brightest pixel


def view_pipelines(
    steps: Sequence[Mapping], frames: int, interval: int | None = None, rate: float | None = None
) -> dict[str, list[dict]]:
    """Return the pipelines that show a model a video, by the name that configs have for them.

    Args:
        steps: Resizes and crops, of 3D recognizers.
        frames: Number of frames of a clip.
        interval: Distance of neighbouring frames; None: they are spread over the video, or over the student's span.
        rate: Frames per second in which ``interval`` counts; None: the video's own.
    """
    timing = {} if rate is None else dict(target_fps=rate)

    def sampler(test_mode: bool) -> dict:
        if interval is None:
            return dict(type='UniformSample', clip_len=frames, num_clips=1, test_mode=test_mode)
        return dict(
            type='SampleFrames', clip_len=frames, frame_interval=interval, num_clips=1, test_mode=test_mode, **timing
        )

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


def whole_config(
    backbone: Mapping,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    classes: Sequence[str] | None,
    pipelines: Mapping[str, list[dict]],
) -> Config:
    """Return the whole config of a model that scores clips itself.

    Args:
        backbone: Config of the backbone, which returns class scores.
        num_classes: Number K of classes.
        mean: Number that is subtracted from each channel, on the scale of 0 to 1.
        std: Number that each channel is divided by after that.
        classes: Names of its classes; None where they are not known.
        pipelines: Pipelines that :func:`view_pipelines` returns.
    """
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type='Recognizer3D',
                backbone=dict(backbone),
                cls_head=dict(type='ScoresHead', num_classes=num_classes),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[value * PIXEL for value in mean],
                    std=[value * PIXEL for value in std],
                    format_shape='NCTHW',
                ),
            ),
            **({} if classes is None else {'classes': list(classes)}),
            **pipelines,
        )
    )
