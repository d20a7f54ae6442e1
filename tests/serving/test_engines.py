"""Both runtimes, several clips at once."""

import dataclasses
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from streams import ends, export_tiny

from mmkd_video.export import load_exported
from mmkd_video.serving import OpenVINOEngine, ThreadsEngine, build_engine


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return export_tiny(tmp_path_factory.mktemp('engines'))


@pytest.fixture(params=['openvino', 'onnxruntime'])
def model(request, path):
    return load_exported(path, request.param, threads=1, batch=1)


def clips(count):
    return list(np.random.default_rng(0).integers(0, 256, (count, 1, 3, 8, 32, 32), dtype=np.uint8))


@pytest.mark.parametrize('requests', [1, 3])
def test_results_are_the_models_in_whatever_order_they_are_asked_for(model, requests):
    engine = build_engine(model, requests)
    assert type(engine) is {'openvino': OpenVINOEngine, 'onnxruntime': ThreadsEngine}[model.backend]
    given = clips(9)
    for start in range(0, 9, requests):
        part = given[start : start + requests]
        results = [engine.submit(clip) for clip in part]
        found = [result() for result in reversed(results)][::-1]
        np.testing.assert_allclose(found, [model(clip[None])[0] for clip in part], atol=1e-6)
    engine.close()


def test_a_file_opened_for_any_batch_is_run_too(path, model):
    flexible = build_engine(load_exported(path, model.backend, threads=1))
    clip = clips(1)[0]
    np.testing.assert_allclose(flexible.submit(clip)(), model(clip[None])[0], atol=1e-6)
    flexible.close()


def test_submitting_waits_until_a_result_was_asked_for(model):
    engine, given = build_engine(model, 2), clips(3)
    results, third = [engine.submit(clip) for clip in given[:2]], []
    thread = threading.Thread(target=lambda: third.append(engine.submit(given[2])), daemon=True)
    thread.start()
    thread.join(0.5)  # far longer than both take
    assert not third, 'submitted before a result was asked for'
    first = [result() for result in results]
    thread.join(10)
    found = [*first, third[0]()]
    np.testing.assert_allclose(found, [model(clip[None])[0] for clip in given], atol=1e-6)
    engine.close()


def test_a_clip_that_does_not_fit_is_refused_and_costs_no_request(model):
    engine, good = build_engine(model, 1), clips(1)[0]
    for _ in range(2):
        with pytest.raises(ValueError, match='takes clips'):
            ends(lambda: engine.submit(good[:, :, :4])())
    np.testing.assert_allclose(ends(lambda: engine.submit(good)()), model(good[None])[0], atol=1e-6)
    engine.close()


def test_bad_arguments(model):
    with pytest.raises(ValueError, match='requests: got 0'):
        build_engine(model, 0)
    with pytest.raises(ValueError, match="backend: got 'torch'"):
        build_engine(SimpleNamespace(backend='torch'))


def test_a_file_for_larger_batches_is_refused(model):
    model.metadata = dataclasses.replace(model.metadata, batch=8)
    with pytest.raises(ValueError, match='computes 8 clips at once, .* export it with --batch 1 or --batch dynamic'):
        build_engine(model)
