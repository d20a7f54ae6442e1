"""Checkpoints that would run code, and pickles put together by hand; the sentinel is a file that nobody may make."""

import io
import struct
import zipfile

import torch


class RunsCode:
    """Writes a file when it is unpickled: the harmless form of an attack."""

    def __init__(self, sentinel):
        self.sentinel = sentinel

    def __reduce__(self):
        return exec, (f'open({str(self.sentinel)!r}, "w").close()',)


def hostile_bytes(sentinel, zipped=True):
    content = io.BytesIO()
    torch.save(
        {'state_dict': {'weight': torch.ones(2)}, 'x': RunsCode(sentinel)},
        content,
        _use_new_zipfile_serialization=zipped,
    )
    return content.getvalue()


def as_checkpoint(pickled, records=()):
    """Return a file of ``torch.save`` around a pickle."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w') as archive:
        for name, data in {'data.pkl': pickled, 'byteorder': b'little', 'version': b'3\n', **dict(records)}.items():
            archive.writestr(f'archive/{name}', data)
    return content.getvalue()


def text(value):
    encoded = value.encode()
    return b'X' + struct.pack('<I', len(encoded)) + encoded


def call(name, *arguments):
    """Return the operations that call ``module.name`` with arguments that are operations themselves."""
    module, _, function = name.rpartition('.')
    return f'c{module}\n{function}\n'.encode() + b'(' + b''.join(arguments) + b'tR'


def whole(*operations):
    return b'\x80\x02' + b''.join(operations) + b'.'


def raw(data):
    """Return the operations for bytes, as protocol 2 has them."""
    return call('_codecs.encode', text(data.decode('latin1')), text('latin1'))


ARRAY = b'cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85' + raw(b'b') + b'tR'
TRUE, FALSE, NONE = b'\x88', b'\x89', b'N'


def number_type(code, *state):
    """Return the operations for a dtype; its state is of operations."""
    built = call('numpy.dtype', text(code), FALSE, TRUE)
    return built + b'(' + b''.join(state) + b'tb' if state else built


def array(code, shape, data, dtype_state=()):
    state = b'(K\x01(' + b''.join(shape) + b't' + number_type(code, *dtype_state) + FALSE + data + b'tb'
    return ARRAY + state
