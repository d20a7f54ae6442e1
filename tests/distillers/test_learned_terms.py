import pytest
import torch
import zoo

from mmkd_video.core.registry import MODELS
from mmkd_video.distillers.distiller import stack_indices

LAYERS = [('backbone.layer3', 'backbone.layer3'), ('backbone.layer4', 'backbone.layer4')]
TERMS = {
    'vid': dict(type='VIDLoss', at=LAYERS[1]),
    'mgd': dict(type='MGDLoss', at=LAYERS[1], weight=7e-5),
    'srrl': dict(type='SRRLLoss', at='pooled'),
    'crd': dict(type='CRDLoss', at='pooled', num_samples=8, dim=16, num_negatives=8),
    'semckd': dict(type='SemCKDLoss', at=LAYERS, dim=8),
    'reviewkd': dict(
        type='HCLLoss', at=LAYERS, connector=dict(type='AttentionFusionConnector', mid_channels=8), name='reviewkd'
    ),
    'fsp': dict(type='FSPLoss', at=LAYERS),
    'dkd': dict(type='DKDLoss', at='logits'),
}


def build(terms):
    ours, our_size = zoo.config_of('tsm_mobilenet')
    theirs, their_size = zoo.config_of('i3d')
    config = dict(
        type='Distiller',
        student=ours,
        teacher=dict(config=theirs, checkpoint=None),
        terms=[dict(term) for term in terms],
        input_size=dict(student=our_size, teacher=their_size),
    )
    return MODELS.build(config).train()


def batch(model, indices=True):
    data = zoo.batch_for(*zoo.config_of('tsm_mobilenet'))
    if indices:
        for index, sample in enumerate(data['data_samples']):
            sample.set_metainfo({'sample_idx': index})
    return model.data_preprocessor(data, True)


@pytest.mark.parametrize('name', TERMS)
def test_a_learned_loss_is_trained_inside_the_distiller(name):
    torch.manual_seed(0)  # a mask over all four positions of a map would leave MGD nothing to teach
    model = build([TERMS[name]])
    losses = model(**batch(model), mode='loss')
    losses[f'loss_{name}'].backward()
    learned = dict(model.training_state.named_parameters())
    assert all(parameter.grad is not None for parameter in learned.values())
    reached = [parameter for parameter in model.student.backbone.parameters() if parameter.grad is not None]
    assert sum(parameter.grad.abs().sum() for parameter in reached) > 0
    assert all(parameter.grad is None for parameter in model.teachers['teacher'].module.parameters())


def test_a_contrast_needs_the_index_of_each_sample():
    model = build([TERMS['crd']])
    with pytest.raises(ValueError, match='CRDLoss needs .*indices'):
        model(**batch(model, indices=False), mode='loss')


def test_an_index_beyond_the_training_set_is_refused_on_the_host():
    model = build([TERMS['crd']])
    data = batch(model)
    data['data_samples'][1].set_metainfo({'sample_idx': 8})
    message = r"term 'crd' at .*indices: got 0 to 8, expected 0 to 7; num_samples is the size of the training set"
    with pytest.raises(ValueError, match=message):
        model(**data, mode='loss')
    assert stack_indices(data['data_samples'], torch.device('meta')).device.type == 'cpu'


def test_the_bank_of_a_contrast_is_in_the_training_state_alone():
    model = build([TERMS['crd']])
    assert any('teacher_bank' in key for key in model.training_state_dict())
    assert not any('bank' in key for key in model.state_dict())
