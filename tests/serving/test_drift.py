"""Drift of a model's scores: deviations by hand, false alarms on ordinary videos, alarms on others, hostile files."""

import json

import numpy as np
import pytest
from streams import CLASSES

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.serving import DriftReference, DriftWatch, Expected, StreamOptions
from mmkd_video.serving import drift_reference as stored
from mmkd_video.serving.drift import STATISTICS, limits_of

WINDOWS = 20


def videos_like(number, seed, sharpness=3.0, classes=(0, 1, 2)):
    """Scores of videos, each of one class; windows of a video are alike."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        logits = draw.normal(0, 0.6, len(CLASSES))
        logits[draw.choice(classes)] += sharpness
        rows = np.exp(logits + draw.normal(0, 0.2, (draw.integers(3, 9), len(CLASSES))))
        found.append(rows / rows.sum(axis=1, keepdims=True))
    return found


def watched(videos, expected, limits, windows=WINDOWS):
    """Return how many blocks are beyond a limit, and how many there are."""
    rows = np.concatenate(videos)
    blocks = [rows[begin : begin + windows] for begin in range(0, len(rows) - windows + 1, windows)]
    found = [DriftWatch(expected, limits, windows) for _ in blocks]
    told = [[watch.add(row, 0, 1) for row in block][-1] for watch, block in zip(found, blocks, strict=True)]
    return sum(each is not None for each in told), len(blocks)


def test_deviations_by_hand():
    ordinary, other = Expected.of(np.array([[0.8, 0.2], [0.2, 0.8]])), Expected.of(np.array([[0.5, 0.5], [0.9, 0.1]]))
    found = ordinary.deviations(other)
    entropy = [-sum(p * np.log(p) for p in row) for row in ([0.8, 0.2], [0.5, 0.5], [0.9, 0.1])]
    assert found['confidence'] == pytest.approx(0.1) and found['classes'] == pytest.approx(0.2)
    assert found['entropy'] == pytest.approx(abs(entropy[0] - (entropy[1] + entropy[2]) / 2))
    odds = np.log([4, 9]) / 2  # of the first class, half of the log odds of both; 0 in the mean of the ordinary ones
    assert found['logits'] == pytest.approx(odds[1] / 2 / odds[0])
    assert set(found) == set(STATISTICS) and not any(ordinary.deviations(ordinary).values())


def test_ordinary_videos_give_few_alarms_and_others_many():
    videos = videos_like(60, seed=0)
    expected, limits = Expected.of(np.concatenate(videos)), limits_of(videos, WINDOWS, 0.05, resamples=1000)
    false, blocks = watched(videos_like(2000, seed=1), expected, limits)
    assert blocks > 400 and false / blocks < 0.15  # 0.05 is meant; what is expected is known from 60 videos only
    unsure, of_unsure = watched(videos_like(400, seed=2, sharpness=1.0), expected, limits)
    assert unsure / of_unsure > 0.9
    new, of_new = watched(videos_like(400, seed=3, classes=(3, 4)), expected, limits)
    assert new / of_new > 0.9


def test_windows_of_one_video_count_as_what_they_are():
    """Were windows drawn one by one, the limits would be far too narrow for videos of alike windows."""
    videos = videos_like(60, seed=0)
    alone = [row[None] for video in videos for row in video]
    by_video, by_window = (limits_of(each, WINDOWS, 0.05, resamples=500) for each in (videos, alone))
    assert all(by_video[name] > 1.3 * by_window[name] for name in ('classes', 'logits'))


def test_drift_is_told_once_until_it_is_over():
    ordinary, other = np.array([0.9, 0.05, 0.05]), np.array([0.4, 0.3, 0.3])
    expected = Expected.of(np.stack([ordinary, ordinary]))
    watch = DriftWatch(expected, dict.fromkeys(STATISTICS, 0.1), 2)
    told = []
    for time, row in enumerate([*[ordinary] * 3, *[other] * 5, *[ordinary] * 2, *[other] * 2]):
        found = watch.add(row, time, time + 1.5)
        told += [found] if found else []
    assert [(each.start, each.end) for each in told] == [(2, 4.5), (10, 12.5)]
    line = json.loads(json.dumps(told[0].as_dict()))['drift']
    assert line['windows'] == 2 and line['confidence'] == dict(deviation=0.25, limit=0.1)
    assert 'drift from 2.0 to 4.5 s' in str(told[0]) and 'confidence off by 0.25, limit 0.1' in str(told[0])


@pytest.mark.parametrize(('number', 'windows'), [(5, 2), (40, 200)])
def test_too_few_videos_are_told(number, windows):
    with pytest.raises(WrongValueError, match='--calibrate: got .* videos of .* windows in all; expected at least 10'):
        limits_of(videos_like(number, 0), windows, 0.05)


class FakeModel:
    path = 'model.onnx'

    class metadata:  # noqa: N801  as that of an exported model
        classes = CLASSES


@pytest.fixture
def reference(monkeypatch):
    monkeypatch.setattr(stored, 'hash_of', lambda model: 'a' * 64)
    return DriftReference.calibrated(videos_like(30, 0), FakeModel, StreamOptions(hop=4), WINDOWS, 0.1)


def test_a_file_comes_back_as_it_was_written(reference, tmp_path):
    reference.write(tmp_path / 'watch.json')
    found = DriftReference.read(tmp_path / 'watch.json')
    assert found.limits == reference.limits and found.settings == dict(hop=4, interval=None, smooth=0.0, fit=False)
    assert not any(found.expected.deviations(reference.expected).values())
    assert found.watch(FakeModel, StreamOptions(hop=4)).windows == WINDOWS
    with pytest.raises(WrongValueError, match='calibrated with other windows .--hop 4, here 8.; expected the same'):
        found.watch(FakeModel, StreamOptions(hop=8))


def test_another_model_is_refused(reference, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, 'hash_of', lambda model: 'b' * 64)
    with pytest.raises(WrongValueError, match='calibrated for another model than model.onnx'):
        reference.watch(FakeModel, StreamOptions(hop=4))


HOSTILE = [
    (lambda held: held.pop('limits'), "the key 'limits' is missing"),
    (lambda held: held.update(type='os.system'), "unknown key 'type'"),
    (lambda held: held['limits'].update(confidence='1'), "limits.confidence: got '1', expected a number"),
    (lambda held: held['limits'].update(confidence=float('nan')), 'limits.confidence: got nan'),
    (lambda held: held['expected'].update(classes=[0.5]), 'statistics of different numbers of classes'),
    (lambda held: held['expected'].update(logits=[1e30] * 5), r'expected.logits\[0\]: got 1e\+30'),
    (lambda held: held.update(windows=0), 'windows: got 0'),
    (lambda held: held.update(model='../x'), "model: got '../x'"),
]


@pytest.mark.parametrize(('change', 'said'), HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(reference, tmp_path, change, said):
    path = tmp_path / 'watch.json'
    reference.write(path)
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    with pytest.raises(WrongValueError, match=said) as found:
        DriftReference.read(path)
    assert '\n' not in str(found.value) and 'watch.json' in str(found.value)


def test_what_is_no_such_file_is_told(tmp_path):
    with pytest.raises(MissingFileError, match='--watch: got .*; expected the file that --calibrate wrote'):
        DriftReference.read(tmp_path / 'none.json')
    (tmp_path / 'no.json').write_bytes(b'\x80\x04.')
    with pytest.raises(WrongValueError, match='not JSON'):
        DriftReference.read(tmp_path / 'no.json')
