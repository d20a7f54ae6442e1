"""Hostile metadata of exported files without end: ``python fuzz_metadata.py SEED COUNT FOLDER``; see ``fuzz.py``."""

import copy
import json
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from test_hostile_files import GOOD
from watch import Watch, peak_megabytes

from mmkd_video.export import ExportMetadata
from mmkd_video.serving import FramePreparer, SlidingWindow

NAMES = [
    *('os.system', 'subprocess.run', 'builtins.exec', 'builtins.open', 'mmengine.os.mkdir', 'pathlib.Path.touch'),
    *(
        'Resize',
        'CenterCrop',
        'ThreeCrop',
        'TenCrop',
        'Flip',
        'RandomCrop',
        'FormatShape',
        'DecordDecode',
        'SampleFrames',
    ),
    *('mmaction.Resize', 'TorchVisionWrapper', 'mmaction.datasets.transforms.Resize', 'Fuse', '', '..', 'Resize\n'),
]
KEYS = [
    'type',
    'scale',
    'crop_size',
    'keep_ratio',
    'interpolation',
    'lazy',
    'command',
    'args',
    'op',
    'clip_len',
    '__class__',
]
NUMBERS = [
    0,
    1,
    -1,
    2,
    8,
    32,
    40,
    8192,
    8193,
    10**9,
    10**12,
    2**63,
    10**400,
    0.5,
    -0.0,
    1e308,
    float('inf'),
    float('nan'),
]


class Fuzzer:
    def __init__(self, seed: int, sentinel: Path) -> None:
        self.random, self.sentinel = random.Random(seed), str(sentinel)

    def __call__(self) -> dict[str, str]:
        fields = copy.deepcopy(GOOD)
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            self.change(fields)
        strings = {name: json.dumps(value) for name, value in fields.items()}
        if self.random.random() < 0.2:
            name = self.random.choice(list(strings))
            strings[name] = self.damaged(strings[name])
        return strings

    def change(self, fields: dict) -> None:
        if self.random.random() < 0.5:
            name = self.random.choice(list(fields))
            fields[name] = self.value(4) if self.random.random() < 0.5 else self.near(fields[name])
            return
        steps = fields['pipeline'] if isinstance(fields['pipeline'], list) else []
        place = self.random.randrange(len(steps) + 1)
        kind = self.random.random()
        if kind < 0.4:
            steps.insert(place, self.step())
        elif kind < 0.5 and steps:
            del steps[place - 1]
        elif steps and isinstance(steps[place - 1], dict):
            key = self.random.choice([*steps[place - 1], *KEYS])
            steps[place - 1][key] = self.value(2)

    def step(self) -> dict:
        step = {'type': self.random.choice(NAMES)}
        for _ in range(self.random.randrange(3)):
            step[self.random.choice(KEYS)] = self.value(2)
        return step

    def near(self, value: object) -> object:
        if isinstance(value, list):
            value = list(value)
            if value:
                value[self.random.randrange(len(value))] = self.value(1)
            return value * self.random.choice((1, 1, 0, 2, 1000))
        return self.random.choice(NUMBERS)

    def value(self, depth: int) -> object:
        kind = self.random.randrange(6 if depth else 3)
        if kind == 0:
            return self.random.choice(NUMBERS)
        if kind == 1:
            return self.random.choice([*NAMES, f'touch {self.sentinel}', self.sentinel, 'x' * 3000])
        if kind == 2:
            return self.random.choice([None, True, False])
        if kind == 3:
            return {self.random.choice(KEYS): self.value(depth - 1) for _ in range(self.random.randrange(3))}
        return [self.value(depth - 1) for _ in range(self.random.randrange(5))]

    def damaged(self, text: str) -> str:
        place = self.random.randrange(len(text) + 1)
        more = self.random.choice(['', '[' * 5000, '{', '"', '\x00', '\\ud800', '1' * 5000, '\U0001f600', text])
        return text[:place] + more + text[self.random.randrange(place, len(text) + 1) :]


def main(seed: int, count: int, folder: Path) -> int:
    sentinel = folder / 'sentinel'
    fuzzer, found, watch = Fuzzer(seed, sentinel), Counter(), Watch(folder / 'nothing')
    picture = np.zeros((48, 64, 3), np.uint8)
    opened({name: json.dumps(value) for name, value in GOOD.items()}, picture)
    watch.on = True
    for index in range(count):
        try:
            opened(fuzzer(), picture)
            found['opened'] += 1
        except ValueError as error:
            found['refused'] += 1
            if not str(error) or len(str(error)) > 1000:
                raise
        if watch.seen or sentinel.exists():
            print(f'metadata {index} of seed {seed} did {watch.seen}', file=sys.stderr)
            return 1
    print(json.dumps({**found, 'megabytes': peak_megabytes()}))
    return 0


def opened(strings: dict[str, str], picture: np.ndarray) -> None:
    """Go the way of a stream, up to its first picture."""
    metadata = ExportMetadata.from_strings(strings, 'x.onnx')
    preparer = FramePreparer(metadata, 'x.onnx')
    SlidingWindow(metadata.frames, metadata.interval or 1, 1)
    preparer(picture)


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
