"""What a pruning history may say: nothing of the size it names is made."""

import json

import pytest
import torch
from torch import nn

from mmkd_video.pruning import Cut, PruningHistory, checked_history, replay
from mmkd_video.pruning.cut import cuts_from_data, cuts_to_data
from mmkd_video.pruning.history import FORMAT


def history(*cuts, **more):
    return json.dumps(dict(format=FORMAT, steps=[dict(cuts=cuts, **more)]))


def cut(removed=(1,), size=4, at=('0:out', '1:in')):
    return dict(removed=list(removed), size=size, at=list(at))


def test_what_was_written_is_read():
    cuts = [Cut('0', 'out', (1, 3), 4), Cut('1', 'in', (1, 3), 4)]
    assert cuts_from_data(cuts_to_data(cuts)) == cuts
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    replay(model, PruningHistory.from_json(history(cut((1, 3)))))
    assert model(torch.ones(1, 2)).shape == (1, 2) and model[0].out_features == 2


@pytest.mark.parametrize(
    'wrong, said',
    [
        (cut(size=10**12), r'cuts\[0\].size: got 1000000000000, expected a whole number of 1 to 16777216'),
        (cut(removed=[10**12]), r'removed\[0\]: got 1000000000000'),
        (cut(removed=[-1]), r'removed\[0\]: got -1'),
        (cut(removed=[1.5]), r'removed\[0\]: got 1.5'),
        (cut(removed=[True]), r'removed\[0\]: got True'),
        (cut(removed=[4]), 'which has 4; expected some of them'),
        (cut(removed=[0, 1, 2, 3]), 'which has 4; expected some of them'),
        (cut(at=['0:top']), r"at\[0\]: got '0:top'"),
        (cut(at=['x' * 600 + ':out']), 'text of at most 500'),
        (cut(at=[0]), r'at\[0\]: got 0'),
        (dict(cut(), more=1), "unknown key 'more'"),
        (dict(removed=[1], at=['0:out']), "the key 'size' is missing"),
        (1, 'malformed'),
    ],
)
def test_what_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        PruningHistory.from_json(history(wrong))


def test_cuts_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match='has 4 channels .* and that it has 8'):
        PruningHistory.from_json(history(cut(), cut(size=8)))
    with pytest.raises(ValueError, match='expected some of them'):
        PruningHistory.from_json(history(cut([0, 1]), cut([2, 3])))


def test_a_size_that_the_model_has_not_is_refused_before_anything_is_made(monkeypatch):
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 2))
    monkeypatch.setattr(Cut, 'kept', lambda self: pytest.fail('made'))
    with pytest.raises(ValueError, match='of 16000000 channels .* but this model has 4'):
        replay(model, PruningHistory.from_json(history(cut(size=16_000_000))))


@pytest.mark.parametrize(
    'text',
    [
        '[' * 100_000,
        '"x"',
        '{"format": "mmkd_video.pruning/1", "steps": 1}',
        history(settings=[[[[[1]]]]] * 10_000),
        history(before=dict(params='x')),
        history(after=dict(params=float('inf'))),
    ],
)
def test_other_fields_are_checked_too(text):
    with pytest.raises(ValueError, match='pruning history'):
        PruningHistory.from_json(text)


@pytest.mark.parametrize('text', ['/etc/passwd', 'other.pth', '', None, {'format': FORMAT}])
def test_a_history_in_a_checkpoint_opens_no_other_file(text):
    with pytest.raises(ValueError, match='JSON text'):
        checked_history(text)
    assert checked_history(history(cut())) == PruningHistory.from_json(history(cut())).to_json()


def test_a_short_text_does_not_become_a_long_history():
    removed, names = list(range(500)), [f'layer{i}:out' for i in range(20_000)]
    with pytest.raises(ValueError, match='removes 10000000 channels in all; expected at most 4194304'):
        cuts_from_data([dict(removed=removed, size=501, at=names)])
