"""Normalisation of a teacher's feature before the loss, so that no teacher drowns another."""

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmkd_video.core.checked import AnyOf, Nothing, Settings, Text, checked, did_you_mean, keys_of
from mmkd_video.core.layouts import layout_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.taps.feature_statistics import FeatureStatistics, read_statistics

TARGET_NORM = AnyOf(
    Nothing('as it is'),
    Text("'layernorm', 'l2'"),
    Settings("dict(type='standardize', statistics=...), dict(type='phi_s', statistics=...)", needs=('type',)),
)
LEAST_SHARE = 1e-6  # of the widest channel's spread: below it a channel is constant


class TargetNorm(nn.Module):
    """A map of a teacher's vectors, at each position the same.

    A subclass is registered in ``TASK_UTILS`` and named in a config as ``target_norm='<name>'`` or
    ``target_norm=dict(type='<name>', ...)`` of a term. It is built with as many of ``channels`` and ``tap`` as its
    constructor names; buffers that it makes from its arguments are not persistent.
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, feature: Tensor) -> Tensor:
        """Return the feature as the loss is to see it, float32 and without gradient.

        Args:
            feature: ``(N, C, T, H, W)``, ``(N, L, C)`` or ``(N, C)``.
        """
        is_map = layout_of(feature.shape) == 'map'
        with torch.no_grad(), torch.autocast(feature.device.type, enabled=False):
            vectors = self.normalize(feature.float().movedim(1, -1) if is_map else feature.float())
            return vectors.movedim(-1, 1) if is_map else vectors

    def normalize(self, vectors: Tensor) -> Tensor:
        """Return the vectors normalised.

        Args:
            vectors: ``(..., C)`` float32.
        """
        raise NotImplementedError(f'{type(self).__name__} must say in normalize(vectors) what it does')


@TASK_UTILS.register_module(name='layernorm')
@checked()
class LayerNormTarget(TargetNorm):
    """Each vector with mean 0 and variance 1 over its channels, without parameters."""

    def normalize(self, vectors: Tensor) -> Tensor:
        """See :meth:`TargetNorm.normalize`."""
        return F.layer_norm(vectors, vectors.shape[-1:])


@TASK_UTILS.register_module(name='l2')
@checked()
class UnitTarget(TargetNorm):
    """Each vector with length 1."""

    def normalize(self, vectors: Tensor) -> Tensor:
        """See :meth:`TargetNorm.normalize`."""
        return F.normalize(vectors, dim=-1)


@TASK_UTILS.register_module(name='standardize')
@checked(statistics=Text('the path of a file that tools/feature_statistics.py wrote'))
class StandardizedTarget(TargetNorm):
    """Each channel with mean 0 and variance 1 over the training set; a channel that is constant there becomes 0.

    Args:
        statistics: File that ``tools/feature_statistics.py`` wrote.
        channels: Number of channels; a term fills it in.
        tap: Place in the teacher; a term fills it in.

    Raises:
        FileNotFoundError: There is no such file.
        KeyError: It has no statistics of this tap.
        ValueError: It is damaged, or of another number of channels.
    """

    def __init__(self, statistics: str, channels: int, tap: str) -> None:
        super().__init__()
        found = _statistics_for(statistics, channels, tap)
        self.teacher = found.teacher
        varies = found.std > LEAST_SHARE * found.std.max()
        self.register_buffer('mean', found.mean, persistent=False)
        self.register_buffer('factor', torch.where(varies, 1 / found.std.where(varies, 1), 0.0), persistent=False)

    def normalize(self, vectors: Tensor) -> Tensor:
        """See :meth:`TargetNorm.normalize`."""
        return (vectors - self.mean) * self.factor


@TASK_UTILS.register_module(name='phi_s')
@checked(statistics=Text('the path of a file that tools/feature_statistics.py wrote'))
class PhiSTarget(TargetNorm):
    """PHI-S: ``H U^T (x - mean) / scale``, after which every dimension has variance 1 over the training set.

    The eigenbasis U of the covariance is turned by a Hadamard matrix H, so that all dimensions share the variance
    evenly and one scale serves all: distances keep their proportions, unlike with ``'standardize'``.
    Source: Ranzinger et al., PHI-S: Distribution Balancing for Label-Free Multi-Teacher Distillation
    (https://arxiv.org/abs/2410.01680), as in AM-RADIO; see ``mmkd_video.functional.equal_variance_rotation`` for
    channels without a Hadamard matrix.

    Args:
        statistics: File that ``tools/feature_statistics.py`` wrote.
        channels: Number of channels; a term fills it in.
        tap: Place in the teacher; a term fills it in.

    Raises:
        FileNotFoundError: There is no such file.
        KeyError: It has no statistics of this tap.
        ValueError: It is damaged, or of another number of channels.
    """

    def __init__(self, statistics: str, channels: int, tap: str) -> None:
        super().__init__()
        found = _statistics_for(statistics, channels, tap)
        self.teacher = found.teacher
        self.register_buffer('mean', found.mean, persistent=False)
        self.register_buffer('rotation', found.rotation / found.scale, persistent=False)

    def normalize(self, vectors: Tensor) -> Tensor:
        """See :meth:`TargetNorm.normalize`."""
        return F.linear(vectors - self.mean, self.rotation)


def build_target_norm(config: str | Mapping | None, channels: int, tap: str, where: str) -> TargetNorm | None:
    """Build the normalisation of a teacher's feature.

    Args:
        config: ``target_norm`` of a term; it is not changed.
        channels: Channels of the feature.
        tap: Place in the teacher.
        where: The key, for messages.

    Raises:
        FileNotFoundError: A file of statistics is missing.
        KeyError: No such normalisation, or an unknown argument of it.
        ValueError: A file of statistics is damaged, not given, or of another tap.
    """
    if config is None:
        return None
    arguments = {'type': config} if isinstance(config, str) else dict(config)
    kind = arguments.pop('type')
    found = TASK_UTILS.get(kind) if isinstance(kind, str) else kind
    if not (inspect.isclass(found) and issubclass(found, TargetNorm)):
        known = [
            name
            for name, each in TASK_UTILS.module_dict.items()
            if inspect.isclass(each) and issubclass(each, TargetNorm)
        ]
        hint = did_you_mean(kind, known)
        raise WrongKeyError(
            f'{where}: got {kind!r}; expected one of {", ".join(map(repr, known))}{f"; {hint}" if hint else ""}'
        )
    parameters = inspect.signature(found).parameters
    given = {key: value for key, value in dict(channels=channels, tap=tap).items() if key in parameters}
    for key in given:
        if key in arguments:
            raise WrongKeyError(f'{where}: got {key!r}; expected no such key, a term fills it in')
    if 'statistics' in parameters and 'statistics' not in arguments:
        raise WrongValueError(
            f'{where}: got {kind!r} without statistics; expected dict(type={kind!r}, statistics=<file>); '
            'tools/feature_statistics.py makes the file'
        )
    keys_of(found).check(where, arguments | given)
    return found(**arguments, **given)


def _statistics_for(path: str, channels: int, tap: str) -> FeatureStatistics:
    found = read_statistics(path, tap)
    if len(found.mean) != channels:
        raise WrongValueError(
            f'{path}: got statistics of {len(found.mean)} channels at {tap!r}; expected {channels}, as the teacher '
            'has; make them again with this teacher'
        )
    return found
