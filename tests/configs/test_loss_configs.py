"""Every config of a loss is parsed, built and stepped."""

import copy
from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config

import mmkd_video.losses as losses
from mmkd_video.core.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'losses').glob('*.py'))
DIFFERENT_EACH_CLIP = torch.Generator().manual_seed(0)


def batch() -> dict:
    clips = torch.randint(0, 256, (4, 8, 3, 48, 48), dtype=torch.uint8, generator=DIFFERENT_EACH_CLIP)
    samples = []
    for index in range(len(clips)):
        sample = ActionDataSample(metainfo={'sample_idx': index})
        samples.append(sample.set_gt_label(index))
    return {'inputs': list(clips), 'data_samples': samples}


def acting_epoch(term: torch.nn.Module, epochs: int) -> int:
    """Return the last epoch of a first stage; else the last of the training, when all warm-ups are over."""
    return (epochs if term.end is None else term.end) - 1


@pytest.mark.parametrize('path', CONFIGS, ids=[path.stem for path in CONFIGS])
def test_a_step_trains_the_student(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = Config.fromfile(path)
    assert len(path.read_text().splitlines()) <= 6
    assert 'http' not in config.pretty_text
    model_config = copy.deepcopy(config.model)
    model_config.teacher.checkpoint = None
    model = MODELS.build(model_config).train()
    optimizer_config = dict(config.optim_wrapper, optimizer=dict(config.optim_wrapper.optimizer, weight_decay=0.0))
    wrapper = model.build_optim_wrapper(optimizer_config)  # without decay, only a gradient moves a parameter
    last, epochs = list(model.training_state.terms)[-1], config.train_cfg.max_epochs
    epoch = acting_epoch(model.training_state.terms[last], epochs)
    model.set_progress(iter=10 * epoch, epoch=epoch, iters_per_epoch=10, max_iters=10 * epochs)
    data = model.data_preprocessor(batch(), True)
    out = model(**data, mode='loss')
    assert out[f'{last}_raw'].isfinite() and out[f'loss_{last}'].isfinite()
    before = {key: value.detach().clone() for key, value in model.student.backbone.named_parameters()}
    wrapper.backward(out[f'loss_{last}'])
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())
    after = dict(model.student.backbone.named_parameters())
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in after.values())
    wrapper.step()
    assert any(not torch.equal(before[key], parameter) for key, parameter in after.items())
    assert all(parameter.isfinite().all() for parameter in after.values())


def test_every_loss_has_a_config() -> None:
    shipped = {term.type for path in CONFIGS for term in Config.fromfile(path).model.terms}
    assert shipped == set(losses.__all__), 'ship configs/losses/<name>.py for every registered loss'
