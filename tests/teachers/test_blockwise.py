"""Blocks of a pruned student learn what they did before, on real clips without labels."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import clips
import pytest
import torch
import zoo
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.pruning import PRUNING_KEY, PruningHistory, apply_step, count_params, history_of, prune, replay
from mmkd_video.pruning.zeroing import zero_channels
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.teachers.block_calls import find_blocks
from mmkd_video.workflows.deploy.student import StudentCheckpoint

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Real clips whose list holds no label."""
    root = clips.make_set(tmp_path_factory.mktemp('clips'), count=8)
    lines = [f'{index}.mp4 -1' for index in range(8)]
    (root / 'list.txt').write_text('\n'.join(lines) + '\n')
    return root


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A recognizer in which every channel counts, with its checkpoint."""
    config, size = zoo.config_of('tsm_mobilenet')
    torch.manual_seed(0)
    model = build_model(config).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            torch.nn.init.normal_(module.running_mean, std=0.2)
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    inputs = noise_clip(model, size)
    path = tmp_path_factory.mktemp('whole') / 'whole.pth'
    torch.save(dict(meta={}, state_dict=model.state_dict()), path)
    return model, inputs, path


def distiller(whole, student=None, **teacher):
    config, size = zoo.config_of('tsm_mobilenet')
    teacher = dict(type='BlockTeacher', config=config, checkpoint=str(whole[2]), **teacher)
    return dict(
        type='Distiller', student=student or copy.deepcopy(config), teacher=teacher, task_weight=0.0, input_size=size
    )


def train(videos, work_dir, whole, model, hooks=(), epochs=5, resume_from=None, **extra):
    config = clips.runner_config(
        videos,
        work_dir,
        model,
        clips.pipeline(),
        epochs=epochs,
        experiment_name=f'{work_dir.parent.name}-{work_dir.name}',
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=2e-3)),
        load_from=str(resume_from or whole[2]),
        resume=resume_from is not None,
        **extra,
    )
    config['custom_hooks'] = [dict(type='DistillHook'), dict(type='ReproducibleHook'), *hooks]
    config |= dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    runner = Runner.from_cfg(Config(config))
    runner.train()
    return runner


def scores(model, data):
    with torch.no_grad():
        model.eval()
        features, extra = model.extract_feat(model.data_preprocessor(data, False)['inputs'], test_mode=True)
        return model.cls_head(features, **extra)


PRUNE = dict(type='PruningHook', target=dict(params=0.5), begin=0)


def test_a_student_pruned_by_magnitude_is_repaired_without_labels(videos, whole, tmp_path):
    runner = train(videos, tmp_path, whole, distiller(whole), [PRUNE])
    checkpoint = tmp_path / 'epoch_5.pth'
    saved = safe_load.load(checkpoint)
    plain = zoo.config_of('tsm_mobilenet')[0]
    assert set(runner.model.state_dict()) == set(saved['state_dict']) == set(build_model(plain).state_dict())
    student = StudentCheckpoint.read(checkpoint).build(Config(dict(model=plain)))
    pruned = copy.deepcopy(whole[0])
    replay(pruned, PruningHistory.from_json(saved[PRUNING_KEY]))
    assert count_params(student) == count_params(pruned) < 0.51 * count_params(whole[0])
    data = pseudo_collate([runner.train_dataloader.dataset[index] for index in range(8)])
    expected = scores(whole[0], data)
    before, after = (
        ((scores(each, data) - expected).square().sum() / expected.square().sum()).item() for each in (pruned, student)
    )
    assert after < 0.1 * before, (before, after)
    logged = runner.message_hub.log_scalars
    errors = logged['train/teacher_block_error'].data[0]
    assert errors[-1] < 0.7 * errors[0] and 'train/loss_teacher_blocks' in logged


@pytest.mark.slow
def test_a_resumed_repair_goes_on_as_the_whole(videos, whole, tmp_path):
    runner = train(videos, tmp_path / 'whole', whole, distiller(whole), [PRUNE], epochs=3)
    path = tmp_path / 'whole' / 'epoch_2.pth'
    again = train(videos, tmp_path / 'again', whole, distiller(whole), [PRUNE], epochs=3, resume_from=path)
    states = runner.model.state_dict(), again.model.state_dict()
    assert (
        again.iter == runner.iter
        and history_of(again.model.student).to_json() == history_of(runner.model.student).to_json()
    )
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_pruned_student_of_a_config_learns_at_the_channels_that_are_left(videos, whole):
    pruned = copy.deepcopy(whole[0])
    prune(pruned, whole[1], dict(params=0.7))
    prune(pruned, whole[1], dict(params=0.8))
    config = zoo.config_of('tsm_mobilenet')[0]
    history = history_of(pruned)
    student = dict(type='PrunedRecognizer', recognizer=config, history=history.to_json())
    model = MODELS.build(distiller(whole, student)).train()
    model.student.load_state_dict(pruned.state_dict())
    teacher = model.teachers['teacher']
    assert teacher.blocks[0] == 'backbone.conv1' and teacher.blocks[-2:] == ['backbone.conv2', 'cls_head']
    borders = teacher._borders.items()
    sizes = {name: [each.kept if each.kept is None else len(each.kept) for each in pair] for name, pair in borders}
    assert sizes['backbone.conv1'][0] is None and sizes['cls_head'][1] is None
    for name, (reads, _) in sizes.items():
        first = next(layer for layer in pruned.get_submodule(name).modules() if hasattr(layer, 'weight'))
        assert reads in (None, getattr(first, 'in_channels', None) or first.in_features)
    assert any(reads is not None for reads, _ in sizes.values())


def losses_of(model, seed=0):
    data = model.data_preprocessor(zoo.batch_for(*zoo.config_of('tsm_mobilenet'), seed=seed), True)
    return model(**data, mode='loss')


def test_silent_channels_that_are_removed_leave_no_error(whole):
    """Where the removed channels did nothing, each block gives at those that are left what it gave."""
    silent = copy.deepcopy(whole[0])
    probe = copy.deepcopy(whole[0])
    prune(probe, whole[1], dict(params=0.6))
    steps = history_of(probe).steps
    zero_channels(silent, steps[0].cuts)
    model = MODELS.build(distiller(whole)).train()
    model.teachers['teacher'].module.load_state_dict(silent.state_dict())
    model.student.load_state_dict(silent.state_dict())
    apply_step(model.student, steps[0])
    assert losses_of(model)['teacher_block_error'].item() == pytest.approx(0, abs=1e-5)
    torch.nn.init.normal_(model.student.backbone.conv2.conv.weight)
    assert losses_of(model)['teacher_block_error'].item() > 1e-3


def test_no_error_of_a_block_reaches_another_and_batch_norms_stay(whole):
    model = MODELS.build(distiller(whole)).train()
    model.student.load_state_dict(whole[0].state_dict())
    torch.nn.init.normal_(model.student.backbone.layer3[0].conv[0].conv.weight)
    losses = losses_of(model)
    model.parse_losses(losses)[0].backward()
    reached = {name for name, p in model.student.named_parameters() if p.grad is not None and p.grad.abs().max() > 1e-4}
    assert reached and {name.rpartition('layer3')[0] for name in reached} == {'backbone.'}, reached
    assert int(model.student.backbone.conv1.bn.num_batches_tracked) == 0
    assert model.student.training and model.student.cls_head.training
    assert all(p.grad is not None for p in model.student.parameters())  # DDP finds none unused


def test_beside_terms_the_student_runs_as_ever(whole):
    config = distiller(whole) | dict(terms=[dict(type='KDLoss', at='logits')], task_weight=0.1)
    model = MODELS.build(config).train()
    losses = losses_of(model)
    assert losses['loss_cls'] > 0 and losses['kd_raw'] > 0 and 'loss_teacher_blocks' in losses
    assert int(model.student.backbone.conv1.bn.num_batches_tracked) == 1


@pytest.mark.parametrize('family', ['slowfast', 'swin3d', 'i3d', 'mvit'])
def test_blocks_are_found_in_every_family(family):
    config, size = zoo.config_of(family)
    model = build_model(config).eval()
    clip = noise_clip(model, size)
    blocks = find_blocks(model, lambda: model.extract_feat(clip, stage='head'))
    parameters = dict(model.named_parameters())
    inside = [name for name in parameters if any(name.startswith(f'{block}.') for block in blocks)]
    assert 'backbone' not in blocks and len(blocks) > 3
    share = sum(parameters[name].numel() for name in inside) / count_params(model)
    assert share > 0.9, (family, share)


def test_mistakes_are_named(whole):
    with pytest.raises(KeyError, match=r"teacher.blocks: 'backbone.layr3' names no module; nearest names: .*layer"):
        MODELS.build(distiller(whole, blocks=['backbone.layr3']))
    with pytest.raises(ValueError, match=r"teacher.blocks: got 'backbone.layer3.0.conv.0.activate'; expected a module"):
        MODELS.build(distiller(whole, blocks=['backbone.layer3.0.conv.0.activate']))
    wider = zoo.config_of('tsm_mobilenet')[0]
    wider['backbone']['widen_factor'] = 0.5
    with pytest.raises(ValueError, match='teacher: backbone.layer1:in: the student has .*expected a student that is'):
        MODELS.build(distiller(whole, wider))
    with pytest.raises(ValueError, match='teacher: backbone.conv1:in: the student has nothing'):
        MODELS.build(distiller(whole, zoo.config_of('i3d')[0]))
    named = MODELS.build(distiller(whole, blocks=['backbone.layer2'])).teachers['teacher']
    assert named.blocks == ['backbone.layer2']


@pytest.mark.slow
def test_two_ranks_have_the_gradients_of_one_process_and_use_every_parameter(tmp_path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
    environment = dict(os.environ, PYTHONPATH=f'{TESTS}{os.pathsep}{TESTS.parent}', OMP_NUM_THREADS='1')
    command += [str(TESTS / 'blockwise_ranks.py'), str(tmp_path / 'report.json')]
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['worst'] < 1e-4 and report['largest'] > 0
