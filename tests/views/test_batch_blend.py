import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import numpy as np
import pytest
import torch
from mmaction.models.utils import CutmixBlending, MixupBlending, RandomBatchAugment
from mmaction.structures import ActionDataSample

from mmkd_video.views.batch_blend import measure_blend

BLENDINGS = {
    'mixup': lambda: MixupBlending(num_classes=5, alpha=1.0),
    'cutmix': lambda: CutmixBlending(num_classes=5, alpha=1.0),
    'either': lambda: RandomBatchAugment(
        [
            dict(type='CutmixBlending', num_classes=5, alpha=1.0),
            dict(type='MixupBlending', num_classes=5, alpha=0.2),
        ],
        probs=[0.4, 0.4],
    ),
}
SHAPES = [(4, 6, 3, 16, 20), (7, 1, 3, 4, 16, 20), (1, 1, 3, 2, 8, 8)]


def samples(count):
    return [ActionDataSample().set_gt_label(index % 5) for index in range(count)]


def seed(number):
    torch.manual_seed(number)
    np.random.seed(number)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('build', BLENDINGS.values(), ids=BLENDINGS)
def test_the_students_blending_is_reproduced_exactly(build, shape):
    blending, labels = build(), samples(shape[0])
    for number in range(12):
        clips = torch.randn(shape, generator=torch.Generator().manual_seed(number))
        seed(number)
        blend = measure_blend(blending, shape, clips.device, labels)
        mixed, _ = blending(clips.clone(), samples(shape[0]))
        mine = blend.apply(clips)
        # A clip mixed with itself is the clip; lam * x + (1 - lam) * x may be one rounding away from it.
        torch.testing.assert_close(mine, mixed, rtol=3e-7, atol=0)
        others = blend.partner != torch.arange(shape[0])
        assert torch.equal(mine[others], mixed[others])
    assert all(sample.gt_label.numel() == 1 for sample in labels)  # not rewritten by measuring


def test_a_larger_view_is_mixed_in_relative_coordinates():
    blending, shape = CutmixBlending(num_classes=5, alpha=1.0), (4, 6, 3, 16, 20)
    clips = torch.randn(shape)
    large = clips.repeat_interleave(2, -1).repeat_interleave(3, -2)
    for number in range(6):
        seed(number)
        blend = measure_blend(blending, shape, clips.device, samples(4))
        mixed, _ = blending(clips.clone(), samples(4))
        assert torch.equal(blend.apply(large), mixed.repeat_interleave(2, -1).repeat_interleave(3, -2))


def test_measuring_leaves_the_random_state_alone():
    seed(3)
    measure_blend(BLENDINGS['either'](), SHAPES[0], torch.device('cpu'), samples(4))
    after = torch.rand(1), np.random.rand()
    seed(3)
    assert after == (torch.rand(1), np.random.rand())


def test_a_blending_with_a_memory_advances_once():
    class Counting:
        calls = 0

        def __call__(self, imgs, data_samples):
            self.calls += 1
            return imgs.flip(0), data_samples

    blending = Counting()
    blend = measure_blend(blending, SHAPES[0], torch.device('cpu'), samples(4))
    clips = torch.randn(SHAPES[0])
    assert blending.calls == 0 and torch.equal(blend.apply(clips), clips.flip(0))


def test_a_mix_of_three_is_refused():
    def three(imgs, data_samples):
        return 0.5 * imgs + 0.2 * imgs.roll(1, 0) + 0.3 * imgs.roll(3, 0), data_samples

    with pytest.raises(ValueError, match='function mixes more than two samples'):
        measure_blend(three, (6, 1, 3, 8, 8), torch.device('cpu'), samples(6))


def test_two_partners_in_one_clip_are_refused():
    def quarters(imgs, data_samples):
        imgs = imgs.clone()
        imgs[..., :4, :] = imgs.roll(1, 0)[..., :4, :]
        imgs[..., 5:, :] = imgs.roll(2, 0)[..., 5:, :]
        return imgs, data_samples

    with pytest.raises(ValueError, match='more than two samples'):
        measure_blend(quarters, (6, 1, 3, 8, 8), torch.device('cpu'), samples(6))
