import pytest
import torch

from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.weightings import BalancedWeighting, Norms, WeightingStep, build_weighting, is_weighting


def weigh(weighting, pairs):
    """Return the factor after each step, and in which steps it measured."""
    factors, asked = [], []
    for index, pair in enumerate(pairs):

        def measure(index=index, pair=pair):
            asked.append(index)
            return None if pair is None else Norms(*(torch.tensor(norm, dtype=torch.float64) for norm in pair))

        factors.append(weighting(WeightingStep('kd', {}, torch.tensor(1.0), measure)).item())
    return factors, asked


def test_the_factor_is_the_share_of_the_mean_task_gradient_over_the_mean_term_gradient():
    factors, _ = weigh(BalancedWeighting(share=0.5), [(8.0, 2.0), (4.0, 1.0), (3.0, 3.0)])
    assert factors == pytest.approx([0.5 * 2 / 8, 0.5 * 1.5 / 6, 0.5 * 2 / 5])


def test_the_factor_does_not_depend_on_the_scale_of_the_loss():
    norms = [(8.0, 2.0), (5.0, 1.0), (3.0, 0.5)]
    plain, _ = weigh(BalancedWeighting(), norms)
    large, _ = weigh(BalancedWeighting(), [(1000 * term, task) for term, task in norms])
    assert [1000 * factor for factor in large] == pytest.approx(plain)


def test_every_step_is_measured_at_first_and_then_every_so_many():
    _, asked = weigh(BalancedWeighting(settle=3, interval=4), [(1.0, 1.0)] * 13)
    assert asked == [0, 1, 2, 4, 8, 12]


def test_nothing_weighs_until_something_could_be_measured():
    factors, _ = weigh(BalancedWeighting(share=0.25), [None, (0.0, 1.0), (1.0, 1.0)])
    assert factors == pytest.approx([0.0, 0.0, 0.25 * 1 / 0.5])


def test_a_resumed_weighting_goes_on_as_if_nothing_had_happened():
    norms = [(3.0, 1.0), (5.0, 2.0), (1.0, 4.0), (2.0, 2.0), (7.0, 1.0)]
    whole, _ = weigh(BalancedWeighting(settle=2, interval=2), norms)
    first = BalancedWeighting(settle=2, interval=2)
    weigh(first, norms[:3])
    second = BalancedWeighting(settle=2, interval=2)
    second.load_state_dict(first.state_dict())
    assert weigh(second, norms[3:])[0] == whole[3:]


def test_after_pruning_it_goes_on_with_the_means_it_had():
    norms = [(3.0, 1.0), (5.0, 2.0), (1.0, 4.0), (2.0, 2.0), (7.0, 1.0)]
    whole, _ = weigh(BalancedWeighting(settle=2, interval=2), norms)
    first, second = (BalancedWeighting(settle=2, interval=2) for _ in range(2))
    weigh(first, norms[:3])
    second._buffers = first._buffers  # as the training state of a smaller student takes them over
    assert weigh(second, norms[3:])[0] == whole[3:]


def test_a_term_that_can_never_be_measured_is_told_with_the_remedy():
    with pytest.raises(ValueError, match=r"term 'kd'\.weight: in 3 steps the task had no gradient.*weight=1\.0"):
        weigh(BalancedWeighting(settle=3), [None] * 4)
    weigh(BalancedWeighting(settle=3), [None, None, (1.0, 1.0), None])


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(share=0), r'weight\.share: got 0.*; expected a number above 0 and below 1'),
        (dict(share=1.0), r'weight\.share: got 1\.0.*; expected a number above 0 and below 1'),
        (dict(share='x'), r"weight\.share: got 'x'"),
        (dict(settle=0), r'weight\.settle: got 0.*; expected a whole number of at least 1'),
        (dict(interval=2.5), r'weight\.interval: got 2\.5'),
    ],
)
def test_a_wrong_argument_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        build_weighting(dict(type='Balanced', **config), 'weight')


def test_an_unknown_argument_names_the_nearest():
    with pytest.raises(KeyError, match="weight: got the unknown key 'shar'.*did you mean 'share'"):
        build_weighting(dict(type='Balanced', shar=0.5), 'weight')


def test_a_schedule_is_no_weighting_and_a_weighting_of_ones_own_is_found_by_name():
    from mmkd_video.weightings import Weighting

    class Halved(Weighting):
        def forward(self, step):
            return torch.tensor(0.5)

    TASK_UTILS.register_module(name='HalvedForTest', module=Halved, force=True)
    assert is_weighting(dict(type='HalvedForTest')) and is_weighting(dict(type='Balanced'))
    assert not is_weighting(dict(type='Linear', end=3)) and not is_weighting(1.0)
    assert not is_weighting(dict(type='Unknown'))
