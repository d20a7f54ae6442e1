"""Attacks: the budget in pixels, the choice of frames, and the same numbers as an established library."""

import pytest
import torch
import torch.nn.functional as F
import zoo

from mmkd_video.core.registry import build_model
from mmkd_video.core.restoring import eval_mode
from mmkd_video.robustness import FGSM, PGD, PixelScale, build_attack
from mmkd_video.robustness.attacks.norm_ball import random_within

SCALE = PixelScale(torch.tensor([120.0, 110.0, 100.0]), torch.tensor([60.0, 55.0, 50.0]))
ONE = PixelScale(torch.tensor([120.0]), torch.tensor([60.0]))
LABELS = torch.tensor([1, 3])


def wavy(clips):
    """Class scores of two layers whose weights are sines; the same numbers on every machine."""
    first = (torch.arange(480, dtype=torch.float64).view(10, 48) * 1.7).sin() / 2
    second = (torch.arange(50, dtype=torch.float64).view(5, 10) * 0.9).cos()
    return torch.tanh(clips.flatten(1) @ first.T) @ second.T


def against_labels(scores):
    return F.cross_entropy(scores, LABELS, reduction='none')


def images():
    return (torch.arange(96, dtype=torch.float64) * 3.1).sin().view(2, 1, 3, 4, 4) * 110 + 120


# Made with foolbox 3.3.4 (LinfFastGradientAttack, L2FastGradientAttack, LinfPGD and L2PGD with 7 steps and without a
# random start, bounds 0 and 255) on the model above, in float64: losses of both images, the first six differences of
# the second, and the sum of all absolute differences.
FOOLBOX = {
    'fgsm linf': (FGSM(24.0), [4.908309, 5.017805], [-19.81529, 24, 24, -24, 24, 24], 2245.2742),
    'fgsm l2': (
        FGSM(60.0, 'l2'),
        [4.640641, 5.006471],
        [-3.39924, 12.11372, 0.27767, -12.18527, 2.86234, 11.44768],
        744.884,
    ),
    'pgd linf': (
        PGD(24.0, 7, 7.5, random_start=False),
        [4.908309, 5.017806],
        [-19.81529, 24, 24, -24, 24, 24],
        2227.2742,
    ),
    'pgd l2': (
        PGD(60.0, 7, 20.0, 'l2', random_start=False),
        [4.652181, 5.006523],
        [-3.77805, 12.04795, 0.67343, -12.22148, 2.47591, 11.58347],
        747.63,
    ),
}


@pytest.mark.parametrize('name', FOOLBOX)
def test_frames_are_attacked_as_by_foolbox(name):
    attack, losses, differences, total = FOOLBOX[name]
    pixels = images()
    made = attack(wavy, against_labels, ONE.to_model(pixels), ONE)
    found = ONE.to_pixels(made) - pixels
    assert against_labels(wavy(made)).tolist() == pytest.approx(losses, abs=2e-6)
    assert found[1].flatten()[:6].tolist() == pytest.approx(differences, abs=2e-5)
    assert found.abs().sum().item() == pytest.approx(total, abs=2e-4)


def recognizer(name):
    config, size = zoo.config_of(name)
    torch.manual_seed(0)
    model = build_model(config).eval()
    return model, size


def scores_of(model):
    from mmkd_video.taps import TapSet

    taps = TapSet(model, ['logits'], 'student')

    def scores(clips):
        with taps.watch():
            model.extract_feat(clips, stage='head')
        return taps.read(clips)['logits']

    return scores


@pytest.fixture(scope='module', params=['tsm_mobilenet', 'i3d'])
def victim(request):
    model, (frames, height, width) = recognizer(request.param)
    frames, height, width = min(frames, 8), min(height, 64), min(width, 64)
    shape = (2, frames, 3, height, width) if request.param == 'tsm_mobilenet' else (2, 1, 3, frames, height, width)
    torch.manual_seed(1)
    pixels = torch.rand(shape) * 255
    scale = PixelScale.of(model.data_preprocessor)
    for norm in [each for each in model.modules() if hasattr(each, 'momentum')]:
        norm.momentum = 1.0
    with torch.no_grad():  # statistics of an untrained model would let no signal through
        model.train().extract_feat(scale.to_model(pixels), stage='head')
    return model.eval(), scores_of(model), scale, pixels


def loss_for(labels):
    return lambda scores: F.cross_entropy(scores, labels, reduction='none')


@pytest.mark.parametrize('norm, epsilon', [('linf', 0.5), ('l2', 60.0)])
def test_a_recognizer_is_attacked_within_the_budget_in_pixels(victim, norm, epsilon):
    model, scores, scale, pixels = victim
    clips = scale.to_model(pixels)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    labels = scores(clips).argmax(1).detach()
    made = PGD(epsilon, 5, norm=norm)(scores, loss_for(labels), clips, scale, labels)
    away = scale.to_pixels(made) - pixels
    size = away.abs().amax() if norm == 'linf' else away.flatten(1).norm(dim=1).amax()
    assert 0.5 * epsilon < size <= epsilon + 1e-2
    assert scale.to_pixels(made).min() >= -1e-3 and scale.to_pixels(made).max() <= 255 + 1e-3
    with torch.no_grad():
        assert (loss_for(labels)(scores(made)) > loss_for(labels)(scores(clips))).all()
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_each_clip_of_a_mixed_batch_is_attacked_as_it_would_be_alone(victim):
    model, scores, scale, pixels = victim
    clips, labels = scale.to_model(pixels), torch.tensor([0, 1])
    attack = PGD(8.0, 2, random_start=False, frames=2)
    both = attack(scores, loss_for(labels), clips, scale)
    alone = [attack(scores, loss_for(labels[n : n + 1]), clips[n : n + 1], scale) for n in (0, 1)]
    equal = (scale.to_pixels(both) - scale.to_pixels(torch.cat(alone))).abs() < 0.1
    assert equal.float().mean() > 0.99  # a gradient of about zero may round to either sign


@pytest.mark.parametrize('frames, changed', [(3, None), ([0, 5], [0, 5])])
@pytest.mark.parametrize('norm', ['linf', 'l2'])
def test_chosen_frames_alone_change(victim, frames, changed, norm):
    _, scores, scale, pixels = victim
    clips, labels = scale.to_model(pixels), torch.tensor([0, 1])
    for attack in (FGSM(8.0, norm, frames), PGD(8.0, 2, norm=norm, frames=frames)):
        away = (scale.to_pixels(attack(scores, loss_for(labels), clips, scale)) - pixels).abs()
        away = away.transpose(2, 3) if away.ndim == 6 else away  # frames before channels
        by_frame = away.flatten(-3).amax(-1).flatten(1) > 1e-3
        if changed is None:
            assert by_frame.sum(1).tolist() == [3, 3]
        else:
            assert all(row.nonzero().flatten().tolist() == changed for row in by_frame)


def test_the_frames_that_count_most_are_chosen():
    weights = torch.tensor([0.1, 5.0, 0.2, 3.0]).view(1, 4, 1, 1, 1)

    def scores(clips):
        found = (clips * weights).flatten(1).sum(1)
        return torch.stack([found, -found], 1)

    clips = torch.zeros(1, 4, 3, 2, 2)
    made = FGSM(1.0, frames=2)(scores, lambda s: s[:, 1], clips, SCALE)
    assert (made - clips).abs().flatten(2).amax(2).flatten().gt(1e-6).tolist() == [False, True, False, True]


def test_of_several_walks_each_clip_keeps_the_one_that_fooled_it_then_the_largest_loss():
    drawn = []

    class Walks(PGD):
        def _walk(self, scores, criterion, clean, scale, mask):
            drawn.append(len(drawn))
            return clean + torch.tensor([[3.0, 1.0], [1.0, 2.0], [2.0, 0.0]][drawn[-1]]).view(2, 1, 1, 1, 1)

    def scores(clips):  # the first clip is fooled by a step of exactly 1, and has its largest loss elsewhere
        step = (clips * 10).flatten(1).mean(1)
        fooled = torch.stack([(step - 1).abs() < 0.1, step > 5])[[0, 1], [0, 1]]
        return torch.stack([torch.where(fooled, -1.0, 1.0), step / 10], 1)

    scale = PixelScale(torch.zeros(1), torch.full((1,), 10.0))
    made = Walks(5.0, 1, restarts=3)(scores, lambda s: s[:, 1], torch.zeros(2, 1, 1, 1, 1), scale, torch.tensor([0, 0]))
    assert (made * 10).flatten().tolist() == pytest.approx([1.0, 2.0])


def test_random_starts_fill_the_ball_and_stay_in_it():
    torch.manual_seed(0)
    like, mask = torch.zeros(400, 1, 1, 2, 2), torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 1, 2, 2)
    drawn = random_within(like, mask, 'l2', 10.0).flatten(1)
    radius = drawn.norm(dim=1)
    assert radius.max() <= 10 and (drawn[:, 2:] == 0).all()
    assert radius.median().item() == pytest.approx(10 * 0.5**0.5, rel=0.1)  # evenly over a disc
    assert random_within(like, None, 'linf', 3.0).abs().max() <= 3


def test_a_clip_without_a_gradient_stays_as_it_is():
    clips = torch.zeros(1, 2, 3, 2, 2)
    for norm in ('linf', 'l2'):
        made = PGD(8.0, 2, norm=norm, random_start=False)(
            lambda x: x.flatten(1)[:, :2] * 0, lambda s: s[:, 0], clips, SCALE
        )
        assert torch.allclose(made, clips, atol=1e-6)


def test_the_scale_of_a_model_is_that_of_its_preprocessor():
    model, _ = recognizer('i3d')
    scale = PixelScale.of(model.data_preprocessor)
    pixels = torch.randint(256, (3, 4, 8, 8), dtype=torch.uint8)
    prepared = model.data_preprocessor(dict(inputs=[pixels[None]], data_samples=None), False)['inputs']
    assert torch.allclose(scale.to_pixels(prepared)[0, 0], pixels.float(), atol=1e-3)
    assert torch.allclose(scale.to_model(scale.to_pixels(prepared)), prepared, atol=1e-5)
    with eval_mode(model), pytest.raises(TypeError, match='expected ActionDataPreprocessor'):
        PixelScale.of(model.backbone)


@pytest.mark.parametrize(
    'config, message',
    [
        (dict(type='PDG'), 'attack.type: got .PDG.; expected an attack, one of FGSM, PGD'),
        (dict(type='Balanced'), 'expected an attack'),
        (dict(type='PGD', epsilon=0), 'attack.epsilon: got 0; expected a number above 0'),
        (dict(type='PGD', steps=0), 'attack.steps: got 0; expected a whole number of at least 1'),
        (dict(type='FGSM', norm='l1'), "attack.norm: got 'l1'"),
        (dict(type='FGSM', steps=3), 'attack: got the unknown key .steps.'),
        (dict(type='PGD', frames=[]), 'attack.frames'),
    ],
)
def test_wrong_settings_are_told_by_their_key(config, message):
    with pytest.raises((KeyError, ValueError), match=message):
        build_attack(config)


@pytest.mark.parametrize('frames', [5, [0, 4]])
def test_a_clip_that_is_too_short_is_told(frames):
    with pytest.raises(ValueError, match='attack.frames: got .* but a clip has 4 frames'):
        FGSM(1.0, frames=frames)(lambda x: x.flatten(1)[:, :2], lambda s: s[:, 0], torch.zeros(1, 4, 3, 2, 2), SCALE)
