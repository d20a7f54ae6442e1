"""The config of the student alone, made from that of its distillation."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

TEACHER_HOOKS = (
    'AnnealingHook',
    'DistillHook',
    'DistillWatchHook',
    'FeatureSimilarityHook',
    'MetaDistilHook',
    'MetaWeightHook',
    'TeacherPredictionsHook',
    'TermStopHook',
)
DISTILLERS = ('Distiller', 'AdversarialTraining')
TEACHER_METRICS = ('AgreementMetric', 'TeacherAgreement')


def is_distillation(config: Config) -> bool:
    """Return whether a config distils."""
    return config.model.get('type') in DISTILLERS


def given_teachers(teacher: Mapping | None) -> dict[str, Mapping]:
    """Return the settings of every teacher by its name: a config gives one, or several by name.

    Args:
        teacher: ``teacher`` of a Distiller: ``dict(config=, checkpoint=)`` or ``dict(type=...)`` of one teacher, a dict
            of these by name, or None.
    """
    if not teacher:
        return {}
    return {'teacher': teacher} if is_one_teacher(teacher) else dict(teacher)


def named_teachers(teacher: Mapping | None) -> dict[str, Mapping]:
    """Return the settings of every single teacher by its name: members in the place of their ensemble.

    Args:
        teacher: ``teacher`` of a Distiller, as in :func:`given_teachers`.
    """
    found: dict[str, Mapping] = {}
    for name, each in given_teachers(teacher).items():
        found |= _members_of(each) if _is_ensemble(each) else {name: each}
    return found


def named_members(members: Mapping[str, Mapping] | Sequence[Mapping]) -> dict[str, Mapping]:
    """Return the settings of an ensemble's members by name; those of a list are ``member1``, ``member2``, ...

    Args:
        members: ``members`` of a ``TeacherEnsemble``.
    """
    if isinstance(members, Sequence):
        return {f'member{number}': each for number, each in enumerate(members, 1)}
    return dict(members)


def _members_of(ensemble: Mapping) -> dict[str, Mapping]:
    found: dict[str, Mapping] = {}
    for name, each in named_members(ensemble['members']).items():
        found |= _members_of(each) if _is_ensemble(each) else {name: each}
    return found


def _is_ensemble(teacher: Any) -> bool:
    return hasattr(teacher, 'get') and bool(teacher.get('members'))


def is_one_teacher(teacher: Mapping) -> bool:
    """Return whether settings are those of one teacher, and not a dict of several by name.

    Args:
        teacher: ``teacher`` of a Distiller.
    """
    return any(key in teacher for key in ('config', 'type', 'checkpoint'))


def prepares_one_teacher(config: Config) -> bool:
    """Return whether ``prepare`` holds the training of one teacher and its options, and not dicts of several by name.

    Args:
        config: A distillation config.
    """
    training = (config.get('prepare') or {}).get('teacher')
    teacher = config.model.get('teacher') or {}
    return isinstance(training, str) or (is_one_teacher(teacher) and not _is_ensemble(teacher))


def plain_student(config: Config) -> Config:
    """Return the config that trains and tests the same student without a teacher; everything else stays as it is.

    Of a mixed data set it sees the labelled clips only, in as many steps. Where there are stages, it is that of the
    config without them.

    Args:
        config: A distillation config, or one that is plain already; it is not changed.
    """
    plain = Config(config.to_dict() if hasattr(config, 'to_dict') else dict(config), filename=config.filename)
    plain.prepare = None
    plain.pop('stages', None)
    if not is_distillation(config):
        return plain
    student = dict(plain.model['student'])
    if plain.model.get('data_preprocessor') is not None:
        student.setdefault('data_preprocessor', plain.model['data_preprocessor'])
    if (student.get('cls_head') or {}).get('type') == 'DistilledHead':
        student['cls_head'] = dict(student['cls_head'], taught=False)
    plain['model'] = None  # else the teacher's keys would be merged in
    plain.model = student
    plain.custom_hooks = [hook for hook in plain.get('custom_hooks') or [] if hook.get('type') not in TEACHER_HOOKS]
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if plain.get(loader) is not None:
            plain[loader] = _labelled_only(without_views(plain[loader]))
    for evaluator in ('val_evaluator', 'test_evaluator'):
        if isinstance(plain.get(evaluator), (list, tuple)):
            plain[evaluator] = [each for each in plain[evaluator] if each.get('type') not in TEACHER_METRICS]
    return plain


def _labelled_only(loader: Mapping) -> Mapping:
    """Return a loader of labelled clips alone, with as many samples an epoch: the others need a teacher."""
    if (loader.get('batch_sampler') or {}).get('type') == 'MixedBatchSampler':
        loader = {key: value for key, value in loader.items() if key != 'batch_sampler'}
    if (loader.get('dataset') or {}).get('type') == 'MixedVideoDataset':
        loader = {**loader, 'dataset': {**loader['dataset'], 'clips': 'labelled'}}
    return loader


def without_views(value: Any) -> Any:
    """Return settings with every ``DistillViews`` in them replaced by the student's transforms, at any depth.

    Args:
        value: A data loader's config, or a part of it.
    """
    if isinstance(value, Mapping):
        return {key: without_views(item) for key, item in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    steps: list = []
    for item in value:
        views = isinstance(item, Mapping) and item.get('type') == 'DistillViews'
        steps += item['student'] if views else [without_views(item)]
    return type(value)(steps)
