"""A head for the labels and one for the teacher."""

import copy

import pytest
import torch
import zoo
from mmengine.config import Config

from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.export import DeployableRecognizer
from mmkd_video.pruning import prune
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.plain_student import plain_student


def student(family='tsm_mobilenet'):
    """Return a model config of the zoo whose head became two."""
    config, size = zoo.config_of(family)
    head = config['cls_head']
    config['cls_head'] = dict(head, type='DistilledHead', head=head['type'])
    return config, size


def model_of(*terms, task_weight=1.0):
    config, size = student()
    teacher, teacher_size = zoo.config_of('i3d')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='Distiller',
            student=config,
            teacher=dict(config=teacher, checkpoint=None),
            terms=list(terms),
            task_weight=task_weight,
            input_size=dict(student=size, teacher=teacher_size),
        )
    )
    return model.train()


def step(model):
    losses = model(**model.data_preprocessor(zoo.batch_for(*student()), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    heads = model.student.cls_head.labels, model.student.cls_head.distillation
    return losses, [head.fc_cls.weight.grad.abs().max().item() for head in heads]


@pytest.mark.parametrize('family', ['tsm_mobilenet', 'tsn_r18', 'i3d', 'slowfast', 'x3d', 'timesformer'])
def test_in_training_the_scores_are_those_of_the_labels_and_in_tests_the_mean_of_both(family):
    config, size = student(family)
    torch.manual_seed(0)
    model = build_model(config)
    model.init_weights()
    clip = noise_clip(model, size)
    model.eval()
    features, extra = model.extract_feat(clip, test_mode=True)
    heads = model.cls_head
    for head in (heads.labels, heads.distillation):
        for module in head.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight)
    with torch.no_grad():
        own, taught = heads.labels(features, **extra), heads.distillation(features, **extra)
        assert torch.allclose(
            heads(features, **extra).softmax(-1), (own.softmax(-1) + taught.softmax(-1)) / 2, atol=1e-6
        )
        assert not torch.allclose(own, taught)
        heads.training = True  # the inner heads stay in eval mode, without dropout
        assert torch.equal(heads(features, **extra), own)


def test_labels_teach_one_head_and_the_teacher_the_other():
    hard = dict(type='HardKDLoss', at=('distilled', 'logits'), weight=1.0)
    losses, (labels, taught) = step(model_of(hard, task_weight=0.0))
    assert labels == 0 and taught > 0 and losses['hardkd_raw'] > 0
    plain = dict(type='KDLoss', at='logits', weight=1.0)
    _, (labels, taught) = step(model_of(plain))
    assert labels > 0 and taught == 0  # zero, but not none: DDP finds no parameter unused


def test_the_taught_head_learns_what_the_teacher_decides():
    model = model_of(dict(type='HardKDLoss', at=('distilled', 'logits'), weight=1.0), task_weight=0.0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.Adam(model.student.cls_head.parameters(), lr=0.01)
    raws = []
    for _ in range(12):
        optimizer.zero_grad()
        raws.append(step(model)[0]['hardkd_raw'].item())
        optimizer.step()
    assert raws[-1] < 0.5 * raws[0]


def test_both_heads_are_in_the_checkpoint_and_in_what_is_exported():
    model = model_of(dict(type='HardKDLoss', at=('distilled', 'logits')))
    keys = [key for key in model.state_dict() if key.startswith('cls_head.')]
    assert {key.split('.')[1] for key in keys} == {'labels', 'distillation'}
    plain = build_model(student()[0]).eval()
    plain.load_state_dict(model.state_dict())
    data = zoo.batch_for(*student())
    with torch.no_grad():
        predicted = [sample.pred_score for sample in plain(**plain.data_preprocessor(data, False), mode='predict')]
        exported = DeployableRecognizer(plain)(torch.stack(data['inputs']))
    assert torch.allclose(torch.stack(predicted), exported, atol=1e-5)


def test_without_a_teacher_both_heads_learn_from_the_labels():
    config, _ = student()
    plain = plain_student(Config(dict(model=dict(type='Distiller', student=config, teacher=None))))
    assert plain.model.cls_head.taught is False and 'taught' not in config['cls_head']
    torch.manual_seed(0)
    model = build_model(plain.model.to_dict()).train()
    model.init_weights()
    data = model.data_preprocessor(zoo.batch_for(*student()), True)
    losses = model(**data, mode='loss')
    losses['loss_cls'].backward()
    heads = model.cls_head.labels, model.cls_head.distillation  # each drops features of its own
    assert all(head.fc_cls.weight.grad.abs().max() > 0 for head in heads)


def test_it_is_written_over_the_students_own_head():
    config = Config.fromfile('configs/distill/i3d_to_mobilenet_deit.py')
    head = copy.deepcopy(config.model.student.cls_head)
    assert (head.type, head.num_classes, head.in_channels) == ('DistilledHead', 8, 1280)
    assert type(MODELS.build(head).distillation).__name__ == 'TSMHead'


def test_mistakes_are_named():
    with pytest.raises(KeyError, match="DistilledHead.head: got 'TSMHed'; expected the name of a head"):
        MODELS.build(dict(type='DistilledHead', head='TSMHed', num_classes=3, in_channels=4))
    teacher = dict(config=zoo.config_of('i3d')[0], checkpoint=None)
    term = dict(type='HardKDLoss', at=('distilled', 'logits'))
    plain = dict(
        type='Distiller', student=zoo.config_of('i3d')[0], teacher=teacher, terms=[term], input_size=(8, 32, 32)
    )
    with pytest.raises(KeyError, match="student tap 'distilled' names no module of Recognizer3D"):
        MODELS.build(plain)


def test_it_is_pruned_as_any_other_and_keeps_its_classes():
    config, size = student()
    torch.manual_seed(0)
    model = build_model(config).eval()
    clip = noise_clip(model, size)
    prune(model, clip, dict(params=0.6))
    heads = model.cls_head.labels.fc_cls, model.cls_head.distillation.fc_cls
    assert [head.out_features for head in heads] == [5, 5]
    assert heads[0].in_features == heads[1].in_features < 1280
