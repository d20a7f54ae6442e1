"""The configs of other tasks: a step on rendered clips of the task trains the student, and its metric is reported."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.core.registry import build_model
from mmkd_video.datasets import render_motion_clips

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'tasks').glob('*.py'))
METRICS = {
    'i3d_to_mobilenet_segmentation': {f'segmentation/{each}' for each in ('accuracy', 'edit', 'f1@10', 'f1@50')},
    'i3d_to_mobilenet_retrieval': {'acc/top1', 'retrieval/recall@1', 'retrieval/mean_average_precision'},
    'i3d_to_mobilenet_together': {'acc/mean_average_precision'},
}


def loader_of(config: Config, split: str, root: Path) -> torch.utils.data.DataLoader:
    settings = config[f'{split}_dataloader']
    settings.dataset.data_root = str(root)
    settings.update(num_workers=0, persistent_workers=False, batch_size=2)
    return Runner.build_dataloader(settings)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_step_trains_the_student_and_its_metric_is_reported(path, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    init_default_scope('mmaction')
    config = Config.fromfile(path)
    assert len(path.read_text().splitlines()) <= 30 and 'http' not in config.pretty_text
    prepare = config.prepare
    assert Path(prepare.teacher).is_file() and prepare.teacher == config.model.teacher.config
    assert prepare.data == config.train_dataloader.dataset.data_root
    few = dict(train=2, val=2, test=9)  # the ninth is of the class of the first
    render_motion_clips(tmp_path / 'clips', num_clips=few, motions=prepare.get('motions', 'single'))
    config.model.teacher.checkpoint = None
    model = build_model(config.model).train()
    model.set_progress(iter=0, epoch=0, iters_per_epoch=10, max_iters=10 * config.train_cfg.max_epochs)
    batch = model.data_preprocessor(next(iter(loader_of(config, 'train', tmp_path / 'clips'))), True)
    losses = model(**batch, mode='loss')
    assert all(losses[f'{name}_raw'].isfinite() for name in model.training_state.terms)
    model.parse_losses(losses)[0].backward()
    gradients = [parameter.grad for parameter in model.student.parameters()]
    assert all(each is not None and each.isfinite().all() for each in gradients)
    evaluator, loader = Evaluator(config.test_evaluator), loader_of(config, 'test', tmp_path / 'clips')
    model.eval()
    for data in loader:
        with torch.no_grad():
            evaluator.process(data_samples=model.test_step(data), data_batch=data)
    found = evaluator.evaluate(len(loader.dataset))
    assert METRICS[path.stem] <= set(found)
    assert all(0 <= found[name] <= 1 for name in METRICS[path.stem])
