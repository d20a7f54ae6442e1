"""Smaller students for a budget of operations."""

import copy
import os
import re
from dataclasses import replace

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from torch import equal
from zoo import config_of

from mmkd_video.cli import shrink
from mmkd_video.cli import test as test_tool
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.without_weights import count_without_weights
from mmkd_video.workflows.shrink import progress
from mmkd_video.workflows.shrink.axes import Shape, Shrinkable
from mmkd_video.workflows.shrink.search import Proposal, pick, propose
from mmkd_video.workflows.train import testing
from mmkd_video.workflows.train.prepare import needed_parts

TEACHER = 'configs/teachers/i3d_motion.py'
DISTILL = 'configs/distill/i3d_to_mobilenet.py'
STUDENT = 'configs/students/mobilenet_motion.py'


@pytest.fixture(scope='module')
def half(tmp_path_factory):
    """The main student at about half its operations: the proposals, and the config that was written."""
    out = tmp_path_factory.mktemp('shrink') / 'small.py'
    return shrink.main([DISTILL, '--gflops', '0.048', '--out', str(out)]), out


@pytest.mark.slow
def test_every_proposal_costs_what_it_says_and_fits(half):
    student = Shrinkable(Config.fromfile(DISTILL))
    for proposal in half[0]:
        params, gflops = student.cost(proposal.shape)
        assert (params, gflops) == (proposal.params, proposal.gflops)
        assert 0.034 < gflops <= 0.048, proposal  # within the budget, and not far below it


@pytest.mark.slow
def test_each_axis_is_shrunk_alone_and_all_of_them_together(half):
    whole = Shrinkable(Config.fromfile(DISTILL)).shape
    changed = {
        proposal.name: {axis for axis in ('width', 'depth', 'frames', 'size')
                        if getattr(proposal.shape, axis) != getattr(whole, axis)}
        for proposal in half[0]
    }  # fmt: skip
    assert changed['width'] == {'width'} and changed['size'] == {'size'}
    assert len(changed['balanced']) >= 2
    assert whole.depth is None and 'depth' not in changed  # MobileNetV2 has no argument for its depth


@pytest.mark.slow
def test_the_written_config_distils_the_balanced_student(half):
    config = Config.fromfile(half[1])
    assert config.model.type == 'Distiller'
    frames = config.model.student.backbone.num_segments
    assert config.model.student.cls_head.num_segments == frames
    views = config.train_dataloader.dataset.pipeline[0]
    assert views.type == 'DistillViews'
    for pipeline in (views.student, config.val_dataloader.dataset.pipeline, config.test_dataloader.dataset.pipeline):
        assert pipeline[1].clip_len == frames
        assert pipeline[1].frame_interval == round(16 / frames)  # about the same span of time
    MODELS.build(config.model.student)


@pytest.mark.slow
def test_the_balanced_student_has_fewer_parameters(half):
    (balanced,) = (each for each in half[0] if each.name == 'balanced')
    params = Shrinkable(Config.fromfile(DISTILL)).cost(balanced.shape)[0]
    assert params == balanced.params < 0.8 * 697928


DISTILLED = """
_base_ = [{small!r}, {mmkd!r}]
teacher = {teacher!r}
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config=teacher, checkpoint=None),
    terms=[dict(type='KDLoss', at='logits', weight=1.0)],
)
train_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(
        data_root={root!r}, pipeline=[dict(type='DistillViews', student=_base_.train_pipeline, teacher=teacher)]),
)
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1)
param_scheduler = []
val_cfg = val_dataloader = val_evaluator = test_cfg = test_dataloader = test_evaluator = None
work_dir = {work_dir!r}
"""


@pytest.mark.parametrize(
    ('student', 'shape', 'seen'),
    [
        (STUDENT, Shape(0.25, None, 4, 32), (4 * 4, 3, 32, 32)),
        ('configs/students/mobilenet3d_motion.py', Shape(0.25, 0.5, 8, 40), (4, 3, 8, 40, 40)),
    ],
    ids=['2-D', '3-D'],
)
def test_a_shrunk_student_is_distilled_as_the_readme_does_it(tmp_path, tiny_clips, student, shape, seen):
    small = tmp_path / 'small.py'
    small.write_text(Shrinkable(read_config(student)).with_shape(shape).pretty_text)
    values = dict(small=str(small), mmkd=os.path.abspath('configs/_base_/mmkd.py'), work_dir=str(tmp_path / 'work'))
    child = tmp_path / 'distil.py'
    child.write_text(DISTILLED.format(teacher=os.path.abspath(TEACHER), root=str(tiny_clips), **values))
    runner = Runner.from_cfg(read_config(str(child)))
    shapes = []
    runner.model.student.backbone.register_forward_pre_hook(lambda module, given: shapes.append(tuple(given[0].shape)))
    before = [parameter.clone() for parameter in runner.model.student.parameters()]
    runner.train()
    assert shapes[-1] == seen
    assert any(not equal(old, new) for old, new in zip(before, runner.model.student.parameters(), strict=True))


def test_the_variables_that_others_inherit_are_changed_too():
    config = read_config(STUDENT)
    config.clips_pipeline = copy.deepcopy(config.train_pipeline)
    config.teacher_pipeline = copy.deepcopy(config.train_pipeline)
    small = Shrinkable(config).with_shape(Shape(0.5, None, 4, 32))
    for name in ('train_pipeline', 'test_pipeline', 'clips_pipeline'):
        assert small[name][1].clip_len == 4 and small[name][4].scale == (32, 32), name
    assert small.teacher_pipeline == config.teacher_pipeline
    assert small.train_pipeline == small.train_dataloader.dataset.pipeline


@pytest.mark.parametrize('asked', [(8, 48, 48), dict(student=(8, 48, 48), teacher=(16, 48, 48))])
def test_the_dry_run_of_a_distillation_takes_the_new_size(asked):
    config = read_config(DISTILL)
    config.model.input_size = asked
    found = Shrinkable(config).with_shape(Shape(0.5, None, 4, 32)).model.input_size
    assert found == dict(student=(4, 32, 32), teacher=(8, 48, 48) if isinstance(asked, tuple) else (16, 48, 48))


def test_a_model_of_mmaction2_by_its_name(capsys):
    config = read_config(
        'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
    )
    student = Shrinkable(config)
    assert student.axes == ('width', 'frames', 'size') and student.shape == Shape(1.0, None, 8, 224)
    shape = Shape(0.5, None, 8, 224)
    assert student.loses_weights(shape) and not student.loses_weights(replace(student.shape, size=128))
    small = student.with_shape(shape)
    assert small.model.backbone.pretrained is None and small.model.backbone.pretrained2d is False
    assert student.with_shape(replace(student.shape, size=128)).model.backbone.pretrained == 'mmcls://mobilenet_v2'
    MODELS.build(small.model).init_weights()


@pytest.mark.parametrize('name', ['tsm_mobilenet', 'i3d', 'slowfast', 'swin3d', 'uniformer'])
def test_what_is_counted_without_weights_is_about_what_is_counted_with_them(name):
    model, size = config_of(name)
    if name == 'swin3d':
        model['backbone'].update(arch=dict(embed_dims=24, depths=[2, 2], num_heads=[2, 4]), out_indices=(1,))
        model['cls_head']['in_channels'] = 48
    recognizer = build_model(copy.deepcopy(model))
    params, gflops = measure_complexity(recognizer, noise_clip(recognizer, size)[0])
    found = count_without_weights(model, size)
    assert found[0] == params - sum(parameter.numel() for parameter in recognizer.cls_head.parameters())
    assert 0.85 * gflops < found[1] <= gflops


def test_a_model_that_runs_with_weights_only_is_counted_with_them(monkeypatch):
    student = Shrinkable(read_config(STUDENT))
    monkeypatch.setattr('mmkd_video.recognizers.without_weights.build_model', None)
    assert student.estimate(student.shape) == student.cost(student.shape)
    assert student.with_shape(Shape(0.25, None, 8, 48)).model.cls_head.in_channels == 1280


def test_the_time_left_is_told_without_a_terminal_too(monkeypatch, capsys):
    monkeypatch.setattr(progress, 'LINE_SECONDS', 0.0)
    with progress.CountingProgress(4) as bar:
        bar.begin('width', 2)
        bar.step()
        bar.step()
    assert re.findall(r'counting: width, (\d) shapes so far, about 0:\d\d left', capsys.readouterr().err) == ['1', '2']


@pytest.mark.parametrize('depth', [34, 50])
def test_a_resnet_loses_layers_and_its_head_follows(depth):
    config = Config.fromfile('configs/students/resnet_motion.py')
    config.model.backbone.depth = depth
    config.model.cls_head.in_channels = 2048 if depth == 50 else 512
    student = Shrinkable(config)
    shape = student.rounded({'depth': 18.5 / depth})
    assert shape.depth == 18
    assert student.with_shape(shape).model.cls_head.in_channels == 512


def test_only_the_step_that_leaves_the_size_changes():
    student = Shrinkable(Config.fromfile(STUDENT))
    pipeline = student.with_shape(student.shape.scaled({'size': 0.7})).train_dataloader.dataset.pipeline
    assert pipeline[3].size == 56 and pipeline[4].scale == (32, 32)


def test_a_final_crop_takes_the_resizing_before_it_along():
    config = Config.fromfile(
        'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'.replace(
            'mmaction::', _mmaction()
        )
    )
    config.model.backbone.update(pretrained=None, pretrained2d=False)
    student = Shrinkable(config)
    pipeline = student.with_shape(student.shape.scaled({'size': 0.5})).val_dataloader.dataset.pipeline
    sizes = {step.type: step for step in pipeline}
    assert sizes['Resize'].scale == (-1, 128)
    assert next(step for step in pipeline if step.type.endswith('Crop')).crop_size == 112


def _mmaction() -> str:
    import mmaction

    return f'{mmaction.__path__[0]}/.mim/configs/'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--gflops', '5'], 'expected less than the 0.0'),
        (['--gflops', '1e-9'], 'which no proposal reaches; the smallest costs'),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        shrink.main([STUDENT, *arguments])
    assert stop.value.code == 1
    assert message in capsys.readouterr().err


def test_an_existing_file_is_not_overwritten(tmp_path, capsys):
    (tmp_path / 'mine.py').write_text('a = 1\n')
    with pytest.raises(SystemExit):
        shrink.main([STUDENT, '--gflops', '0.02', '--out', str(tmp_path / 'mine.py')])
    assert '--force' in capsys.readouterr().err
    assert (tmp_path / 'mine.py').read_text() == 'a = 1\n'


def test_an_unknown_pick_names_the_known():
    proposals = [Proposal(name, None, 1, 0.1) for name in ('balanced', 'width')]
    assert pick(proposals, 'width') is proposals[1]
    with pytest.raises(KeyError, match="got 'best'; expected one of balanced, width"):
        pick(proposals, 'best')


def test_a_model_whose_sizes_are_fixed_is_told_in_one_line():
    student = Shrinkable(Config.fromfile('configs/teachers/c3d_motion.py'))
    with pytest.raises(ValueError, match=r'^C3D does not run on 16 frames of 64 x 64: .*shapes cannot be multiplied'):
        student.with_shape(Shape(None, None, 16, 64))
    with pytest.raises(ValueError, match=r'^C3D does not run on 8 frames of 32 x 32: '):
        student.with_shape(student.rounded({'frames': 0.5}))


def test_ways_that_a_model_cannot_go_are_told_and_left_out(capsys):
    model, _ = config_of('timesformer')
    model['backbone'].update(img_size=64)  # in patches of 16 pixels
    student = Shrinkable(Config(dict(model=model)))
    now = student.cost(student.shape)[1]
    proposals = propose(student, 0.7 * now)
    assert 'frames' in {each.name for each in proposals}
    assert 'no proposal for size: TimeSformer does not run on 8 frames of' in capsys.readouterr().out


def test_operations_that_cannot_be_counted_are_told(monkeypatch, capsys):
    monkeypatch.setattr('mmkd_video.workflows.shrink.axes.measure_complexity', lambda *_: (1, None))
    with pytest.raises(SystemExit):
        shrink.main([STUDENT, '--gflops', '0.01'])
    error = capsys.readouterr().err
    assert error == 'error: the operations of this model cannot be counted on 8 frames of 48 x 48\n'


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        ("dict(type='ExportedRecognizer', path='x.xml')", 'its model has no backbone; expected a recognizer'),
        ("dict(type='R', backbone=dict(type='NoNet'), cls_head=dict())", "got backbone.type 'NoNet', which is not"),
        ("dict(type='R', backbone=dict(type='ResNet', depth=18), cls_head=dict())", 'R is not in the '),
    ],
)
def test_what_is_no_recognizer_is_told_in_one_line(tmp_path, capsys, model, message):
    (tmp_path / 'c.py').write_text(f'model = {model}\n')
    with pytest.raises(SystemExit) as stop:
        shrink.main([str(tmp_path / 'c.py'), '--gflops', '1'])
    error = capsys.readouterr().err
    assert stop.value.code == 1 and message in error
    assert error.startswith('error: ') and not error.startswith(('error: "', "error: '"))


def test_a_key_is_told_without_quotes_by_the_test_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(testing, 'merge_settings', lambda *_, **__: needed_parts(Config(dict(prepare=dict(dta='x')))))
    (tmp_path / 'x.pth').touch()
    with pytest.raises(SystemExit):
        test_tool.main([STUDENT, str(tmp_path / 'x.pth')])
    assert capsys.readouterr().err.startswith("error: prepare: got the unknown key 'dta'; expected data")


def test_a_mobilenet3d_loses_blocks():
    student = Shrinkable(Config.fromfile('configs/distill/i3d_to_mobilenet3d.py'))
    assert student.axes == ('width', 'depth', 'frames', 'size')
    whole, half = student.cost(student.shape), student.cost(student.rounded({'depth': 0.5}))
    assert half[0] < whole[0] and half[1] < whole[1]
    config = student.with_shape(student.rounded({'depth': 0.5, 'width': 0.5}))
    assert (config.model.student.backbone.depth_factor, config.model.student.backbone.widen_factor) == (0.5, 0.25)
