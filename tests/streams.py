"""Small exported models whose scores depend on what they see, and sources that misbehave."""

import threading
import time
from concurrent.futures import Future

import numpy as np
import torch
from clips import encode
from mmaction.registry import TRANSFORMS
from mmengine.registry import DefaultScope
from torch import nn

from mmkd_video.core.registry import build_model
from mmkd_video.export import DeployableRecognizer, ExportMetadata, export_onnx, export_openvino
from mmkd_video.serving import SourceLostError, VideoSource

CLASSES = ('left', 'right', 'up', 'down', 'still')


def steps(layout='NCTHW', interval=2, crop=None):
    """A test pipeline with OpenCV's decoder, which streams use too; 64 pixels become 48."""
    sampler = dict(type='SampleFrames', clip_len=8, frame_interval=interval, num_clips=1, test_mode=True)
    return [
        dict(type='OpenCVInit'),
        sampler,
        dict(type='OpenCVDecode'),
        dict(type='Resize', scale=(-1, 48)),
        crop or dict(type='CenterCrop', crop_size=32),
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]


def clip_of(path, test_pipeline):
    """Return what a pipeline makes of a video, and the numbers of its frames."""
    data = dict(filename=str(path), label=0, start_index=0, modality='RGB')
    with DefaultScope.overwrite_default_scope('mmaction'):
        transforms = [TRANSFORMS.build(step) for step in test_pipeline]
    for transform in transforms[:-1]:
        data = transform(data)
    return np.ascontiguousarray(data['imgs']), data['frame_inds']


class TinyHead(nn.Module):
    """One linear layer."""

    num_classes, average_clips = len(CLASSES), 'prob'

    def __init__(self):
        super().__init__()
        self.fc_cls = nn.Linear(6 * 9, self.num_classes)

    def forward(self, features):
        return self.fc_cls(features)


class TinyRecognizer(nn.Module):
    """One convolution, with the parts of a recognizer that export asks for; scores depend on places and on order."""

    def __init__(self, layout):
        super().__init__()
        self.data_preprocessor = build_model(
            dict(type='ActionDataPreprocessor', mean=[120.0] * 3, std=[30.0] * 3, format_shape=layout)
        )
        self.backbone = nn.Conv3d(3, 6, 3) if layout == 'NCTHW' else nn.Conv2d(3, 6, 3)
        self.cls_head = TinyHead()
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def extract_feat(self, frames, test_mode=True):
        maps = self.backbone(frames.flatten(0, 1)).relu()
        if frames.ndim == 5:
            maps = maps.unflatten(0, (-1, 8)).transpose(1, 2)
        time = torch.linspace(0.2, 1.8, maps.shape[2])[:, None, None]
        features = nn.functional.avg_pool2d((maps * time).mean(2), 10)
        return nn.functional.layer_norm(features.flatten(1), [6 * 9]), {}


def metadata_for(model, folder, interval=2, crop=None, **more):
    """Return the metadata of a model with a pipeline of :func:`steps`, and a batch of one clip."""
    deployable = DeployableRecognizer(model)
    test_pipeline = steps(deployable.layout, interval, crop)
    folder.mkdir(parents=True, exist_ok=True)
    encode(folder / 'example.mp4', 0)
    clips = clip_of(folder / 'example.mp4', test_pipeline)[0][None]
    return ExportMetadata.describe(deployable, clips, CLASSES, test_pipeline, **more), clips


def export_tiny(folder, layout='NCTHW', model=None, suffix='.onnx', **more):
    """Export a tiny model, or the given one, with class names and its test pipeline."""
    torch.manual_seed(0)
    model = model or TinyRecognizer(layout)
    metadata, clips = metadata_for(model, folder, **more)
    write = export_onnx if suffix == '.onnx' else export_openvino
    return write(model, folder / f'tiny{suffix}', clips, metadata)


class FakeCamera(VideoSource):
    """A camera that shows noise and breaks as it is told.

    Args:
        script: One letter a picture: ``.`` fine, ``x`` damaged, ``F`` none, ``L`` lost until it is opened again, ``B``
            twice as large from here on.
        live: Whether it is a camera, or a file of that many pictures.
        reopens: How often it can be opened again.
    """

    def __init__(self, script, live=True, reopens=0):
        self.name, self.live, self.script, self.reopens = 'fake', live, script, reopens
        self.place, self.opened, self.size, self.is_open = 0, 0, 64, False

    def open(self):
        if self.opened > self.reopens:
            raise SourceLostError('fake cannot be reached')
        self.opened += 1
        self.is_open = True

    def grab(self):
        if not self.is_open or self.place >= len(self.script):
            return False
        letter = self.script[self.place]
        if letter == 'L':
            self.place += 1
            self.is_open = False
            return False
        if letter == 'B':
            self.size *= 2
        self.place += 1
        self.letter = letter
        return letter != 'F'

    def retrieve(self):
        if self.letter == 'x':
            return None
        return picture(self.place - 1, self.size)

    def position(self):
        return (self.place - 1) / 10

    def close(self):
        self.is_open = False

    @property
    def fps(self):
        return 10.0

    @property
    def frame_count(self):
        return 0 if self.live else len(self.script)


def picture(number, size=64):
    """Return the picture of a fake camera."""
    return np.random.default_rng(number).integers(0, 255, (size, size, 3), dtype=np.uint8)


def wait_for(condition, seconds=20):
    """Return whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def ends(function):
    """Return what a function returns, or raise what it raises; fail where it hangs."""
    future = Future()

    def work():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(30)
