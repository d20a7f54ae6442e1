"""``hf::<folder>``: what is read from a folder of transformers, and what is refused."""

import json
import shutil

import clips
import numpy as np
import pytest
import torch
import transformers_models as tiny
from mmengine.dataset import Compose

from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.config import load_config
from mmkd_video.recognizers.pipelines import find_pipeline, find_pipelines
from mmkd_video.recognizers.view_spec import ViewSpec
from mmkd_video.views import DistillViews

REFUSED = (WrongValueError, MissingFileError)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos') / 'set', count=2)


@pytest.fixture(scope='module')
def template(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp('template') / 'model', 'videomae').folder


@pytest.fixture
def folder(template, tmp_path):
    shutil.copytree(template, tmp_path / 'model')
    return tmp_path / 'model'


def seen(path, video):
    """Return the pixels of our view of a video, normalised, ``(C, T, H, W)``, and the frames that it is of."""
    config = load_config(f'hf::{path}')
    sample = dict(filename=str(video), start_index=0, modality='RGB', label=0)
    for step in config.val_pipeline:
        sample = Compose([step])(sample)
        if step['type'] == 'DecordDecode':
            frames = [frame.copy() for frame in sample['imgs']]
    preprocessor = MODELS.build(config.model.data_preprocessor)
    inputs = preprocessor(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))['inputs']
    return inputs[0, 0], frames


def library_pixels(name, frames, **changed):
    processor = tiny.processor(name, **changed)
    frames = [frame[..., :3] for frame in frames]
    if 'Image' in type(processor).__name__ and tiny.ALL[name].image:
        return torch.as_tensor(np.stack(processor(frames, return_tensors='np')['pixel_values'])).transpose(0, 1)
    key = tiny.ALL[name].input_name
    return processor(list(frames), return_tensors='pt')[key][0].transpose(0, 1)


# each without a resize: frames of the test's videos have 64 x 64 pixels
CROPPED = dict(size=dict(shortest_edge=64), crop_size=dict(height=32, width=32))
WHOLE = dict(size=dict(height=64, width=64))
UNCHANGED = {
    'videomae': CROPPED,
    'timesformer': dict(CROPPED, image_mean=[0.45] * 3, image_std=[0.225] * 3),
    'vivit': CROPPED,
    'vjepa2': dict(crop_size=56),  # its resize is 256 / 224 of that: 64
    'videoprism': WHOLE,
    'dinov2': CROPPED,
    'clip': CROPPED,
    'siglip': WHOLE,
    'dinov3': WHOLE,
}


@pytest.mark.parametrize('name', UNCHANGED)
def test_pixels_are_those_of_the_librarys_processor(tmp_path, videos, name):
    tiny.write(tmp_path, name, **UNCHANGED[name])
    ours, frames = seen(tmp_path, videos / '1.mp4')
    theirs = library_pixels(name, frames, **UNCHANGED[name])
    assert ours.shape == theirs.shape and theirs.std() > 0.05
    torch.testing.assert_close(ours, theirs.float(), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize('name', ['videomae', 'vivit', 'clip', 'siglip'])
def test_resized_pixels_are_near_those_of_the_librarys_processor(tmp_path, videos, name):
    """Their resize averages over what it leaves out, OpenCV's does not: on noise that is the largest difference."""
    smaller = dict(size=dict(height=48, width=48)) if name == 'siglip' else dict(size=dict(shortest_edge=48))
    tiny.write(tmp_path, name, **smaller)
    ours, frames = seen(tmp_path, videos / '1.mp4')
    theirs = library_pixels(name, frames, **smaller)
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().mean() < 0.25 * theirs.std()


def test_pixels_of_vivit_are_scaled_twice(tmp_path):
    tiny.write(tmp_path, 'vivit')
    known = load_config(f'hf::{tmp_path}').model.data_preprocessor
    pixels = np.array([0.0, 127.5, 255.0])
    expected = ((pixels / 127.5 - 1) - 0.5) / 0.5
    np.testing.assert_allclose((pixels - known.mean[0]) / known.std[0], expected)


@pytest.mark.parametrize(
    ('told', 'mean', 'std', 'sizes'),
    [
        (dict(video_processor_type='VideoMAEVideoProcessor'), 127.5, 127.5, [(-1, 224), (224, 224)]),
        (dict(feature_extractor_type='VideoMAEFeatureExtractor', size=40, crop_size=36), 127.5, 127.5,
         [(-1, 40), (36, 36)]),
        (dict(image_processor_type='VideoMAEImageProcessorFast', do_normalize=False), 0.0, 255.0,
         [(-1, 224), (224, 224)]),
        (dict(image_processor_type='VivitImageProcessor', do_rescale=False), 0.5, 0.5, [(-1, 256), (224, 224)]),
        (dict(image_processor_type='VivitImageProcessor', offset=False), 63.75, 63.75, [(-1, 256), (224, 224)]),
        (dict(video_processor_type='VJEPA2VideoProcessor', crop_size=56, size=dict(shortest_edge=99)), 0.485 * 255,
         0.229 * 255, [(-1, 64), (56, 56)]),
        (dict(video_processor_type='VJEPA2VideoProcessor'), 0.485 * 255, 0.229 * 255, [(-1, 292), (256, 256)]),
        (dict(video_processor_type='LlavaOnevisionVideoProcessor'), 0.48145466 * 255, 0.26862954 * 255, [(384, 384)]),
        (dict(do_resize=False, do_center_crop=False), 127.5, 127.5, [(32, 32)]),
    ],
)  # fmt: skip
def test_a_processor_is_read_with_the_defaults_of_its_class(folder, told, mean, std, sizes):
    (folder / 'preprocessor_config.json').write_text(json.dumps(told))
    config = load_config(f'hf::{folder}')
    assert config.model.data_preprocessor.mean[0] == pytest.approx(mean)
    assert config.model.data_preprocessor.std[0] == pytest.approx(std)
    found = [step.get('scale') or step.get('crop_size') for step in config.val_pipeline]
    assert [tuple(each) for each in found if each] == sizes


def test_files_of_processors_are_read_in_the_librarys_order(folder):
    def mean():
        return load_config(f'hf::{folder}').model.data_preprocessor.mean[0] / 255

    for value, file, nested in (
        (0.1, 'preprocessor_config.json', False),
        (0.2, 'video_preprocessor_config.json', False),
        (0.3, 'processor_config.json', True),
    ):
        told = dict(image_mean=[value] * 3)
        (folder / file).write_text(json.dumps(dict(video_processor=told) if nested else told))
        assert mean() == pytest.approx(value)


def test_the_view_is_what_the_folder_says(folder):
    for teacher in (f'hf::{folder}', dict(config=f'hf::{folder}'), dict(source=f'hf::{folder}')):
        spec = ViewSpec.from_pipeline('teacher', find_pipelines(teacher, 'teacher')['teacher'])
        assert (spec.clip_len, spec.size, spec.stretch) == (tiny.FRAMES, (32, 32), True)
    more = find_pipeline(dict(config=dict(source=f'hf::{folder}', frames=6)), 'teacher')
    assert ViewSpec.from_pipeline('teacher', more).clip_len == 6


def test_distill_views_cuts_it_from_a_real_video(folder, videos):
    views = DistillViews(student=clips.pipeline(frames=8, size=48), teacher=f'hf::{folder}')
    packed = views(dict(filename=str(videos / '0.mp4'), start_index=0, modality='RGB', label=0))
    assert packed['views']['teacher'].shape == (1, 3, tiny.FRAMES, 32, 32)
    assert packed['views']['teacher'].dtype == torch.uint8


def test_names_of_classes_are_the_configs(folder):
    assert load_config(f'hf::{folder}').classes == list(tiny.NAMES)


def test_nothing_of_transformers_is_imported_to_read_a_config(template):
    import subprocess
    import sys

    code = f"""
import sys
sys.modules['transformers'] = None
import mmkd_video.recognizers.libraries.reading as reading
print(len(reading.read_library_model('hf::{template}').classes))
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == '5', done.stderr
