"""Losses with a stage of their own train as their configs say: real optimizer steps through several epochs."""

import copy
from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from mmkd_video.core.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
EPOCHS, ITERS = 5, 2


def batch() -> dict:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(0, 256, (2, 8, 3, 48, 48), dtype=torch.uint8, generator=generator)
    samples = [ActionDataSample(metainfo={'sample_idx': index}).set_gt_label(index) for index in range(2)]
    return {'inputs': list(clips), 'data_samples': samples}


class Training:
    """A distiller of a shipped config, stepped on one batch at any epoch."""

    def __init__(self, name: str, lr: float = 1e-3) -> None:
        config = Config.fromfile(ROOT / 'configs' / 'losses' / f'{name}.py')
        model_config = copy.deepcopy(config.model)
        model_config.teacher.checkpoint = None
        torch.manual_seed(0)
        self.model = MODELS.build(model_config).train()
        self.optimizer = self.model.build_optim_wrapper(
            {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': lr}}
        ).optimizer

    def step(self, epoch: int) -> dict[str, float]:
        """Make one step and return the losses before it; the gradients stay."""
        self.model.set_progress(ITERS * epoch, epoch, ITERS, EPOCHS * ITERS)
        self.optimizer.zero_grad()
        losses = self.model(**self.model.data_preprocessor(batch(), True), mode='loss')
        self.model.parse_losses(losses)[0].backward()
        self.optimizer.step()
        return {key: float(value) for key, value in losses.items() if torch.is_tensor(value) and value.ndim == 0}

    def moved(self, module: torch.nn.Module) -> float:
        """Return the largest gradient of the last step."""
        return max(parameter.grad.abs().max().item() for parameter in module.parameters() if parameter.requires_grad)


@pytest.fixture(autouse=True)
def _at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize('name', ['ab', 'fsp'])
def test_the_first_stage_trains_the_backbone_alone_and_then_rests(name: str) -> None:
    training = Training(name)
    first = [training.step(0) for _ in range(2)]
    student = training.model.student
    assert all(losses[f'loss_{name}'] > 0 and losses['loss_cls'] == losses['loss_kd'] == 0 for losses in first)
    assert training.moved(student.cls_head) == 0 and training.moved(student.backbone) > 0
    second = training.step(1)
    assert second[f'loss_{name}'] == 0 and second['loss_cls'] > 0 and second['loss_kd'] > 0
    assert training.moved(student.cls_head) > 0 and training.moved(student.backbone) > 0
    connectors = training.model.training_state.terms[name]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() == 0 for parameter in connectors.parameters())


def test_the_paraphraser_learns_before_the_student_does() -> None:
    training = Training('paraphrased_ft', lr=1e-4)
    loss = training.model.training_state.terms['paraphrasedft'].loss
    early = [training.step(epoch)['paraphrasedft_raw'] for epoch in (0, 0, 0, 0, 0)]
    assert early[-1] < early[0]
    assert training.moved(loss.paraphraser) > 0 and training.moved(loss.translator) == 0
    training.step(1)
    assert loss.transfer == 500 and training.moved(loss.translator) > 0
    assert training.moved(loss.paraphraser) == 0


def test_the_learned_temperature_makes_it_harder_for_the_student() -> None:
    training = Training('ctkd', lr=1e-6)
    learned = training.model.training_state.terms['kd'].learned['temperature']
    training.step(0)
    assert learned.raw.grad == 0
    training.step(4)
    assert learned.raw.grad != 0
    before, values = learned().item(), []
    for _ in range(2):
        values.append(training.step(4)['kd_raw'])
        with torch.no_grad():
            learned.raw.sub_(1e3 * learned.raw.grad.sign() * 1e-3)
    assert learned().item() != before and values[1] > values[0]
