import os
import signal

import cv2
import numpy as np
import pytest
from streams import CLASSES

from mmkd_video.serving import AnnotatedVideo, Prediction
from mmkd_video.serving.caption import draw_caption


def prediction(first, last, best):
    scores = np.full(len(CLASSES), 0.1)
    scores[best] = 0.6
    return Prediction(scores, first, last, first / 10, last / 10, 0.01, 0)


def read(path):
    capture, images = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        images.append(answer[1])
    return images, capture.get(cv2.CAP_PROP_FPS)


def test_every_picture_bears_the_label_of_its_window(tmp_path):
    video = AnnotatedVideo(tmp_path / 'new' / 'out.mp4', CLASSES, fps=10)
    grey = np.full((96, 128, 3), 90, np.uint8)
    for number in range(10):
        video.watch(number, grey)
    video.label(prediction(0, 3, 0))
    video.label(prediction(2, 6, 1))
    assert not (tmp_path / 'new' / 'out.mp4').exists()  # never half
    video.watch(10, np.full((48, 64, 3), 90, np.uint8))  # another size
    video.close()
    images, fps = read(tmp_path / 'new' / 'out.mp4')
    assert (len(images), fps, images[0].shape) == (11, 10, (192, 256, 3))  # enlarged, so that the label can be read
    drawn = [np.abs(image.astype(int) - 90).max() for image in images]
    assert min(drawn) > 60
    same = [np.abs(images[0].astype(int) - image).mean() for image in images]
    assert max(same[:4]) < 0.5 < min(same[4:]) - max(same[:4])
    assert (grey == 90).all()
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['out.mp4']


def test_nothing_to_write(tmp_path):
    AnnotatedVideo(tmp_path / 'out.mp4', CLASSES).close()
    assert list(tmp_path.iterdir()) == []


def test_bad_names(tmp_path):
    with pytest.raises(ValueError, match=r'\.mp4'):
        AnnotatedVideo(tmp_path / 'out.avi', CLASSES)


def test_pictures_do_not_wait_without_end(tmp_path):
    picture = np.full((96, 128, 3), 90, np.uint8)
    video = AnnotatedVideo(tmp_path / 'out.mp4', CLASSES, fps=10, waiting_bytes=4 * picture.nbytes)
    for number in range(20):
        video.watch(number, picture + 5 * number)
        assert len(video._waiting) <= 4
    video.label(prediction(0, 30, 0))
    for number in range(20, 24):
        video.watch(number, picture + 5 * number)
    video.close()
    video.watch(24, picture)  # a reader that hangs is late
    images, _ = read(tmp_path / 'out.mp4')
    greys = [image[120:].mean() for image in images]
    assert len(greys) == 24 and greys == sorted(greys)  # in their order
    labelled = [np.abs(image[:80].astype(int) - 90 - 5 * number).max() > 60 for number, image in enumerate(images)]
    assert labelled == [False] * 16 + [True] * 8
    assert [path.name for path in tmp_path.iterdir()] == ['out.mp4']


LINES = ('counter-clockwise 100%', 'left 7%', 'a name of a class that is far longer than anybody would like 12%')


@pytest.mark.parametrize('size', [(64, 64), (96, 160), (160, 284), (720, 1280), (16, 300), (300, 64)])
def test_no_label_is_cut_off_whatever_the_picture(size):
    image = np.full((*size, 3), 90, np.uint8)
    draw_caption(image, LINES)
    assert (image[:, -1] == 90).all() or not image[:, -1][
        image[:, -1, 0] != 90
    ].any()  # at most the box touches the edge
    assert (image > 180).any() and (image == 0).any()
    assert (image[size[0] // 2 :] == 90).all() or size[0] < 100


def test_a_line_is_drawn_once():
    """White on black, its share that of thin strokes: text drawn twice, at places that differ, would fill the box."""
    image = np.full((360, 640, 3), 90, np.uint8)
    draw_caption(image, ['clockwise 98%'])
    rows, columns = np.nonzero((image != 90).any(2))
    box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0]
    assert rows.max() < 40 and 0.08 < (box > 128).mean() < 0.3
    words = cv2.connectedComponents((box > 100).astype(np.uint8))[0] - 1
    assert (
        12 <= words <= 16
    )  # ten letters of which one has a dot, two digits, and the percent sign in up to three parts


def test_a_label_grows_with_its_picture():
    heights = []
    for height in (240, 480, 960):
        image = np.full((height, 2 * height, 3), 90, np.uint8)
        draw_caption(image, ['left 50%'])
        heights.append(np.count_nonzero((image[:, 0] != 90).any(1)))
    assert heights[1] == pytest.approx(2 * heights[0], abs=3) and heights[2] == pytest.approx(4 * heights[0], abs=6)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, file_size_limit):
    video = AnnotatedVideo(tmp_path / 'out.mp4', CLASSES, fps=10)
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    with file_size_limit(20_000):
        for number in range(30):
            video.watch(number, noise)
        with pytest.raises(OSError, match=r'out\.mp4: only \d+ of 30 pictures could be written; is the disk full'):
            video.close()
    assert list(tmp_path.iterdir()) == []


def opened(path):
    video = AnnotatedVideo(path, CLASSES)
    video.watch(0, np.zeros((64, 64, 3), np.uint8))
    video.label(prediction(0, 0, 0))
    return video


def test_what_a_killed_process_left_is_removed_and_that_of_a_running_one_is_not(tmp_path):
    begun, tell = os.pipe()
    process = os.fork()
    if not process:
        opened(tmp_path / 'out.mp4')
        os.write(tell, b'.')
        signal.pause()
    os.read(begun, 1)
    (running,) = tmp_path.iterdir()
    opened(tmp_path / 'out.mp4').close()
    assert {each.name for each in tmp_path.iterdir()} == {'out.mp4', running.name}
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    opened(tmp_path / 'other.mp4').close()
    assert running.exists()
    opened(tmp_path / 'out.mp4').close()
    assert {each.name for each in tmp_path.iterdir()} == {'out.mp4', 'other.mp4'}


def test_writers_of_one_process_number_do_not_share_a_name(tmp_path):
    videos = [opened(tmp_path / 'out.mp4') for _ in range(2)]
    for video in videos:
        video.close()
    assert [path.name for path in tmp_path.iterdir()] == ['out.mp4']
