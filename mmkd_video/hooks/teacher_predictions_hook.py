"""Lets the teachers predict the validation set, once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd_video.core.checked import checked
from mmkd_video.core.mistakes import name_of_kind
from mmkd_video.core.registry import HOOKS, METRICS
from mmkd_video.core.restoring import random_state_restored
from mmkd_video.evaluation.teacher_predictions import TeacherPredictions, describe, hash_of, predict, with_pipeline
from mmkd_video.hooks.model_contract import HasTeachers, ability_of
from mmkd_video.recognizers.families import scores_frames
from mmkd_video.recognizers.pipelines import validation_pipeline


@dataclass(frozen=True)
class _Source:
    name: str
    part: Any
    dataset: Any
    pipeline: str


@dataclass(frozen=True)
class _Predicting:
    name: str
    teacher: Any
    sources: list[_Source]


@HOOKS.register_module()
@checked()
class TeacherPredictionsHook(Hook):
    """Report the agreement of student and teacher, and the teacher's own accuracy, at every validation.

    Before the first validation each teacher runs once over the student's validation samples, through its own val
    pipeline; of an ensemble, each member does, and their probabilities are merged. Probabilities are kept in
    ``teacher_predictions_<fingerprint>.npz`` in the work_dir; later validations and resumed runs read them. An
    ``AgreementMetric`` joins the validation's evaluator; tests are left as they are.

    A teacher without a val pipeline (given as a model dict), or with one that does not fit the student's files, has no
    agreement: a log line says so before training, which goes on. Nor has an ensemble with such a member.
    """

    def __init__(self) -> None:
        self._predicting: list[_Predicting] | None = None
        self._done = False

    def before_train(self, runner: Runner) -> None:
        """Log before training which teachers' agreement will be reported."""
        if runner.val_loop is not None and self._predicting is None:
            self._predicting = self._find_predicting(runner)

    def before_val(self, runner: Runner) -> None:
        """Give the teachers' predictions to the metrics before the first validation.

        Raises:
            ValueError: A teacher's predictions do not fit the validation set.
        """
        if self._done:
            return
        self._done = True
        if self._predicting is None:
            self._predicting = self._find_predicting(runner)
        several = len(_teachers(runner)) > 1
        for each in self._predicting:
            found = {source.name: self._read_or_make(runner, source) for source in each.sources}
            probabilities = {name: torch.from_numpy(one.probabilities) for name, one in found.items()}
            metric = _metric(runner, each.name if several else None)
            merged = each.teacher.merge(probabilities).numpy()
            of_each_class = getattr(each.teacher, 'several_labels', False)
            labels, first = next(iter(found.values())).labels, _selects_classes(runner)
            metric.set_predictions(merged, labels, several=of_each_class, first=first)

    def _find_predicting(self, runner: Runner) -> list[_Predicting]:
        predicting = []
        for name, teacher in _teachers(runner).items():
            sources: list[_Source] = []
            for part_name, part in teacher.parts.items():
                source = self._find_source(runner, part_name, part)
                if source is None:
                    break
                sources.append(source)
            if len(sources) == len(teacher.parts):
                predicting.append(_Predicting(name, teacher, sources))
            elif len(teacher.parts) > 1:
                runner.logger.warning(f'{name}: without the predictions of {part_name}, its agreement is not reported.')
        return predicting

    def _find_source(self, runner: Runner, name: str, part: Any) -> _Source | None:
        dataset, sampler = runner.val_loop.dataloader.dataset, runner.val_loop.dataloader.sampler
        if getattr(runner.val_loop.dataloader.batch_sampler, 'relabels', False):
            runner.logger.info(f'The validation is by episodes: the agreement with {name} is not reported.')
            return None
        if getattr(part, 'learns', False):
            runner.logger.info(f'{name} changes while it teaches: its agreement is not reported.')
            return None
        pipeline = validation_pipeline(getattr(part, 'config', None))
        if pipeline is None:
            runner.logger.info(f'{name} has no val pipeline (no config): its agreement is not reported.')
            return None
        if getattr(part, 'num_classes', None) is None:
            runner.logger.info(f'{name} has no class scores: its agreement is not reported.')
            return None
        if getattr(part, 'several_labels', False) and part is not _teachers(runner).get(name):
            runner.logger.info(
                f'{name} scores each class by itself, which no ensemble combines: its agreement is not reported.'
            )
            return None
        if scores_frames(getattr(getattr(part, 'module', None), 'cls_head', None)):
            runner.logger.info(f'{name} scores every frame: the agreement with it is not reported.')
            return None
        if getattr(sampler, 'shuffle', False):
            runner.logger.warning(f'The validation sampler shuffles: the agreement with {name} is not reported.')
            return None
        return self._try_pipeline(runner, name, part, dataset, pipeline)

    def _try_pipeline(self, runner: Runner, name: str, part: Any, dataset: Any, pipeline: list[dict]) -> _Source | None:
        problem = source = None
        try:
            twin = with_pipeline(dataset, pipeline)
            with random_state_restored():
                twin[0]
            source = _Source(name, part, twin, hash_of(pipeline))
        except Exception as error:  # whatever a transform raises on files that it was not made for
            problem = f'{name_of_kind(error)}: {error}'
        problem = next((each for each in all_gather_object(problem) if each is not None), None)
        if problem is None:
            return source
        runner.logger.warning(
            f"{name}'s own val pipeline does not work on the student's validation set ({problem}): "
            'its agreement is not reported.'
        )
        return None

    def _read_or_make(self, runner: Runner, source: _Source) -> TeacherPredictions:
        path = Path(runner.work_dir, f'teacher_predictions_{source.part.fingerprint}.npz')
        samples, labels = describe(source.dataset)
        found: list[TeacherPredictions | None] = [None]
        if is_main_process():
            found[0] = TeacherPredictions.read(path, samples, source.pipeline)
        broadcast_object_list(found)
        if found[0] is not None:
            return found[0]
        loader = runner.val_loop.dataloader
        size = loader.batch_size or 1
        runner.logger.info(f'{source.name} predicts the {len(samples)} validation samples once, into {path}.')
        probabilities: np.ndarray = predict(source.part, source.name, source.dataset, size, loader.num_workers)
        made = TeacherPredictions(probabilities, labels, samples, source.pipeline)
        if is_main_process():
            made.save(path)
        return made


def _teachers(runner: Runner) -> dict[str, Any]:
    model = ability_of(runner.model, HasTeachers)
    return dict(model.teachers) if model is not None and model.teachers else {}


def _selects_classes(runner: Runner) -> bool:
    """Return whether a term compares the student's first classes alone."""
    return any(getattr(module, 'selects_classes', False) for module in runner.model.modules())


def _metric(runner: Runner, teacher: str | None) -> Any:
    """Return the evaluator's metric for a teacher, added if it has none."""
    kind = METRICS.get('AgreementMetric')
    metrics = runner.val_loop.evaluator.metrics
    for metric in metrics:
        if isinstance(metric, kind) and metric.teacher == teacher:
            return metric
    runner.logger.info(f'Validation reports the agreement with {teacher or "the teacher"}.')
    metric = METRICS.build(dict(type='AgreementMetric', teacher=teacher))
    metric.dataset_meta = runner.val_loop.evaluator.dataset_meta
    metrics.append(metric)
    return metric
