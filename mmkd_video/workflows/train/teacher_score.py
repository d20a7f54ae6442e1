"""The score of a teacher that is no checkpoint of a plain config: of a library, by class names, or with a probe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import DATASETS, build_model
from mmkd_video.evaluation import ClipScores
from mmkd_video.evaluation.teacher_predictions import describe, predict, with_pipeline
from mmkd_video.recognizers.class_matching import name_classes
from mmkd_video.recognizers.pipelines import validation_pipeline
from mmkd_video.workflows.train.machine import describe_machine


def score_teacher(config: Config, name: str, scores: Path, splits: Sequence[str] = ('test',)) -> dict:
    """Score a teacher as a distillation builds it, through its own validation pipeline, on the student's classes.

    Args:
        config: Config of the distillation.
        name: Name of the teacher there.
        scores: File that takes what the teacher says about each clip of test.
        splits: ``'val'``, ``'test'`` or both.

    Returns:
        ``metrics`` of test and ``val``, as :func:`mmkd_video.workflows.train.trial.score` returns them, and ``params``.

    Raises:
        ValueError: The teacher has no class scores, or no pipeline for clips that it is asked about.
    """
    name_classes(config)
    with DefaultScope.overwrite_default_scope('mmaction'):
        teacher = build_model(config.model).to(get_device()).eval().teachers[name]
        found: dict = {}
        for split in splits:
            metrics = _metrics(teacher, config, split, scores if split == 'test' else None)
            found['metrics' if split == 'test' else split] = metrics
    networks = {id(each): each for part in teacher.parts.values() for each in part.module.parameters()}
    return dict(
        **found,
        params=sum(each.numel() for each in networks.values()),
        gflops=None,
        seconds=None,
        cpu_seconds=None,
        **describe_machine(torch.device(get_device()).type),
        checkpoint=None,
    )


def _metrics(teacher: Any, config: Config, split: str, scores: Path | None) -> dict[str, float]:
    loader = config[f'{split}_dataloader']
    dataset = DATASETS.build(loader.dataset)
    answers, labels = {}, torch.empty(0)
    for part_name, part in teacher.parts.items():
        pipeline = validation_pipeline(getattr(part, 'config', None))
        if pipeline is None or getattr(part, 'num_classes', None) is None:
            raise WrongValueError(
                f'teacher {part_name}: got one without class scores, or without a pipeline; expected both for its score'
            )
        seen = with_pipeline(dataset, pipeline)
        labels = torch.from_numpy(describe(seen)[1])
        found = predict(part, part_name, seen, loader.get('batch_size') or 1, loader.get('num_workers') or 0)
        answers[part_name] = torch.from_numpy(found)
    rows = zip(teacher.merge(answers), labels, strict=True)
    samples = [dict(pred_score=row, gt_label=label[None]) for row, label in rows]
    evaluator = Evaluator(_evaluators(config[f'{split}_evaluator']))
    if scores is not None:
        evaluator.metrics.append(ClipScores(scores, dataset))
    evaluator.process(data_samples=samples)
    return {key: float(value) for key, value in evaluator.evaluate(len(samples)).items()}


def _evaluators(config: Mapping | Sequence) -> list:
    return [config] if isinstance(config, Mapping) else list(config)
