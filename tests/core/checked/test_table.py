"""No key of a config is unchecked: the table holds all that the constructors take."""

import inspect

import pytest
from test_config_page import names, tables

from mmkd_video import adaptation, losses, self_supervised
from mmkd_video.cli.arguments import TEXTS
from mmkd_video.core.checked import TABLE, Anything, keys_of
from mmkd_video.core.registry import DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TASK_UTILS, TRANSFORMS
from mmkd_video.workflows.compress import settings  # noqa: F401  its parts join the table
from mmkd_video.workflows.train import prepare  # noqa: F401  their parts join the table

OURS = sorted(
    {
        built
        for registry in (DATA_SAMPLERS, DATASETS, HOOKS, LOOPS, METRICS, MODELS, TASK_UTILS, TRANSFORMS)
        for built in registry.module_dict.values()
        if built.__module__.startswith('mmkd_video.')
    },
    key=lambda built: built.__qualname__,
)
LOSSES = [
    getattr(room, name)
    for room in (losses, adaptation, self_supervised)
    for name in room.__all__
    if name.endswith('Loss') and name in MODELS.module_dict
]
STOCK = {'AtomicCheckpointHook', 'WholeDumpResults'}  # their arguments are those of MMEngine's own
# What cannot be judged by itself, and who does.
ELSEWHERE = {
    ('EpisodeBatchSampler', 'sampler'): 'MMEngine fills it in',
    ('EpisodeTestLoop', 'runner'): 'MMEngine fills it in',
    ('EpisodeTrainLoop', 'runner'): 'MMEngine fills it in',
    ('EpisodeValLoop', 'runner'): 'MMEngine fills it in',
    ('MixedBatchSampler', 'sampler'): 'MMEngine fills it in',
    ('OFDLoss', 'teacher_norm'): 'a term fills it in',
    ('term', 'at'): 'parse_taps',
    **{('texts of tools', key): kind.reason for key, kind in TEXTS.kinds.items() if isinstance(kind, Anything)},
}
# The keys that a table of docs/config.md names, and the parts of the table that take them.
PAGE = {
    ('Distiller', 'key'): ['Distiller'],
    ('Teacher', 'key'): ['FrozenTeacher'],
    ('Teacher', 'key of `CachedTeacher`'): ['CachedTeacher'],
    ('Teacher', 'key of `EMATeacher`'): ['EMATeacher'],
    ('Teacher', 'key of `PeerTeacher`'): ['PeerTeacher'],
    ('Teacher', 'key of `TeacherEnsemble`'): ['TeacherEnsemble'],
    ('Teacher', 'key of `BlockTeacher`'): ['BlockTeacher'],
    ('Teacher', 'key of `MetaTeacher`'): ['MetaTeacher'],
    ('Teacher', 'key of `ProbedTeacher`'): ['ProbedTeacher'],
    ('Teacher', 'key of `SelfTeacher`'): ['SelfTeacher'],
    ('Teacher', 'key of `hf::`'): ['hf'],
    ('Teacher', 'key of `module::`'): ['module'],
    ('Teacher', 'key of `timm::`'): ['timm'],
    ('Teacher', 'key of `torchvision::`'): ['torchvision'],
    ('Student', 'key of `SimKDHead`'): ['SimKDHead'],
    ('Student', 'key of `DistilledHead`'): ['DistilledHead'],
    ('Student', 'key of `TemporalShiftBackbone`'): ['TemporalShiftBackbone'],
    ('Student', 'key of `TimmBackbone`'): ['TimmBackbone'],
    ('Student', 'key of `TimmPreprocessor`'): ['TimmPreprocessor'],
    ('Student', 'key of `PrunedRecognizer`'): ['build_pruned_recognizer'],
    ('Terms', 'key'): ['term'],
    ('Schedules', 'key'): [
        'LinearSchedule',
        'CosineSchedule',
        'WarmupSchedule',
        'StepSchedule',
        'AnnealSchedule',
        'LearnedScalar',
    ],
    ('DistillViews', 'key'): ['DistillViews'],
    ('MultiView', 'key'): ['MultiView'],
    ('MultiView', 'key of a view'): ['MultiView.views'],
    ('MultiView', 'key of `MultiViewBackbone`'): ['MultiViewBackbone'],
    ('MultiView', 'key of `ViewFusion`'): ['ViewFusion'],
    ('Unlabelled clips', 'key of `MixedVideoDataset`'): ['MixedVideoDataset'],
    ('Unlabelled clips', 'key of `MixedBatchSampler`'): ['MixedBatchSampler'],
    ('Unreadable videos', 'key of `ReproducibleHook`'): ['ReproducibleHook'],
    ('Base file', 'key of `FiniteHook`'): ['FiniteHook'],
    ('Base file', 'key of `DistillWatchHook`'): ['DistillWatchHook'],
    ('Weights', 'key of `Balanced`'): ['BalancedWeighting'],
    ('Weights', 'key of `Uncertainty`'): ['UncertaintyWeighting'],
    ('Weights', 'key of `TeacherConfidence`'): ['TeacherConfidenceWeighting'],
    ('Weights', 'key of `TeacherCorrect`'): ['TeacherCorrectWeighting'],
    ('Weights', 'key of `Importance`'): ['ImportanceWeighting'],
    ('Weights', 'key of `LossRate`'): ['LossRateWeighting'],
    ('Weights', 'key of `MetaLearned`'): ['MetaLearnedWeighting'],
    ('Masking', 'key of `AttentionMask`'): ['AttentionMask'],
    ('AdversarialTraining', 'key'): ['AdversarialTraining'],
    ('AdversarialTraining', 'key of `FGSM`'): ['FGSM'],
    ('AdversarialTraining', 'key of `PGD`'): ['PGD'],
    ('FreezeHook', 'key'): ['FreezeHook'],
    ('LayerDecay', 'key of `paramwise_cfg`'): ['optim_wrapper.paramwise_cfg'],
    ('prepare', 'key'): ['prepare'],
    ('budget', 'key'): ['budget'],
    ('stages', 'key'): ['stages'],
    ('compress', 'key'): ['compress'],
    ('refresh', 'key'): ['refresh'],
    ('compress', 'key of `prune`'): ['compress.prune'],
    ('Base file', 'key of `StopSignalHook`'): ['StopSignalHook'],
    ('PruningHook', 'key'): ['PruningHook'],
    ('QATHook', 'key'): ['QATHook'],
    ('FeatureSimilarityHook', 'key'): ['FeatureSimilarityHook'],
    ('TermStopHook', 'key'): ['TermStopHook'],
    ('AnnealingHook', 'key'): ['AnnealingHook'],
    ('MemoryFormatHook', 'key'): ['MemoryFormatHook'],
}
NOT_OF_THE_CLASS = {('Teacher', 'key'): {'type'}}  # who is built, not how


def named_arguments(built):
    given = inspect.signature(built).parameters.values()
    return {each.name for each in given if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}


@pytest.mark.parametrize('built', [each for each in OURS if each not in LOSSES], ids=lambda built: built.__qualname__)
def test_all_that_a_constructor_takes_is_in_the_table(built):
    if built.__name__ in STOCK:
        return
    assert built.__name__ in TABLE, 'decorate it with mmkd_video.core.checked.checked'
    assert named_arguments(built) <= set(TABLE[built.__name__].kinds)


@pytest.mark.parametrize('part', [*TABLE.values(), *map(keys_of, LOSSES)], ids=lambda part: part.name)
def test_the_table_says_of_every_key_what_it_may_be(part):
    for key, kind in part.kinds.items():
        assert not isinstance(kind, Anything) or (part.name, key) in ELSEWHERE, (
            f'{part.name}.{key}: annotate it, or tell its kind'
        )


@pytest.mark.parametrize('table', PAGE, ids=' '.join)
def test_the_table_and_the_page_hold_the_same_keys(table):
    for part in PAGE[table]:
        named = set(names(*table)) - NOT_OF_THE_CLASS.get(table, set())
        own = set(TABLE[part].kinds) - ({'name'} if 'Teacher' in part else set())
        if table[0] == 'Schedules' or part.startswith(('Mixed', 'Adversarial')):
            assert named <= own
        else:
            assert named == own, part


def test_no_table_of_keys_on_the_page_is_left_out():
    assert {table for table in tables() if table[1].startswith('key')} == set(PAGE)
