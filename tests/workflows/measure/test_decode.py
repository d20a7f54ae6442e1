"""Decoders are measured on a config's own clips, and their frames are compared."""

import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import json
from pathlib import Path

import numpy as np
import pytest

from mmkd_video.cli.benchmark import main
from mmkd_video.datasets.decoders import choice, open_video
from mmkd_video.datasets.decoders.frames import Frames
from mmkd_video.datasets.motion_clips import encode_clip
from mmkd_video.workflows.measure.decode import benchmark_decode


class Reader:
    """Decord's frames, one of them a little brighter; refuses the third clip."""

    def __init__(self, content, threads):
        self._reader = open_video(content, 'decord')
        self.refused = self._reader.get_batch([0]).asnumpy().mean() > 70

    def get_batch(self, indices):
        if self.refused:
            raise RuntimeError('no more frames')
        frames = self._reader.get_batch(indices).asnumpy()
        frames[0] += 2
        return Frames(frames)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in range(3):
        encode_clip(np.full((12, 32, 32, 3), 40 * index, np.uint8), tmp_path / f'{index}.mp4')
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    (tmp_path / 'train.txt').write_text('0.mp4 0\n1.mp4 1\n2.mp4 0\nbad.mp4 1\n')
    steps = "[dict(type='DecordInit'), dict(type='SampleFrames', clip_len=4), dict(type='DecordDecode')]"
    (tmp_path / 'config.py').write_text(
        "model = dict(type='Recognizer2D')\n"
        "train_dataloader = dict(dataset=dict(type='VideoDataset', ann_file='train.txt', "
        f"data_root='{tmp_path}', data_prefix=dict(video=''), pipeline={steps}))\n"
    )
    return 'config.py'


def only(monkeypatch, **decoders):
    def absent(content, threads):
        raise ImportError('not here')

    for name in choice.DECODERS:
        if name != 'decord':
            monkeypatch.setitem(choice.DECODERS, name, decoders.get(name, absent))


def test_decoders_are_timed_and_what_is_missing_is_said(config, monkeypatch, capsys):
    only(monkeypatch, pyav=choice.DECODERS['decord'])
    report = main(['decode', config, '--rounds', '2', '--warmup', '0'])
    assert [row.name for row in report.rows] == [
        'decord, a clip (CPU time)',
        'pyav, a clip (CPU time)',
        'pyav / decord',
    ]
    assert report.facts['clips'] == '3 of config.py'  # the bad one is left out
    assert report.facts['pyav'] == 'the same frames, to the bit, in 3 clips'
    assert report.facts['torchcodec'] == 'not measured: not here'
    assert 'saved in work_dirs/benchmark/decode.json' in capsys.readouterr().out
    assert json.loads(Path('work_dirs/benchmark/decode.json').read_text())['benchmark'] == 'decode'


def test_other_frames_and_refused_clips_are_said(config, monkeypatch):
    only(monkeypatch, torchcodec=Reader)
    facts = benchmark_decode(config, rounds=2, warmup=0).facts
    assert facts['clips'] == '2 of config.py'
    assert facts['torchcodec'].startswith('other frames in 2 of 2 clips, such as ')
    assert 'by at most 2 of 255, 1 not read, such as ' in facts['torchcodec']
    assert facts['torchcodec'].endswith('2.mp4 (RuntimeError: no more frames)')


def test_a_pipeline_without_videos_is_refused(config):
    with pytest.raises(ValueError, match=r'the training pipeline is \[.SampleFrames.\]; expected DecordInit'):
        benchmark_decode(config, cfg_options={'train_dataloader.dataset.pipeline': [dict(type='SampleFrames')]})
