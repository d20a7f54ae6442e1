"""What a step keeps alive until its backward pass, counted in tensors and bytes."""

import weakref

import pytest
import torch
from distillations import KD, MAP, batch, build
from torch.autograd.graph import saved_tensors_hooks

import mmkd_video.losses as losses

PRE = dict(type='ABLoss', at=('backbone.layer7:pre', 'backbone.layer4:pre'), weight=0.001)


def test_features_of_a_teacher_end_with_the_forward_pass():
    model = build(terms=[KD, MAP, PRE])
    data, alive = batch(model), []
    features = model.teachers['teacher'].features

    def watched(inputs):
        found = features(inputs)
        alive.extend(map(weakref.ref, found.values()))
        return found

    model.teachers['teacher'].features = watched
    losses = model(**data, mode='loss')
    assert len(alive) == 3 and not [ref().shape for ref in alive if ref() is not None]
    assert losses['loss_fitnet'].requires_grad


def test_nothing_is_kept_at_a_tap_after_the_forward_pass():
    model = build(terms=[KD, MAP, PRE])
    model(**batch(model), mode='loss')
    for taps in (model._student_taps, model.teachers['teacher']._taps):
        for recorder in taps._recorders.values():
            assert not [key for key, value in vars(recorder).items() if isinstance(value, torch.Tensor)]


def saved_bytes(run) -> int:
    """Return the bytes of all memory that autograd keeps for the backward pass of what is computed in a function."""
    storages = {}

    def note(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        value = run()
    assert value.requires_grad
    return sum(storages.values())


@pytest.mark.parametrize(
    ('loss', 'maps'),
    [
        (losses.FitNetLoss(), 1.0),
        (losses.FTLoss(), 2.1),
        (losses.ABLoss(), 1.3),
        (losses.OFDLoss(margin=[-0.5] * 8), 1.3),
        (losses.FrameImportanceLoss(), 1.1),
        (losses.TemporalDifferenceLoss(), 1.0),
        (losses.NSTLoss(), 2.2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else None,
)
def test_a_loss_keeps_few_maps_for_its_backward_pass(loss, maps):
    student, teacher = torch.randn(4, 8, 4, 6, 6), torch.randn(4, 8, 4, 6, 6)
    size = student.untyped_storage().nbytes()
    assert saved_bytes(lambda: loss(student.requires_grad_() + 0, teacher)) <= maps * size


def test_levels_that_are_averaged_keep_one_error():
    student, teacher = torch.randn(2, 8, 4, 8, 8), torch.randn(2, 8, 4, 8, 8)
    size = student.untyped_storage().nbytes()
    kept = saved_bytes(lambda: losses.HCLLoss()([student.requires_grad_() + 0], [teacher]))
    assert kept <= 1.3 * size
