"""Training on attacked clips: alone, with a teacher, and the robust distillations that are settings of it."""

import json

import clips as real
import pytest
import tiny
import torch
import torch.nn.functional as F
from test_distributed import TESTS, torchrun

from mmkd_video.core.registry import MODELS
from mmkd_video.distillers import AdversarialTraining
from mmkd_video.robustness import PixelScale

PGD = dict(type='PGD', epsilon=8.0, steps=2)
LOGITS = dict(type='KDLoss', at='logits', temperature=2.0, weight=0.7)
CLEAN_KD = dict(type='KDLoss', at=('clean.logits', 'logits'), temperature=1.0, weight=0.3, name='kd_clean')


def config(terms=(LOGITS,), attack=PGD, **extra):
    return tiny.distiller(terms=terms, type='AdversarialTraining', attack=attack, **extra)


def build(**given):
    torch.manual_seed(0)
    return MODELS.build(config(**given)).train()


def alone(**given):
    torch.manual_seed(0)
    return MODELS.build(
        dict(dict(type='AdversarialTraining', student=tiny.recognizer(), attack=PGD, input_size=tiny.SIZE), **given)
    ).train()


def batch(model, clips=3, labels=None):
    from mmaction.structures import ActionDataSample

    torch.manual_seed(7)
    frames = torch.randint(256, (clips, 1, 3, *tiny.SIZE), dtype=torch.uint8)
    labels = [0, 1, 2, 3][:clips] if labels is None else labels
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    return model.data_preprocessor(dict(inputs=list(frames), data_samples=samples), True)


def spied(model):
    """Let the student note the clips that it was trained on, in order."""
    seen, own = [], model.student.loss
    model.student.loss = lambda clips, samples: seen.append(clips) or own(clips, samples)
    return seen


def pixels(model, clips):
    return PixelScale.of(model.student.data_preprocessor).to_pixels(clips)


def test_the_student_is_trained_on_clips_within_the_budget_that_raise_its_loss():
    model = alone()
    data, seen = batch(model), spied(model)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss_cls', 'top1_acc', 'top5_acc'}
    (attacked,) = seen
    away = (pixels(model, attacked) - pixels(model, data['inputs'])).abs()
    assert 7 < away.max() <= 8.001
    model.eval()
    labels = torch.tensor([0, 1, 2])
    with torch.no_grad():
        before, after = (F.cross_entropy(model._scores(x), labels) for x in (data['inputs'], attacked))
    assert after > before


def test_the_attack_moves_no_statistic_no_mode_and_no_gradient():
    model = build()
    data = batch(model)
    before = {key: value.clone() for key, value in model.student.state_dict().items()}
    modes = {name: module.training for name, module in model.student.named_modules()}
    model._attacked(data['inputs'], data['data_samples'], {})
    assert all(torch.equal(before[key], value) for key, value in model.student.state_dict().items())
    assert modes == {name: module.training for name, module in model.student.named_modules()}
    assert all(parameter.grad is None for parameter in model.parameters())
    model(**data, mode='loss')
    counted = [v for k, v in model.student.state_dict().items() if k.endswith('num_batches_tracked')]
    assert {int(each) for each in counted} == {1}


def test_a_clean_pass_is_made_where_it_is_read_and_counts_once_more():
    model = build(terms=[LOGITS, CLEAN_KD])
    seen = spied(model)
    data = batch(model)
    losses = model(**data, mode='loss')
    assert len(seen) == 2 and torch.equal(seen[1], data['inputs']) and not torch.equal(seen[0], seen[1])
    counted = [v for k, v in model.student.state_dict().items() if k.endswith('num_batches_tracked')]
    assert {int(each) for each in counted} == {2}
    assert 'clean_top1_acc' in losses and losses['loss_kd_clean'] > 0


def replayed(model, data, attacked):
    """Return the student's scores of attacked and clean clips, and the teacher's, as a step of training has them."""
    student, teacher = model.student, model.teachers['teacher']
    found = [student.cls_head(student.extract_feat(x)[0]) for x in (attacked, data['inputs'])]
    return *found, teacher.features(data['views']['teacher'])['logits']


def kl(target, scores, temperature=1.0):
    p, q = (F.log_softmax(each / temperature, 1) for each in (target, scores))
    return (p.exp() * (p - q)).sum(1)


@pytest.mark.parametrize('name', ['ard', 'rslad'])
def test_a_step_is_the_papers_formula(name):
    """ARD: (1 - a) CE(S(x), y) + a t^2 KL(T(x) || S(x')). RSLAD: 5/6 KL(T(x) || S(x')) + 1/6 KL(T(x) || S(x))."""
    if name == 'ard':
        given = dict(terms=[dict(LOGITS, weight=0.9, temperature=3.0)], task_weight=0.1, task_on='clean')
    else:
        terms = [dict(LOGITS, weight=5 / 6, temperature=1.0), dict(CLEAN_KD, weight=1 / 6)]
        given = dict(terms=terms, task_weight=0.0, aim='teacher')
    model = build(**given)
    data, seen = batch(model), spied(model)
    losses = model(**data, mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    attacked, clean, taught = replayed(model, data, seen[0])
    labels = torch.tensor([0, 1, 2])
    if name == 'ard':
        expected = 0.1 * F.cross_entropy(clean, labels) + 0.9 * 9 * kl(taught, attacked, 3.0).mean()
    else:
        expected = 5 / 6 * kl(taught, attacked).mean() + 1 / 6 * kl(taught, clean).mean()
    assert total.item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_aim_is_what_the_attack_raises():
    found = {}
    for aim in ('labels', 'student', 'teacher'):
        model = build(aim=aim, attack=dict(PGD, epsilon=4.0, steps=5))
        model.eval()
        data = batch(model)
        taught = {'teacher': model.teachers['teacher'].features(data['views']['teacher'])}
        torch.manual_seed(3)
        made = model._attacked(data['inputs'], data['data_samples'], taught)
        with torch.no_grad():
            clean, attacked = model._scores(data['inputs']), model._scores(made)
        labels = torch.tensor([0, 1, 2])
        found[aim] = dict(
            labels=F.cross_entropy(attacked, labels).item(),
            student=kl(clean, attacked).mean().item(),
            teacher=kl(taught['teacher']['logits'], attacked).mean().item(),
        )
    for aim in found:
        assert found[aim][aim] > max(found[other][aim] for other in found if other != aim)


def test_a_place_may_be_read_on_clean_clips_alone():
    model = build(terms=[CLEAN_KD])
    assert model(**batch(model), mode='loss')['loss_kd_clean'] > 0


def test_clips_without_a_label_are_attacked_for_the_students_own_decision():
    model = build(terms=[dict(LOGITS, weight=1.0)])
    data = batch(model, labels=[0, -1, 2])
    labels = torch.tensor([0, -1, 2])
    criterion = model._criterion(data['inputs'], labels, {})
    scores = torch.randn(3, 5)
    own = model._scores(data['inputs']).argmax(1)
    expected = F.cross_entropy(scores, torch.tensor([0, int(own[1]), 2]), reduction='none')
    assert torch.allclose(criterion(scores), expected)
    seen = spied(model)
    model(**data, mode='loss')
    assert (seen[0] - data['inputs']).abs().flatten(1).amax(1).gt(0.01).all()


def test_a_teacher_can_be_asked_about_attacked_clips():
    model = build(terms=[dict(LOGITS, at=('logits', 'attacked.logits')), dict(CLEAN_KD, name='kd_clean')])
    data, seen = batch(model), spied(model)
    asked, own = [], model.teachers['teacher'].features
    model.teachers['teacher'].features = lambda view: asked.append(view) or own(view)
    losses = model(**data, mode='loss')
    assert len(asked) == 2 and torch.equal(asked[0], data['inputs'])
    assert torch.allclose(asked[1], seen[0], atol=1e-5)  # the teacher of this pair is normalised as the student is
    attacked, _, _ = replayed(model, data, seen[0])
    expected = 0.7 * 4 * kl(own(seen[0])['logits'], attacked, 2.0).mean()
    assert losses['loss_kd'].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_teacher_with_another_normalisation_sees_the_same_pixels():
    from mmkd_video.distillers.attacked_view import attacked_view

    def build_one(mean, std):
        return MODELS.build(dict(tiny.recognizer()['data_preprocessor'], mean=[mean] * 3, std=[std] * 3))

    student, teacher = build_one(100.0, 60.0), build_one(20.0, 10.0)
    raw = torch.randint(10, 240, (2, 1, 3, 4, 6, 6)).float()
    ours, theirs = PixelScale.of(student), PixelScale.of(teacher)
    attacked = attacked_view(
        'teacher', theirs.to_model(raw), ours.to_model(raw), ours.to_model(raw + 5), student, teacher
    )
    assert torch.allclose(theirs.to_pixels(attacked), raw + 5, atol=1e-3)
    for other in (theirs.to_model(raw + 2), theirs.to_model(raw)[..., :4]):  # other frames, another size
        with pytest.raises(ValueError, match='teacher: a term reads it on attacked clips .* leave DistillViews out'):
            attacked_view('teacher', other, ours.to_model(raw), ours.to_model(raw), student, teacher)


def without_weight(term):
    return {key: value for key, value in term.items() if key != 'weight'}


@pytest.mark.parametrize(
    'given, message',
    [
        (dict(attack=dict(type='PDG')), "attack.type: got 'PDG'"),
        (dict(aim='techer'), "aim: got 'techer'; expected 'labels', 'student' or the name of a teacher"),
        (dict(aim='student', attack=dict(type='FGSM')), "got FGSM without a random start and aim='student'"),
        (dict(task_on='both'), "task_on: got 'both'; expected 'attacked' or 'clean'"),
        (dict(terms=[CLEAN_KD], task_on='clean'), 'nothing would be trained on them'),
        (dict(terms=[CLEAN_KD], task_weight=0.0), "got 'attacked' with task_weight=0.* nothing would be trained"),
        (dict(terms=[without_weight(CLEAN_KD)]), "term 'kd_clean'.weight: it reads the student on clean clips"),
        (dict(terms=[without_weight(LOGITS)], task_on='clean'), "term 'kd'.weight: .* attacked clips and the task"),
        (dict(attacks=PGD), 'attacks'),
    ],
)
def test_mistakes_are_told_when_it_is_built(given, message):
    with pytest.raises((KeyError, ValueError), match=message):
        build(**given)


def test_a_cached_teacher_cannot_be_asked_about_attacked_clips():
    model = build()
    model.teachers['teacher'].view = None
    from mmkd_video.teachers import Probe

    spec = [each for each in model._specs]
    spec[0].pairs = [('logits', 'attacked.logits')]
    with pytest.raises(ValueError, match="reads 'attacked.logits', but FrozenTeacher cannot be asked"):
        model._bind(model.teachers['teacher'], spec, Probe(model.student, {}, tiny.SIZE))


def test_the_checkpoint_is_the_plain_student():
    model = build(terms=[LOGITS, CLEAN_KD])
    assert set(model.state_dict()) == set(MODELS.build(tiny.recognizer()).state_dict())
    assert isinstance(model, AdversarialTraining)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return real.make_set(tmp_path_factory.mktemp('videos'), count=4)


def test_real_clips_train_and_resume_exactly(videos, tmp_path):
    """The attack draws from (seed, rank, iteration): a resumed training attacks as the first one would have."""
    model = config(terms=[LOGITS, CLEAN_KD], aim='teacher', attack=dict(PGD, steps=1))
    whole, losses = tiny.train(
        videos, tmp_path / 'whole', 'whole', model, val_cfg=None, val_dataloader=None, val_evaluator=None
    )
    checkpoint = tmp_path / 'whole' / 'epoch_1.pth'
    again, found = tiny.train(
        videos,
        tmp_path / 'again',
        'again',
        model,
        resume=True,
        load_from=str(checkpoint),
        val_cfg=None,
        val_dataloader=None,
        val_evaluator=None,
    )
    assert len(losses) == 4 and found == losses[2:]
    ours, theirs = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.slow
def test_two_ranks_have_the_gradients_of_one_process(tmp_path):
    out = tmp_path / 'report.json'
    torchrun(str(TESTS / 'adversarial_ranks.py'), str(out))
    report = json.loads(out.read_text())
    assert report['worst'] < 1e-3
    assert report['unlike'] > 0.01  # the attack did something: without it, gradients are others
