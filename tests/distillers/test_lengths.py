import pytest
import torch

from mmkd_video.distillers.lengths import expect_begins_within
from mmkd_video.schedules import Progress, Scalar
from mmkd_video.terms import Term, TermSpec

LOGITS = dict(logits=torch.randn(4, 5))
TRAINING = Progress(iter=0, epoch=0, iters_per_epoch=5, max_iters=10)  # two epochs
LATE = dict(type='Linear', begin=2)


def check(task_weight=1.0, **keys):
    spec = TermSpec.parse(dict(dict(type='KDLoss', at='logits'), **keys), 0)
    expect_begins_within(Scalar(task_weight, 'task_weight'), [Term(spec, LOGITS, LOGITS)], TRAINING)


@pytest.mark.parametrize(
    ('keys', 'message'),
    [
        (dict(begin=2), "term 'kd'.begin: got 2; expected less than the 2 epochs of this training"),
        (dict(weight=LATE), "term 'kd'.weight.begin: got 2; expected less than the 2 epochs"),
        (dict(weight=dict(LATE, begin=10, by_epoch=False)), 'got 10; expected less than the 10 iterations'),
        (dict(temperature=LATE), "term 'kd'.temperature.begin: got 2"),
        (dict(temperature=dict(LATE, type='Learned')), "term 'kd'.temperature.begin: got 2"),
        (dict(task_weight=LATE), 'task_weight.begin: got 2'),
    ],
)
def test_what_begins_after_the_end_of_the_training_is_named(keys, message):
    with pytest.raises(ValueError, match=message):
        check(**keys)


def test_what_begins_in_the_last_epoch_and_ends_later_is_taken():
    check(begin=1, weight=dict(LATE, begin=1, end=50), temperature=dict(LATE, begin=9, by_epoch=False))
