"""``tools/baseline.py`` on folders, folds and configs."""

import re

import cv2
import numpy as np
import pytest

from mmkd_video.cli import baseline


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Eight clips whose texture moves right (0) or left (1), with lists, folds and a config."""
    root = tmp_path_factory.mktemp('clips')
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8), (0, 0), 2)
    (root / 'videos').mkdir()
    for index in range(8):
        writer = cv2.VideoWriter(str(root / 'videos' / f'{index}.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 12, (96, 80))
        for t in range(5):
            x = 40 + index + (2 * t if index % 2 else -2 * t)
            writer.write(np.ascontiguousarray(texture[index : index + 80, x : x + 96]))
        writer.release()
    (root / 'folds').mkdir()
    lines = [f'{index}.mp4 {index % 2}\n' for index in range(8)]
    for name, chosen in (
        ('train', lines[:4]),
        ('val', lines[4:6]),
        ('test', [*lines[6:], '0.mp4\n']),
        ('folds/fold0_train', lines[:4]),
        ('folds/fold0_test', lines[4:]),
        ('folds/fold10_train', lines[4:]),
        ('folds/fold10_test', lines[:4]),
        ('folds/fold2_train', lines[2:]),
        ('folds/fold2_test', lines[:2]),
    ):
        (root / f'{name}.txt').write_text(''.join(chosen))
    (root / 'config.py').write_text(
        'model = dict(type="Recognizer2D")\n'
        + ''.join(
            f'{name}_dataloader = dict(dataset=dict(type="VideoDataset", data_root="{root}", ann_file="{name}.txt", '
            'data_prefix=dict(video="videos")))\n'
            for name in ('train', 'test')
        )
    )
    return root


def printed(capsys, *arguments):
    baseline.main([str(each) for each in arguments])
    return [line.split(' (95')[0].split() for line in capsys.readouterr().out.splitlines()[1:]]


def test_lists_of_a_folder_are_scored_without_the_clips_that_have_no_label(capsys, folder):
    rows = printed(capsys, folder, '--prefix', 'videos')
    assert rows == [['val', '100.0%', 'of', '2', 'clips'], ['test', '100.0%', 'of', '2', 'clips']]


def test_folds_are_scored_in_their_order_and_together(capsys, folder):
    rows = printed(capsys, folder, '--prefix', 'videos', '--folds')
    assert [' '.join(row[:-4]) for row in rows] == ['fold0', 'fold2', 'fold10', 'all folds']
    assert rows[-1][-2] == '10'


def test_a_config_says_where_the_videos_are(capsys, folder):
    assert printed(capsys, folder / 'config.py') == [['test', '100.0%', 'of', '2', 'clips']]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{root}'], 'does not exist, the first video of .*train.txt.*--prefix'),
        (['{root}/none'], 'none'),
        (['{root}/folds'], 'train.txt does not exist'),
        (['{root}', '--folds', 'videos'], 'holds no fold<k>_test.txt'),
    ],
)
def test_mistakes_are_told_in_one_line(capsys, folder, arguments, message):
    with pytest.raises(SystemExit):
        baseline.main([each.format(root=folder) for each in arguments])
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert error.count('\n') == 1
    assert re.search(message, error)
