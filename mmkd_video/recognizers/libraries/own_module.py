"""Any module of PyTorch as a recognizer: ``module::<module>:<function>``, named by a config as in ``custom_imports``.

Reading this config imports nothing; building the model does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmkd_video.recognizers.libraries.view_pipelines import view_pipelines

LAYOUTS = ('NCTHW', 'NTCHW', 'frames')


def read(
    name: str,
    key: str,
    frames: int,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    arguments: Mapping[str, Any] | None = None,
    num_classes: int | None = None,
    output: str | None = None,
    layout: str = 'NCTHW',
    frame_interval: int | None = None,
    weights: str | None = None,
    classes: Sequence[str] | None = None,
) -> Config:
    """Return the whole config of a module.

    Args:
        name: ``'<module>:<function>'``: where the function or class is that returns the ``nn.Module``.
        key: Name of the setting in errors.
        frames: Number of frames of its view.
        size: Side in pixels of its view.
        mean: Number that is subtracted from each channel, on the scale of 0 to 255.
        std: Number that each channel is divided by after that.
        arguments: Arguments of the function.
        num_classes: Number K of classes; None of a module that returns a vector.
        output: Key, attribute or place of the tensor in what it returns; None: the tensor itself.
        layout: Layout of its input: ``'NCTHW'``, ``'NTCHW'``, or ``'frames'``, ``(N*T, C, H, W)``, whose answers are
            averaged over a clip.
        frame_interval: Distance of neighbouring frames; None: they are spread over the student's span.
        weights: Path or URL of its ``state_dict``; None where the function has loaded them.
        classes: Names of its classes.
    """
    resize = dict(type='Resize', scale=(size, size), keep_ratio=False)
    backbone = dict(type='ModuleBackbone', module=name, arguments=dict(arguments or {}), output=output, layout=layout)
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type='Recognizer3D',
                backbone=backbone,
                cls_head=dict(type='ScoresHead', num_classes=num_classes or 0),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor', mean=list(mean), std=list(std), format_shape='NCTHW'
                ),
            ),
            **({} if classes is None else {'classes': list(classes)}),
            **view_pipelines([resize], frames, frame_interval),
            library_weights=weights,
        )
    )
