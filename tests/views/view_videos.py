"""Small videos whose pixels tell where and when they are."""

import cv2
import numpy as np

WIDTH, HEIGHT = 96, 64


def write_video(path, num_frames, width=WIDTH, height=HEIGHT):
    """Red tells the column, green the row, blue the frame (as RGB; smooth, so that the codec keeps it)."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12, (width, height))
    columns = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    rows = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    for frame in range(num_frames):
        blue = np.full_like(rows, frame * 255 / max(num_frames - 1, 1))
        writer.write(np.stack([blue, rows, columns], -1).round().astype(np.uint8))
    writer.release()
    return str(path)


def student_pipeline(*augmenting, sampler=None, layout='NCTHW'):
    """An ordinary training pipeline with the given transforms after the decoder."""
    return [
        dict(type='DecordInit'),
        sampler or dict(type='SampleFrames', clip_len=8, frame_interval=2),
        dict(type='DecordDecode'),
        *augmenting,
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]


def teacher_pipeline(size=64, layout='NCTHW', **sampler):
    """A teacher's pipeline of a fixed final size."""
    sampler = dict(dict(type='SampleFrames', clip_len=8, frame_interval=1), **sampler)
    return [
        dict(type='DecordInit'),
        sampler,
        dict(type='DecordDecode'),
        dict(type='RandomResizedCrop'),
        dict(type='Resize', scale=(size, size), keep_ratio=False),
        dict(type='Flip'),
        dict(type='FormatShape', input_format=layout),
        dict(type='PackActionInputs'),
    ]


def sample_of(path):
    """What a VideoDataset hands to its pipeline."""
    return dict(filename=path, label=1, start_index=0, modality='RGB')
