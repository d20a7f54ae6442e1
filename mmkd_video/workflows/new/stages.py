"""Modules of a backbone whose features can be compared, found without weights and without a clip."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmkd_video.recognizers.input_form import Inputs, count_clips, input_form, noise_clip, shallow
from mmkd_video.recognizers.without_weights import built_without_weights
from mmkd_video.taps.layout import keeps_channels_last, to_canonical

DEEPEST_LEVEL = 2  # dots below the recognizer: backbone.layer4, backbone.layers.3


@dataclass(frozen=True)
class Stage:
    """The last module of a backbone at one resolution.

    Attributes:
        tap: Name of the tap.
        shape: Shape of the feature of one clip, ``(C, T, H, W)``.
        stride: Height of the clip over the height of the feature.
    """

    tap: str
    shape: tuple[int, ...]
    stride: float

    @property
    def halvings(self) -> int:
        """How often height and width were halved, about."""
        return round(math.log2(self.stride))

    def __str__(self) -> str:
        return f"'{self.tap}' ({' x '.join(map(str, self.shape))})"


def find_stages(model: Mapping, size: tuple[int, int, int]) -> list[Stage]:
    """Return the stages of a recognizer, from the input to the head.

    Args:
        model: Config of the recognizer.
        size: Frames, height and width of a clip.

    Returns:
        An empty list where the backbone does not run without weights, or gives no maps.
    """
    try:
        recognizer = built_without_weights(model)
        with torch.device('meta'), torch.no_grad():
            clip = noise_clip(recognizer, size)
            outputs = _outputs(recognizer, clip)
            clips = count_clips(clip, input_form(recognizer).kind)
    except Exception:  # whatever a model says to tensors without numbers
        return []
    last: dict[tuple[int, ...], Stage] = {}
    for tap, value in outputs:
        try:
            feature = to_canonical(value, clips, keeps_channels_last(recognizer, tap.partition('[')[0]))
        except ValueError:
            continue
        if feature.ndim == 5 and feature.shape[-1] > 1:
            found = Stage(tap, tuple(feature.shape[1:]), size[1] / feature.shape[-2])
            last.pop(found.shape[2:], None)
            last[found.shape[2:]] = found
    return list(last.values())


def _outputs(recognizer: nn.Module, clip: Inputs) -> list[tuple[str, Tensor]]:
    """Return what the modules of a backbone give that are called once, in the order in which they end."""
    calls: dict[str, list[object]] = {}
    for name, module in recognizer.backbone.named_modules(prefix='backbone'):
        if 0 < name.count('.') <= DEEPEST_LEVEL and any(True for _ in module.parameters()):
            module.register_forward_hook(
                lambda _module, _inputs, output, name=name: calls.setdefault(name, []).append(output)
            )
    recognizer.extract_feat(shallow(clip), stage='backbone')
    once = {name: found[0] for name, found in calls.items() if len(found) == 1}
    found = []
    for name, output in once.items():
        tap = name
        if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
            tap, output = f'{name}[0]', output[0]
        of_a_stage = name.rpartition('.')[0] in once  # a block of a stage that is there itself
        if isinstance(output, Tensor) and not of_a_stage:
            found.append((tap, output))
    return found


def pair_stages(student: Sequence[Stage], teacher: Sequence[Stage]) -> list[tuple[Stage, Stage]]:
    """Return the pairs of stages that have halved their clips as often, the deepest first.

    Args:
        student: Stages of the student, from the input to the head.
        teacher: Stages of the teacher.

    Returns:
        The deepest of both where no two stages have; an empty list where one side has no stage.
    """
    theirs = {stage.halvings: stage for stage in teacher}
    pairs = [(ours, theirs[ours.halvings]) for ours in reversed(student) if ours.halvings in theirs]
    return pairs or ([(student[-1], teacher[-1])] if student and teacher else [])
