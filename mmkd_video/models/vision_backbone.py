"""A whole model of timm or torchvision, with its own classifier, as the backbone of a recognizer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmkd_video.core.checked import OneOf, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.models.outlet import Outlet
from mmkd_video.recognizers.libraries import timm_images, torchvision_videos
from mmkd_video.recognizers.timm_models import read_timm_weights
from mmkd_video.recognizers.weights import load_completely

LIBRARIES = {'timm': timm_images, 'torchvision': torchvision_videos}


@MODELS.register_module()
@checked(library=OneOf(*LIBRARIES), num_classes=Whole(1))
class VisionBackbone(nn.Module):
    """A model of timm or torchvision that scores clips itself; ``ScoresHead`` hands its scores on.

    timm's models see each frame of a clip by itself, and their scores are averaged; torchvision's video models see the
    clip. Taps can read every module inside ``net``, and ``intermediates[i]``, the maps ``(N, C, T, H, W)`` that timm's
    ``forward_intermediates`` gives at the ends of its stages.

    Args:
        library: ``'timm'`` or ``'torchvision'``.
        model: Name of the model.
        num_classes: Number K of classes.
        options: Further arguments of the model.

    Raises:
        ImportError: The library is not installed.
        ValueError: It has no such model.
    """

    def __init__(self, library: str, model: str, num_classes: int, options: Mapping | None = None) -> None:
        super().__init__()
        self.name, self.by_frame = f'{library}::{model}', library == 'timm'
        self.net = LIBRARIES[library].create(model, num_classes, **(options or {}))
        if self.by_frame and hasattr(self.net, 'forward_intermediates'):
            self.intermediates = Outlet()

    def load_pretrained(self, path: str, head: nn.Module) -> None:
        """Load the library's own weights, completely or not at all; nothing in the file is executed.

        Args:
            path: Path of a local file, ``.safetensors`` or as ``torch.save`` writes them.
            head: The recognizer's head, which has none.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read, or is of another model.
        """
        weights = read_timm_weights(path, 'teacher.checkpoint')
        what = f'teacher.checkpoint: {path} is not of {self.name}'
        load_completely(self.net, weights, what, 'give the file of this model, or say num_classes in config')

    def forward(self, clips: Tensor) -> Tensor:
        """Return class scores of clips.

        Args:
            clips: ``(N, C, T, H, W)``, normalised.

        Returns:
            ``(N, K)``, before softmax.
        """
        if not self.by_frame:
            return self.net(clips)
        count = clips.shape[0]
        return self._score(clips.transpose(1, 2).flatten(0, 1), count).unflatten(0, (count, -1)).mean(dim=1)

    def _score(self, frames: Tensor, clips: int) -> Tensor:
        outlet = getattr(self, 'intermediates', None)
        if outlet is None or not outlet.wanted:
            return self.net(frames)
        features, maps = self._intermediates(frames)
        outlet(tuple(each.unflatten(0, (clips, -1)).transpose(1, 2) for each in maps))
        return self.net.forward_head(features)

    def _intermediates(self, frames: Tensor) -> tuple[Tensor, Any]:
        try:
            return self.net.forward_intermediates(frames, norm=False, output_fmt='NCHW')
        except AssertionError as error:
            raise WrongValueError(
                f"{self.name}: tap 'intermediates': {error}; tap a module in backbone.net instead"
            ) from error
