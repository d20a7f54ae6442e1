"""Every video of a config is opened once, also those that hang or end the process that reads them."""

import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import os
import time

import numpy as np
import pytest

from mmkd_video.cli.check_data import main
from mmkd_video.datasets.decoders import probing
from mmkd_video.datasets.motion_clips import encode_clip


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in range(6):
        encode_clip(np.full((5, 32, 32, 3), 40 * index, np.uint8), tmp_path / f'my {index}.mp4')
    (tmp_path / 'train.txt').write_text(''.join(f'my {index}.mp4 {index % 2}\n' for index in range(4)))
    (tmp_path / 'val.txt').write_text('my 4.mp4 0\n')
    (tmp_path / 'test.txt').write_text('my 5.mp4 1\n')
    loaders = ''.join(
        f"{split}_dataloader = dict(dataset=dict(type='VideoDataset', ann_file='{split}.txt', data_root='{tmp_path}', "
        "data_prefix=dict(video=''), pipeline=[dict(type='DecordInit')]))\n"
        for split in ('train', 'val', 'test')
    )
    model = "model = dict(type='Recognizer2D', cls_head=dict(type='TSNHead', num_classes=2))\n"
    (tmp_path / 'config.py').write_text(model + loaders)
    return tmp_path


def test_what_can_be_read_is_counted(root, capsys):
    main(['config.py', '--workers', '2'])
    assert '6 videos can be read with decord; nothing is wrong' in capsys.readouterr().out
    assert (root / 'work_dirs/config_data.txt').read_text() == ''


def test_all_that_is_wrong_is_written(root, capsys):
    (root / 'my 0.mp4').unlink()
    (root / 'my 1.mp4').write_bytes(b'')
    (root / 'my 2.mp4').write_bytes(b'no video at all')
    (root / 'val.txt').write_text('my 4.mp4 2\n')
    (root / 'test.txt').write_text('my 3.mp4 1\n')
    with pytest.raises(SystemExit) as ended:
        main(['config.py', '--out', 'wrong.txt'])
    assert ended.value.code == 1
    assert 'error: 5 problems in 5 videos; all are listed in wrong.txt' in capsys.readouterr().err
    found = (root / 'wrong.txt').read_text().splitlines()
    assert found[0].startswith(f"val: {root}/val.txt:1: got label '2'; expected 0 to 1")
    assert found[1:3] == [f'train: {root}/my 0.mp4 does not exist', f'train: {root}/my 1.mp4 is empty']
    assert found[3].startswith(f'train: {root}/my 2.mp4 cannot be read (')
    assert found[4] == f'train, test: {root}/my 3.mp4 is trained on and tested with'


def test_a_video_that_hangs_or_kills_is_told_and_the_others_are_read(root, monkeypatch):
    def probe(path):
        if path == 'hangs':
            time.sleep(60)
        if path == 'kills':
            os._exit(11)
        return 'wrong' if path == 'wrong' else ''

    monkeypatch.setattr(probing, 'probe', probe)
    paths = ['a', 'hangs', 'kills', 'b', 'wrong', 'c', 'd']
    seen = []
    found = probing.probe_videos(
        paths, decoder='decord', workers=2, seconds=1.0, progress=lambda *each: seen.append(each)
    )
    assert found == {
        'hangs': 'did not come back in 1 seconds',
        'kills': 'ends the process that reads it',
        'wrong': 'wrong',
    }
    assert seen == [(place, 7) for place in range(1, 8)]


def test_a_wrong_list_is_a_problem_and_the_others_are_checked(root):
    (root / 'train.txt').write_text('my 0.mp4 x\n')
    with pytest.raises(SystemExit):
        main(['config.py'])
    (line,) = (root / 'work_dirs/config_data.txt').read_text().splitlines()
    assert line.startswith(f"train: {root}/train.txt:1: got label 'x'")
