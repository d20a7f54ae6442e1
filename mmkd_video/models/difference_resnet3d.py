"""A 3D ResNet on differences of frames."""

from mmaction.models.backbones import ResNet3d
from torch import Tensor

from mmkd_video.core.checked import Number, checked
from mmkd_video.core.registry import MODELS


@MODELS.register_module()
@checked(gain=Number(0, above=True))
class DifferenceResNet3d(ResNet3d):
    """MMAction2's ``ResNet3d`` on the differences of neighbouring frames.

    From a hundred clips a network learns backgrounds and clothes sooner than motion; in differences there is little
    else than motion. Takes one frame more than it has differences.

    Args:
        gain: Factor on the differences, which are smaller than normalised frames.
        **kwargs: Those of ``ResNet3d``.
    """

    def __init__(self, gain: float = 2.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the features of clips.

        Args:
            x: ``(N, C, T, H, W)`` with T at least 2.
        """
        return super().forward((x[:, :, 1:] - x[:, :, :-1]) * self.gain)
