"""The settings of a comparison that determine its table, and the command that makes it."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mmkd_video.core.command_line import words_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.recognizers.config import to_arguments
from mmkd_video.workflows.compare.protocol import TUNING_SEEDS
from mmkd_video.workflows.compare.result import Comparison

SAVED = 'compare.json'
_TABLE = Table(Anything(1_000_000), most=50)


@dataclass(frozen=True)
class ComparisonSettings:
    """The settings that determine the table of a comparison.

    Args:
        seeds: Seeds of the evaluation.
        grid: ``KEY=V1,V2,...`` each; every arm is tuned over the same points, on validation.
        tuning_seeds: Seeds of the tuning.
        at_grid: Whether every point of the grid is evaluated on all seeds.
        as_long: Whether the student alone is also trained for as long as each distilled arm takes.
        folds: ``KEY=VALUE`` each, with ``{}`` in the place of the fold's number; none: no folds.
        num_folds: Number of folds; None without folds.
        metric: Metric that is compared; ``acc/top1`` by default, or the test's first one.
        cfg_options: Settings that replace those of the configs, by dotted key.

    Raises:
        ValueError: There are folds without their number, or a number without folds.
    """

    seeds: list[int] = field(default_factory=lambda: [0])
    grid: list[str] = field(default_factory=list)
    tuning_seeds: list[int] = field(default_factory=lambda: list(TUNING_SEEDS))
    at_grid: bool = False
    as_long: bool = False
    folds: list[str] = field(default_factory=list)
    num_folds: int | None = None
    metric: str | None = None
    cfg_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.folds) != (self.num_folds is not None):
            raise WrongValueError('--folds and --num-folds: got one of them; expected both')

    def as_dict(self) -> dict[str, Any]:
        """Return every setting by its name."""
        return asdict(self)

    def with_seeds_of(self, work_dir: Path, configs: Sequence[str], more: Sequence[int]) -> 'ComparisonSettings':
        """Return the settings of the table that is there, with further seeds.

        Args:
            work_dir: Folder of the comparison.
            configs: Paths of the configs.
            more: Seeds to add.

        Raises:
            ValueError: There is no table to add to, it is not what ``tools/compare.py`` writes or of other configs, or
                these settings say themselves what the table has already.
        """
        path = work_dir / SAVED
        try:
            saved = Comparison.from_dict(read_json(path.read_bytes(), _TABLE, SAVED))
            before = ComparisonSettings(**{each.name: saved.options[each.name] for each in fields(self)})
            known = list(saved.configs.values())
        except FileNotFoundError:
            raise WrongValueError(f'--add-seeds: {path} does not exist; make the table first, with --seeds') from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise WrongValueError(
                f'--add-seeds: {path} is not what tools/compare.py writes ({error}); use --seeds'
            ) from error
        if known != list(configs):
            raise WrongValueError(
                f'--add-seeds: got {", ".join(configs)}; the table in {work_dir} is of {", ".join(known)}'
            )
        shipped = replace(ComparisonSettings(), seeds=self.seeds)
        changed = [each.name for each in fields(self) if getattr(self, each.name) != getattr(shipped, each.name)]
        if changed:
            names = ', '.join(f'--{key.replace("_", "-")}' for key in changed)
            raise WrongValueError(f'--add-seeds: got {names} too; these stay as they are in {path}, so leave them out')
        return replace(before, seeds=list(dict.fromkeys([*before.seeds, *more])))


def command_of(configs: Sequence[str], settings: ComparisonSettings, work_dir: str | None = None) -> str:
    """Return the one command that makes the whole table.

    Args:
        configs: Paths of the configs.
        settings: Settings of the table.
        work_dir: Folder of the comparison, as it was given; None: it was not.
    """
    words = [*words_of('compare'), *configs, '--seeds', *map(str, settings.seeds)]
    if settings.grid:
        words += ['--grid', *settings.grid]
        if settings.tuning_seeds != list(TUNING_SEEDS):
            words += ['--tuning-seeds', *map(str, settings.tuning_seeds)]
    words += [f'--{key.replace("_", "-")}' for key in ('at_grid', 'as_long') if getattr(settings, key)]
    if settings.folds:
        words += ['--folds', *settings.folds, '--num-folds', str(settings.num_folds)]
    words += ['--metric', settings.metric] if settings.metric else []
    words += ['--work-dir', work_dir] if work_dir else []
    words += ['--cfg-options', *to_arguments(settings.cfg_options)] if settings.cfg_options else []
    return shlex.join(words)
