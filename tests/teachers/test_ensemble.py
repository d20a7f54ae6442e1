"""Several teachers that answer as one: members, their views, their weights, the classes that they know."""

import copy
import weakref

import pytest
import tiny
import torch
import zoo
from distillations import step

from mmkd_video.core.registry import MODELS, TASK_UTILS
from mmkd_video.core.replay import Replay
from mmkd_video.hooks.model_contract import parts_of_teachers
from mmkd_video.teachers import MemberWeighting, Teacher, TeacherEnsemble, build_teachers

CLASSES, SIZE = 5, (4, 16, 16)
KD = dict(type='KDLoss', at='logits', weight=1.0)


def frames_model():
    """A 2D recognizer of one stage."""
    return dict(
        type='Recognizer2D',
        backbone=dict(
            type='ResNet', depth=18, pretrained=None, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,)
        ),
        cls_head=dict(type='TSNHead', num_classes=CLASSES, in_channels=64, dropout_ratio=0.0),
        data_preprocessor=dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[50.0] * 3, format_shape='NCHW'),
    )


FRAMES_SIZE = (2, 24, 24)


def members(**extra):
    """A 3D and a 2D recognizer, of other families, frames and sizes."""
    return dict(
        clips=dict(config=tiny.recognizer(6), checkpoint=None, **extra),
        frames=dict(config=frames_model(), checkpoint=None),
    )


def ensemble_config(given=None, terms=(KD,), **settings):
    teacher = dict(type='TeacherEnsemble', members=given or members(), **settings)
    config = tiny.distiller(terms=copy.deepcopy(list(terms)))
    sizes = dict(clips=SIZE, frames=FRAMES_SIZE)
    sizes = {name: size for name, size in sizes.items() if name in teacher['members']}
    return dict(config, teacher=teacher, input_size=dict(sizes, student=SIZE))


def build(*arguments, seed=0, **settings):
    torch.manual_seed(seed)
    return MODELS.build(ensemble_config(*arguments, **settings)).train()


def data_for(model, clips=2, labels=None, views=None, seed=0):
    data = zoo.batch_for(tiny.recognizer(), SIZE, clips=clips, seed=seed)
    for sample, label in zip(data['data_samples'], labels or [], strict=False):
        sample.set_gt_label(label)
    if views:
        data['views'] = views
    return model.data_preprocessor(data, True)


def taught(model, data):
    """Return what the ensemble answers, and the scores of each member run alone."""
    ensemble, kept = model.teachers['teacher'], {}
    teach = ensemble.teach
    ensemble.teach = lambda step: kept.setdefault('answer', teach(step))
    step(model, data)
    ensemble.teach = teach
    return kept['answer'], {
        name: member.features(data['views'][name])['logits'] for name, member in ensemble.members.items()
    }


def test_members_of_two_families_answer_as_their_mean():
    model = build(temperature=2.0)
    answer, alone = taught(model, data_for(model))
    expected = sum((each / 2).softmax(dim=1) for each in alone.values()) / 2
    assert torch.allclose((answer['logits'] / 2).softmax(dim=1), expected, atol=1e-6)
    assert torch.equal(answer['frames.logits'], alone['frames'])


def test_fixed_weights_by_name_or_in_order():
    for weights in (dict(frames=1.0, clips=3.0), [3.0, 1.0]):
        model = build(weighting=dict(type='weighted', weights=weights), combine='logits')
        answer, alone = taught(model, data_for(model))
        centred = {name: each - each.mean(dim=1, keepdim=True) for name, each in alone.items()}
        assert torch.allclose(answer['logits'], 0.75 * centred['clips'] + 0.25 * centred['frames'], atol=1e-6)


def test_each_member_sees_a_view_of_its_own():
    model = build()
    small = zoo.batch_for(frames_model(), FRAMES_SIZE, seed=7)['inputs']
    wide = zoo.batch_for(tiny.recognizer(), (4, 40, 40))['inputs']
    data = data_for(model, views=dict(frames=small, clips=wide))
    assert data['views']['clips'].shape[-3:] == (4, 40, 40) and data['views']['frames'].shape[-1] == 24
    answer, alone = taught(model, data)
    assert torch.equal(answer['clips.logits'], alone['clips'])
    other, _ = taught(model, data_for(model, views=dict(frames=small)))
    assert torch.equal(other['frames.logits'], answer['frames.logits'])
    assert not torch.equal(other['clips.logits'], answer['clips.logits'])


def test_a_view_of_its_own_can_be_asked_for_by_a_member():
    model = build(members(view='own'))
    with pytest.raises(ValueError, match="view='own': the batch has no view for teacher 'clips'"):
        data_for(model)


def test_members_run_one_after_another_and_leave_nothing_behind():
    model = build()
    data = data_for(model)
    alive, seen = [], []
    first, second = (model.teachers['teacher'].members[name].module for name in ('clips', 'frames'))
    for module in first.backbone.modules():
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(weakref.ref(output)))
    second.backbone.register_forward_pre_hook(lambda *_: alive.append(sum(ref() is not None for ref in seen)))
    step(model, data)
    assert len(seen) > 5 and alive == [0]


def test_members_are_in_no_state_and_no_optimizer_and_move_along():
    model = build()
    assert not [key for key in model.state_dict() if 'teacher' in key or 'members' in key]
    assert list(model.state_dict()) == list(MODELS.build(tiny.recognizer()).state_dict())
    assert not model.training_state_dict()
    wrapper = model.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.1)))
    held = {id(each) for group in wrapper.optimizer.param_groups for each in group['params']}
    ensemble = model.teachers['teacher']
    assert not held & {id(each) for member in ensemble.members.values() for each in member.module.parameters()}
    assert copy.deepcopy(model).teachers['teacher'] is ensemble
    model.double()
    assert {next(member.module.parameters()).dtype for member in ensemble.members.values()} == {torch.double}


def test_terms_read_taps_of_members():
    terms = [KD, dict(type='FitNetLoss', at=('backbone.layer1', 'clips.backbone.layer1'), weight=1.0)]
    terms.append(dict(type='KDLoss', at=('logits', 'frames.logits'), weight=1.0, name='second'))
    model = build(terms=terms)
    losses = step(model, data_for(model))
    assert losses['fitnet_raw'] > 0 and losses['second_raw'] > 0
    assert not torch.equal(losses['second_raw'], losses['kd_raw'])
    (pair,) = model.training_state.terms['fitnet'].pairs
    assert pair.connector.project.weight.shape == (6, 8)


def test_a_loss_that_asks_for_the_batch_norm_of_a_member_gets_it():
    terms = [dict(type='OFDLoss', at=('backbone.layer1:pre', 'clips.backbone.layer1:pre'), weight=1.0)]
    model = build(terms=terms)
    assert step(model, data_for(model))['ofd_raw'] > 0


@pytest.mark.parametrize(
    ('tap', 'said'),
    [
        ('backbone.layer1', "a tap of one of clips, frames after its name, such as 'clips.backbone.layer1'"),
        ('clip.backbone.layer1', "such as 'clips.backbone.layer1'"),
        ('clips.backbone.layr1', r"clips tap 'backbone.layr1' names no module of Recognizer3D.*layer1"),
        ('pooled', "expected 'logits', which are the members' together"),
    ],
)
def test_a_wrong_tap_is_told_with_the_nearest(tap, said):
    with pytest.raises(KeyError, match=said):
        build(terms=[dict(type='FitNetLoss', at=('backbone.layer1', tap), weight=1.0)])


PARTS = dict(
    first=dict(config=tiny.recognizer(6), checkpoint=None, classes=[4, 0, 1], covers=[0, 2, 4]),
    second=dict(config=tiny.recognizer(6), checkpoint=None, classes=[2, 3], covers=[1, 3]),
)


def test_members_that_know_different_classes_teach_all_of_them():
    model = build(PARTS)
    ensemble = model.teachers['teacher']
    assert ensemble.num_classes == CLASSES and ensemble.combine == 'logits'
    answer, alone = taught(model, data_for(model))
    centred = {name: each - each.mean(dim=1, keepdim=True) for name, each in alone.items()}
    assert torch.allclose(answer['logits'][:, [0, 2, 4]], centred['first'], atol=1e-6)
    assert torch.allclose(answer['logits'][:, [1, 3]], centred['second'], atol=1e-6)
    within = answer['logits'][:, [0, 2, 4]].softmax(dim=1)  # what a member says of its classes stays as it is
    assert torch.allclose(within, alone['first'].softmax(dim=1), atol=1e-6)


@pytest.mark.parametrize(
    ('settings', 'error', 'said'),
    [
        (dict(members=dict(PARTS, second=dict(PARTS['second'], covers=[1]))), ValueError, 'got 1 classes; expected 2'),
        (dict(members=dict(PARTS, second=dict(PARTS['second'], covers=[1, 1]))), ValueError, 'each class of the stud'),
        (dict(members=dict(first=PARTS['first'])), ValueError, 'no member covers class 1 of the 5'),
        (dict(members=PARTS, combine='probabilities'), ValueError, "combine: got 'probabilities', but first covers a"),
        (dict(members=PARTS, weighting='best'), ValueError, "got 'best'.*use 'mean' or 'weighted'"),
        (dict(members=dict(a=members()['clips'], b=dict(members()['clips'], classes=[0, 1]))), ValueError, 'a 5, b 2'),
        (dict(weighting='means'), KeyError, "weighting: got 'means'; expected one of .*did you mean 'mean'"),
        (dict(weighting='KDLoss'), KeyError, "weighting: got 'KDLoss'; expected one of"),
        (dict(weighting=dict(type='weighted', weights=[1.0])), ValueError, 'got 1 numbers; expected one for each of'),
        (dict(weighting=dict(type='weighted', weights=dict(clip=1.0))), KeyError, "did you mean 'clips'"),
        (
            dict(weighting=dict(type='weighted', weights=[1.0, 0.0])),
            ValueError,
            r'weights: got \[1.0, 0.0\]; .*above 0',
        ),
        (dict(weighting=dict(type='aekd', tolerance=0.3)), ValueError, 'got 0.3; expected at least 1 / 2'),
        (dict(members=dict(logits=members()['clips'])), ValueError, "got the name 'logits'"),
        (dict(members=dict(teacher=members()['clips'])), ValueError, "got 'teacher' in 'teacher'"),
        (
            dict(members=dict(a=dict(type='TeacherEnsemble', members=members()), clips=members()['clips'])),
            ValueError,
            "got 'clips' for two members",
        ),
        (dict(members=dict(a=dict(config=tiny.recognizer(6)))), ValueError, 'a.checkpoint is missing'),
        (dict(members=dict(a=dict(config=1, checkpoint=None))), ValueError, 'teacher.members.a.config: got 1'),
        (dict(members=dict(a=dict(type='Frozen'))), KeyError, r'members\.a\.type.*did you mean .FrozenTeacher'),
        (dict(members=[]), ValueError, 'members: got'),
        (dict(temperature=0.0), ValueError, 'temperature: got 0.0; expected a number above 0'),
    ],
)
def test_what_does_not_go_together_is_said_when_it_is_built(settings, error, said):
    config = ensemble_config()
    config['teacher'].update(settings)
    config['input_size'] = None
    with pytest.raises(error, match=said):
        build_teachers(config['teacher'])


def test_input_sizes_name_members():
    config = ensemble_config()
    config['input_size'] = dict(student=SIZE, clip=(4, 24, 24))
    with pytest.raises(KeyError, match="got the unknown key 'clip'; expected student, clips, frames; did you mean"):
        MODELS.build(config)
    config['input_size'] = dict(student=SIZE, clips=(4, 24, 24))
    model = MODELS.build(config)
    assert model.teachers['teacher'].members['clips']._example.shape[-3:] == (4, 24, 24)


def test_a_list_of_members_is_numbered():
    model = build(list(members().values()))
    assert list(model.teachers['teacher'].parts) == ['member1', 'member2']


def test_an_ensemble_may_be_a_member():
    inner = dict(type='TeacherEnsemble', members=members(), temperature=3.0)
    model = build(dict(inner=inner, third=dict(config=tiny.recognizer(4), checkpoint=None)), temperature=3.0)
    assert list(model.teachers['teacher'].parts) == ['clips', 'frames', 'third']
    data = data_for(model)
    kept = {}
    teach = model.teachers['teacher'].teach
    model.teachers['teacher'].teach = lambda step: kept.setdefault('answer', teach(step))
    step(model, data)
    found = kept['answer']
    assert torch.allclose(
        (found['logits'] / 3).softmax(1),
        ((found['inner.clips.logits'] / 3).softmax(1) + (found['inner.frames.logits'] / 3).softmax(1)) / 4
        + (found['third.logits'] / 3).softmax(1) / 2,
        atol=1e-6,
    )


@MODELS.register_module()
class LearningMember(Teacher):
    """Another head on the student's features, which learns from the labels."""

    view = None
    student_taps = ('pooled',)

    num_classes = CLASSES

    def bind(self, taps, probe):
        self.state = torch.nn.Linear(probe.features['pooled'].shape[1], CLASSES)
        return dict(logits=self.state(probe.features['pooled']).detach())

    def teach(self, step):
        assert step.view is None
        return dict(logits=self.state(step.student['pooled'].detach()))

    def losses(self, step, features):
        return dict(task=torch.nn.functional.cross_entropy(features['logits'], step.labels))

    def after_step(self, student):
        self.updated = True


def test_a_member_that_learns_is_in_the_training_state():
    model = build(dict(clips=members()['clips'], peer=dict(type='LearningMember')))
    assert any(key.startswith('teachers.teacher.peer.') for key in model.training_state_dict())
    losses = step(model, data_for(model))
    peer = model.teachers['teacher'].members['peer']
    assert losses['loss_teacher_peer_task'] > 0 and peer.state.weight.grad.abs().sum() > 0
    model.after_step()
    assert peer.updated


def test_in_half_precision_the_answer_is_float32():
    for weighting in ('aekd', 'ca_mkd'):
        model = build(weighting=weighting)
        data = data_for(model)
        with torch.autocast('cpu', torch.bfloat16):
            answer, _ = taught(model, data)
        assert answer['logits'].dtype == torch.float32 and answer['logits'].isfinite().all()
        gradients = [parameter.grad for parameter in model.student.parameters()]
        assert all(each is not None and each.isfinite().all() for each in gradients)


def test_members_weighed_by_gradients_run_after_the_student():
    model = build(weighting='aekd')
    assert model.teachers['teacher'].student_taps == ('logits',)
    seen = []
    ensemble = model.teachers['teacher']
    combine = ensemble.weighting.weigh
    ensemble.weighting.weigh = lambda step: seen.append(step.student) or combine(step)
    ensemble.members['clips'].teach = lambda step, teach=ensemble.members['clips'].teach: (
        teach(step) if step.student is None else pytest.fail('a member that does not ask for the student got it')
    )
    step(model, data_for(model))
    assert seen[-1].shape == (2, CLASSES) and not seen[-1].requires_grad


@pytest.mark.parametrize('labels', [[0, -1], [-1, -1], [[0.5, 0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]]])
@pytest.mark.parametrize('weighting', ['ca_mkd', 'best'])
def test_unlabelled_clips_and_soft_labels_are_taught(weighting, labels):
    labels = [torch.tensor(each) if isinstance(each, list) else each for each in labels]
    model = build(weighting=weighting)
    losses = step(model, data_for(model, labels=labels))
    assert losses['kd_raw'].isfinite() and losses['kd_raw'] > 0


@TASK_UTILS.register_module(name='first_alone')
class FirstAlone(MemberWeighting):
    """One of a user's own."""

    def weigh(self, step):
        return torch.eye(len(step.scores))[:, :1]


def test_a_weighting_of_a_users_own():
    model = build(weighting='first_alone')
    answer, alone = taught(model, data_for(model))
    assert torch.allclose(answer['logits'].softmax(1), alone['clips'].softmax(1), atol=1e-6)


def test_the_fingerprint_tells_members_and_weights_apart():
    found = {build(**each).teachers['teacher'].fingerprint for each in (dict(), dict(seed=1), dict(weighting='best'))}
    assert len(found) == 3


def test_an_ensemble_cannot_predict_from_one_pipeline():
    ensemble = TeacherEnsemble(members())
    with pytest.raises(ValueError, match='has no pipeline of its own; let each of its parts predict'):
        ensemble.predict({})
    first, second = torch.tensor([[0.9, 0.1, 0.0, 0.0, 0.0]]), torch.tensor([[0.1, 0.5, 0.4, 0.0, 0.0]])
    merged = ensemble.merge(dict(clips=first, frames=second))
    assert torch.allclose(merged, (first + second) / 2, atol=1e-6)


def test_what_is_cached_of_a_member_is_replayed():
    model = build()
    model.teachers['teacher'].members['clips'].replay = Replay(0, 1, 5, '', '', '')
    assert [name for name, part in parts_of_teachers(model).items() if part.replay is not None] == ['clips']


def test_a_member_that_teaches_blocks_is_refused():
    member = dict(type='BlockTeacher', config=tiny.recognizer(6), checkpoint=None)
    with pytest.raises(ValueError, match=r'members.a.type: got BlockTeacher, which teaches by losses of its own'):
        TeacherEnsemble(members=dict(a=member))


@pytest.mark.parametrize('kind', ['EMATeacher', 'PeerTeacher', 'SelfTeacher'])
def test_a_member_that_learns_is_refused(kind):
    settings = {'PeerTeacher': dict(config=tiny.recognizer(6)), 'SelfTeacher': dict(exits=['backbone.layer1'])}
    with pytest.raises(ValueError, match=rf'teacher.members.a.type: got {kind}, which learns; expected a teacher that'):
        TeacherEnsemble(members=dict(a=dict(type=kind, **settings.get(kind, {}))))
