"""Image models of timm as backbones of 2-D recognizers."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_video.core.checked import Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.timm_models import create_timm_model, read_timm_weights
from mmkd_video.recognizers.weights import check_weights

OWN_OPTIONS = ('pretrained', 'num_classes', 'in_chans', 'features_only', 'checkpoint_path', 'pretrained_cfg')


@MODELS.register_module()
@checked(in_channels=Whole(1))
class TimmBackbone(BaseModule):
    """An image model of timm without its classifier, frame by frame; inside ``TemporalShiftBackbone`` a TSM.

    Nothing is downloaded. The parameters of the model's head are left out where they are not used.

    Args:
        model: Name in timm, such as ``'mobilenetv4_conv_small'``.
        pretrained: Path of a file with weights of this model, ``.safetensors`` or as ``torch.save`` writes them; None
            for random ones. A classifier in it is left out.
        pre_logits: Whether to go on to the vector that the model's classifier reads: for models of tokens, and for
            those with layers after pooling, such as MobileNetV4's last convolution.
        in_channels: Channels of a frame.
        options: Further arguments of the model, such as ``dict(drop_path_rate=0.1)``.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such model, or its feature is no map.
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        pre_logits: bool = False,
        in_channels: int = 3,
        options: Mapping | None = None,
    ) -> None:
        super().__init__()
        options = dict(options or {})
        for key in OWN_OPTIONS:
            if key in options:
                raise WrongValueError(f'TimmBackbone.options: got {key!r}, which is not for the model; take it out')
        self.pretrained, self.pre_logits = pretrained, pre_logits
        self.model = create_timm_model(model, 'TimmBackbone.model', num_classes=0, in_chans=in_channels, **options)
        self.channels_last = getattr(self.model, 'output_fmt', None) == 'NHWC'
        self.out_channels = self._try_out(options.get('img_size') or self.pretrained_cfg['input_size'][1:], in_channels)

    @property
    def pretrained_cfg(self) -> dict:
        """What timm knows of the weights of that name: ``mean``, ``std``, ``input_size``, ``crop_pct`` and more."""
        return self.model.pretrained_cfg

    def init_weights(self) -> None:
        """Load ``pretrained``; without it the weights stay as timm draws them.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read, or is of another model.
        """
        if self.pretrained is not None:
            load_timm_weights(self.model, self.pretrained, 'TimmBackbone.pretrained')

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of frames.

        Args:
            x: ``(N * T, in_channels, H, W)``.

        Returns:
            ``(N * T, out_channels, H', W')``; of 1 x 1 with ``pre_logits``.

        """
        features = self.model.forward_features(x)
        if self.pre_logits:
            return self.model.forward_head(features, pre_logits=True)[..., None, None]
        return features.movedim(-1, 1) if self.channels_last else features

    def _try_out(self, size: int | Sequence[int], channels: int) -> int:
        """Run a twin without numbers, leave out the parts that were not called, and return the feature's channels."""
        height, width = (size, size) if isinstance(size, int) else size
        twin, called = copy.deepcopy(self).to('meta').eval(), set()
        for name, part in twin.model.named_children():
            for module in part.modules():
                module.register_forward_hook(lambda *_, name=name: called.add(name))
        with torch.no_grad(), torch.device('meta'):
            found = twin(torch.empty(1, channels, height, width, device='meta'))
        if not isinstance(found, Tensor) or found.ndim != 4:
            got = f'features of shape {tuple(found.shape)}' if isinstance(found, Tensor) else type(found).__name__
            raise WrongValueError(
                f'TimmBackbone.model: {type(self.model).__name__} gives {got}, no map (N, C, H, W); set pre_logits=True'
            )
        for name, part in list(self.model.named_children()):
            if name not in called and any(True for _ in part.parameters()):
                setattr(self.model, name, nn.Identity())
        return found.shape[1]


def load_timm_weights(model: nn.Module, path: str | Path, key: str) -> None:
    """Load the weights of an image model of timm into the same model without its classifier.

    Args:
        model: The model.
        path: Path of the file.
        key: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, or is of another model.
    """
    weights = read_timm_weights(path, key)
    hint = 'give the file of the model of that name'
    check_weights(model, weights, f'{key}: {path} is not of this architecture', hint, unknown_allowed=True)
    own = model.state_dict()
    model.load_state_dict({name: value for name, value in weights.items() if name in own}, strict=False)
