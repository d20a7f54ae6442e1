"""Accumulated gradients: several small batches are one large batch."""

import copy

import clips
import pytest
import tiny
import torch
import zoo
from mmengine.optim import OptimWrapper

TERMS = [tiny.KD, dict(type='FitNetLoss', at='backbone.layer1', weight=1.0)]


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('clips'), count=4)


def test_two_batches_of_two_are_one_of_four():
    student = tiny.recognizer(norm_eval=True)  # with statistics of a batch they cannot be
    batches = [zoo.batch_for(tiny.recognizer(), tiny.SIZE, seed=seed) for seed in range(2)]
    joined = {key: [*batches[0][key], *batches[1][key]] for key in batches[0]}
    assert len(joined['inputs']) == 4
    models = []
    for counts, given in ((1, [joined]), (2, batches)):
        model = tiny.build(terms=TERMS, student=student)
        before = copy.deepcopy(model.student.state_dict())
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=counts)
        wrapper.initialize_count_status(model, 0, len(given))
        for batch in given:
            model.train_step(copy.deepcopy(batch), wrapper)
        models.append(model)
    large, small = models
    assert not torch.equal(large.student.backbone.conv1.conv.weight, before['backbone.conv1.conv.weight'])
    for (name, mine), theirs in zip(small.named_parameters(), large.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6), name


@pytest.mark.slow
def test_schedules_move_once_an_iteration_and_a_resume_is_exact(videos, tmp_path):
    def train(name, epochs, folder, resume=False):
        schedule = dict(type='Linear', value=1.0, start_factor=0.0, end=8, by_epoch=False)
        model = tiny.distiller(terms=[dict(tiny.KD, weight=schedule), tiny.MAP])
        settings = dict(
            train_dataloader=dict(batch_size=1),
            train_cfg=dict(max_epochs=epochs),
            val_cfg=None,
            val_dataloader=None,
            val_evaluator=None,
            param_scheduler=[],
            optim_wrapper=dict(accumulative_counts=2),
            resume=resume,
        )
        weights = []
        built = tiny.runner(videos, tmp_path / folder, name, model, **settings)
        step, moved = built.model.set_progress, []

        def set_progress(*arguments):
            step(*arguments)
            weights.append(float(built.model.training_state.terms['kd'].weight.read(torch.zeros(()))))
            moved.append(built.model.student.backbone.conv1.conv.weight.detach().clone())

        built.model.set_progress = set_progress
        built.train()
        return built, weights, moved

    whole, weights, moved = train('whole', 2, 'whole')
    assert weights == sorted(set(weights)) and len(weights) == 8
    assert [torch.equal(a, b) for a, b in zip(moved, moved[1:], strict=False)] == [True, False] * 3 + [True]
    _, first, _ = train('first', 1, 'parts')
    again, second, _ = train('again', 2, 'parts', resume=True)
    assert first + second == pytest.approx(weights)
    assert all(torch.equal(again.model.state_dict()[key], value) for key, value in whole.model.state_dict().items())
    state = whole.model.training_state_dict()
    assert all(torch.equal(again.model.training_state_dict()[key], value) for key, value in state.items())
