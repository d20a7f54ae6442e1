"""Every decoder gives the frames that decord gives; one setting says which reads."""

import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mmaction.datasets.transforms.loading import DecordDecode, DecordInit

from mmkd_video.core.optional_packages import MissingExtraError
from mmkd_video.datasets.decoders import DECODERS, expect_decoder, open_video
from mmkd_video.datasets.decoders import choice as choice_module
from mmkd_video.datasets.motion_clips import encode_clip
from mmkd_video.datasets.unreadable import is_unreadable

INDICES = [0, 29, 13, 1, 13, 28]


def needed(name):
    """Skip where a decoder is not installed."""
    try:
        expect_decoder(name)
    except ImportError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp('clip') / 'a clip.mp4'
    y, x, t = np.meshgrid(np.arange(48), np.arange(64), np.arange(30), indexing='ij')
    moving = 127 + 100 * np.sin((x + 3 * t) / 7) * np.cos((y - 2 * t) / 9)
    frames = np.stack([moving, moving[::-1], 255 - moving], axis=-1).transpose(2, 0, 1, 3)
    encode_clip(frames.astype(np.uint8), path)
    return path


@pytest.mark.parametrize('decoder', [name for name in DECODERS if name != 'decord'])
def test_frames_are_those_of_decord(clip, decoder):
    needed(decoder)
    if decoder != 'decord2':  # which owns decord's files
        reference = open_video(clip.read_bytes(), 'decord').get_batch(INDICES).asnumpy()
    reader = open_video(clip.read_bytes(), decoder)
    found = reader.get_batch(INDICES).asnumpy()
    assert len(reader) == 30 and found.dtype == np.uint8 and reader.get_avg_fps() == pytest.approx(12)
    assert decoder == 'decord2' or np.array_equal(found, reference)
    reader.seek(13)  # decord and its successor go to the key frame before
    assert decoder == 'decord2' or np.array_equal(reader.next().asnumpy(), found[2])


@pytest.mark.parametrize('decoder', DECODERS)
def test_decord_s_transforms_read_with_the_chosen_decoder(clip, decoder, monkeypatch):
    needed(decoder)
    monkeypatch.setenv('MMKD_DECODER', decoder)
    results = DecordInit().transform(dict(filename=str(clip)))
    assert results['total_frames'] == 30
    results = DecordDecode().transform(dict(results, frame_inds=np.array(INDICES)))
    assert len(results['imgs']) == 6 and results['img_shape'] == (48, 64)


@pytest.mark.parametrize('decoder', DECODERS)
@pytest.mark.parametrize('content', [b'', b'no video', b'cut'])
def test_what_is_no_video_is_told_as_the_video_s_fault(clip, decoder, content):
    needed(decoder)
    with pytest.raises(Exception) as refused:
        open_video(clip.read_bytes()[:700] if content == b'cut' else content, decoder).get_batch([0])
    assert is_unreadable(refused.value)


def test_the_setting_reaches_every_pipeline(clip, monkeypatch):
    asked = []
    monkeypatch.setitem(
        choice_module.DECODERS, 'pyav', lambda content, threads: asked.append((len(content), threads)) or [0]
    )
    monkeypatch.setenv('MMKD_DECODER', 'pyav')
    reader = DecordInit(num_threads=3)._get_video_reader(str(clip))
    assert reader == [0] and asked == [(clip.stat().st_size, 3)]
    assert DecordInit()._get_video_reader(str(clip.with_suffix(''))) == [0]  # as MMAction2 does without a suffix


def test_a_decoder_that_nobody_knows_is_no_fault_of_a_video(clip, monkeypatch):
    monkeypatch.setenv('MMKD_DECODER', 'avconv')
    with pytest.raises(ValueError, match="MMKD_DECODER: got 'avconv'; expected one of decord, decord2, ") as refused:
        DecordInit().transform(dict(filename=str(clip)))
    assert not is_unreadable(refused.value)


@pytest.mark.parametrize(('decoder', 'module'), [('torchcodec', 'torchcodec.decoders'), ('pyav', 'av')])
def test_a_decoder_that_is_missing_names_its_extra(decoder, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'mmkd_video\[{decoder}\]'"):
        open_video(b'', decoder)


def test_decord_is_not_taken_for_its_successor(monkeypatch):
    monkeypatch.setitem(sys.modules, 'decord', SimpleNamespace(__version__='0.6.0'))
    with pytest.raises(MissingExtraError, match='the module decord is decord 0.6.0, and both own the same files'):
        open_video(b'', 'decord2')
