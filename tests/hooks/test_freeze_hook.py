"""Frozen layers: nothing of them changes until they are unfrozen, in real trainings on real clips, and resumed."""

import clips
import pytest
import tiny
import torch
from freeze_run import build
from mmengine.hooks import Hook

from mmkd_video.compat import safe_load

ALL = ['backbone.conv1', 'backbone.layer1']


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


class Watch(Hook):
    """Notes after every step which parts of a recognizer differ from the step before."""

    priority = 'LOWEST'

    def __init__(self):
        self.moved, self.trained = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.before = state(runner)
        self.trained.append(sum(p.numel() for p in runner.model.parameters() if p.requires_grad))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        now = state(runner)
        self.moved.append({part_of(key) for key, value in now.items() if not torch.equal(value, self.before[key])})


def state(runner):
    model = getattr(runner.model, 'student', runner.model)
    return {key: value.clone() for key, value in model.state_dict().items()}


def part_of(key):
    kind = ' statistics' if 'running' in key or 'num_batches' in key else ''
    return '.'.join(key.split('.')[: 2 if key.startswith('backbone') else 1]) + kind


def run(*arguments, **keywords):
    runner, watch = build(*arguments, **keywords), Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch


def both(part):
    return {part, f'{part} statistics'}


def test_the_head_learns_first_and_the_backbone_follows_from_its_end(videos, tmp_path, capsys):
    _, watch = run(videos, tmp_path, 'gradual')
    head, layer1, conv1 = {'cls_head'}, both('backbone.layer1'), both('backbone.conv1')
    assert watch.moved == [head] * 2 + [head | layer1] * 2 + [head | layer1 | conv1] * 2  # two steps an epoch
    assert watch.trained == sorted(watch.trained) and len(set(watch.trained)) == 3
    told = ''.join(capsys.readouterr())
    assert 'FreezeHook: backbone.conv1, backbone.layer1 frozen in epoch 1; 0.000 of 0.0' in told
    assert 'FreezeHook: nothing frozen in epoch 3' in told


@pytest.mark.parametrize(
    ('statistics', 'frozen', 'later'),
    [('frozen', False, True), ('fixed', False, False), ('moving', True, True)],
)
def test_statistics_of_norms(videos, tmp_path, statistics, frozen, later):
    hook = dict(modules=ALL, until=1, statistics=statistics)
    _, watch = run(videos, tmp_path, statistics, hook, epochs=2, model=tiny.recognizer())
    moved = [any('statistics' in part for part in step) for step in watch.moved]
    assert moved == [frozen] * 2 + [later] * 2
    assert 'backbone.layer1' not in watch.moved[1] and 'backbone.layer1' in watch.moved[2]


def test_to_the_end_with_amp_and_a_moving_average(videos, tmp_path):
    ema = dict(type='EMAHook', momentum=0.5)
    runner, watch = run(
        videos,
        tmp_path,
        'amp',
        dict(modules=['backbone']),
        epochs=1,
        model=tiny.recognizer(),
        hooks=[ema],
        optim_wrapper=dict(type='AmpOptimWrapper', dtype='bfloat16'),
    )
    assert watch.moved == [{'cls_head'}] * 2
    assert all(parameter.requires_grad for parameter in runner.model.parameters())  # whoever trains it next
    saved = safe_load.load(tmp_path / 'epoch_1.pth')
    plain = build(videos, tmp_path / 'plain', 'plain', dict(modules=['backbone']), model=tiny.recognizer())
    assert saved['state_dict'].keys() == plain.model.state_dict().keys()
    assert saved.keys() - {'ema_state_dict'} <= {
        'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers', 'pruning',
    }  # fmt: skip


def test_a_training_that_is_cut_within_the_unfreezing_goes_on_alike(videos, tmp_path):
    whole, _ = run(videos, tmp_path / 'whole', 'whole')
    run(videos, tmp_path / 'cut', 'first', epochs=3)
    cut = tmp_path / 'cut' / 'epoch_2.pth'
    again, watch = run(videos, tmp_path / 'cut', 'again', resume=True, load_from=str(cut))
    assert len(watch.moved) == 2 and watch.moved[0] >= both('backbone.conv1')
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[key]), key
    groups = [runner.optim_wrapper.optimizer.param_groups for runner in (whole, again)]
    assert [[len(group['params']) for group in each] for each in groups][0] == [len(g['params']) for g in groups[1]]


def test_a_term_may_wait_for_its_layer_but_not_read_a_frozen_one(videos, tmp_path):
    early = [dict(type='KDLoss', at='logits', weight=0.5), dict(type='FitNetLoss', at='backbone.layer1', weight=1.0)]
    with pytest.raises(ValueError, match="tap 'backbone.layer1': no gradient reaches the student.*FreezeHook"):
        build(videos, tmp_path, 'early', model=tiny.distiller(terms=early)).train()
    late = [early[0], dict(early[1], begin=1)]  # conv1 is unfrozen at 1, layer1 never
    hook = dict(modules=['backbone.conv1', 'backbone.layer1'])
    with pytest.raises(ValueError, match="tap 'backbone.layer1': no gradient reaches the student"):
        build(videos, tmp_path / 'never', 'never', hook, model=tiny.distiller(terms=late)).train()


@pytest.mark.parametrize(
    ('hook', 'told'),
    [
        (dict(modules=['backbone.layr1']), r"FreezeHook.modules\[0\]: 'backbone.layr1' names no module.*did you mean"),
        (dict(modules=ALL, until=2, every=1), "'backbone.conv1' would be unfrozen before epoch 3, after the 3 epochs"),
        (dict(modules=ALL, every=1), 'FreezeHook.every: got 1 without until'),
        (dict(modules=ALL, statistics='frosen'), "statistics: got 'frosen'; expected 'frozen'"),
        (dict(modules=[]), r'modules: got \[\]'),
    ],
)
def test_mistakes_are_named(videos, tmp_path, hook, told):
    with pytest.raises((ValueError, KeyError), match=told):
        build(videos, tmp_path, 'wrong', hook).train()


def test_a_recognizer_that_is_frozen_as_a_whole_is_refused(videos, tmp_path):
    with pytest.raises(ValueError, match='expected to leave something to train'):
        build(videos, tmp_path, 'whole', dict(modules=['backbone', 'cls_head']), model=tiny.recognizer()).train()


def test_a_loop_by_iterations_unfreezes_after_a_pass_and_statistics_move_again(videos, tmp_path):
    loop = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=4, val_interval=100)
    _, watch = run(videos, tmp_path, 'iters', dict(modules=ALL, until=1), model=tiny.recognizer(), loop=loop)
    assert [any('statistics' in part for part in step) for step in watch.moved] == [False] * 2 + [True] * 2
