"""The table of the shared loss tester: how every loss is built and which inputs it is tried on.

A loss exported by ``mmkd_video.losses`` without an entry here fails ``test_loss_contract.py``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch

import mmkd_video.losses as losses
from mmkd_video.core.registry import MODELS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LossCase:
    """One way to call a loss.

    ``student`` and ``teacher`` are a shape, or a list of shapes for a multi-layer loss; ``teacher=None`` means the
    student's. ``zero_if_equal`` says that equal sides give exactly zero; ``detached_weight`` that the
    gradient is on purpose not the derivative of the value.
    """

    student: Shape | list[Shape]
    teacher: Shape | list[Shape] | None = None
    params: dict = field(default_factory=dict)
    labels: bool = False
    extra: Callable[[int], dict] | None = None
    zero_if_equal: bool = True
    detached_weight: bool = False

    def build(self, name: str, seed: int = 0) -> torch.nn.Module:
        """Return the loss in eval mode (banks rest); every call draws the same random numbers."""
        torch.manual_seed(seed)
        loss = getattr(losses, name)(**self.params).eval()
        loss.register_forward_pre_hook(lambda *_: reseed())
        return loss

    def inputs(self, seed: int = 0, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> tuple:
        """Return ``(student, teacher, keywords)``; the student's tensors are leaves that require grad."""
        generator = torch.Generator().manual_seed(seed)

        def draw(shapes: Shape | list[Shape], grad: bool) -> torch.Tensor | list[torch.Tensor]:
            if isinstance(shapes, list):
                return [draw(shape, grad) for shape in shapes]
            noise = torch.randn(shapes, generator=generator, dtype=torch.float64) * scale
            return noise.to(dtype).requires_grad_(grad)

        student = draw(self.student, True)
        teacher = draw(self.student if self.teacher is None else self.teacher, False)
        return student, teacher, self.keywords(generator)

    def sides(self) -> dict[str, Shape | list[Shape]]:
        """Return the shapes by side."""
        return {'student': self.student, 'teacher': self.student if self.teacher is None else self.teacher}

    @property
    def batch(self) -> int:
        return (self.student[0] if isinstance(self.student, list) else self.student)[0]

    def keywords(self, generator: torch.Generator) -> dict:
        if self.extra is not None:
            return self.extra(self.batch)
        if not self.labels:
            return {}
        num_samples, num_classes = self.student
        return {'labels': torch.randint(num_classes, (num_samples,), generator=generator)}

    def resized(self, batch: int) -> LossCase:
        """Return the same case with another batch size."""

        def resize(shapes: Shape | list[Shape] | None) -> Shape | list[Shape] | None:
            if isinstance(shapes, list):
                return [resize(shape) for shape in shapes]
            return None if shapes is None else (batch, *shapes[1:])

        return replace(self, student=resize(self.student), teacher=resize(self.teacher))


def reseed() -> None:
    torch.manual_seed(0)


def head(feature: torch.Tensor) -> torch.Tensor:
    """Stand in for a teacher's classifier."""
    return feature @ torch.linspace(-1, 1, feature.shape[1] * 2, dtype=feature.dtype).view(-1, 2)


LOGITS = (4, 6)
MAP = (3, 4, 3, 4)
CLIP = (2, 3, 2, 3, 4)

LAYERS = [(2, 3, 5, 5), (2, 4, 4, 4), (2, 5, 2, 2)]
CLIP_LAYERS = [(2, 3, 4, 4, 4), (2, 4, 2, 2, 2)]

CASES: dict[str, list[LossCase]] = {
    'KDLoss': [LossCase(LOGITS), LossCase((3, 2), params={'temperature': 1.0})],
    'BinaryKDLoss': [LossCase(LOGITS), LossCase((3, 1), params={'temperature': 2.0})],
    'BoundaryKDLoss': [LossCase((3, 5, 4)), LossCase(CLIP)],
    'DKDLoss': [LossCase(LOGITS, labels=True), LossCase((3, 2), labels=True, params={'temperature': 1.0})],
    'IADLoss': [
        LossCase(
            [LOGITS, LOGITS],
            params=params,
            extra=lambda batch: {'labels': torch.arange(batch) % 2},
            zero_if_equal=False,
        )
        for params in ({}, {'temperature': 4.0, 'exponent': 1.0})
    ],
    'DISTLoss': [LossCase(LOGITS, zero_if_equal=False)],
    'HardKDLoss': [
        LossCase(LOGITS, zero_if_equal=False),
        LossCase((3, 2), zero_if_equal=False, params={'smoothing': 0.1}),
    ],
    'NKDLoss': [LossCase(LOGITS, labels=True, zero_if_equal=False, params={'temperature': 2.0})],
    'WSLDLoss': [LossCase(LOGITS, labels=True, zero_if_equal=False, detached_weight=True)],
    'LogitStdKDLoss': [LossCase(LOGITS)],
    'MLKDLoss': [LossCase(LOGITS), LossCase(LOGITS, params={'temperatures': [1.0]})],
    'TTMLoss': [LossCase(LOGITS, zero_if_equal=False), LossCase(LOGITS, params={'exponent': 1.0})],
    'WTTMLoss': [LossCase(LOGITS, zero_if_equal=False), LossCase(LOGITS, params={'exponent': 1.0})],
    'FitNetLoss': [LossCase(LOGITS), LossCase((2, 5, 3)), LossCase(MAP), LossCase(CLIP)],
    'ATLoss': [LossCase((2, 5, 3), (2, 5, 4)), LossCase(MAP), LossCase(CLIP, (2, 5, 2, 3, 4), {'power': 4})],
    'CosineLoss': [LossCase(LOGITS), LossCase((2, 5, 3)), LossCase(MAP), LossCase(CLIP)],
    'FTLoss': [LossCase(LOGITS), LossCase((2, 5, 3)), LossCase(MAP), LossCase(CLIP)],
    'ABLoss': [LossCase(LOGITS, zero_if_equal=False), LossCase(MAP, zero_if_equal=False)]
    + [LossCase(CLIP, zero_if_equal=False, params={'margin': 0.5})],
    'SPLoss': [LossCase(LOGITS, (4, 9)), LossCase(MAP), LossCase((4, 3, 2, 3, 4), (4, 2, 5, 3))],
    'CCLoss': [LossCase(LOGITS), LossCase(CLIP)],
    'RKDLoss': [LossCase(LOGITS, (4, 9)), LossCase((5, 3)), LossCase((4, 3, 2, 2, 2))],
    'PKTLoss': [LossCase(LOGITS, (4, 9)), LossCase((5, 3)), LossCase(CLIP)],
    'NSTLoss': [LossCase((2, 5, 3), (2, 5, 4)), LossCase(MAP), LossCase((2, 3, 1, 2, 2)), LossCase(CLIP)],
    'FSPLoss': [LossCase(LAYERS), LossCase(CLIP_LAYERS)],
    'KDSVDLoss': [LossCase(LAYERS), LossCase(CLIP_LAYERS, params={'k': 2})],
    'CWDLoss': [LossCase((2, 5, 3)), LossCase(MAP), LossCase(CLIP, params={'temperature': 1.0})],
    'PKDLoss': [LossCase((2, 5, 3)), LossCase(MAP), LossCase(CLIP)],
    'HCLLoss': [LossCase(LAYERS), LossCase(CLIP_LAYERS)],
    'CATKDLoss': [
        LossCase(MAP),
        LossCase(MAP, (3, 4, 5, 5), {'pool': 3}),
        LossCase(CLIP),
        LossCase(CLIP, (2, 3, 4, 5, 5)),
    ],
    'ICKDLoss': [LossCase((2, 5, 3), (2, 7, 3)), LossCase(MAP), LossCase(CLIP, (2, 3, 4, 5, 5))],
    'VIDLoss': [
        LossCase(shape, params={'teacher_channels': channels}, zero_if_equal=False)
        for shape, channels in ((LOGITS, 6), ((2, 5, 3), 3), (MAP, 4), (CLIP, 3))
    ],
    'MGDLoss': [
        LossCase(shape, params={'teacher_channels': channels, 'mask_ratio': 0.3}, zero_if_equal=False)
        for shape, channels in ((MAP, 4), (CLIP, 3))
    ],
    'FBKDLoss': [
        LossCase(
            shape,
            params={'teacher_channels': channels, 'feature': 1.0, 'relations': 1.0},
            zero_if_equal=False,
            detached_weight=True,
        )
        for shape, channels in ((MAP, 4), (CLIP, 3))
    ],
    'ParaphrasedFTLoss': [
        LossCase(MAP, (3, 6, 3, 4), {'student_channels': 4, 'teacher_channels': 6}),
        LossCase(CLIP, (2, 4, 2, 3, 4), {'student_channels': 3, 'teacher_channels': 4, 'rate': 0.75}),
        LossCase(CLIP, (2, 4, 2, 3, 4), {'student_channels': 3, 'teacher_channels': 4, 'norm': True}),
    ],
    'SRRLLoss': [
        LossCase(shape, extra=lambda batch: {'teacher_head': head}) for shape in (LOGITS, (2, 5, 3), MAP, CLIP)
    ],
    'CRDLoss': [
        LossCase(
            LOGITS,
            (4, 9),
            {'student_channels': 6, 'teacher_channels': 9, 'num_samples': 17, 'dim': 5, 'num_negatives': 7},
            extra=lambda batch: {'indices': 2 * torch.arange(batch)},
            detached_weight=True,  # its constant comes from the first batch
        )
    ],
    'SimilarityQueueLoss': [
        LossCase(LOGITS, params={'teacher_channels': 6, 'queue_size': 5}),
        LossCase((3, 4), zero_if_equal=False, params={'teacher_channels': 4, 'queue_size': 7, 'temperature': 0.2}),
    ],
    'SemCKDLoss': [
        LossCase(layers, params={'student_channels': channels, 'teacher_channels': channels}, zero_if_equal=False)
        for layers, channels in ((LAYERS, [3, 4, 5]), (CLIP_LAYERS, [3, 4]))
    ],
    'TemporalDifferenceLoss': [LossCase((2, 5, 3)), LossCase(CLIP)],
    'TemporalRelationLoss': [LossCase((2, 5, 3), (2, 5, 4)), LossCase(CLIP)],
    'TemporalOrderLoss': [LossCase((2, 5, 3)), LossCase(CLIP)],
    'FrameImportanceLoss': [LossCase((2, 5, 3)), LossCase(CLIP, params={'temperature': 0.5})],
    'SpaceTimeATLoss': [LossCase(CLIP), LossCase(CLIP, (2, 5, 2, 3, 4), {'where': 0.5, 'when': 2.0})],
    'PerFrameATLoss': [LossCase(CLIP), LossCase(CLIP, (2, 5, 2, 3, 4))],
    'MARSLoss': [LossCase(LOGITS)],
    'LLELoss': [LossCase((6, 3), (6, 5), {'k': 3}), LossCase((5, 2), zero_if_equal=False)],
    'LaplacianLoss': [
        LossCase((6, 3), (6, 5), {'k': 2}),
        LossCase((5, 2, 2, 2, 2), params={'k': 2}, zero_if_equal=False),
    ],
    'IsomapLoss': [LossCase((6, 3), (6, 5), {'k': 2}), LossCase((5, 2), params={'k': 3}, zero_if_equal=False)],
    'MDSLoss': [LossCase((6, 3), (6, 5)), LossCase((4, 2)), LossCase((4, 2, 2, 2, 2))],
    'LTSALoss': [LossCase((7, 3), (7, 5), {'k': 4}), LossCase((6, 3), params={'k': 3, 'dim': 1}, zero_if_equal=False)],
    'OFDLoss': [LossCase(CLIP, params={'margin': [-0.5, -0.2, -0.9]})],
}

COVERED = [name for name in losses.__all__ if name in CASES]


def uncovered(registered: Mapping[str, type] = MODELS.module_dict) -> list[str]:
    """Return what keeps the shared tests from trying every registered loss of the package, one line each."""
    for module in pkgutil.iter_modules(losses.__path__):
        importlib.import_module(f'{losses.__name__}.{module.name}')  # now a file that nobody exports has registered
    home = f'{losses.__name__}.'
    ours = {name for name, found in registered.items() if str(getattr(found, '__module__', '')).startswith(home)}
    missing = {
        'is exported but not registered': set(losses.__all__) - ours,
        'is registered but not exported: add it to mmkd_video/losses/__init__.py': ours - set(losses.__all__),
        'has no case: add one to CASES in tests/losses/loss_cases.py': ours - set(CASES),
        'has a case but is not registered': set(CASES) - ours,
    }
    return [f'{name} {what}' for what, names in missing.items() for name in sorted(names)]


ALL_CASES = [(name, case) for name, cases in CASES.items() for case in cases]
IDS = [f'{name}-{index}' for name, cases in CASES.items() for index in range(len(cases))]
