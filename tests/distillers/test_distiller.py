import copy

import mmengine.optim
import pytest
import torch
import zoo
from distillations import KD, MAP, batch, build, distiller_config, step
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import _load_checkpoint_to_model, load_state_dict

from mmkd_video.core.registry import MODELS


@pytest.fixture
def messages(caplog):
    caplog.set_level('INFO')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_a_step_gives_the_students_losses_and_each_term_raw_and_weighted():
    losses = step(build(), batch(build()))
    terms = {f'{start}{name}{end}' for name in ('kd', 'fitnet') for start, end in (('loss_', ''), ('', '_raw'))}
    gradients = {f'{name}{end}' for name in ('kd', 'fitnet') for end in ('_grad', '_task_grad')}
    assert {'loss_cls', 'top1_acc', 'top5_acc'} | terms | gradients == set(losses)
    assert losses['loss_kd'].item() == pytest.approx(0.9 * losses['kd_raw'].item())
    assert not losses['kd_raw'].requires_grad


def test_task_weight_multiplies_the_students_own_losses_only():
    torch.manual_seed(0)
    plain = build(terms=[KD])
    torch.manual_seed(0)
    light = build(terms=[KD], task_weight=0.1)
    data = batch(plain)
    losses = []
    for model in (plain, light):
        torch.manual_seed(1)
        losses.append(model(**copy.deepcopy(data), mode='loss'))
    assert losses[1]['loss_cls'].item() == pytest.approx(0.1 * losses[0]['loss_cls'].item(), rel=1e-5)
    assert losses[1]['loss_kd'].item() == pytest.approx(losses[0]['loss_kd'].item(), rel=1e-5)


@pytest.mark.slow
def test_the_teacher_stays_frozen_and_answers_the_same_at_every_step():
    model = build(teacher='c3d', terms=[KD])
    teacher = model.teachers['teacher']
    before = {key: value.clone() for key, value in teacher.module.state_dict().items()}
    clip = torch.randn(1, 1, 3, 16, 112, 112)
    first = teacher.features(clip)['logits']
    model.train()
    teacher.module.train()  # even if somebody flips it
    second = teacher.features(clip)['logits']
    assert torch.equal(first, second), 'dropout is on in the teacher'
    assert not first.requires_grad
    assert all(torch.equal(before[key], value) for key, value in teacher.module.state_dict().items())


def test_training_leaves_teacher_weights_and_bn_statistics_alone():
    model = build()
    teacher = model.teachers['teacher'].module
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    optimizer = model.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1)))
    for seed in range(2):
        optimizer.update_params(model.parse_losses(model(**batch(model, seed), mode='loss'))[0])
    assert all(torch.equal(before[key], value) for key, value in teacher.state_dict().items())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())


def test_the_teacher_is_outside_the_module_tree():
    model = build()
    teacher = model.teachers['teacher'].module
    inside = {id(module) for module in model.modules()}
    assert not inside & {id(module) for module in teacher.modules()}
    tensors = {id(t) for t in [*model.parameters(), *model.buffers()]}
    assert not tensors & {id(t) for t in [*teacher.parameters(), *teacher.buffers()]}
    assert copy.deepcopy(model).teachers['teacher'] is model.teachers['teacher']


def test_the_teacher_follows_moves_of_the_student():
    model = build(terms=[KD]).to(torch.float64)
    teacher = model.teachers['teacher']
    assert {p.dtype for p in teacher.module.parameters()} == {torch.float64}
    assert teacher.data_preprocessor.mean.dtype == torch.float64
    model.to('meta')
    assert {p.device.type for p in teacher.module.parameters()} == {'meta'}


def test_state_dict_has_exactly_the_keys_of_the_plain_student():
    model = build()
    plain = MODELS.build(zoo.config_of('tsm_mobilenet')[0])
    ours, theirs = model.state_dict(), plain.state_dict()
    assert list(ours) == list(theirs)
    assert set(ours._metadata) >= set(theirs._metadata) - {'data_preprocessor'}
    plain.load_state_dict(ours, strict=True)
    assert all(torch.equal(plain.state_dict()[key], ours[key]) for key in ours)


@pytest.mark.parametrize('loader', ['torch', 'mmengine', 'runner'])
def test_a_plain_checkpoint_loads_into_the_distiller_through_every_loader(loader):
    model = build()
    plain = MODELS.build(zoo.config_of('tsm_mobilenet')[0])
    state = copy.deepcopy(plain.state_dict())
    if loader == 'torch':
        model.load_state_dict(state, strict=True)
    elif loader == 'mmengine':
        load_state_dict(model, state, strict=True)
    else:
        _load_checkpoint_to_model(model, dict(state_dict=state), strict=True)
    assert all(torch.equal(model.state_dict()[key], state[key]) for key in state)


def test_wrong_keys_are_reported_under_the_students_names():
    model = build()
    state = model.state_dict()
    state['backbone.stranger'] = state.pop('cls_head.fc_cls.bias')
    with pytest.raises(RuntimeError) as error:
        model.load_state_dict(state, strict=True)
    assert '"cls_head.fc_cls.bias"' in str(error.value)
    assert 'training_state' not in str(error.value)


def test_an_ema_copy_keeps_the_students_keys_and_loads_back():
    model = build()
    ema = ExponentialMovingAverage(model, momentum=0.5)
    assert ema.module.teachers['teacher'] is model.teachers['teacher']
    step(model, batch(model))
    with torch.no_grad():
        next(model.student.parameters()).add_(1.0)
    ema.update_parameters(model)
    state = ema.state_dict()
    assert {key for key in state if key != 'steps'} == {f'module.{key}' for key in model.state_dict()}
    ExponentialMovingAverage(build()).load_state_dict(state, strict=True)


def test_the_training_state_travels_apart():
    model, other = build(), build()
    state = model.training_state_dict()
    assert state and all(isinstance(value, torch.Tensor) for value in state.values())
    other.load_training_state_dict(state)
    assert all(torch.equal(other.training_state_dict()[key], value) for key, value in state.items())
    with pytest.raises(ValueError, match='belongs to other terms'):
        build(terms=[KD]).load_training_state_dict(state)


def test_the_student_starts_as_it_would_alone():
    torch.manual_seed(3)
    alone = MODELS.build(zoo.config_of('tsm_mobilenet')[0])
    alone.init_weights()
    after_alone = torch.rand(1)
    torch.manual_seed(3)
    model = build()
    model.init_weights()
    assert all(torch.equal(model.state_dict()[key], value) for key, value in alone.state_dict().items())
    assert torch.equal(torch.rand(1), after_alone)


def test_the_dry_run_changes_no_bn_statistic():
    model = build()
    statistics = [b for name, b in model.student.named_buffers() if name.endswith('running_mean')]
    assert statistics and all(torch.equal(b, torch.zeros_like(b)) for b in statistics)


def test_prediction_is_the_students_own():
    model = build().eval()
    data = zoo.batch_for(*zoo.config_of('tsm_mobilenet'))
    ours = model.val_step(copy.deepcopy(data))
    alone = model.student.val_step(copy.deepcopy(data))
    assert all(torch.equal(a.pred_score, b.pred_score) for a, b in zip(ours, alone, strict=True))


def test_the_students_constructor_is_applied_to_the_student_alone():
    config = dict(
        constructor='TSMOptimWrapperConstructor',
        paramwise_cfg=dict(fc_lr5=True),
        optimizer=dict(type='SGD', lr=0.02, weight_decay=1e-4),
    )
    model = build(connector_lr_mult=2.0, connector_decay=0.0)
    ours = mmengine.optim.build_optim_wrapper(model, config).optimizer.param_groups
    alone = mmengine.optim.build_optim_wrapper(model.student, config).optimizer.param_groups
    assert len(ours) == len(alone) + 1
    for mine, theirs in zip(ours[:-1], alone, strict=True):
        assert [id(p) for p in mine['params']] == [id(p) for p in theirs['params']]
        assert (mine['lr'], mine['weight_decay']) == (theirs['lr'], theirs['weight_decay'])
    assert {id(p) for p in ours[-1]['params']} == {id(p) for p in model.training_state.parameters()}
    assert (ours[-1]['lr'], ours[-1]['weight_decay']) == (0.04, 0.0)


def test_the_optimizers_own_learning_rate_holds_where_the_config_gives_none():
    group = build(connector_lr_mult=2.0).build_optim_wrapper(dict(optimizer=dict(type='AdamW'))).param_groups[-1]
    assert group['lr'] == 2.0 * torch.optim.AdamW([torch.zeros(1)]).defaults['lr']


def test_a_parameter_that_the_constructor_forgets_is_an_error():
    model = build(terms=[KD])
    model.student.register_parameter('scale', torch.nn.Parameter(torch.ones(1)))
    config = dict(
        constructor='TSMOptimWrapperConstructor',
        paramwise_cfg=dict(fc_lr5=True),
        optimizer=dict(type='SGD', lr=0.02, weight_decay=1e-4),
    )
    with pytest.raises(ValueError, match='student.scale'):
        model.build_optim_wrapper(config)


def test_a_term_outside_its_epochs_adds_zero_times_its_parameters():
    model = build(terms=[KD, dict(MAP, begin=2, end=4)])
    connector = model.training_state.terms['fitnet'].pairs[0].connector
    for epoch, acts in [(0, False), (2, True), (4, False)]:
        model.zero_grad()
        model.set_progress(iter=epoch, epoch=epoch, iters_per_epoch=1, max_iters=6)
        losses = step(model, batch(model))
        assert (losses['loss_fitnet'].item() != 0) is acts
        gradients = [p.grad for p in connector.parameters()]
        assert all(g is not None for g in gradients), 'DDP would wait for this parameter'
        assert any(g.abs().sum() > 0 for g in gradients) is acts


def test_scheduled_weight_and_temperature_reach_the_loss():
    schedule = dict(type='Linear', value=0.9, start_factor=0.0, end=3)
    heat = dict(type='Step', value=8.0, gamma=0.5, milestones=[2])
    model = build(
        terms=[dict(KD, weight=schedule, temperature=heat)], task_weight=dict(type='Cosine', value=1.0, end=4)
    )
    term = model.training_state.terms['kd']
    seen = []
    for epoch in range(3):
        model.set_progress(epoch, epoch, 1, 4)
        losses = model(**batch(model), mode='loss')
        seen.append((losses['loss_kd'].item() / losses['kd_raw'].item(), float(term.loss.temperature)))
    assert seen == [pytest.approx((0.0, 8.0)), pytest.approx((0.45, 8.0)), pytest.approx((0.9, 4.0))]
    assert model.training_state_dict() == {}, 'schedules are recomputed, never stored'


def test_class_subset_of_the_teacher():
    config = distiller_config(terms=[KD])
    config['student']['cls_head']['num_classes'] = 3
    with pytest.raises(ValueError, match=r'3 classes and the teacher 5.*classes=\[\.\.\.\]'):
        MODELS.build(copy.deepcopy(config))
    config['teacher']['classes'] = [4, 0, 2]
    model = MODELS.build(config).train()
    clip = torch.randn(1, 1, 3, 8, 32, 32)
    teacher = model.teachers['teacher']
    whole = teacher.module(clip, stage='head')
    assert torch.equal(teacher.features(clip)['logits'], whole[:, [4, 0, 2]])


def test_first_batches_report_the_teachers_own_accuracy(messages):
    model = build(terms=[KD])
    for seed in range(16):
        model(**batch(model, seed), mode='loss')
    lines = [record for record in messages.records if 'top-1 on the first' in record.message]
    assert len(lines) == 1
    assert lines[0].levelname == 'WARNING' and 'near chance' in lines[0].message


def test_a_teacher_that_knows_the_clips_is_reported_without_warning(messages):
    model = build(terms=[KD])
    answer = model.teachers['teacher'].features
    for seed in range(16):
        data = batch(model, seed)
        labels = torch.stack([sample.gt_label for sample in data['data_samples']]).squeeze(1)
        right = torch.nn.functional.one_hot(labels, 5).float()
        model.teachers['teacher'].features = lambda inputs, right=right: dict(answer(inputs), logits=right)
        model(**data, mode='loss')
    lines = [record for record in messages.records if '100.0% top-1' in record.message]
    assert [record.levelname for record in lines] == ['INFO']


def test_soft_labels_of_a_blended_batch_pass():
    config = distiller_config(terms=[KD])
    config['student']['data_preprocessor']['blending'] = dict(type='MixupBlending', num_classes=5, alpha=0.5)
    model = MODELS.build(config).train()
    losses = step(model, model.data_preprocessor(zoo.batch_for(*zoo.config_of('tsm_mobilenet')), True))
    assert torch.isfinite(losses['loss_kd'])


def test_the_table_names_taps_shapes_and_connectors(messages):
    build()
    table = next(record.message for record in messages.records if 'Distillation terms' in record.message)
    for word in ('fitnet', 'backbone.layer4', '(N, 16, 8, 2, 2)', '(N, 64, 4, 1, 1)', 'ProjectionConnector', '1,088'):
        assert word in table


def test_a_model_used_without_a_runner_needs_no_hook():
    model = build(terms=[KD])
    hub = MessageHub.get_instance('interrupted')  # of the training of a plain student, which never ended
    hub.update_info_dict(dict(loop_stage='train', iter=3, cfg="model = dict(type='Recognizer2D')"))
    for _ in range(2):
        model(**batch(model), mode='loss')


def test_a_runner_without_the_hook_is_stopped():
    model = build(terms=[KD])
    hub = MessageHub.get_instance('hookless')
    hub.update_info('iter', 0)
    MessageHub.get_instance('hookless')
    model(**batch(model), mode='loss')
    hub.update_info('iter', 1)
    with pytest.raises(ValueError, match='DistillHook is not registered'):
        model(**batch(model), mode='loss')


@pytest.mark.parametrize(('announced', 'interrupted'), [(False, False), (True, False), (False, True)])
def test_the_hook_is_known_by_its_first_call_and_a_training_by_the_optimizer_it_asked_for(announced, interrupted):
    model = build(terms=[KD])
    hub = MessageHub.get_instance(f'announced {announced} {interrupted}')
    if interrupted:  # another training, which never ended
        hub.update_info('loop_stage', 'train')
    model.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1)))
    hub.update_info('loop_stage', 'train')
    if announced:
        model.set_progress(0, 0, 1, 1)
    if announced or interrupted:
        model(**batch(model), mode='loss')
    else:
        with pytest.raises(ValueError, match='DistillHook is not registered'):
            model(**batch(model), mode='loss')


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    other = MODELS.build(zoo.config_of('tsn_r18')[0])
    torch.save(dict(state_dict=other.state_dict()), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='not of this architecture.*keys missing'):
        build(checkpoint=str(tmp_path / 'other.pth'))


@pytest.mark.parametrize('damage', ['empty', 'cut off', 'text'])
def test_a_checkpoint_that_cannot_be_read_is_told_in_one_line(tmp_path, damage):
    path = tmp_path / 'i3d.pth'
    torch.save(dict(state_dict=MODELS.build(zoo.config_of('i3d')[0]).state_dict()), path)
    whole = path.read_bytes()
    path.write_bytes({'empty': b'', 'cut off': whole[: len(whole) // 2], 'text': b'<html>not found</html>'}[damage])
    with pytest.raises(ValueError, match=r'^teacher\.checkpoint: .*i3d\.pth cannot be read \(.+\)') as caught:
        build(checkpoint=str(path))
    assert '\n' not in str(caught.value) and 'weights_only' not in str(caught.value)


def test_the_teachers_checkpoint_is_what_it_teaches_with(tmp_path):
    trained = MODELS.build(zoo.config_of('i3d')[0])
    torch.save(dict(state_dict=trained.state_dict(), meta={}), tmp_path / 'i3d.pth')
    model = build(checkpoint=str(tmp_path / 'i3d.pth'))
    clip = torch.randn(1, 1, 3, 8, 32, 32)
    assert torch.equal(model.teachers['teacher'].features(clip)['logits'], trained.eval()(clip, stage='head'))


def test_nan_in_the_teachers_output_is_an_error_in_the_first_batch():
    model = build(terms=[KD])
    with torch.no_grad():
        model.teachers['teacher'].module.cls_head.fc_cls.bias.fill_(float('nan'))
    with pytest.raises(ValueError, match="teacher tap 'logits': the output holds NaN"):
        model(**batch(model), mode='loss')


def test_a_term_that_would_hide_a_loss_of_the_student_is_an_error_in_the_first_batch():
    model = build(terms=[dict(KD, name='cls')])
    with pytest.raises(ValueError, match="the name 'cls' would hide the student's own 'loss_cls'"):
        model(**batch(model), mode='loss')


def test_a_tap_in_a_frozen_stage_is_an_error_in_the_first_batch():
    model = build()
    for parameter in model.student.backbone.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match='no gradient reaches the student'):
        model(**batch(model), mode='loss')


def test_a_first_step_without_gradient_does_not_pass_for_the_check_of_frozen_taps():
    model = build()
    for parameter in model.student.backbone.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        model(**batch(model), mode='loss')
    with pytest.raises(ValueError, match='no gradient reaches the student'):
        model(**batch(model), mode='loss')


def test_each_of_two_teachers_has_the_view_that_it_asks_for():
    config = distiller_config()
    first = config['teacher']
    config['teacher'] = dict(first=dict(first, view='own'), second=dict(first, view='student'))
    config['terms'] = [dict(KD, teacher='first'), dict(KD, teacher='second', name='other')]
    config['input_size'] = {'student': (8, 32, 32), 'first': (8, 32, 32), 'second': (8, 32, 32)}
    model = MODELS.build(config).train()
    own = dict(first=[zoo.clip_for(*zoo.config_of('i3d'), seed) for seed in range(2)])
    losses = step(model, batch(model, views=own))
    assert torch.isfinite(losses['loss_kd']) and torch.isfinite(losses['loss_other'])
    with pytest.raises(ValueError, match="no view for teacher 'first'"):
        batch(model)
