import weakref
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import HistoryBuffer, MMLogger

from mmkd_video.hooks import DistillWatchHook


@pytest.fixture
def messages(caplog):
    caplog.set_level('WARNING')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def runner_of(norm=1.0, max_norm=None, classes=8, clips=100):
    head = SimpleNamespace(num_classes=classes)
    scalars = {} if norm is None else {'train/grad_norm': HistoryBuffer([norm], [1])}
    return SimpleNamespace(
        optim_wrapper=SimpleNamespace(clip_grad_kwargs=dict(max_norm=max_norm) if max_norm else None),
        message_hub=SimpleNamespace(log_scalars=scalars),
        model=SimpleNamespace(student=SimpleNamespace(cls_head=head)),
        val_dataloader=SimpleNamespace(dataset=range(clips)),
    )


def epoch(hook, runner, steps=10, **outputs):
    hook.before_train_epoch(runner)
    for _ in range(steps):
        hook.after_train_iter(runner, 0, None, {key: torch.tensor(value) for key, value in outputs.items()})
    hook.after_train_epoch(runner)


def test_a_term_that_outweighs_the_task_is_named_once_with_the_remedy(messages):
    hook = DistillWatchHook()
    for _ in range(2):
        epoch(hook, runner_of(), loss=1.0, kd_grad=30.0, kd_task_grad=2.0, map_grad=1.0, map_task_grad=2.0)
    assert len(messages.messages) == 1
    assert "term 'kd': its gradient was 15.0 times the task's" in messages.text
    assert 'divide its weight by 15' in messages.text


def test_no_graph_is_kept_beyond_a_step():
    class Mark:
        pass

    hook, weight, marks = DistillWatchHook(), torch.ones(1, requires_grad=True), []
    for _ in range(2):
        loss, mark = (weight * 2).sum(), Mark()
        loss.grad_fn.metadata['mark'] = mark  # lives as long as the graph
        marks.append(weakref.ref(mark))
        hook.after_train_iter(runner_of(), 0, None, dict(loss=loss, kd_grad=loss * 3))
        del loss, mark
    assert [mark() for mark in marks] == [None, None]


def test_an_epoch_of_clipped_steps_is_told(messages):
    hook = DistillWatchHook()
    epoch(hook, runner_of(norm=6.0, max_norm=5.0), loss=1.0)
    assert '10 of the 10 steps of this epoch were clipped' in messages.text


@pytest.mark.parametrize(('norm', 'max_norm'), [(4.0, 5.0), (6.0, None), (None, 5.0)])
def test_steps_that_are_not_clipped_are_not_told(messages, norm, max_norm):
    epoch(DistillWatchHook(), runner_of(norm=norm, max_norm=max_norm), loss=1.0)
    assert not messages.text


def test_a_student_at_chance_whose_loss_falls_is_told(messages):
    hook, runner = DistillWatchHook(), runner_of()
    epoch(hook, runner, loss=10.0)
    epoch(hook, runner, loss=5.0)
    hook.after_val_epoch(runner, {'acc/top1': 0.14})
    assert 'stands at chance on validation (acc/top1 14.0%, chance 12.5%)' in messages.text
    assert 'fell from 10 to 5' in messages.text


@pytest.mark.parametrize(('loss', 'accuracy'), [(10.0, 0.14), (5.0, 0.5), (5.0, None)])
def test_a_student_that_learns_or_whose_loss_stands_still_is_not_told(messages, loss, accuracy):
    hook, runner = DistillWatchHook(), runner_of()
    epoch(hook, runner, loss=10.0)
    epoch(hook, runner, loss=loss)
    hook.after_val_epoch(runner, {} if accuracy is None else {'acc/top1': accuracy})
    assert not messages.text


@pytest.mark.parametrize('value', [-1.0, 'x', True, float('inf')])
def test_a_wrong_ratio_is_named(value):
    with pytest.raises(ValueError, match=r'DistillWatchHook\.max_ratio: got'):
        DistillWatchHook(max_ratio=value)
