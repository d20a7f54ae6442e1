"""Pickles that make NumPy and torch build what is not there: addresses, sizes, depths."""

import io
import struct
import zipfile

import numpy as np
import pytest
import torch
from hostile import ARRAY, FALSE, NONE, array, as_checkpoint, call, number_type, raw, text, whole

from mmkd_video.compat import safe_load

SMALL = b'K\x02'
HUGE = b'\x8a\x06' + (10**12).to_bytes(6, 'little')
ADDRESS = raw(struct.pack('<2Q', 0x4141414141414141, 0x4242424242424242))
LITTLE = (b'K\x03', text('<'), NONE, NONE, NONE, b'J\xff\xff\xff\xff', b'J\xff\xff\xff\xff', b'K\x00')
ORDINARY = array('f8', (SMALL,), raw(struct.pack('<2d', 1.0, 2.0)), LITTLE)
TUPLE_OF_FIELDS = text('a') + b'\x85'
FIELDS = b'}' + text('a') + number_type('O8') + b'K\x00\x86s'
MADE_OF_OBJECTS = (b'K\x03', text('|'), NONE, TUPLE_OF_FIELDS, FIELDS, b'K\x08', b'K\x08', b'K\x3f')
FLAGS_OF_OBJECTS = (*LITTLE[:7], b'K\x3f', NONE)


@pytest.fixture
def load(tmp_path):
    def load(pickled, **records):
        (tmp_path / 'made.pth').write_bytes(as_checkpoint(pickled, records.items()))
        return safe_load.load(tmp_path / 'made.pth')

    return load


def test_an_ordinary_array_is_read(load):
    np.testing.assert_array_equal(load(whole(ORDINARY)), [1.0, 2.0])


STATE = b'}' + text('_log_history') + ORDINARY + b's'
TENSOR_STATE = call('torch._utils._rebuild_tensor_v2', NONE)
REFUSED = {
    'array of objects': (array('O8', (SMALL,), ADDRESS), "numpy type 'O8'"),
    'array of objects without a size': (array('O', (SMALL,), ADDRESS), "numpy type 'O'"),
    'structure by name': (array('O8,f8', (SMALL,), ADDRESS), 'numpy type'),
    'time': (array('M8[ns]', (SMALL,), ADDRESS), 'numpy type'),
    'nothing': (array('V8', (SMALL,), ADDRESS), 'numpy type'),
    'structure by state': (array('V8', (SMALL,), ADDRESS, MADE_OF_OBJECTS), 'numpy type'),
    'number that becomes a structure': (array('f8', (SMALL,), ADDRESS, MADE_OF_OBJECTS), "numpy type 'O8'"),
    'flags': (array('f8', (SMALL,), ADDRESS, FLAGS_OF_OBJECTS[:8] + (b'K\x01',)), 'made of others'),
    'subarray': (array('f8', (SMALL,), ADDRESS, (b'K\x03', text('<'), SMALL, *LITTLE[3:])), 'made of others'),
    'size': (array('f8', (HUGE,), ADDRESS), 'without the bytes'),
    'sizes that overflow': (array('f8', (HUGE, HUGE, HUGE), ADDRESS), 'without the bytes'),
    'size of text': (array('U999999', (SMALL,), ADDRESS), 'without the bytes'),
    'below zero': (array('f8', (b'J\xff\xff\xff\xff',), ADDRESS), 'of shape'),
    'dimensions': (array('f8', (SMALL,) * 33, ADDRESS), 'of shape'),
    'list for bytes': (array('f8', (SMALL,), b']'), 'without the bytes'),
    'not a type': (ARRAY + b'(K\x01(K\x02t' + text('f8') + FALSE + ADDRESS + b'tb', 'that is none'),
    'never filled': (ARRAY, 'never filled'),
    'two of a state': (ORDINARY + b'(tb', 'array that is none'),
    'scalar of objects': (call('numpy._core.multiarray.scalar', number_type('O8'), ADDRESS), "numpy type 'O8'"),
    'scalar of bytes': (call('numpy._core.multiarray.scalar', number_type('f8'), ADDRESS), 'without the bytes'),
    'scalar from an object': (call('numpy._core.multiarray.scalar', number_type('f8'), b']'), 'without the bytes'),
    'another kind of array': (call('numpy._core.multiarray._reconstruct', b'N', b'N', b'N'), 'another kind'),
    'a huge array by itself': (call('numpy.ndarray', HUGE), 'call of numpy.ndarray'),
    'bytearray': (call('builtins.bytearray', HUGE), 'builtins.bytearray'),
    'log buffer of objects': (b'cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81' + STATE + b'b', 'log buffer'),
    'log buffer without a state': (b'cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81', 'never filled'),
    'deep tuple as a key': (b'})' + b'\x85' * 200_000 + b'Ns', 'deep'),
    'deep list of tuples': (b')' + b'\x85' * 101, 'deep'),
    'wide tuple as a key': (b'})' + b'q\x00h\x00h\x00\x87' * 60 + b'Ns', 'items'),
    'nested tensor': (call('torch._utils._rebuild_nested_tensor', NONE), '_rebuild_nested_tensor'),
    'sparse tensor': (call('torch._utils._rebuild_sparse_tensor', NONE), '_rebuild_sparse_tensor'),
    'any call': (call('torch._tensor._rebuild_from_type_v2', NONE), '_rebuild_from_type_v2'),
    'state of a tensor': (TENSOR_STATE + b'(tb', 'a state for torch._utils._rebuild_tensor_v2'),
    'call of a result': (call('collections.OrderedDict') + b')R', 'a call of collections.OrderedDict'),
    'items for a tensor': (TENSOR_STATE + b'K\x00K\x00s', 'items for torch._utils._rebuild_tensor_v2'),
    'items for a class': (b'ccollections\nOrderedDict\nK\x00K\x00s', 'items for collections.OrderedDict'),
    'items for text': (text('a') + b'Na', 'items for plain data'),
    'call of data': (b'K\x01)R', 'a call of plain data'),
    'another protocol': (b'\x8c\x05posix\x8c\x06system\x93', 'SHORT_BINUNICODE'),
    'getattr': (call('__builtin__.getattr', b'cnumpy\nndarray\n', text('mean')), 'getattr'),
    'a class': (b'cnumpy\nndarray\n', 'type'),
    'a storage class': (b'ctorch\nFloatStorage\n', 'StorageType'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_is_not_there_is_not_built(load, case):
    pickled, said = REFUSED[case]
    with pytest.raises(safe_load.UnsafeCheckpointError) as caught:
        load(whole(pickled))
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def tensor(count, shape):
    stride, hooks = b'K\x01\x85', call('collections.OrderedDict')
    storage = b'(' + text('storage') + b'ctorch\nFloatStorage\n' + text('0') + text('cpu') + count + b'tQ'
    return call('torch._utils._rebuild_tensor_v2', storage, b'K\x00', shape, stride, FALSE, hooks)


@pytest.mark.parametrize('count, shape', [(HUGE, HUGE), (SMALL, HUGE), (HUGE, SMALL), (b'J\xff\xff\xff\xff', SMALL)])
def test_a_tensor_has_no_more_numbers_than_its_file(load, count, shape):
    whole_file = load(whole(tensor(SMALL, SMALL + b'\x85')), **{'data/0': struct.pack('<2f', 1, 2)})
    assert torch.equal(whole_file, torch.tensor([1.0, 2.0]))
    with pytest.raises(safe_load.UnreadableCheckpointError):
        load(whole(tensor(count, shape + b'\x85')), **{'data/0': struct.pack('<2f', 1, 2)})


@pytest.mark.parametrize('pickled', [b'', b'\x80\x02', *map(whole, (b'(', b'R', b'(q\x00', b'h\x05'))])
def test_a_damaged_pickle_is_not_called_unsafe(load, pickled):
    with pytest.raises(safe_load.UnreadableCheckpointError):
        load(pickled)


def test_containers_of_any_depth_and_circles_are_read(load):
    depth = 100_000
    found = load(whole(b']' * depth + b'a' * (depth - 1)))
    for _ in range(depth - 1):
        (found,) = found
    circle = load(whole(b']q\x00h\x00a'))
    assert circle[0] is circle


@pytest.mark.parametrize('how', ['packed', 'over each other'])
def test_a_file_holds_no_more_than_its_size(tmp_path, how):
    content = as_checkpoint(
        whole(tensor(SMALL, SMALL + b'\x85')), {'data/0': bytes(8), 'data/1': bytes(100_000)}.items()
    )
    path = tmp_path / 'bomb.pth'
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(path, 'w') as bomb:
        for part in archive.infolist():
            kind = zipfile.ZIP_DEFLATED if how == 'packed' else zipfile.ZIP_STORED
            bomb.writestr(part.filename, archive.read(part), kind)
        if how == 'over each other':
            (largest,) = (part for part in bomb.filelist if part.filename.endswith('data/1'))
            bomb.filelist += [largest] * 2
    with pytest.raises(
        (safe_load.UnsafeCheckpointError, safe_load.UnreadableCheckpointError), match='more bytes|Overlap'
    ):
        safe_load.load(path)
