"""Statistics of features: what they are, and files of them that are damaged or made to do harm."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from mmkd_video.taps import feature_statistics as module
from mmkd_video.taps.feature_statistics import KEY, Moments, read_statistics, write_statistics

TAP = 'backbone.layer1'


def features(channels=6, clips=8, shape=(2, 3, 3), seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(channels, channels, generator=generator)
    return 5 + torch.einsum('oc,nc...->no...', mixed, torch.randn(clips, channels, *shape, generator=generator))


def measured(feature, parts=3):
    moments = Moments()
    for part in feature.chunk(parts):
        moments.add(part)
    return moments.statistics(TAP)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'found.safetensors'
    write_statistics(path, 'ab' * 8, {TAP: measured(features()), 'pooled': measured(features(3, shape=()))})
    return path


@pytest.mark.parametrize('layout', ['map', 'tokens', 'vector'])
def test_batches_add_up_to_the_whole(layout):
    feature = features()
    vectors = feature.movedim(1, -1).flatten(0, -2)
    given = dict(map=feature, tokens=vectors.unflatten(0, (8, -1)), vector=vectors)[layout]
    found = measured(given)
    assert torch.allclose(found.mean, vectors.mean(0), atol=1e-5)
    assert torch.allclose(found.std, vectors.std(0, correction=0), atol=1e-5)
    turned = (vectors - found.mean) @ found.rotation.T / found.scale
    assert torch.allclose(turned.var(0, correction=0), torch.ones(6), atol=1e-4)
    assert found.positions == len(vectors)


def test_a_large_mean_costs_no_digits():
    found = measured(features().double() + 1e6)
    assert torch.allclose(found.std, measured(features()).std, atol=1e-3)


def test_what_is_written_is_read(path):
    expected, found = measured(features()), read_statistics(path, TAP)
    for part in ('mean', 'std', 'rotation'):
        assert torch.equal(getattr(found, part), getattr(expected, part))
    assert (found.scale, found.positions) == (expected.scale, expected.positions)
    assert len(read_statistics(path, 'member.pooled').mean) == 3  # of a member of an ensemble


def test_what_does_not_vary_is_refused():
    with pytest.raises(ValueError, match=f'{TAP}: the features are the same in 144 places'):
        measured(torch.ones(8, 6, 2, 3, 3))
    with pytest.raises(ValueError, match='NaN or infinity'):
        measured(torch.full((8, 6, 2, 3, 3), float('nan')))


def test_another_tap_is_named(path):
    with pytest.raises(KeyError, match=r"no statistics of 'backbone.layer2', only of 'backbone.layer1', 'pooled'"):
        read_statistics(path, 'backbone.layer2')


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist; make it again with tools/feature_statistics.py'):
        read_statistics(tmp_path / 'none', TAP)


def header_of(content):
    (length,) = struct.unpack('<Q', content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_told(content, **changes):
    header, rest = header_of(content)
    told = json.loads(header['__metadata__'][KEY]) | changes
    header['__metadata__'][KEY] = json.dumps(told)
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + rest


def told_of(content):
    return json.loads(header_of(content)[0]['__metadata__'][KEY])


TAPS = {TAP: dict(channels=6, positions=144, scale=1.0)}


@pytest.mark.parametrize(
    ('damage', 'said'),
    [
        (lambda content: content[:-1], 'no file of statistics'),
        (lambda content: content[:-4] + bytes([content[-4] ^ 1]) + content[-3:], 'its checksum is not that'),
        (lambda content: b'', 'no file of statistics'),
        (lambda content: b'\x80\x04' + content, 'no file of statistics'),
        (lambda content: struct.pack('<Q', 1 << 62) + content[8:], 'no file of statistics'),
        (lambda content: save({'a': np.zeros(3, np.float32)}), 'a safetensors file without statistics'),
        (lambda content: with_told(content, format='other'), r'format: got .other., expected one of'),
        (lambda content: with_told(content, version=2), 'version: got 2'),
        (lambda content: with_told(content, extra=1), "unknown key 'extra'"),
        (lambda content: with_told(content, teacher='../x'), 'teacher: got'),
        (lambda content: with_told(content, taps=TAPS), "got 'pooled/mean' as"),
        (lambda content: with_told(content, taps={TAP: dict(TAPS[TAP], channels=1 << 40)}), 'channels: got'),
        (lambda content: with_told(content, taps={TAP: dict(TAPS[TAP], scale=float('nan'))}), 'scale: got nan'),
        (
            lambda content: with_told(
                content, taps={tap: dict(each, scale=1.0) for tap, each in told_of(content)['taps'].items()}
            ),
            'its checksum is not that',
        ),
    ],
)
def test_damaged_and_hostile_files_are_told_in_one_line(path, damage, said):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=said) as caught:
        read_statistics(path, TAP)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 500


def test_a_file_with_a_right_checksum_that_turns_nothing_is_refused(path):
    found = measured(features())
    write_statistics(path, 'ab' * 8, {TAP: module.FeatureStatistics(found.mean, found.std, 0 * found.rotation, 1.0, 9)})
    with pytest.raises(ValueError, match='are no statistics'):
        read_statistics(path, TAP)


def test_a_file_that_is_too_large_is_not_read(path, monkeypatch):
    monkeypatch.setattr(module, 'LARGEST_FILE', 10)
    with pytest.raises(ValueError, match='expected at most 10'):
        read_statistics(path, TAP)
