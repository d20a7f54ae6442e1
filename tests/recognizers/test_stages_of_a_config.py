"""What the stages of a config become: whole configs of trainings."""

import pytest
from mmengine.config import Config

from mmkd_video.recognizers.label_free import fit_to_data, queue_size
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.stages import expect_one_stage, stages_of

STUDENT = dict(type='Recognizer2D', backbone=dict(type='ResNet', depth=18))
WARM, COSINE = ('LinearLR', 0, 1), ('CosineAnnealingLR', 1, 12)


def config_with(*stages, **more):
    dataset = dict(
        type='VideoDataset', ann_file='train.txt', pipeline=[dict(type='DistillViews', student=[], teacher='t')]
    )
    whole = dict(
        model=dict(
            type='Distiller',
            student=STUDENT,
            teacher=dict(config='t.py', checkpoint='t.pth'),
            terms=[dict(type='KDLoss', at='logits')],
        ),
        train_dataloader=dict(batch_size=8, batch_sampler=dict(type='MixedBatchSampler'), dataset=dataset),
        val_dataloader=dict(dataset=dict(type='VideoDataset', ann_file='val.txt')),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='AccMetric'),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=2),
        param_scheduler=[dict(type='MultiStepLR', milestones=[2])],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[dict(type='DistillHook'), dict(type='FiniteHook')],
        prepare=dict(teacher='t.py'),
        load_from='imagenet.pth',
    )
    return Config({**whole, **({'stages': list(stages)} if stages else {}), **more})


QUEUE = dict(type='SimilarityQueueLoss', at='pooled')


def test_each_stage_is_the_config_with_what_it_says() -> None:
    config = config_with(
        dict(name='distil', model=dict(terms=[QUEUE]), optim_wrapper=dict(optimizer=dict(lr=0.5))),
        dict(name='finetune', param_scheduler=[dict(type='ConstantLR')]),
    )
    first, last = (stage.config for stage in stages_of(config))
    assert [stage.name for stage in stages_of(config)] == ['distil', 'finetune']
    assert first.model.terms == [QUEUE] and first.model.student == STUDENT
    assert first.optim_wrapper.optimizer == dict(type='SGD', lr=0.5)
    assert last.optim_wrapper.optimizer.lr == 0.1 and last.model == config.model
    assert last.param_scheduler == [dict(type='ConstantLR')] and first.param_scheduler == config.param_scheduler
    assert 'stages' not in first and 'stages' not in last and len(config.stages) == 2
    assert config.model.terms[0].type == 'KDLoss'


def test_only_the_last_one_is_validated() -> None:
    first, last = (stage.config for stage in stages_of(config_with(dict(name='a'), dict(name='b'))))
    assert first.val_dataloader is first.val_cfg is first.val_evaluator is first.test_dataloader is None
    assert last.val_cfg.type == 'ValLoop'


def test_a_stage_without_a_teacher_is_the_student_alone() -> None:
    config = config_with(dict(name='distil'), dict(name='finetune', model=dict(teacher=None)))
    last = stages_of(config)[-1].config
    assert last.model == STUDENT and last.to_dict() == plain_student(config).to_dict()
    assert last.prepare is None and [hook.type for hook in last.custom_hooks] == ['FiniteHook']


def test_a_stage_without_labels_has_none(tmp_path) -> None:
    (tmp_path / 'train.txt').write_text(''.join(f'{index}.mp4 1\n' for index in range(640)))
    data = dict(train_dataloader=dict(dataset=dict(data_root=str(tmp_path))))
    label_free = dict(name='distil', labels=False, model=dict(terms=[QUEUE]), **data)
    first, last = (stage.config for stage in stages_of(config_with(label_free, dict(name='finetune'))))
    assert first.model.task_weight == 0.0
    dataset = first.train_dataloader.dataset
    assert (dataset.type, dataset.clips) == ('MixedVideoDataset', 'all_unlabelled')
    assert 'batch_sampler' not in first.train_dataloader and 'batch_sampler' in last.train_dataloader
    assert first.model.terms[0].queue_size == 256 and 'task_weight' not in last.model
    assert first.train_cfg == dict(type='EpochBasedTrainLoop', max_epochs=100)
    assert schedule(first) == [('LinearLR', 0, 10), ('CosineAnnealingLR', 10, 100)]
    assert last.train_cfg.max_epochs == 3


def schedule(config: Config) -> list[tuple]:
    return [(each.type, each.begin, each.end) for each in config.param_scheduler]


@pytest.mark.parametrize(
    ('given', 'epochs', 'schedulers'),
    [
        (dict(train_cfg=dict(max_epochs=12)), 12, [WARM, COSINE]),
        (dict(train_cfg=dict(max_epochs=1)), 1, [('CosineAnnealingLR', 0, 1)]),
        (dict(budget=dict(min_steps=60)), 12, [WARM, COSINE]),
        (dict(param_scheduler=[dict(type='ConstantLR', begin=0, end=7)]), 100, [('ConstantLR', 0, 7)]),
    ],
)
def test_what_a_stage_without_labels_says_counts(tmp_path, given, epochs, schedulers) -> None:
    (tmp_path / 'train.txt').write_text(''.join(f'{index}.mp4 1\n' for index in range(40)))  # five steps
    term = dict(QUEUE, queue_size=7)
    data = dict(train_dataloader=dict(dataset=dict(data_root=str(tmp_path))))
    label_free = dict(name='distil', labels=False, model=dict(terms=[term]), **data, **given)
    first = stages_of(config_with(label_free, dict(name='finetune')))[0].config
    assert first.train_cfg.max_epochs == epochs and schedule(first) == schedulers
    assert first.model.terms[0].queue_size == 7


@pytest.mark.parametrize(('clips', 'size'), [(1, 16), (49, 16), (50, 32), (640, 256), (19_999, 4096), (10**6, 8192)])
def test_queues_are_as_large_as_lightly_trains(clips, size) -> None:
    assert queue_size(clips) == size


def test_iterations_keep_their_schedule() -> None:
    config = config_with()
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=9)
    fit_to_data(config, length=False, schedule=True)
    assert config.param_scheduler == [dict(type='MultiStepLR', milestones=[2])]


MISTAKES = [
    ([dict(name='a')], {}, 'stages: got '),
    ([dict(name='a'), dict(labels=False)], {}, 'stages[1]: got '),
    ([dict(name='a'), dict(name='a')], {}, "stages: got 'a' as the name of several; expected a name for each"),
    ([dict(name='../a'), dict(name='b')], {}, "stages[0].name: got '../a'; expected text of letters"),
    ([dict(name='a', labels='no'), dict(name='b')], {}, "stages[0].labels: got 'no'; expected True or False"),
    ([dict(name='a', val_dataloader={}), dict(name='b')], {}, "stages[0]: got the unknown key 'val_dataloader'"),
    ([dict(name='a', label=False), dict(name='b')], {}, "did you mean 'labels'?"),
    ([dict(name='a', labels=False, model=dict(teacher=None)), dict(name='b')], {}, 'labels: got False without a'),
    ([dict(name='a'), dict(name='b', model=dict(student=dict(type='C3D')))], {}, 'stages[1].model: got another stu'),
    ([dict(name='a'), dict(name='b')], dict(model=STUDENT), "stages: got model.type='Recognizer2D'; expected 'Dist"),
    ([dict(name='a', train_cfg=dict(max_epochs=0)), dict(name='b')], {}, 'train_cfg.max_epochs: got 0; expected'),
]


@pytest.mark.parametrize(('stages', 'more', 'message'), MISTAKES)
def test_mistakes_are_told_in_one_line(stages, more, message) -> None:
    with pytest.raises((KeyError, ValueError)) as refused:
        stages_of(config_with(*stages, **more))
    said = refused.value.args[0]
    assert message in said and '\n' not in said


def test_a_tool_that_trains_once_refuses_them() -> None:
    expect_one_stage(config_with())
    with pytest.raises(ValueError, match='stages: got 2 in the config; expected none.*tools/distill.py'):
        expect_one_stage(config_with(dict(name='a'), dict(name='b')))
