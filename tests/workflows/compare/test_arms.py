"""Arms over one baseline, and a student that trains for longer."""

import pytest
from mmengine.config import Config

from mmkd_video.workflows.compare.arms import ALONE, DISTILLED, make_arms, stretched
from mmkd_video.workflows.compare.stretch import cost_ratio, fixed_length


def schedule():
    schedulers = [
        dict(type='LinearLR', begin=0, end=1, by_epoch=True),
        dict(type='CosineAnnealingLR', begin=1, end=12, T_max=11, by_epoch=True),
        dict(type='MultiStepLR', milestones=[6, 9], by_epoch=True),
        dict(type='LinearLR', begin=0, end=30, by_epoch=False),
    ]
    return Config(dict(train_cfg=dict(max_epochs=12, val_interval=4), param_scheduler=schedulers))


def test_schedules_are_stretched_with_the_epochs():
    longer = stretched(schedule(), 18)
    warm_up, cosine, steps, by_iteration = longer.param_scheduler
    assert longer.train_cfg.max_epochs == 18 and longer.train_cfg.val_interval == 4
    assert (warm_up.end, cosine.begin, cosine.end, cosine.T_max) == (2, 2, 18, 16)
    assert steps.milestones == [9, 14] and by_iteration.end == 45
    assert schedule().to_dict() == stretched(schedule(), 12).to_dict()


def test_iterations_are_stretched_too():
    config = Config(dict(train_cfg=dict(max_iters=100), param_scheduler=dict(type='PolyLR', end=100, by_epoch=False)))
    longer = stretched(config, 150)
    assert longer.train_cfg.max_iters == 150 and longer.param_scheduler.end == 150
    with pytest.raises(ValueError, match='neither max_epochs nor max_iters'):
        stretched(Config(dict(train_cfg=dict(type='Loop'))), 5)


def test_one_baseline_is_for_all(tiny):
    first, second = (Config.fromfile(tiny.distill) for _ in range(2))
    second.model.terms[0].weight = 0.5
    second.teacher = 'a name that a config keeps for itself'
    arms = make_arms(dict(a=first, b=second))
    assert [arm.name for arm in arms] == [ALONE, f'{DISTILLED}: a', f'{DISTILLED}: b']
    assert arms[0].training(first).model.type == 'Recognizer2D' and arms[1].training(first).model.type == 'Distiller'
    assert [arm.name for arm in make_arms(dict(a=first))] == [ALONE, DISTILLED]
    second.optim_wrapper.optimizer.lr = 0.5
    with pytest.raises(
        ValueError, match='(?s)b: its student alone is not that of a.*optimizer.lr: got 0.5, expected 0.01'
    ):
        make_arms(dict(a=first, b=second))


def test_the_time_that_is_bought_is_the_median_and_stays(tmp_path, tiny):
    def costs(*seconds, device='cpu'):
        return [dict(cpu_seconds=each, seconds=1.0, device=device) for each in seconds]

    assert cost_ratio(costs(10, 10, 10), costs(13, 99, 12)) == 1.3
    assert cost_ratio(costs(10, device='cuda'), costs(13, device='cuda')) == 1.0  # by the wall clock
    assert cost_ratio([None], costs(13)) is None and cost_ratio(costs(0), costs(13)) is None
    arm = make_arms(dict(a=Config.fromfile(tiny.distill)))[1]
    assert fixed_length(tmp_path, arm, 12, costs(10), [None]) is None
    assert fixed_length(tmp_path, arm, 12, costs(10), costs(13)) == 16  # 15.6
    assert fixed_length(tmp_path, arm, 12, costs(10), costs(20)) == 16
    assert fixed_length(tmp_path / 'other', arm, 12, costs(10), costs(9)) == 12
