"""The class of every frame that was sampled."""

import numpy as np
import pytest

from mmkd_video.core.registry import TRANSFORMS


def load(tmp_path, lines, indices=(0, 2, 3), **settings):
    (tmp_path / 'a.txt').write_text(''.join(f'{line}\n' for line in lines))
    step = TRANSFORMS.build(dict(dict(type='LoadFrameLabels', classes=['run', 'jump']), **settings))
    return step(dict(filename=str(tmp_path / 'a.mp4'), frame_inds=np.array(indices), label=-1))['label']


def test_classes_of_the_sampled_frames(tmp_path):
    label = load(tmp_path, ['run', 'run', 'jump', 'unlabelled'])
    assert label.tolist() == [0, 1, -1] and label.dtype == np.int64
    (tmp_path / 'names').write_text('jump\nrun\n')
    assert load(tmp_path, ['run', 'run', 'jump', 'run'], classes=str(tmp_path / 'names')).tolist() == [1, 0, 1]


def test_what_the_file_lacks_is_told_with_its_name(tmp_path):
    with pytest.raises(ValueError, match=r'a.txt: got 3 lines, and frame 3 was sampled; expected a line for each'):
        load(tmp_path, ['run', 'run', 'jump'])
    with pytest.raises(ValueError, match=r"a.txt:3: got the class 'fly'; expected one of run, jump, unlabelled"):
        load(tmp_path, ['run', 'run', 'fly', 'run'])
    step = TRANSFORMS.build(dict(type='LoadFrameLabels', classes=['run']))
    with pytest.raises(FileNotFoundError, match='b.txt'):
        step(dict(filename=str(tmp_path / 'b.mp4'), frame_inds=np.array([0])))
    with pytest.raises(KeyError, match='expected it behind SampleFrames'):
        step(dict(filename=str(tmp_path / 'a.mp4')))
