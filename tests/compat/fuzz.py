"""Damaged and hostile checkpoints without end, read in a process of its own: ``python fuzz.py SEED COUNT FOLDER``.

It prints how many were read and how many refused. An error of any other kind, or a sentinel that appears, ends it with
1; a crash ends it by itself.
"""

import io
import json
import pickle
import random
import sys
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import torch
from hostile import RunsCode, as_checkpoint, call, text, whole
from mmengine.logging.history_buffer import HistoryBuffer
from watch import Watch, peak_megabytes

import mmkd_video  # noqa: F401
from mmkd_video.compat import safe_load
from mmkd_video.compat.pickle_scan import NAMES

OPERATIONS = [bytes([code]) for code in b'RbQ\x81\x85\x86\x87tl]})(Nsuaehq0.']
FOREIGN = [
    *('builtins.eval', 'builtins.exec', 'builtins.bytearray', 'os.system', 'posix.system', 'numpy.frombuffer'),
    *('torch._utils._rebuild_nested_tensor', 'torch._utils._rebuild_sparse_tensor', 'torch._utils._rebuild_qtensor'),
    *('torch._tensor._rebuild_from_type_v2', 'torch._utils._rebuild_wrapper_subclass', 'torch.Tensor'),
    *('torch.nn.parameter.Parameter', 'torch.FloatStorage', 'torch.storage.TypedStorage', 'torch.float32'),
]
NUMBERS = [
    b'K\x00',
    b'K\x01',
    b'K\xff',
    b'J\xff\xff\xff\xff',
    b'J\xff\xff\xff\x7f',
    b'\x8a\x08' + b'\xff' * 7 + b'\x7f',
]


def honest() -> dict:
    """Return what a training of MMEngine leaves, in small."""
    buffer = HistoryBuffer()
    for value in range(3):
        buffer.update(float(value))
    weights = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.ones(4, dtype=torch.float16))
    weights._metadata = OrderedDict(a=dict(version=1))
    return dict(
        meta=dict(epoch=3, iter=12, seed=np.int64(7), time='now', classes=['a', 'b'], set={1, 2}, number=1 + 2j),
        state_dict=weights,
        optimizer=dict(state={0: dict(momentum=torch.zeros(2, 3), step=5)}, param_groups=[dict(lr=0.1, params=[0])]),
        message_hub=dict(log_scalars=OrderedDict(loss=buffer), runtime_info=dict(x=np.float32(1), n=np.array(['u']))),
        param_schedulers=[dict(milestones=Counter([2, 4]), last=np.arange(3), empty=np.zeros(0), size=torch.Size([2]))],
        parameter=torch.nn.Parameter(torch.ones(2)),
    )


def saved(content: object, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


class Fuzzer:
    """Makes files; every one follows from the seed."""

    def __init__(self, seed: int, sentinel: Path) -> None:
        self.random = random.Random(seed)
        content = honest()
        hostile = {**content, 'meta': dict(content['meta'], x=RunsCode(sentinel))}
        self.files = [saved(each, zipped) for each in (content, hostile) for zipped in (True, False)]
        self.pickles, self.records = [], []
        for file in (self.files[0], self.files[2]):
            reader = torch._C.PyTorchFileReader(io.BytesIO(file))
            self.pickles.append(reader.get_record('data.pkl'))
            self.records.append([(f'data/{key}', reader.get_record(f'data/{key}')) for key in range(4)])
        self.ways = [self.flip, self.cut, self.splice, self.operation, self.name, self.number, self.made]

    def __call__(self) -> bytes:
        return self.random.choice(self.ways)()

    def flip(self) -> bytes:
        content = bytearray(self.random.choice(self.files))
        for _ in range(self.random.choice((1, 1, 2, 8, 64))):
            content[self.random.randrange(len(content))] = self.random.randrange(256)
        return bytes(content)

    def cut(self) -> bytes:
        content = self.random.choice(self.files)
        return content[: self.random.randrange(len(content))]

    def splice(self) -> bytes:
        """A piece of the pickle doubled, moved or left out."""
        which, content = self.pick()
        first, second = sorted(self.random.randrange(len(content)) for _ in range(2))
        second = min(second, first + self.random.choice((1, 4, 40, 400)))
        piece, place = content[first:second], self.random.randrange(len(content))
        rest = content if self.random.random() < 0.5 else content[:first] + content[second:]
        return self.packed(which, rest[:place] + piece + rest[place:])

    def operation(self) -> bytes:
        """Operations of pickle at random places, or in the place of others."""
        which, content = self.pick()
        content = bytearray(content)
        for _ in range(self.random.choice((1, 1, 2, 4))):
            place = self.random.randrange(2, len(content))
            content[place : place + self.random.randrange(2)] = self.random.choice(OPERATIONS)
        return self.packed(which, bytes(content))

    def name(self) -> bytes:
        """One of the names that are asked for becomes another."""
        which, content = self.pick()
        names = [each for each in sorted({*NAMES, *FOREIGN}) if self.line(each) in content]
        return self.packed(
            which,
            content.replace(
                self.line(self.random.choice(names)), self.line(self.any_name()), self.random.choice((1, -1))
            ),
        )

    def number(self) -> bytes:
        """Numbers become others: sizes, shapes, strides, places in the memo."""
        which, content = self.pick()
        places = [index for index, byte in enumerate(content) if byte in b'KM' and index > 2]
        for place in sorted(self.random.sample(places, self.random.choice((1, 1, 2, 5))), reverse=True):
            width = 2 if content[place : place + 1] == b'K' else 3
            content = content[:place] + self.random.choice(NUMBERS) + content[place + width :]
        return self.packed(which, content)

    def made(self) -> bytes:
        """A pickle of calls with random arguments, within each other, with states."""
        return self.packed(self.random.randrange(2), whole(self.value(4)))

    def value(self, depth: int) -> bytes:
        kind = self.random.random()
        if depth == 0 or kind < 0.2:
            leaves = [
                *NUMBERS,
                b'N',
                b'\x88',
                b')',
                b'}',
                b']',
                text(self.random.choice(('f8', 'O', '<', 'cpu', 'U3', ''))),
            ]
            return self.random.choice(leaves)
        inner = [self.value(depth - 1) for _ in range(self.random.randrange(5))]
        if kind < 0.35:
            return b'(' + b''.join(inner) + b't'
        if kind < 0.45:
            return b'}' + b''.join(key + self.value(depth - 1) + b's' for key in inner)
        called = call(self.any_name(), *inner)
        return called + self.value(depth - 1) + b'b' if self.random.random() < 0.4 else called

    def any_name(self) -> str:
        return self.random.choice(sorted(NAMES) if self.random.random() < 0.8 else FOREIGN)

    def pick(self) -> tuple[int, bytes]:
        which = self.random.choice((0, 0, 0, 1))
        return which, self.pickles[which]

    def packed(self, which: int, pickled: bytes) -> bytes:
        return as_checkpoint(pickled, self.records[which])

    @staticmethod
    def line(name: str) -> bytes:
        module, _, function = name.rpartition('.')
        return f'c{module}\n{function}\n'.encode()


def main(seed: int, count: int, folder: Path) -> int:
    sentinel, path, found = folder / 'sentinel', folder / 'file.pth', Counter()
    watch = Watch(path)
    fuzzer = Fuzzer(seed, sentinel)
    for file in fuzzer.files[:2]:
        path.write_bytes(file)
        loaded = safe_load.load(path)
        assert loaded['message_hub']['log_scalars']['loss'].mean() == 1.0
    watch.on = True
    for index in range(count):
        path.write_bytes(fuzzer())
        try:
            pickle.dumps(safe_load.load(path))  # what came out can be used
            found['read'] += 1
        except (safe_load.UnsafeCheckpointError, safe_load.UnreadableCheckpointError) as error:
            found['refused'] += 1
            if len(str(error).splitlines()) != 1:
                raise
        if watch.seen or sentinel.exists():
            print(f'file {index} of seed {seed} did {watch.seen}', file=sys.stderr)
            return 1
    print(json.dumps({**found, 'megabytes': peak_megabytes()}))
    return 0


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
