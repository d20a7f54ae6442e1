import pytest
from streams import CLASSES, FakeCamera

from mmkd_video.export import ExportMetadata
from mmkd_video.serving import StreamOptions


def metadata(interval, **sampler):
    shape = (1, 3, 8, 32, 32)
    pipeline = (dict(type='SampleFrames', clip_len=8, **sampler),)
    return ExportMetadata(CLASSES, 'NCTHW', shape, 'uint8', frames=8, interval=interval, pipeline=pipeline)


def test_the_interval_is_the_models_unless_another_is_wanted():
    assert StreamOptions().interval_for(metadata(3), 25) == 3
    assert StreamOptions(interval=5).interval_for(metadata(3), 25) == 5


def test_frames_spread_over_a_video_take_two_seconds():
    assert StreamOptions().interval_for(metadata(None), 30) == 7  # 7 * 30 / 8 pictures
    assert StreamOptions().interval_for(metadata(None), 0) == 6
    assert StreamOptions().interval_for(metadata(None), 1) == 1


def test_a_model_with_a_frame_rate_of_its_own():
    assert StreamOptions().interval_for(metadata(2, target_fps=15), 30) == 4
    assert StreamOptions().interval_for(metadata(2, target_fps=15), 0) == 2


def test_half_a_window_by_default():
    assert StreamOptions().hop_for(8, 2) == 8
    assert StreamOptions().hop_for(1, 1) == 1
    assert StreamOptions(hop=3).hop_for(8, 2) == 3


def test_files_wait_and_cameras_drop():
    assert StreamOptions().policy_for(FakeCamera('', live=False)) == 'none'
    assert StreamOptions().policy_for(FakeCamera('')) == 'oldest'
    assert StreamOptions(drop='newest').policy_for(FakeCamera('')) == 'newest'


@pytest.mark.parametrize(
    'name, value',
    [('hop', 0), ('hop', -2), ('interval', 0), ('queue', 0), ('reconnects', -1), ('pause', -1), ('pause', float('nan')),
     ('smooth', 1.0), ('smooth', -0.1), ('smooth', float('nan')), ('drop', 'all')],
)  # fmt: skip
def test_bad_values_are_named(name, value):
    with pytest.raises(ValueError, match=f'{name}: got {value!r}'):
        StreamOptions(**{name: value})
