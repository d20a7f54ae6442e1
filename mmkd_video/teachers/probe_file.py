"""A probe in a file: a trained head, and which encoder it belongs to."""

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.compat.safe_load import load
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Many, Number, OneOf, Record, Text, Whole
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import channels_and_positions
from mmkd_video.recognizers.weights import load_completely

KEY, WEIGHTS, VERSION = 'mmkd_probe', 'state_dict', 1
KINDS = dict(attentive='AttentiveProbe', linear='LinearProbe')
LARGEST = 1 << 32
_HASH = Text(16, '([0-9a-f]{16})?')
_RULES = Record(
    dict(
        version=OneOf((VERSION,)),
        kind=OneOf(tuple(KINDS)),
        tap=Text(300),
        channels=Whole(1, 1 << 16),
        classes=Many(Text(1000), most=100_000, fewest=1),
        encoder=_HASH,
        architecture=_HASH,
        learning_rate=Number(0, 1e6),
        weight_decay=Number(0, 1e6),
        accuracy=Number(0, 1),
    )
)


@dataclass(frozen=True)
class ProbeFile:
    """What a file says of a probe.

    Attributes:
        kind: ``'attentive'`` or ``'linear'``.
        tap: Place in the encoder that it reads.
        channels: Number C of channels there.
        classes: Names of its K classes, in the order of its scores.
        encoder: Hash of the encoder with its weights; empty where it computed in half precision.
        architecture: Hash of the encoder's model config.
        learning_rate: Learning rate that it was trained with.
        weight_decay: Weight decay that it was trained with.
        accuracy: Share of validation clips that it classified correctly.
        version: Version of the format.
    """

    kind: str
    tap: str
    channels: int
    classes: list[str]
    encoder: str
    architecture: str
    learning_rate: float
    weight_decay: float
    accuracy: float
    version: int = VERSION

    def build(self) -> nn.Module:
        """Return the probe with random weights."""
        return MODELS.build(dict(type=KINDS[self.kind], channels=self.channels, num_classes=len(self.classes)))

    def write(self, path: str | Path, probe: nn.Module) -> None:
        """Write the file, wholly or not at all.

        Args:
            path: The file.
            probe: The trained probe.
        """
        weights = {key: value.detach().cpu() for key, value in probe.state_dict().items()}
        save({KEY: dataclasses.asdict(self), WEIGHTS: weights}, path)


def read_probe(path: str | Path, key: str) -> tuple[ProbeFile, nn.Module]:
    """Read a probe; nothing in the file is run, and damage is noticed by its checksums.

    Args:
        path: The file.
        key: Name of the setting in errors.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, unsafe, or no probe.
    """
    if not Path(path).is_file():
        raise MissingFileError(
            f'{key}: got {str(path)!r}; expected a probe; there is no such file: train it with mmkd probe CONFIG '
            '(tools/probe.py)'
        )
    if Path(path).stat().st_size > LARGEST:
        raise WrongValueError(f'{key}: {path} has {Path(path).stat().st_size} bytes; expected at most {LARGEST}')
    found = load(path)
    told, weights = (found.get(KEY), found.get(WEIGHTS)) if isinstance(found, dict) else (None, None)
    if told is None or not _are_weights(weights):
        raise WrongValueError(f'{key}: {path} is no probe; expected a file that mmkd probe CONFIG wrote')
    _RULES.check(told, f'{key}: {path}')
    known = ProbeFile(**told)
    if known.channels * len(known.classes) > sum(value.numel() for value in weights.values()):
        raise WrongValueError(f'{key}: {path} tells of more numbers than it holds; train the probe again')
    probe = known.build()
    load_completely(probe, weights, f'{key}: {path} is not of the probe that it tells of', 'train it again')
    return known, probe


def save(content: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain data as ``torch.save`` does, wholly or not at all.

    Args:
        content: Tensors and plain data.
        path: The file.
    """
    file = io.BytesIO()
    torch.save(content, file)
    write_atomically(file.getvalue(), path)


def as_tokens(feature: Tensor) -> Tensor:
    """Return a feature of any layout as tokens ``(N, L, C)`` in float32.

    Args:
        feature: Vector ``(N, C)``, tokens ``(N, L, C)``, image map ``(N, C, H, W)`` or clip map ``(N, C, T, H, W)``.
    """
    return channels_and_positions(feature).transpose(1, 2).float()


def _are_weights(weights: Any) -> bool:
    return isinstance(weights, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) and value.dtype == torch.float32 and value.isfinite().all()
        for key, value in weights.items()
    )
