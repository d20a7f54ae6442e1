"""The work of a refresh: memory, training, head, and a report of what was forgotten."""

import copy
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of, sha256_of_settings
from mmkd_video.core.files.lock import locked
from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.registry import build_model
from mmkd_video.evaluation.clip_scores import ScoredClips
from mmkd_video.recognizers.budget import set_epochs_from_budget
from mmkd_video.recognizers.class_names import FILE, class_names
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.compare.runs import run_config
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.refresh.features import pooled_features
from mmkd_video.workflows.refresh.forgetting import Knowledge, as_dict, knowledge, report
from mmkd_video.workflows.refresh.heads import write_head
from mmkd_video.workflows.refresh.lists import Clip, clips_of, expect_videos, reading, write_clips, write_list
from mmkd_video.workflows.refresh.memory import choose_memory
from mmkd_video.workflows.refresh.settings import (
    RefreshSettings,
    expect_fitting_head,
    old_student,
    read_settings,
)
from mmkd_video.workflows.refresh.widening import STD, widened
from mmkd_video.workflows.train.prepare import prepare
from mmkd_video.workflows.train.run_folder import SCORES, RunFolder

ARMS = ('naive', 'joint')
SPLITS = ('val', 'test')
START, STUDENT, CONFIG, REPORT, RESULTS = 'start.pth', 'student.pth', 'student.py', 'report.txt', 'report.json'


def refresh(
    config: Config, work_dir: Path, *, seeds: Sequence[int] = (0,), arms: Collection[str] = (), may_prepare: bool = True
) -> str:
    """Train a student on new clips and on a memory of old ones, taught by itself as it was.

    What is finished is kept, so that the same call goes on where it was interrupted. The student of the first seed is
    published, with a plain config.

    Args:
        config: Config of the refresh; it is changed.
        work_dir: Folder of all that is written.
        seeds: Seeds of the trainings.
        arms: Trainings beside it, for comparison: ``'naive'``, on the new clips alone, without teacher and memory;
            ``'joint'``, without a teacher on all old and new clips.
        may_prepare: Whether clips may be rendered and the old student be trained first.

    Returns:
        The report.

    Raises:
        FileNotFoundError: Something is missing that may not be prepared.
        KeyError: The block ``refresh`` or the teachers hold an unknown key.
        RuntimeError: A training failed.
        ValueError: The config is no refresh, or the folder holds another one.
    """
    settings = read_settings(config)
    expect_videos(config)
    expect_fitting_head(settings, old_student(config, settings))
    with (
        DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmaction'),
        locked(work_dir, 'refreshing'),
    ):
        prepare(config, allowed=may_prepare)
        return _Refresh(config, settings, work_dir, list(seeds), arms).run()


@dataclass(frozen=True)
class _Lists:
    """Training clips of the old student, new ones that it does not know, and the test clips of the old student."""

    old: list[Clip]
    new: list[Clip]
    old_test: list[Clip]


class _Refresh:
    """One refresh, in a folder."""

    def __init__(
        self, config: Config, settings: RefreshSettings, work_dir: Path, seeds: list[int], arms: Collection[str]
    ) -> None:
        self.config, self.settings, self.work_dir = config, settings, work_dir
        self.seeds, self.arms = seeds, [arm for arm in ARMS if arm in arms]
        self.old = old_student(config, settings)
        self.before = StudentCheckpoint.read(self.old.checkpoint)
        if self.before.compressions:
            raise WrongValueError(
                f'{self.old.name}.checkpoint: got a student changed by {", ".join(self.before.compressions)}; expected '
                'it as it was before, which is refreshed, and compressed anew'
            )
        self.lists_dir = work_dir / 'lists'

    def run(self) -> str:
        """Do what is not done yet, and return the report."""
        lists = self._read_lists()
        self._write_start()
        memory = self._memory(lists)
        taught = self._training([*memory, *lists.new])
        before = self._scores_before(lists)
        found = {'refreshed': [], **({} if self.settings.head == 'linear' else {f'{self._head} head': []})}
        plain = plain_student(self.config)
        trained = write_list([*memory, *lists.new], self.lists_dir, 'train')
        for seed in self.seeds:
            folder = self.work_dir / 'refreshed' / f'seed{seed}'
            found['refreshed'].append(self._knowledge(before, RunFolder(folder, run_config(taught, seed))))
            if self.settings.head != 'linear':
                found[f'{self._head} head'].append(self._with_head(before, taught, folder, seed, trained))
        published = self._publish(taught)
        clips = {'naive': lists.new, 'joint': [*lists.old, *lists.new]}
        for arm in self.arms:
            alone = self._training(clips[arm], plain)
            runs = [RunFolder(self.work_dir / arm / f'seed{seed}', run_config(alone, seed)) for seed in self.seeds]
            found[arm] = [self._knowledge(before, run) for run in runs]
        names = class_names(self.config, self.old.new_classes) or tuple(map(str, range(self.old.new_classes)))
        notes = [
            f'{len(lists.new)} new training clips, {len(memory)} of {len(lists.old)} old ones in memory '
            f'({self.settings.selection}); the student is {published}'
        ]
        text = report(before, found, names, notes)
        write_atomically(text.encode(), self.work_dir / REPORT)
        write_atomically(json.dumps(as_dict(before, found), indent=1).encode(), self.work_dir / RESULTS)
        return text

    @property
    def _head(self) -> str:
        return self.settings.head.replace('_', ' ')

    def _read_lists(self) -> _Lists:
        """Read the lists of both configs; let validation and test take the old and the new clips, each once."""
        old, config = self.old, self.config
        names = class_names(config, old.new_classes)
        if names is not None:  # they lie beside the lists that others read from now on
            write_atomically(('\n'.join(names) + '\n').encode(), self.lists_dir / FILE)
        old_test = clips_of(old.config, 'test', old.classes)
        trained = clips_of(old.config, 'train', old.classes)
        new = self._others(clips_of(config, 'train', old.new_classes), trained)
        if not new:
            raise WrongValueError(
                'train_dataloader: got no clip but those that the old student was trained on; expected new ones'
            )
        if config.get('test_dataloader') is None:
            raise WrongValueError('test_dataloader: got none; expected the new test clips, for the report')
        for split in SPLITS:
            if config.get(f'{split}_dataloader') is None:
                continue
            before = old_test if split == 'test' else self._old_validation()
            joined = [*before, *self._others(clips_of(config, split, old.new_classes), before)]
            path = write_list(joined, self.lists_dir, split)
            config[f'{split}_dataloader'] = reading(config[f'{split}_dataloader'], path)
        return _Lists(trained, new, old_test)

    def _old_validation(self) -> list[Clip]:
        has_some = self.old.config.get('val_dataloader') is not None
        return clips_of(self.old.config, 'val', self.old.classes) if has_some else []

    @staticmethod
    def _others(clips: Sequence[Clip], known: Sequence[Clip]) -> list[Clip]:
        names = {name for name, _ in known}
        return [clip for clip in clips if clip[0] not in names]

    def _write_start(self) -> None:
        """Write the weights that all arms begin from: those of the old student, with rows for the new classes."""
        model = plain_student(self.config).model
        std = (model.get('cls_head') or {}).get('init_std', STD)
        weights = widened(self.before.weights, build_model(copy.deepcopy(model.to_dict())), self._seed, std)
        content = io.BytesIO()
        torch.save(dict(meta={}, state_dict=weights), content)
        write_atomically(content.getvalue(), self.work_dir / START)

    @property
    def _seed(self) -> int:
        return (self.config.get('randomness') or {}).get('seed') or 0

    def _memory(self, lists: _Lists) -> list[Clip]:
        """Choose the clips of the memory, or read which were chosen before for the same settings."""
        settings = self.settings
        listed = write_list(lists.old, self.lists_dir, 'old')
        told = [settings.memory, settings.selection, self._seed, self.before.digest, sha256_of(listed)]
        path = self.lists_dir / f'memory_{sha256_of_settings(told)[:8]}.txt'
        if settings.memory and path.is_file():
            loader = reading(self.config.train_dataloader, path)
            return clips_of(Config(dict(train_dataloader=loader)), 'train', self.old.classes)

        def features() -> Tensor:
            print(f'choosing {settings.memory} clips of each old class among {len(lists.old)}', flush=True)
            model = self.before.build(Config(dict(model=self.old.model)))
            return pooled_features(model, self.config, listed)[0]

        chosen = choose_memory(lists.old, settings.memory, settings.selection, self._seed, features)
        write_clips(chosen, path)
        return chosen

    def _training(self, clips: Sequence[Clip], config: Config | None = None) -> Config:
        """Return the config of a training on some clips, from the weights that all begin from."""
        found = copy.deepcopy(config or self.config)
        path = write_list(clips, self.lists_dir, 'train')
        found.train_dataloader = reading(found.train_dataloader, path)
        found.load_from = str(self.work_dir / START)
        set_epochs_from_budget(found)
        return found

    def _scores_before(self, lists: _Lists) -> ScoredClips:
        path = write_list(lists.old_test, self.lists_dir, 'old_test')
        plain = plain_student(self.config)
        plain['model'] = None  # else the new student's keys would be merged in
        plain.model = dict(self.old.model)
        plain.test_dataloader = reading(plain.test_dataloader, path)
        run = RunFolder(self.work_dir / 'before', run_config(plain, self._seed), checkpoint=Path(self.old.checkpoint))
        return self._scores(run)

    def _scores(self, run: RunFolder) -> ScoredClips:
        print(f'{"done before" if run.is_finished() else "running"}: {run.path}', flush=True)
        run.result()
        found = ScoredClips.read(run.path / SCORES)
        if found is None:
            raise WorkFailedError(f'{run.path / SCORES} cannot be read; remove {run.path}, and it is made anew')
        return found

    def _knowledge(self, before: ScoredClips, run: RunFolder) -> Knowledge:
        return knowledge(before, self._scores(run), self.old.classes)

    def _with_head(self, before: ScoredClips, taught: Config, folder: Path, seed: int, trained: Path) -> Knowledge:
        """Write the student of a seed with the head that is wanted, and score it."""
        target = folder.with_name(f'seed{seed}_{self.settings.head}.pth')
        checkpoint = folder.with_name(f'seed{seed}_linear.pth')
        run = RunFolder(folder, run_config(taught, seed))
        run.publish(checkpoint)
        plain = plain_student(taught)

        def features(model: nn.Module) -> tuple[Tensor, Tensor]:
            return pooled_features(model, self.config, trained)

        if not target.is_file() or target.stat().st_mtime < checkpoint.stat().st_mtime:
            write_head(
                self.settings.head, StudentCheckpoint.read(checkpoint), plain, self.old.classes, features, target
            )
        scored = RunFolder(target.with_suffix(''), run_config(plain, seed), checkpoint=target)
        return self._knowledge(before, scored)

    def _publish(self, taught: Config) -> Path:
        """Give the student of the first seed its lasting name, with a plain config."""
        seed, target = self.seeds[0], self.work_dir / STUDENT
        folder = self.work_dir / 'refreshed' / f'seed{seed}'
        RunFolder(folder, run_config(taught, seed)).publish(folder.with_name(f'seed{seed}_linear.pth'))
        write_atomically(folder.with_name(f'seed{seed}_{self.settings.head}.pth').read_bytes(), target)
        plain = run_config(plain_student(taught), seed)
        plain.load_from = None
        write_atomically(plain.pretty_text.encode(), self.work_dir / CONFIG)
        return target
