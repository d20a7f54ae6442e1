"""The data preprocessor of a recognizer of several views."""

from collections.abc import Mapping

from mmaction.models.data_preprocessors import MultiModalDataPreprocessor

from mmkd_video.core.checked import Settings, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.view_names import PRESENT, resolve_shared


@MODELS.register_module()
@checked(
    views=Settings("a dict of data preprocessors by view, such as dict(rgb=dict(type='ActionDataPreprocessor', ...))")
)
class MultiViewDataPreprocessor(MultiModalDataPreprocessor):
    """A data preprocessor for each view: each has its own mean and deviation.

    Args:
        views: Config of the ``ActionDataPreprocessor`` of each view by its name, or the name of the view whose settings
            it shares.

    Raises:
        ValueError: There is no view, one shares settings that do not exist, or one blends clips.
    """

    def __init__(self, views: Mapping) -> None:
        owners = resolve_shared('data_preprocessor.views', views)
        configs = {name: dict(views[owner]) for name, owner in owners.items()}
        for name, each in configs.items():
            if each.get('blending') is not None:
                raise WrongValueError(
                    f'data_preprocessor.views.{name}.blending: got {each["blending"]!r}; expected none: views of one '
                    'sample would be mixed each in its own way; take blending out'
                )
        super().__init__({**configs, PRESENT: dict(type='ViewPresence')})

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: The loader's batch; its ``inputs`` are lists by view, and of masks under ``'present'``.
            training: Whether it is a training step.

        Raises:
            ValueError: The batch has other views than the model.
        """
        expect_views(data['inputs'], self.preprocessors)
        inputs = {name: data['inputs'][name] for name in self.preprocessors}
        return super().forward(dict(data, inputs=inputs), training)


def expect_views(inputs: object, preprocessors: Mapping) -> None:
    """Check that a batch has the views of a model.

    Raises:
        ValueError: It has others.
    """
    if not isinstance(inputs, Mapping) or set(inputs) != set(preprocessors):
        got = sorted(inputs) if isinstance(inputs, Mapping) else type(inputs).__name__
        raise WrongValueError(
            f'got a batch of {got}; expected the views {sorted(preprocessors)}; make them with MultiView, whose views '
            'have the names of those of the model'
        )
