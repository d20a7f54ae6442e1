"""What ``tools/benchmark.py step`` measures: a student, its teachers, their terms and one batch of real clips."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import build_model
from mmkd_video.core.restoring import seed_everything
from mmkd_video.datasets.seeded import SAMPLE_INDEX
from mmkd_video.distillers import Distiller
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import given_teachers, is_distillation, named_teachers, without_views
from mmkd_video.workflows.measure.default_pair import default_config
from mmkd_video.workflows.shrink.axes import Shrinkable

SCORES = ('logits', 'frame_logits')
LOGITS, FEATURES = 'logits', 'features'
STEPS_OF_A_LONG_TRAINING = 10**6


@dataclass(frozen=True)
class BenchmarkPair:
    """A distillation taken apart, so that its pieces can be run alone.

    Attributes:
        student: The student's model config.
        teacher: The Distiller's ``teacher``; checkpoints are left out, because weights change no time.
        feature_terms: Terms that read something else than class scores; or, where asked for, all that the config has.
        optim_wrapper: Optimizer wrapper's config of both trainings.
        dataset: The distillation's training data.
        batch_size: Number of clips in a batch.
        shape: Frames and size in pixels of the student's clips where others than the config's were asked for.
        masking: Mask of the tokens that the student sees; None for all.
    """

    student: dict
    teacher: dict
    feature_terms: list[dict]
    optim_wrapper: dict
    dataset: dict
    batch_size: int
    shape: tuple[int, int] | None = None
    masking: dict | None = None

    @classmethod
    def load(
        cls,
        config: str | None,
        clips: str,
        batch_size: int | None,
        features: Sequence[str] | None = (),
        shape: Sequence[int] | None = None,
    ):
        """Read a pair from a distillation config.

        Args:
            config: Its path; None for the default pair.
            clips: Folder of the embedded clips, for the default pair; for a config, read instead of its own data where
                it is not empty and all terms are asked for.
            batch_size: Number of clips in a batch; the config's by default.
            features: ``student tap:teacher tap`` of FitNet terms, instead of the config's feature terms; None for all
                terms of the config as they are, those that read class scores too.
            shape: Frames and size in pixels that the student shall see; None for the config's.

        Raises:
            ValueError: No distillation config, no feature term, or a malformed ``features``.
        """
        whole = default_config(clips) if config is None else read_config(config, None)
        if not is_distillation(whole):
            raise WrongValueError(f"{config}: model.type is {whole.model.get('type')!r}; expected 'Distiller'")
        if shape is not None:
            shrinkable = Shrinkable(whole)
            whole = shrinkable.with_shape(replace(shrinkable.shape, frames=shape[0], size=shape[1]))
        model, loader = whole.model.to_dict(), whole.train_dataloader.to_dict()
        if features is None and clips:
            loader['dataset']['data_root'] = clips
        student = dict(model['student'])
        if model.get('data_preprocessor') is not None:
            student.setdefault('data_preprocessor', model['data_preprocessor'])
        terms = [_fitnet(index, text) for index, text in enumerate(features or ())]
        terms = terms or [term for term in model.get('terms', ()) if features is None or term.get('at') not in SCORES]
        if not terms and features is not None:  # a teacher with losses of its own needs none
            raise WrongValueError(
                f'{config}: no term reads a feature; name some with --features STUDENT_TAP:TEACHER_TAP'
            )
        return cls(
            student,
            _without_checkpoints(model['teacher']),
            terms,
            whole.optim_wrapper.to_dict(),
            loader['dataset'],
            batch_size or loader['batch_size'],
            None if shape is None else tuple(shape),
            model.get('masking'),
        )

    def batch(self, views: bool = True) -> dict:
        """Decode one batch through the training pipeline.

        Args:
            views: Whether the teachers' views are made too; otherwise the pipeline is the plain student's.

        Raises:
            OSError: The clips are not there.
        """
        with DefaultScope.overwrite_default_scope('mmaction'):
            dataset = DATASETS.build(self.dataset if views else without_views(self.dataset))
        seed_everything(0)
        chosen = [index % len(dataset) for index in range(self.batch_size)]
        samples = [dataset[index] for index in chosen]
        for index, sample in zip(chosen, samples, strict=True):
            sample['data_samples'].set_metainfo({SAMPLE_INDEX: index})  # as in a training, for losses with a memory
        return pseudo_collate(samples)

    def plain(self, device: str = 'cpu') -> nn.Module:
        """Build the student alone, in training mode."""
        seed_everything(0)
        return build_model(copy.deepcopy(self.student)).to(device).train()

    def distiller(self, kind: str, device: str = 'cpu') -> Distiller:
        """Build the distillation as it is after its first batches, whose additional checks are over by then.

        Args:
            kind: ``'logits'`` or ``'features'``.
            device: Device for the model.
        """
        terms = [dict(type='KDLoss', at='logits')] if kind == LOGITS else self.feature_terms
        names = list(given_teachers(self.teacher))
        if kind == LOGITS and len(names) > 1:
            terms = [dict(terms[0], teacher=name, name=f'kd_{name}') for name in names]
        seed_everything(0)
        given = dict(terms=copy.deepcopy(terms)) if terms else {}
        model = Distiller(copy.deepcopy(self.student), copy.deepcopy(self.teacher), masking=self.masking, **given)
        for watch in model.first_batches.values():
            watch.done = True
        return model.to(device).train()

    def wrap(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer of a plain student or a distiller, as a runner would."""
        with DefaultScope.overwrite_default_scope('mmaction'):  # which has constructors of its own
            if isinstance(model, Distiller):
                return model.build_optim_wrapper(copy.deepcopy(self.optim_wrapper))
            return build_optim_wrapper(model, copy.deepcopy(self.optim_wrapper))

    def training_step(self, model: nn.Module, wrapper: OptimWrapper, batch: dict) -> Callable[[], object]:
        """Return one whole training step, from the raw batch to the changed weights."""
        # Blending writes into the labels, which are used again here.
        blends = getattr(getattr(model, 'student', model).data_preprocessor, 'blending', None) is not None

        def step() -> None:
            if isinstance(model, Distiller):
                model.set_progress(0, 0, 1, STEPS_OF_A_LONG_TRAINING)
            data = dict(batch, data_samples=copy.deepcopy(batch['data_samples'])) if blends else batch
            model.train_step(data, wrapper)

        return step

    def teacher_forward(self, distiller: Distiller, batch: dict) -> Callable[[], object]:
        """Return the forward passes of all teachers, rebuilt without taps.

        Where a teacher has a view of its own its normalisation is part of the pass; where it sees the student's clip,
        which the student's step has prepared already, it is not.

        Raises:
            ValueError: A teacher is no plain model.
        """
        prepared = distiller.data_preprocessor(batch, True)['views']
        passes = []
        parts = {name: part for each in distiller.teachers.values() for name, part in each.parts.items()}
        for name, teacher in parts.items():
            if not isinstance(getattr(teacher, 'module', None), nn.Module):
                raise WrongValueError(f'{name}: {type(teacher).__name__} is no model that could run alone')
            module = build_model(copy.deepcopy(teacher.model_config))
            module.load_state_dict(teacher.module.state_dict())
            module.to(prepared[name].device).eval().requires_grad_(False)
            own = (batch.get('views') or {}).get(name)
            raw = None if own is None else dict(inputs=own, data_samples=batch['data_samples'])
            passes.append((module, raw, prepared[name]))

        @torch.no_grad()
        def forward() -> None:
            for module, raw, inputs in passes:
                if raw is not None:
                    inputs = module.data_preprocessor(dict(raw), False)['inputs']
                module.extract_feat(inputs, stage='head')

        return forward


def _without_checkpoints(teacher: Mapping) -> dict:
    found = copy.deepcopy(given_teachers(teacher))
    for each in named_teachers(found).values():
        if 'checkpoint' in each:
            each['checkpoint'] = None
    return found


def _fitnet(index: int, text: str) -> dict:
    taps = text.split(':')
    if len(taps) != 2 or not all(taps):
        raise WrongValueError(f'--features: got {text!r}; expected STUDENT_TAP:TEACHER_TAP')
    return dict(type='FitNetLoss', at=tuple(taps), name=f'fitnet{index + 1}')
