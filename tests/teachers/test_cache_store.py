"""A teacher's answers in files: what was written is read, and nothing else."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from mmkd_video.teachers.cache import CacheReader, CacheWriter, Manifest, rows_for
from mmkd_video.teachers.cache.topk import keep_topk, spread_rest

SAMPLES, VIEWS, CLASSES = 7, 2, 5
DESCRIPTION = Manifest(
    teacher='0' * 16,
    student_pipeline='1' * 16,
    teacher_pipeline='2' * 16,
    names='3' * 16,
    seed=11,
    samples=SAMPLES,
    views=VIEWS,
    same_frames=1,
    classes=CLASSES,
    topk=None,
    taps={'logits': (CLASSES,), 'backbone.layer1': (3, 2, 4, 4)},
    rows=3,
)
FIRST = 'view00000_part000000.safetensors'


def answer(sample, view, taps=DESCRIPTION.taps):
    generator = torch.Generator().manual_seed(100 * view + sample)
    return {tap: torch.randn(shape, generator=generator) for tap, shape in taps.items()}


def fill(writer, only=None, absent=()):
    for number in writer.missing[:only]:
        view, samples = writer.manifest.covers(number)
        writer.write(number, [None if (s, view) in absent else answer(s, view) for s in samples])


def make(folder, description=DESCRIPTION, **kwargs):
    with CacheWriter(folder, description) as writer:
        fill(writer, **kwargs)
    return folder


@pytest.fixture
def cache(tmp_path):
    return make(tmp_path / 'cache')


def change(folder, **changes):
    path = folder / 'manifest.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_answers_are_read_at_random_in_half_precision(cache):
    samples, views = [6, 0, 3, 3, 6], [1, 0, 1, 0, 1]
    found = CacheReader(cache).read(samples, views)
    for place, key in enumerate(zip(samples, views, strict=True)):
        for tap, wanted in answer(*key).items():
            assert torch.equal(found[tap][place], wanted.half().float()), (tap, key)
    assert sorted(os.listdir(cache)) == sorted(
        ['.caching', 'manifest.json', *(DESCRIPTION.file(number) for number in range(6))]
    )


@pytest.mark.parametrize('k', [1, 3])
def test_the_best_classes_are_kept_and_the_rest_is_spread(tmp_path, k):
    make(tmp_path, replace(DESCRIPTION, topk=k))
    (found,) = CacheReader(tmp_path).read([4], [1])['logits'].softmax(dim=1)
    wanted = answer(4, 1)['logits'].softmax(dim=0)
    best, classes = wanted.topk(k)
    assert torch.allclose(found[classes], best, rtol=2e-3)
    others = [index for index in range(CLASSES) if index not in classes.tolist()]
    assert torch.allclose(found[others], (1 - best.sum()).expand(CLASSES - k) / (CLASSES - k), rtol=5e-3)


def test_a_sure_teacher_keeps_a_little_for_the_rest():
    values, classes = keep_topk(torch.tensor([[60.0, 0.0, 0.0, 1.0]]), 1)
    scores = spread_rest(values.half().float(), classes, 4)
    assert scores.isfinite().all() and scores.argmax() == 0 and scores.softmax(dim=1)[0, 1] > 0


def test_a_file_has_at_most_64_mib():
    assert rows_for({'logits': (400,)}, 10_000) == 1024
    assert rows_for({'map': (1 << 25,)}, 10_000) == 1
    assert rows_for({'logits': (400,)}, 20) == 20


def test_a_cache_that_was_not_made_to_the_end_is_not_read_and_goes_on(tmp_path):
    make(tmp_path, only=2)
    with pytest.raises(ValueError, match='4 of 6 files are still to be made; run'):
        CacheReader(tmp_path)
    before = (tmp_path / FIRST).stat().st_mtime_ns
    with CacheWriter(tmp_path, DESCRIPTION) as writer:
        assert writer.missing == [2, 3, 4, 5]
        fill(writer)
    assert (tmp_path / FIRST).stat().st_mtime_ns == before
    CacheReader(tmp_path).read(range(SAMPLES), [1] * SAMPLES)


KILLED = """
import os, signal, sys
import mmkd_video
sys.path[:0] = [{tests!r}]
from test_cache_store import CacheWriter, DESCRIPTION, fill
import mmkd_video.core.files.temporary as temporary
with CacheWriter({folder!r}, DESCRIPTION) as writer:
    fill(writer, only=2)
    if {at!r} == 'manifest':
        import mmkd_video.teachers.cache.manifest as manifest
        manifest.write_atomically = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    else:
        temporary.TemporaryFile.commit = lambda self: os.kill(os.getpid(), signal.SIGKILL)
    fill(writer)
"""


@pytest.mark.slow
@pytest.mark.parametrize('at', ['file', 'manifest'])
def test_a_killed_writer_leaves_what_it_finished(tmp_path, at):
    code = KILLED.format(tests=os.path.dirname(__file__), folder=str(tmp_path), at=at)
    assert subprocess.run([sys.executable, '-c', code], capture_output=True).returncode == -9
    with CacheWriter(tmp_path, DESCRIPTION) as writer:
        assert writer.missing == [2, 3, 4, 5]
        fill(writer)
    found = CacheReader(tmp_path).read([5], [0])
    assert torch.equal(found['logits'][0], answer(5, 0)['logits'].half().float())
    assert not list(tmp_path.glob('*.mmkd-tmp*')) and not list(tmp_path.glob('.*.mmkd-tmp*'))


def test_two_writers_are_one_too_many(tmp_path):
    writer = CacheWriter(tmp_path, DESCRIPTION)
    with writer, pytest.raises(BlockingIOError, match='another process is writing this cache; wait'):
        CacheWriter(tmp_path, DESCRIPTION)
    with CacheWriter(tmp_path, DESCRIPTION):
        pass


def test_a_cache_of_something_else_is_left_alone(cache):
    with pytest.raises(FileExistsError, match='differs in teacher, seed; give another folder'):
        CacheWriter(cache, replace(DESCRIPTION, teacher='9' * 16, seed=4))
    CacheReader(cache)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


DAMAGE = {'flipped': (flip, 'checksum'), 'cut': (cut, 'expected'), 'missing': (os.unlink, 'does not exist')}


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_file_is_told_in_one_line_and_made_again(cache, damage):
    harm, said = DAMAGE[damage]
    harm(cache / FIRST)
    with pytest.raises((ValueError, FileNotFoundError), match=said) as error:
        CacheReader(cache).read([0], [0])
    assert FIRST in str(error.value) and '\n' not in str(error.value)
    with CacheWriter(cache, DESCRIPTION) as writer:
        assert writer.missing == [0]
        fill(writer)
    CacheReader(cache).read([0], [0])


def test_a_checksum_is_compared_once(cache, monkeypatch):
    reader, compared = CacheReader(cache), []
    monkeypatch.setattr('mmkd_video.teachers.cache.reader.expect_whole', lambda *args: compared.append(args[2]))
    for _ in range(3):
        reader.read([0, 1, 6], [0, 0, 1])
    assert compared == [0, 5]


def test_many_files_are_not_all_kept_open(cache, monkeypatch):
    monkeypatch.setattr('mmkd_video.teachers.cache.reader.MOST_OPEN', 2)
    reader = CacheReader(cache)
    reader.read([0, 3, 6, 0], [0, 0, 0, 1])
    assert len(reader._open) == 2


def seal(cache, number=0):
    """Write the checksum and the size of an altered file into the manifest, as one would on purpose."""
    from mmkd_video.core.files.digest import sha256_of

    path = cache / DESCRIPTION.file(number)
    shards = json.loads((cache / 'manifest.json').read_text())['shards']
    shards[number] = dict(sha256=sha256_of(path), bytes=path.stat().st_size)
    change(cache, shards=shards)


def with_header(header, cache):
    path = cache / FIRST
    content = path.read_bytes()
    data = content[8 + int.from_bytes(content[:8], 'little') :]
    text = json.dumps(header(json.loads(content[8 : len(content) - len(data)]))).encode()
    path.write_bytes(len(text).to_bytes(8, 'little') + text + data)
    seal(cache)


def huge(header):
    header['tap.logits']['shape'] = [3, 1 << 40]
    return header


def renamed(header):
    header['tap.other'] = header.pop('tap.logits')
    return header


def transposed(header):
    header['tap.logits']['shape'] = [CLASSES, 3]
    return header


def outside(header):
    header['tap.logits']['data_offsets'] = [1 << 50, (1 << 50) + 30]
    return header


@pytest.mark.parametrize('header', [huge, renamed, transposed, outside, lambda header: [1], lambda header: {}])
def test_a_file_that_is_not_what_its_manifest_says_is_refused(cache, header):
    with_header(header, cache)
    with pytest.raises(ValueError, match=FIRST) as error:
        CacheReader(cache).read([0], [0])
    assert '\n' not in str(error.value)


def test_a_header_longer_than_the_file_is_refused(cache):
    content = (cache / FIRST).read_bytes()
    (cache / FIRST).write_bytes((1 << 62).to_bytes(8, 'little') + content[8:])
    seal(cache)
    with pytest.raises(ValueError, match='no file of answers'):
        CacheReader(cache).read([0], [0])


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        (dict(format='pickle'), 'format'),
        (dict(version=2), 'version: got 2'),
        (dict(teacher='../../etc'), 'teacher'),
        (dict(views=10**9), 'views'),
        (dict(views=100), 'got 6 files; expected 300'),
        (dict(samples=10**9), 'got 6 files'),
        (dict(samples=True), 'samples: got True'),
        (dict(taps=dict(logits=[CLASSES], map=[1 << 30, 1 << 30])), 'bytes a clip'),
        (dict(taps=dict(logits=[CLASSES], map=[1 << 20])), 'of its tensors'),
        (dict(taps=dict(logits=[4])), r'got logits \(4,\); expected \(5,\)'),
        (dict(topk=9), 'expected less than its 5 classes'),
        (dict(shards=[dict(sha256='0' * 64, bytes=10, file='/etc/passwd')] * 6), 'unknown key'),
        (dict(import_module='os'), "unknown key 'import_module'"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(cache, changes, said):
    change(cache, **changes)
    with pytest.raises(ValueError, match=said) as error:
        CacheReader(cache)
    assert 'manifest.json' in str(error.value) and '\n' not in str(error.value)
    with pytest.raises((ValueError, FileExistsError)):
        CacheWriter(cache, DESCRIPTION)


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'\xff\xfe', b'[' * 100_000, b'{"format": NaN}'])
def test_a_manifest_that_is_none_is_refused(cache, content):
    (cache / 'manifest.json').write_bytes(content)
    with pytest.raises(ValueError, match='manifest.json') as error:
        CacheReader(cache)
    assert '\n' not in str(error.value)


def test_a_manifest_of_great_length_is_not_read(cache, monkeypatch):
    with open(cache / 'manifest.json', 'wb') as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=f'got {1 << 40} bytes'):
        CacheReader(cache)


def test_no_cache_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere does not exist; expected the folder of a cache'):
        CacheReader(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='manifest.json does not exist'):
        CacheReader(tmp_path)


def test_what_was_not_kept_is_told(tmp_path):
    make(tmp_path, absent=[(4, 1)])
    reader = CacheReader(tmp_path)
    reader.read([4], [0])
    with pytest.raises(ValueError, match='sample 4 is missing in view 1, as its video could not be read'):
        reader.read([4], [1])
    with pytest.raises(ValueError, match='got sample 7; expected one of its 0 to 6'):
        reader.read([7], [0])
    with pytest.raises(ValueError, match='got view 2; expected one of its 0 to 1'):
        reader.read([0], [2])


@pytest.mark.parametrize('value', [1e6, float('nan')])
def test_what_half_precision_does_not_hold_is_not_written(tmp_path, value):
    with CacheWriter(tmp_path, DESCRIPTION) as writer:
        rows = [answer(sample, 0) for sample in range(3)]
        rows[1]['backbone.layer1'][0, 0, 0, 0] = value
        with pytest.raises(FloatingPointError, match='backbone.layer1: .* half precision does not hold'):
            writer.write(0, rows)
        assert writer.missing[0] == 0 and not (tmp_path / FIRST).exists()


def test_answers_of_another_size_are_not_written(tmp_path):
    with CacheWriter(tmp_path, DESCRIPTION) as writer:
        rows = [answer(sample, 0, {'logits': (CLASSES,), 'backbone.layer1': (3, 2, 5, 4)}) for sample in range(3)]
        with pytest.raises(ValueError, match='only clips of one size can be cached'):
            writer.write(0, rows)


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    import mmkd_video.core.files.atomic as atomic

    with CacheWriter(tmp_path, DESCRIPTION) as writer:
        fill(writer, only=1)

        def full(self, content):
            raise OSError(28, 'No space left on device')

        monkeypatch.setattr(atomic.TemporaryFile, 'write', full)
        with pytest.raises(OSError, match='No space left on device'):
            fill(writer)
    monkeypatch.undo()
    with CacheWriter(tmp_path, DESCRIPTION) as writer:
        assert writer.missing == [1, 2, 3, 4, 5]
