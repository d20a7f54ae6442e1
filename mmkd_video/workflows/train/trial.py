"""One run of a comparison: train, then score the last checkpoint on test."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a runner is built
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.evaluation import ClipScores
from mmkd_video.hooks.training_clock import CPU_META_KEY, META_KEY
from mmkd_video.recognizers.complexity import measure_complexity
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.stages import Stage, stages_of
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.train.machine import describe_machine
from mmkd_video.workflows.train.prepare import find_last, publish
from mmkd_video.workflows.train.run_folder import CONFIG, RESULT, SCORES
from mmkd_video.workflows.train.teacher_score import score_teacher
from mmkd_video.workflows.train.training import build_runner, train

WEIGHTS = 'student.pth'  # of a stage before the last, in its folder
TIMES = ('seconds', 'cpu_seconds')


def run_trial(
    run: Path, *, checkpoint: Path | None = None, splits: Sequence[str] = ('test',), teacher: str | None = None
) -> None:
    """Train (or go on) in a run's folder as its ``config.py`` says, score, and write ``result.json``.

    Of a config with stages, each before the last is trained in a folder of its own there; the times are those of all.

    Args:
        run: Folder of the run.
        checkpoint: Checkpoint that is scored, instead of training anything.
        splits: ``'val'``, ``'test'`` or both; none: it is not scored.
        teacher: Name of a teacher that is scored, instead of training anything.

    Raises:
        SettingsError: The config is wrong.
        FileNotFoundError: The training wrote no checkpoint.
    """
    config, earlier = Config.fromfile(run / CONFIG), []
    if teacher is not None:
        result = score_teacher(config, teacher, run / SCORES, splits)
        write_atomically(json.dumps(result, indent=1).encode(), run / RESULT)
        return
    if checkpoint is None:
        stages = stages_of(config)
        if stages:
            config, earlier = train_before_the_last(stages, run)
        config.work_dir, config.launcher = str(run), 'none'
        train_or_resume(config)
    found = checkpoint or find_last(run)
    if splits:
        result = score(plain_student(config), found, run / 'test', splits)
    else:
        result = dict(**training_time(StudentCheckpoint.read(found).meta), checkpoint=str(found))
    for key in TIMES:
        parts = [each[key] for each in (result, *earlier)]
        result[key] = None if None in parts else sum(parts)
    write_atomically(json.dumps(result, indent=1).encode(), run / RESULT)


def train_before_the_last(stages: Sequence[Stage], run: Path) -> tuple[Config, list[dict[str, float | None]]]:
    """Train all stages but the last, each in a folder of its own, where they are not trained yet.

    Args:
        stages: The stages of a run.
        run: Its folder.

    Returns:
        The config of the last stage, which begins from what was trained, and how long each of the others took, as
        :func:`training_time` says it.

    Raises:
        SettingsError: The config of a stage is wrong.
    """
    times = []
    for stage, following in itertools.pairwise(stages):
        weights = run / stage.name / WEIGHTS
        if not weights.is_file():
            stage.config.work_dir, stage.config.launcher = str(weights.parent), 'none'
            train_or_resume(stage.config)
            publish(weights.parent, weights)
        times.append(training_time(StudentCheckpoint.read(weights).meta))
        following.begin_from(str(weights))
    last = stages[-1]
    # MMEngine writes the config of a training under its file's name: the run's own, with all stages, must stay.
    name = f'stage_{last.name}.py'
    return Config(last.config.to_dict(), cfg_text=f'# {name}', filename=str(run / name)), times


def train_or_resume(config: Config) -> None:
    """Train to the end, from the newest checkpoint in the work dir if there is one, else from ``load_from``.

    Args:
        config: Config of the run; it is changed.

    Raises:
        SettingsError: The config is wrong.
    """
    if Path(config.work_dir, 'last_checkpoint').is_file():
        config.load_from = None
    config.resume = config.get('load_from') is None
    train(config)


def score(config: Config, checkpoint: Path, work_dir: Path, splits: Sequence[str] = ('test',)) -> dict:
    """Score a checkpoint with a plain config.

    Args:
        config: Config of the recognizer alone; it is changed.
        checkpoint: File of its weights.
        work_dir: Folder of the test's log. What the model says about each clip of test is written beside it.
        splits: ``'val'``, ``'test'`` or both.

    Returns:
        ``metrics`` of test and ``val``, as MMAction2 names them, of the splits that were asked for; ``params``,
        ``gflops`` (or None), ``seconds`` and ``cpu_seconds`` of training (or None), where it ran (``device``,
        ``threads``, ``cpu``), and the ``checkpoint``'s path.
    """
    trained = StudentCheckpoint.read(checkpoint)
    trained.fit_config(config)
    meta = trained.meta
    del trained  # its weights would stay in memory while the model is tested
    config.work_dir, config.load_from, config.resume = str(work_dir), str(checkpoint), False
    config.experiment_name = f'test_{work_dir.parent.parent.name}_{work_dir.parent.name}'
    runner = build_runner(config)
    found: dict = {}
    if 'val' in splits:
        found['val'] = _plain(runner.val())
    if 'test' in splits:
        clips = ClipScores(work_dir.parent / SCORES, runner.test_dataloader.dataset)
        runner.test_loop.evaluator.metrics.append(clips)
        found['metrics'] = _plain(runner.test())
    loader = runner.test_dataloader if 'test' in splits else runner.val_dataloader
    params, gflops = measure_complexity(runner.model, loader.dataset[0]['inputs'])
    return dict(
        **found,
        params=params,
        gflops=gflops,
        **training_time(meta),
        **describe_machine(next(runner.model.parameters()).device.type),
        checkpoint=str(checkpoint),
    )


def training_time(meta: Mapping) -> dict[str, float | None]:
    """Return how long the training that wrote a checkpoint took.

    Args:
        meta: Metadata of the checkpoint.

    Returns:
        ``seconds`` of the wall clock and ``cpu_seconds``; None where they were not counted.
    """
    return dict(seconds=meta.get(META_KEY), cpu_seconds=meta.get(CPU_META_KEY))


def _plain(metrics: dict) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items()}
