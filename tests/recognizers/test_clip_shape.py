import pytest

from mmkd_video.recognizers.clip_shape import clip_shape, expect_shape

FRONT = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
]
FORMAT = [dict(type='FormatShape', input_format='NCHW'), dict(type='PackActionInputs')]
TALL = dict(type='Resize', scale=(-1, 256))


@pytest.mark.parametrize(
    ('steps', 'left'),
    [
        ([TALL, dict(type='CenterCrop', crop_size=256)], (8, 3, 256, 256)),
        ([TALL, dict(type='ThreeCrop', crop_size=256)], (24, 3, 256, 256)),
        ([dict(type='Resize', scale=(64, 48), keep_ratio=False)], (8, 3, 48, 64)),
        ([TALL], (8, 3, None, None)),  # landscape or portrait, as the video is
    ],
)
def test_the_shape_that_a_pipeline_leaves(steps, left):
    assert clip_shape([*FRONT, *steps, *FORMAT]) == left


def test_a_volume_has_its_frames_inside():
    steps = [*FRONT, TALL, dict(type='CenterCrop', crop_size=64), dict(type='FormatShape', input_format='NCTHW')]
    assert clip_shape([*steps, dict(type='PackActionInputs')]) == (1, 3, 8, 64, 64)


@pytest.mark.parametrize('pipeline', [[], FRONT, [*FRONT, dict(type='NoTransform'), *FORMAT]])
def test_nothing_is_said_of_a_pipeline_that_does_not_run(pipeline):
    assert clip_shape(pipeline) is None
    expect_shape((1, 2), pipeline)


def test_a_contradiction_is_refused():
    cropped = [*FRONT, TALL, dict(type='CenterCrop', crop_size=256), *FORMAT]
    expect_shape((8, 3, 256, 256), cropped)
    expect_shape((16, 3, 256, 256), cropped, any_clips=True)
    expect_shape((8, 3, 256, 340), [*FRONT, TALL, *FORMAT])
    for shape in ((8, 3, 224, 224), (16, 3, 256, 256), (1, 3, 8, 256, 256)):
        with pytest.raises(
            ValueError, match=r'^--shape: got [\d ]+, but the test pipeline, .* leaves 8 3 256 256; give'
        ):
            expect_shape(shape, cropped)
    with pytest.raises(ValueError, match='leaves 8 3 N N for any N; give'):
        expect_shape((4, 3, 256, 340), [*FRONT, TALL, *FORMAT])
