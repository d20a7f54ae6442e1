"""A resume on another number of processes counts epochs, and schedulers follow."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR, MultiStepLR

from mmkd_video.hooks.another_length import count_anew
from mmkd_video.hooks.resume_point import ResumePoint

EPOCHS, BEFORE, AFTER = 4, 6, 4


def schedulers(length):
    """Return a warm-up and a decay told in epochs, steps told in iterations, and their optimizer."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    made = [
        LinearLR.build_iter_from_epoch(optimizer, start_factor=0.5, begin=0, end=1, epoch_length=length),
        CosineAnnealingLR.build_iter_from_epoch(optimizer, begin=1, end=EPOCHS, T_max=EPOCHS - 1, epoch_length=length),
        MultiStepLR(optimizer, milestones=[1000], by_epoch=False),
    ]
    return optimizer, made


def walk(optimizer, made, steps):
    rates = []
    for _ in range(steps):
        optimizer.step()
        for each in made:
            each.step()
        rates.append(optimizer.param_groups[0]['lr'])
    return rates


def checkpoint(epochs, made, **meta):
    meta = dict(dict(epoch=epochs, iter=epochs * BEFORE, iters_per_epoch=BEFORE, ranks=2, num_samples=48), **meta)
    return dict(meta=meta, param_schedulers=[each.state_dict() for each in made])


@pytest.mark.parametrize('epochs', [1, 2, 3])
def test_rates_go_on_as_if_the_training_had_had_the_new_length(epochs):
    optimizer, made = schedulers(BEFORE)
    walk(optimizer, made, epochs * BEFORE)
    saved = checkpoint(epochs, made)
    resumed, built = schedulers(AFTER)
    resumed.load_state_dict(optimizer.state_dict())
    line = count_anew(SimpleNamespace(param_schedulers=built), saved, AFTER, 3)
    assert 'Saved by 2 processes with 6 iterations an epoch; goes on with 3, 4 iterations an epoch.' in line
    assert saved['meta']['iter'] == epochs * AFTER
    for scheduler, state in zip(built, saved['param_schedulers'], strict=True):
        scheduler.load_state_dict(state)
    reference, others = schedulers(AFTER)
    expected = walk(reference, others, EPOCHS * AFTER)[epochs * AFTER :]
    assert walk(resumed, built, (EPOCHS - epochs) * AFTER) == pytest.approx(expected, abs=1e-6)
    assert built[2].last_step == epochs * BEFORE + (EPOCHS - epochs) * AFTER  # told in iterations


def test_nothing_is_counted_anew_where_epochs_are_as_long():
    _, made = schedulers(BEFORE)
    saved = checkpoint(2, made)
    assert count_anew(SimpleNamespace(param_schedulers=made), saved, BEFORE, 3) is None
    assert saved == checkpoint(2, made)


@pytest.mark.parametrize('damage', [lambda states: states.pop(), lambda states: states[0].update(last_step='7')])
def test_other_schedulers_than_the_configs_are_refused(damage):
    _, made = schedulers(BEFORE)
    saved = checkpoint(2, made)
    damage(saved['param_schedulers'])
    with pytest.raises(ValueError, match='param_schedulers of the checkpoint: got [23]; expected the 3 of the config'):
        count_anew(SimpleNamespace(param_schedulers=made), saved, AFTER, 3)


@pytest.mark.parametrize(
    ('meta', 'serves'),
    [
        ({}, True),
        (dict(ranks=3), False),  # as many: then the data or the batch differ
        (dict(num_samples=47), False),
        (dict(iter=13), False),  # within an epoch
        (dict(num_samples=None), False),
    ],
)
def test_only_whole_epochs_of_the_same_samples_serve(tmp_path, meta, serves):
    path = tmp_path / 'epoch_2.pth'
    saved = checkpoint(2, [], **meta)
    saved['meta'] = {key: value for key, value in saved['meta'].items() if value is not None}
    torch.save(dict(saved, state_dict={}, message_hub={}, optimizer={}), path)
    point = ResumePoint(
        tmp_path, [(tmp_path, 'epoch_{}.pth')], iters_per_epoch=AFTER, within_epochs=True, ranks=3, num_samples=48
    )
    if serves:
        assert point.find() == path
    else:
        with pytest.raises(ValueError, match='by another number of processes, or with another data set or batch size'):
            point.find()
