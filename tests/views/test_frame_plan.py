import numpy as np
import pytest

from mmkd_video.recognizers.view_spec import ViewSpec
from mmkd_video.views.frame_plan import plan_frames


def spec(clip_len, frame_interval=1, num_clips=1, stretch=False, target_fps=None):
    return ViewSpec('teacher', clip_len, num_clips, frame_interval, stretch, target_fps, None, 'bilinear', {})


def test_frames_are_centred_inside_the_span_at_their_own_interval():
    frames = plan_frames(spec(4, 3), np.arange(20, 61, 5), 100)
    assert frames.tolist() == [36, 39, 42, 45]  # 10 frames around 40


def test_a_window_wider_than_the_span_repeats_the_ends_of_the_span():
    assert plan_frames(spec(8, 2), np.arange(10, 18), 30).tolist() == [10, 10, 11, 13, 15, 17, 17, 17]
    assert plan_frames(spec(4, 1), np.array([3]), 30).tolist() == [3, 3, 3, 3]


def test_segment_teacher_of_as_many_frames_takes_the_students_frames():
    student = np.array([3, 9, 14, 22])
    assert plan_frames(spec(1, num_clips=4, stretch=True), student, 30).tolist() == student.tolist()


def test_stretched_frames_span_what_the_student_saw():
    frames = plan_frames(spec(16, 2, stretch=True), np.array([10, 20, 30, 40]), 50)
    assert frames[0] == 10 and frames[-1] == 40 and (np.diff(frames) == 2).all()
    assert plan_frames(spec(1, stretch=True), np.array([10, 20, 30]), 50).tolist() == [20]


def test_several_clips_share_the_span():
    frames = plan_frames(spec(4, 1, num_clips=2), np.array([0, 40]), 60).reshape(2, 4)
    assert frames.tolist() == [[9, 10, 11, 12], [29, 30, 31, 32]]


def test_target_fps_counts_in_frames_of_the_video():
    frames = plan_frames(spec(4, 2, target_fps=15.0), np.array([0, 59]), 60, fps=30.0)
    assert np.ptp(frames) == 15 and (np.diff(frames) == 5).all()


def test_window_longer_than_the_video_says_what_to_do():
    with pytest.raises(ValueError, match=r"view 'teacher'.*needs 63 frames.*found 40 in a.mp4.*span='stretch'"):
        plan_frames(spec(32, 2), np.arange(8), 40, video='a.mp4')


def test_clamp_repeats_both_ends():
    frames = plan_frames(spec(8, 2), np.arange(10), 10, clamp=True)
    assert frames.tolist() == [0, 0, 2, 4, 6, 8, 9, 9]
