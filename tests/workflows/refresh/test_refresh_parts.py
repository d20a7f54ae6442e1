"""Forgetting, memories and widened weights, on small numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.evaluation.clip_scores import ScoredClips
from mmkd_video.workflows.refresh.forgetting import knowledge, report
from mmkd_video.workflows.refresh.memory import choose_memory
from mmkd_video.workflows.refresh.widening import widened


def scored(answers, labels, names, classes):
    return ScoredClips(np.eye(classes)[answers], np.array(labels), np.array(names))


def test_forgetting_by_hand():
    """Four old clips: kept, lost to a new class, lost to an old one, learned; two new ones, one of them right."""
    before = scored([0, 1, 0, 0], [0, 1, 0, 1], ['a', 'b', 'c', 'd'], 2)
    now = scored([2, 0, 1, 1, 2, 0], [2, 0, 0, 1, 1, 2], ['x', 'a', 'c', 'd', 'b', 'y'], 3)
    found = knowledge(before, now, classes=2)
    assert (found.old, found.new, found.whole) == (0.5, 0.5, 0.5)
    assert (found.forgotten, found.lost, found.taken) == (0.25, 0.5, 0.25)
    assert found.by_class == {0: 0.5, 1: 0.5}
    text = report(before, {'refreshed': [found]}, ['zero', 'one', 'two'])
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows['before'] == ['75.0', *['-'] * 5]
    assert rows['refreshed'] == ['50.0', '50.0', '50.0', '25.0', '50.0', '25.0']
    assert rows['zero'] == ['100.0', '50.0'] and rows['one'] == ['50.0', '50.0'] and 'two' not in rows


def test_without_new_clips_there_is_nothing_to_say_of_them():
    before = scored([0, 1], [0, 1], ['a', 'b'], 2)
    assert knowledge(before, before, 2).new is None and knowledge(before, before, 2).forgotten == 0


CLIPS = [(f'{place}.mp4', place % 3) for place in range(30)]


def test_a_random_memory_follows_from_its_seed_and_asks_for_no_features():
    def no_features():
        raise AssertionError

    first, again, other = (choose_memory(CLIPS, 4, 'random', seed, no_features) for seed in (0, 0, 1))
    assert first == again != other and len(set(first)) == 12
    assert [label for _, label in first] == [0] * 4 + [1] * 4 + [2] * 4
    assert choose_memory(CLIPS, 0, 'herding', 0, no_features) == []
    assert sorted(choose_memory(CLIPS, 99, 'random', 0, no_features)) == sorted(CLIPS)


def test_a_herded_memory_takes_the_typical_clips_of_each_class():
    rows = torch.tensor([[1.0, 0.0]]).repeat(30, 1)
    rows[[0, 4, 8]] = torch.tensor([0.0, 1.0])  # one odd clip of each class
    found = choose_memory(CLIPS, 4, 'herding', 0, lambda: rows)
    first = [place for label in range(3) for place in [clip for clip in found if clip[1] == label][:4]]
    assert not {'0.mp4', '4.mp4', '8.mp4'} & {name for name, _ in first}


class Student(nn.Module):
    def __init__(self, classes, width=4):
        super().__init__()
        self.backbone, self.norm = nn.Conv2d(3, width, 1), nn.BatchNorm2d(width)
        self.fc_cls = nn.Linear(width, classes)


def test_old_scores_are_those_of_the_old_student():
    old, new = Student(5), Student(7)
    new.load_state_dict(widened(old.state_dict(), new, seed=0))
    feature = torch.randn(3, 4)
    torch.testing.assert_close(new.fc_cls(feature)[:, :5], old.fc_cls(feature))
    again, other = (widened(old.state_dict(), new, seed)['fc_cls.weight'] for seed in (0, 1))
    assert torch.equal(again, new.fc_cls.weight) and not torch.equal(again[5:], other[5:])
    assert set(widened({f'module.{key}': value for key, value in old.state_dict().items()}, new, 0)) == set(
        new.state_dict()
    )


@pytest.mark.parametrize(('classes', 'width'), [(4, 4), (7, 6)])
def test_another_architecture_or_fewer_classes_are_told(classes, width):
    with pytest.raises(WrongValueError, match='differs from the old student in more than its classes, in .* weights'):
        widened(Student(5).state_dict(), Student(classes, width), seed=0)
