from pathlib import Path

import pytest

from mmkd_video.recognizers.config import load_config
from mmkd_video.recognizers.size import find_size
from mmkd_video.workflows.new.stages import Stage, find_stages, pair_stages

ROOT = Path(__file__).resolve().parents[3]
ZOO = 'mmaction::recognition/'


def stages(path):
    config = load_config(path)
    return find_stages(config.model, find_size(config.model, config, None, 'student'))


@pytest.mark.parametrize(
    ('path', 'taps'),
    [
        (str(ROOT / 'configs/teachers/i3d_motion.py'), ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']),
        (
            f'{ZOO}x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py',
            ['conv1_t', 'layer1', 'layer2', 'layer3', 'conv5'],
        ),
        (
            f'{ZOO}swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py',
            ['layers.0', 'layers.1', 'layers.2', 'norm3'],
        ),
    ],
    ids=['i3d', 'x3d', 'swin'],
)
def test_the_last_module_at_each_resolution_is_a_stage(path, taps):
    found = stages(path)
    assert [stage.tap for stage in found] == [f'backbone.{tap}' for tap in taps]
    strides = [stage.stride for stage in found]
    assert strides == sorted(strides)


def test_stages_are_paired_by_how_often_they_were_halved():
    def stage(tap, stride):
        return Stage(tap, (1, 1, 1, 1), stride)

    ours, theirs = [stage('a', 2), stage('b', 16)], [stage('c', 1.9), stage('d', 15.2), stage('e', 30.3)]
    assert [(mine.tap, other.tap) for mine, other in pair_stages(ours, theirs)] == [('b', 'd'), ('a', 'c')]
    assert [(mine.tap, other.tap) for mine, other in pair_stages(ours[:1], theirs[2:])] == [('a', 'e')]
    assert pair_stages(ours, []) == []


def test_a_model_that_does_not_run_without_weights_has_no_stages():
    assert find_stages(dict(type='Recognizer2D', backbone=dict(type='Missing')), (8, 32, 32)) == []
