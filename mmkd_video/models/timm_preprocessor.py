"""The normalisation that a model of timm was trained with."""

from mmaction.models.data_preprocessors import ActionDataPreprocessor

from mmkd_video.core.checked import checked
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.timm_models import timm_view

PIXEL = 255.0  # timm counts in parts of the brightest pixel


@MODELS.register_module()
@checked()
class TimmPreprocessor(ActionDataPreprocessor):
    """MMAction2's ``ActionDataPreprocessor`` with the mean and standard deviation of a model of timm.

    Frames have to be RGB, as MMAction2's decoders give them.

    Args:
        model: Name of the model in timm, as the ``TimmBackbone`` has it.
        format_shape: Layout of the frames, as in ``ActionDataPreprocessor``.
        **kwargs: Those of ``ActionDataPreprocessor`` but ``mean`` and ``std``.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such model.
    """

    def __init__(self, model: str, format_shape: str = 'NCHW', **kwargs: object) -> None:
        view = timm_view(model, 'TimmPreprocessor.model')
        mean, std = ([value * PIXEL for value in view[name]] for name in ('mean', 'std'))
        super().__init__(mean=mean, std=std, format_shape=format_shape, **kwargs)
