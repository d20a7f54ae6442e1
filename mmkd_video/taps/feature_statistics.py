"""Mean, spread and rotation of a teacher's features, in one checked file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.layouts import layout_of
from mmkd_video.core.mistakes import MissingFileError, WrongKeyError, WrongValueError
from mmkd_video.core.plain_data import Number, OneOf, Record, Table, Text, Whole, read_json
from mmkd_video.functional import equal_variance_rotation

FORMAT, VERSION, KEY = 'feature statistics of mmkd_video', 1, 'statistics'
LARGEST_FILE, LARGEST_TEXT = 1 << 34, 1 << 20
MOST_CHANNELS = 1 << 15
REMEDY = 'make it again with tools/feature_statistics.py'
_TAP = Record(dict(channels=Whole(1, MOST_CHANNELS), positions=Whole(2, (1 << 63) - 1), scale=Number(0, 1e30)))
RULE = Record(
    dict(
        format=OneOf((FORMAT,)),
        version=OneOf((VERSION,)),
        teacher=Text(16, '[0-9a-f]{16}'),
        sha256=Text(64, '[0-9a-f]{64}'),
        taps=Table(_TAP, most=100),
    )
)


@dataclass(frozen=True)
class FeatureStatistics:
    """Statistics of the features at one tap, over all positions of many clips.

    Attributes:
        mean: ``(C,)`` float32.
        std: ``(C,)`` float32.
        rotation: ``(C, C)`` float32, after which all dimensions have the same variance; rows are new dimensions.
        scale: Standard deviation of each dimension after the rotation, above 0.
        positions: Number of vectors that they are of.
        teacher: Fingerprint of the teacher, where they come from a file.
    """

    mean: Tensor
    std: Tensor
    rotation: Tensor
    scale: float
    positions: int
    teacher: str | None = None


class Moments:
    """Mean and covariance of vectors, added up batch by batch in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | None = None
        self.scatter: Tensor | None = None

    def add(self, feature: Tensor) -> None:
        """Add the vectors at all positions of a batch.

        Args:
            feature: ``(N, C, T, H, W)``, ``(N, L, C)`` or ``(N, C)``.
        """
        feature = feature.movedim(1, -1) if layout_of(feature.shape) == 'map' else feature
        vectors = feature.detach().flatten(0, -2).double()
        mean = vectors.mean(dim=0)
        centred = vectors - mean
        scatter = centred.T @ centred
        if self.mean is None:
            self.count, self.mean, self.scatter = len(vectors), mean, scatter
            return
        total, gap = self.count + len(vectors), mean - self.mean
        self.scatter += scatter + torch.outer(gap, gap) * (self.count * len(vectors) / total)
        self.mean += gap * (len(vectors) / total)
        self.count = total

    def statistics(self, tap: str) -> FeatureStatistics:
        """Return what follows from all that was added.

        Args:
            tap: Name of the tap, for messages.

        Raises:
            ValueError: The features do not vary, or are not finite.
        """
        covariance = (self.scatter / self.count).cpu()
        if not covariance.isfinite().all() or not self.mean.isfinite().all():
            raise WrongValueError(f'{tap}: the features hold NaN or infinity; check the teacher and its checkpoint')
        rotation, scale = equal_variance_rotation(covariance)
        if not scale > 0:
            raise WrongValueError(f'{tap}: the features are the same in {self.count} places; tap another module')
        std = covariance.diagonal().clamp(min=0).sqrt()
        return FeatureStatistics(self.mean.cpu().float(), std.float(), rotation.float(), scale, self.count)


def write_statistics(path: str | Path, teacher: str, found: Mapping[str, FeatureStatistics]) -> None:
    """Write a file of statistics, atomically.

    Args:
        path: The file.
        teacher: Fingerprint of the teacher.
        found: Statistics by tap.

    Raises:
        OSError: The disk is full, for example.
    """
    tensors: dict[str, np.ndarray] = {}
    taps = {}
    for tap, each in found.items():
        taps[tap] = dict(channels=len(each.mean), positions=each.positions, scale=each.scale)
        tensors |= {f'{tap}/{part}': getattr(each, part).numpy() for part in ('mean', 'std', 'rotation')}
    told = dict(format=FORMAT, version=VERSION, teacher=teacher, sha256=_checksum(taps, tensors), taps=taps)
    write_atomically(save(tensors, metadata={KEY: json.dumps(told)}), path)


def read_statistics(path: str | Path, tap: str) -> FeatureStatistics:
    """Read the statistics of one tap; nothing in the file is executed.

    Args:
        path: File that :func:`write_statistics` wrote.
        tap: The tap; that of a member of an ensemble may begin with the member's name.

    Raises:
        FileNotFoundError: There is no such file.
        KeyError: It has no statistics of this tap.
        ValueError: It is damaged, or something else.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f'{path} does not exist; {REMEDY}')
    if path.stat().st_size > LARGEST_FILE:
        raise WrongValueError(f'{path}: got {path.stat().st_size} bytes; expected at most {LARGEST_FILE}')
    teacher, taps, tensors = _read_all(path)
    named = next((each for each in (tap, tap.partition('.')[2]) if each in taps), None)
    if named is None:
        raise WrongKeyError(f'{path}: got no statistics of {tap!r}, only of {", ".join(map(repr, taps))}; {REMEDY}')
    parts = {part: torch.from_numpy(tensors[f'{named}/{part}']) for part in ('mean', 'std', 'rotation')}
    finite = all(each.isfinite().all() for each in parts.values())
    product = parts['rotation'].double() @ parts['rotation'].double().T
    turned = finite and torch.allclose(product, torch.eye(len(product), dtype=product.dtype), atol=1e-3)
    if not turned or (parts['std'] < 0).any() or not taps[named]['scale'] > 0:
        raise WrongValueError(f'{path}: what it holds of {named!r} are no statistics; {REMEDY}')
    return FeatureStatistics(**parts, scale=taps[named]['scale'], positions=taps[named]['positions'], teacher=teacher)


def _read_all(path: Path) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    try:
        with safe_open(path, framework='numpy') as file:
            text = (file.metadata() or {}).get(KEY)
            if text is None:
                raise WrongValueError(f'{path}: a safetensors file without statistics; {REMEDY}')
            told = read_json(text, RULE, str(path), LARGEST_TEXT)
            expected = _expected(told['taps'])
            found = {}
            for name in file.keys():  # noqa: SIM118  it is no mapping
                part = file.get_slice(name)
                found[name] = part.get_dtype(), tuple(part.get_shape())
            if found != expected:
                wrong = next(name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name))
                raise WrongValueError(
                    f'{path}: got {wrong[:60]!r} as {found.get(wrong)}; expected {expected.get(wrong)}; {REMEDY}'
                )
            tensors = {name: file.get_tensor(name) for name in expected}
    except (SafetensorError, OSError) as error:
        raise WrongValueError(f'{path}: no file of statistics ({str(error).splitlines()[0][:100]}); {REMEDY}') from None
    if _checksum(told['taps'], tensors) != told['sha256']:
        raise WrongValueError(f'{path}: its checksum is not that of its content, it is damaged; {REMEDY}')
    return told['teacher'], told['taps'], tensors


def _expected(taps: Mapping[str, Mapping]) -> dict[str, tuple[str, tuple[int, ...]]]:
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for tap, each in taps.items():
        channels = each['channels']
        found |= {f'{tap}/mean': ('F32', (channels,)), f'{tap}/std': ('F32', (channels,))}
        found[f'{tap}/rotation'] = 'F32', (channels, channels)
    return found


def _checksum(taps: Mapping[str, Mapping], tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(taps, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name], '<f4').tobytes())
    return digest.hexdigest()
