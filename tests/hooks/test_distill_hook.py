import json

import clips
import pytest
import torch
import zoo
from mmengine.config import Config
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS

SCHEDULED = dict(type='KDLoss', at='logits', weight=dict(type='Linear', value=0.8, start_factor=0.25, end=2))
MAP = dict(type='FitNetLoss', at=('backbone.layer4', 'backbone.layer4'), weight=1.0)


def model_config(terms=(SCHEDULED, MAP)):
    student, size = zoo.config_of('tsm_mobilenet')
    teacher, teacher_size = zoo.config_of('i3d')
    return dict(
        type='Distiller',
        student=student,
        teacher=dict(config=teacher, checkpoint=None),
        terms=list(terms),
        input_size=dict(student=size, teacher=teacher_size),
    )


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=6)


def run(videos, work_dir, name, **extra):
    config = clips.runner_config(videos, work_dir, extra.pop('model', None) or model_config(), **extra)
    return Runner.from_cfg(Config(dict(config, experiment_name=name)))


def scalars(work_dir):
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_a_stock_runner_trains_logs_and_writes_the_students_checkpoint(videos, tmp_path):
    runner = run(videos, tmp_path, 'stock', log_processor=dict(window_size=1))
    runner.train()
    saved = safe_load.load(tmp_path / 'epoch_2.pth')
    plain = MODELS.build(zoo.config_of('tsm_mobilenet')[0])
    plain.load_state_dict(saved['state_dict'], strict=True)
    assert set(saved['training_state']) == set(runner.model.training_state_dict())
    assert all(isinstance(value, torch.Tensor) for value in saved['training_state'].values())
    rows = [row for row in scalars(tmp_path) if 'loss_kd' in row]
    assert len(rows) == 6
    weights = [row['loss_kd'] / row['kd_raw'] for row in rows]
    assert weights == pytest.approx([0.2] * 3 + [0.8] * 3, rel=1e-3)
    assert {'loss_fitnet', 'fitnet_raw', 'loss_cls', 'top1_acc'} <= set(rows[0])


@pytest.mark.slow
def test_resume_takes_the_connectors_back_and_load_from_does_not(videos, tmp_path):
    first = run(videos, tmp_path, 'first', epochs=1)
    first.train()
    state = first.model.training_state_dict()
    resumed = run(videos, tmp_path, 'resumed', epochs=1, resume=True)
    resumed.train()
    assert all(torch.equal(resumed.model.training_state_dict()[key], value) for key, value in state.items())
    tuned = run(videos, tmp_path / 'tuned', 'tuned', epochs=1, load_from=str(tmp_path / 'epoch_1.pth'))
    tuned.load_or_resume()
    assert all(torch.equal(tuned.model.state_dict()[key], v) for key, v in first.model.state_dict().items())
    assert not all(torch.equal(tuned.model.training_state_dict()[key], value) for key, value in state.items())


@pytest.mark.slow
def test_resuming_from_a_checkpoint_without_training_state_is_refused(videos, tmp_path):
    run(videos, tmp_path, 'written', epochs=1).train()
    saved = safe_load.load(tmp_path / 'epoch_1.pth')
    del saved['training_state']
    torch.save(saved, tmp_path / 'bare.pth')
    runner = run(videos, tmp_path, 'bare', epochs=2, resume=True, load_from=str(tmp_path / 'bare.pth'))
    with pytest.raises(ValueError, match="holds no 'training_state'"):
        runner.train()


@pytest.mark.slow
def test_ema_hook_saves_the_average_under_the_students_names_and_resumes(videos, tmp_path):
    hooks = [dict(type='DistillHook'), dict(type='EMAHook', momentum=0.1)]
    run(videos, tmp_path, 'ema', epochs=1, custom_hooks=hooks).train()
    saved = safe_load.load(tmp_path / 'epoch_1.pth')
    plain = MODELS.build(zoo.config_of('tsm_mobilenet')[0])
    plain.load_state_dict(saved['state_dict'], strict=True)
    assert {key for key in saved['ema_state_dict'] if key != 'steps'} == {f'module.{k}' for k in plain.state_dict()}
    run(videos, tmp_path, 'ema-resumed', epochs=2, custom_hooks=hooks, resume=True).train()
    assert (tmp_path / 'epoch_2.pth').exists()


def test_a_runner_that_lacks_the_hook_stops_in_its_first_iteration(videos, tmp_path):
    runner = run(videos, tmp_path, 'hookless', custom_hooks=[])
    with pytest.raises(ValueError, match='DistillHook is not registered'):
        runner.train()
    assert runner.iter == 0
    data = runner.model.data_preprocessor(next(iter(runner.train_dataloader)), True)
    runner.model(**data, mode='loss')  # what is done by hand afterwards needs no hook


def test_tensorboard_gets_every_term_raw_and_weighted(videos, tmp_path):
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    visualizer = dict(type='ActionVisualizer', vis_backends=[dict(type='TensorboardVisBackend')])
    settings = dict(visualizer=visualizer, log_processor=dict(window_size=1))
    run(videos, tmp_path, 'tensorboard', epochs=1, **settings).train()
    (events,) = tmp_path.glob('*/vis_data/events.out.tfevents.*')
    written = accumulator.EventAccumulator(str(events))
    written.Reload()
    found = {}
    for key in ('loss_cls', 'loss_kd', 'kd_raw', 'loss_fitnet', 'fitnet_raw'):
        (tag,) = [tag for tag in written.Tags()['scalars'] if tag.split('/')[-1] == key]
        found[key] = [event.value for event in written.Scalars(tag)]
    assert {len(values) for values in found.values()} == {3}
    assert found['loss_kd'][0] == pytest.approx(0.2 * found['kd_raw'][0], rel=1e-3)
    assert found['loss_fitnet'] == pytest.approx(found['fitnet_raw'], rel=1e-3)


def test_the_optimizer_of_a_stock_runner_holds_student_and_connectors_once(videos, tmp_path):
    runner = run(videos, tmp_path, 'groups', epochs=1)
    runner.train()
    held = [id(p) for group in runner.optim_wrapper.param_groups for p in group['params']]
    wanted = [id(p) for p in runner.model.parameters() if p.requires_grad]
    assert sorted(held) == sorted(wanted)
    assert {id(p) for p in runner.optim_wrapper.param_groups[-1]['params']} == {
        id(p) for p in runner.model.training_state.parameters()
    }


def test_distilled_and_plain_config_score_the_same(videos, tmp_path):
    run(videos, tmp_path, 'distilled', epochs=1).train()
    checkpoint, plain = str(tmp_path / 'epoch_1.pth'), zoo.config_of('tsm_mobilenet')[0]
    tested = dict(whole=(model_config(), checkpoint), alone=(plain, checkpoint), untrained=(plain, None))
    metrics, scores = {}, {}
    for seed, (name, (model, load_from)) in enumerate(tested.items(), start=1):
        runner = run(
            videos,
            tmp_path / name,
            f'test-{name}',
            model=model,
            load_from=load_from,
            custom_hooks=[],
            randomness=dict(seed=seed),  # what is not loaded differs
        )
        runner.load_or_resume()
        metrics[name] = runner.val()
        samples = [sample for batch in runner.val_dataloader for sample in runner.model.val_step(batch)]
        scores[name] = torch.stack([sample.pred_score for sample in samples])
    assert metrics['whole'] == metrics['alone']
    assert torch.equal(scores['whole'], scores['alone'])
    assert not torch.allclose(scores['whole'], scores['untrained'], atol=1e-4)
