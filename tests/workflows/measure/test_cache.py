"""Epochs with cached answers beside others."""

import clips
import pytest
import tiny
from mmengine.config import Config

from mmkd_video.benchmark import Timings
from mmkd_video.workflows.measure import cache as measure
from mmkd_video.workflows.measure.cache import ALONE, LIVE, TARGET, benchmark_cache, cached_names, time_rows
from mmkd_video.workflows.measure.rounds import StepSettings


def test_ratios_are_those_within_a_round():
    one, several, same = cached_names(4)
    seconds = {ALONE: [2.0, 4.0], LIVE: [4.0, 8.0], one: [2.0, 4.0], several: [1.9, 3.8], same: [1.0, 2.0]}
    rows = {row.name: row for row in time_rows({name: Timings(each, each) for name, each in seconds.items()}, 4, 2)}
    assert rows[f'{ALONE}, a clip, CPU time'].value == 1.5
    assert rows[f'{several} / {ALONE}, CPU time'].value == pytest.approx(0.95)
    assert rows[f'{same} / {LIVE}, wall time'].value == pytest.approx(0.25)
    assert {row.target for name, row in rows.items() if f'/ {ALONE}' in name} == {TARGET}
    assert all(row.target is None for name, row in rows.items() if f'/ {LIVE}' in name)


def test_wall_times_beside_other_load_are_not_told():
    timings = {name: Timings([1.0], [1.0], True) for name in (ALONE, LIVE, *cached_names(1))}
    rows = {row.name: row for row in time_rows(timings, 1)}
    assert rows[f'{ALONE}, a clip, wall time'].value is None and rows[f'{ALONE}, a clip, CPU time'].value == 1.0


@pytest.mark.slow
def test_all_variants_run_and_their_bytes_are_told(tmp_path):
    videos = clips.make_set(tmp_path / 'videos', count=5)
    views = dict(type='DistillViews', student=clips.pipeline(layout='NCTHW'), teacher=clips.pipeline(layout='NCTHW'))
    config = Config(clips.runner_config(videos, tmp_path, tiny.distiller([tiny.KD]), [views], batch_size=4))
    config.dump(tmp_path / 'mine.py')
    settings = StepSettings(rounds=1, max_rounds=1, warmup=0)
    report = benchmark_cache(str(tmp_path / 'mine.py'), views=2, settings=settings)
    text = report.as_text()
    assert 'cached, 2 clips of its same frames / student alone, CPU time' in text
    assert report.rows[-1].value == pytest.approx(11, abs=30)  # five scores of two bytes, a mark, and a header's share
    assert set(report.raw['seconds']) == {ALONE, LIVE, *cached_names(2)}


def test_a_batch_that_does_not_divide_is_told(tmp_path, monkeypatch):
    config = Config(dict(train_dataloader=dict(batch_size=3, dataset=dict(pipeline=[])), model=dict(teacher={})))
    with pytest.raises(ValueError, match='batch size: got 3; expected a multiple of 2, the number of views'):
        measure._reduce(config, None, 2, None)
