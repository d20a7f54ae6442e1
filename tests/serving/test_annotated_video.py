import cv2
import numpy as np
import pytest
from streams import CLASSES

from mmkd_video.serving import AnnotatedVideo, Prediction


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
    assert (len(images), fps, images[0].shape) == (11, 10, (96, 128, 3))
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
    greys = [image[60:].mean() for image in images]
    assert len(greys) == 24 and greys == sorted(greys)  # in their order
    labelled = [np.abs(image[:40].astype(int) - 90 - 5 * number).max() > 60 for number, image in enumerate(images)]
    assert labelled == [False] * 16 + [True] * 8
    assert [path.name for path in tmp_path.iterdir()] == ['out.mp4']
