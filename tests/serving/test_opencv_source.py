"""Real files, whole and damaged."""

import functools
import http.server
import socket
import threading

import cv2
import numpy as np
import pytest
from clips import encode
from streams import FakeCamera, picture

from mmkd_video.serving import (
    FrameReader,
    OpenCVSource,
    PacedSource,
    SlidingWindow,
    SourceLostError,
    StreamStatistics,
    WindowQueue,
)


def read(source, watcher=None, reconnects=0):
    """Read a source with a reader that resizes every picture; return what it counted."""
    statistics, queue = StreamStatistics(), WindowQueue(1000, 'newest')
    source.open()
    reader = FrameReader(
        source,
        lambda image: cv2.resize(image, (8, 8)),
        SlidingWindow(1, 1, 1),
        queue,
        statistics,
        reconnects,
        0,
        watcher,
    )
    reader.run()
    return statistics


def damage(path, begin, end):
    """Overwrite a part of a file, given as fractions, with zeros."""
    content = bytearray(path.read_bytes())
    part = slice(int(len(content) * begin), int(len(content) * end))
    content[part] = bytes(part.stop - part.start)
    path.write_bytes(content)


def test_what_a_file_says(tmp_path):
    encode(tmp_path / 'a.mp4', 0, frames=20)
    source = OpenCVSource(tmp_path / 'a.mp4', threads=1)
    assert (source.fps, source.frame_count) == (0, 0)
    source.open()
    assert (source.fps, source.frame_count, source.live) == (12, 20, False)
    times = []
    while source.grab():
        times.append(source.position())
        assert source.retrieve().shape == (64, 64, 3)
    np.testing.assert_allclose(times, np.arange(20) / 12, atol=1e-3)
    source.close()
    source.close()
    assert not source.grab()


def test_damaged_packets_are_skipped_and_counted(tmp_path):
    encode(tmp_path / 'a.mp4', 0, frames=60)
    damage(tmp_path / 'a.mp4', 0.25, 0.5)
    statistics = read(OpenCVSource(tmp_path / 'a.mp4'))
    assert statistics.corrupt >= 5
    assert statistics.frames + statistics.corrupt == 60
    assert statistics.frames >= 30  # those behind the damage too


def test_a_file_that_was_cut_is_read_as_far_as_it_goes(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'a.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    for number in range(20):
        writer.write(picture(number))
    writer.release()
    damage(tmp_path / 'a.avi', 0.5, 1)
    statistics = read(OpenCVSource(tmp_path / 'a.avi'))
    assert 5 <= statistics.frames < 15
    assert statistics.frames + statistics.corrupt == 20


@pytest.mark.parametrize(('before', 'after'), [(64, 96), (96, 64)])
def test_opencv_gives_pictures_that_change_their_size_as_large_as_the_first(tmp_path, before, after):
    """OpenCV scales whole pictures to the size of the first: a reader of a file sees one size and counts no change."""
    pictures = [np.zeros((before if number < 10 else after,) * 2 + (3,), np.uint8) for number in range(20)]
    for image in pictures:
        image[len(image) // 2 :, len(image) // 2 :] = 255  # the lower right quarter
    content = b''.join(cv2.imencode('.jpg', image)[1].tobytes() for image in pictures)
    (tmp_path / 'a.mjpeg').write_bytes(content)
    seen = []
    statistics = read(OpenCVSource(tmp_path / 'a.mjpeg'), lambda number, image: seen.append(image))
    assert (statistics.frames, statistics.resizes, len(seen)) == (20, 0, 20)
    for image in seen:
        assert image.shape == (before, before, 3)
        assert image.mean() == pytest.approx(255 / 4, abs=3) and image[before // 2 + 4 :, before // 2 + 4 :].min() > 200


def test_no_such_file_and_no_video(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.mp4'):
        OpenCVSource(tmp_path / 'nowhere.mp4')
    (tmp_path / 'text.mp4').write_text('hello')
    with pytest.raises(ValueError, match='no video'):
        OpenCVSource(tmp_path / 'text.mp4').open()
    with pytest.raises(ValueError, match='decoder threads: got 0'):
        OpenCVSource(tmp_path / 'text.mp4', threads=0)


@pytest.mark.parametrize('script', ['', 'FFFF', 'xx'])
def test_a_file_without_a_picture_is_an_error(script):
    with pytest.raises(ValueError, match='fake: no picture'):
        read(FakeCamera(script, live=False))


@pytest.mark.parametrize('name', ['97', '/dev/video97', 'rtsp://127.0.0.1:9/nothing'])
def test_live_sources_that_are_not_there(name):
    source = OpenCVSource(name)
    assert source.live
    with pytest.raises(SourceLostError, match='cannot be reached'):
        source.open()


def jpegs(count):
    return b''.join(cv2.imencode('.jpg', picture(number))[1].tobytes() for number in range(count))


def test_a_network_stream_that_breaks_off_is_opened_again():
    """A raw connection; FFmpeg reads ``rtsp://`` through the same calls."""
    server = socket.create_server(('127.0.0.1', 0))
    counts = [12, 7]

    def serve():
        for count in counts:
            connection, _ = server.accept()
            connection.sendall(jpegs(count))
            connection.close()
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    seen = []
    source = OpenCVSource(f'tcp://127.0.0.1:{server.getsockname()[1]}')
    statistics = read(source, lambda number, image: seen.append(number), reconnects=1)
    assert source.live
    assert statistics.losses == 2 and statistics.lost
    assert sum(counts) - 2 <= statistics.frames == len(seen)  # the last of a connection may be taken for half


def test_a_file_behind_an_address_has_an_end(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'a.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 64))
    for number in range(20):
        writer.write(picture(number))
    writer.release()
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = OpenCVSource(f'http://127.0.0.1:{server.server_port}/a.avi')
        statistics = read(source)
        server.shutdown()
    assert not source.live
    assert (statistics.frames, statistics.losses) == (20, 0)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_paced_file_waits_until_pictures_are_due(tmp_path, monkeypatch):
    encode(tmp_path / 'a.mp4', 0, frames=6)
    clock, slept = [100.0], []
    monkeypatch.setattr('time.monotonic', lambda: clock[0])

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr('time.sleep', sleep)
    source = PacedSource(OpenCVSource(tmp_path / 'a.mp4'))
    source.open()
    assert source.grab() and not slept
    assert source.grab() and slept == pytest.approx([1 / 12])
    clock[0] += 2.5 / 12  # the reader was slow: two pictures are due at once
    assert source.grab() and source.grab() and len(slept) == 1
    assert source.grab() and slept[1:] == pytest.approx([0.5 / 12])
    assert (source.fps, source.frame_count, source.retrieve().shape) == (12, 6, (64, 64, 3))
    source.close()
