"""The learning rate of a training, chosen by short trials on validation before it begins."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Anything, Many, Number, Record, Text, read_json
from mmkd_video.hooks.run_record import deciding_settings, fingerprint
from mmkd_video.recognizers.budget import count_clips
from mmkd_video.workflows.train.prepare import make_parts
from mmkd_video.workflows.train.run_folder import RunFolder

NOTE = 'learning_rate.json'
TRIALS = 'rate_trials'
_FACTORS = Many(Number(0, 1e9), most=100)
_NOTE = Record(
    dict(rate=Number(0, 1e9), factors=_FACTORS, chosen=Number(0, 1e9), training=Text(64)), dict(scores=Anything(100))
)
SHARE = 0.2  # of the training's epochs, for each trial


@dataclass(frozen=True)
class RateTrials:
    """Short trainings at several learning rates; the training itself goes on with the best one.

    Args:
        config: Whole config of the training; it is not changed.
        factors: Factors on the config's own learning rate, which is always tried too.
    """

    config: Config
    factors: tuple[float, ...]

    def __str__(self) -> str:
        return f'the learning rate of {self.note.parent}'

    @property
    def command(self) -> str:
        """The command that makes it by hand."""
        return 'the same command without --no-prepare, or with prepare.rates=None'

    @property
    def note(self) -> Path:
        """File that holds the choice, with the score of every trial."""
        return Path(self.config.work_dir, NOTE)

    def exists(self) -> bool:
        """Return whether a choice among these very rates is noted."""
        return self.chosen() is not None

    def chosen(self) -> float | None:
        """Return the chosen factor; None where no trial was made for this very training, rate and factors."""
        try:
            found = read_json(self.note.read_bytes(), _NOTE, NOTE)
            asked = (self.rate, sorted(self._tried), self._training())
            same = (found['rate'], found['factors'], found['training']) == asked
            return float(found['chosen']) if same else None
        except (OSError, ValueError):
            return None

    @property
    def rate(self) -> float:
        """The config's own learning rate."""
        optimizer = (self.config.get('optim_wrapper') or {}).get('optimizer') or {}
        if 'lr' not in optimizer:
            raise WrongValueError(
                'prepare.rates: optim_wrapper.optimizer has no lr to begin from; give it one, or set prepare.rates=None'
            )
        return optimizer['lr']

    def make(self) -> None:
        """Train at every rate for a fifth of the epochs, and note the best; finished trials are kept.

        Raises:
            RuntimeError: The trial at the config's own rate failed.
            ValueError: The config has no validation to choose on, or ``max_epochs``.
        """
        if self.config.get('val_dataloader') is None or 'max_epochs' not in self.config.train_cfg:
            raise WrongValueError(
                'prepare.rates: the config has no val_dataloader or no train_cfg.max_epochs; add them, or set '
                'prepare.rates=None'
            )
        clips = count_clips(self.config.val_dataloader['dataset'])
        found: dict[float, float] = {}
        seconds = 0.0
        for place, factor in enumerate(sorted(self._tried), 1):
            _say(f'learning rate {self.rate * factor:.3g}: trial {place} of {len(self._tried)}')
            scores = RunFolder(self.note.parent / TRIALS / f'x{factor:.3g}', self._trial(factor), splits=('val',))
            try:
                result = scores.result()
            except RuntimeError as error:
                if factor == 1.0:
                    raise
                said = str(error).splitlines()[0]
                _say(f'learning rate {self.rate * factor:.3g}: not taken, its trial failed ({said})')
                found[factor] = 0.0
                continue
            metrics = result['val']
            seconds += result.get('seconds') or 0.0
            key = 'acc/top1' if 'acc/top1' in metrics else next(iter(metrics))
            found[factor] = metrics[key]
            left = seconds / place * (len(self._tried) - place + 1 / SHARE)
            _say(
                f'learning rate {self.rate * factor:.3g}: {key} {metrics[key]:.3f} on validation; trials and training '
                f'take about {left / 60:.0f} minutes more'
            )
        best = choose(found, clips)
        _say(f'learning rate {self.rate * best:.3g} is taken (the config has {self.rate:.3g})')
        note = dict(rate=self.rate, factors=sorted(found), chosen=best, training=self._training())
        note['scores'] = [found[each] for each in sorted(found)]
        write_atomically(json.dumps(note, indent=1).encode(), self.note)

    def _training(self) -> str:
        return fingerprint(deciding_settings(self.config.to_dict()))

    @property
    def _tried(self) -> set[float]:
        return {1.0, *map(float, self.factors)}

    def _trial(self, factor: float) -> Config:
        settings = {key: value for key, value in self.config.to_dict().items() if key != 'work_dir'}
        trial = Config(settings, filename=self.config.filename)
        trial.prepare = trial.budget = None
        trial.resume, trial.load_from = False, self.config.get('load_from')
        trial.optim_wrapper.optimizer.lr = self.rate * factor
        trial.train_cfg.max_epochs = epochs = max(1, math.ceil(SHARE * self.config.train_cfg.max_epochs))
        trial.train_cfg.val_begin, trial.train_cfg.val_interval = epochs + 1, epochs + 1  # scored once, at the end
        return trial


def choose(scores: dict[float, float], clips: int) -> float:
    """Return the factor to take: the best, but the config's own where none is better by more than a standard error.

    Args:
        scores: Accuracy on validation, 0 to 1, by factor; holds 1.
        clips: Number of clips of the validation.
    """
    own = scores[1.0]
    doubt = math.sqrt(max(own * (1 - own), 0.0) / max(clips, 1))
    best = max(scores, key=lambda factor: (scores[factor], -abs(math.log(factor))))
    return best if scores[best] > own + doubt else 1.0


def prepare_rate(config: Config, allowed: bool = True) -> None:
    """Choose the learning rate where the config's ``prepare.rates`` asks for it, once for a work dir.

    Args:
        config: Config of the training, with its work dir and the command line merged; it is changed.
        allowed: Whether trials may be run; False to choose nothing: the config's own rate is taken unless one was
            chosen before.

    Raises:
        RuntimeError: A trial failed.
        TimeoutError: Rank 0 took too long.
        ValueError: There is nothing to choose on.
    """
    trials = rate_trials(config)
    if trials is None:
        return
    if allowed and not trials.exists():
        make_parts(config, [trials], allowed)
    set_rate(config, trials)


def rate_trials(config: Config) -> RateTrials | None:
    """Return the trials that a config asks for with ``prepare.rates``; None where it does not.

    Args:
        config: Config of the training, with its work dir; ``prepare`` is checked.
    """
    factors = (config.get('prepare') or {}).get('rates')
    if not factors or config.get('train_cfg') is None:
        return None
    return RateTrials(config, tuple(factors))


def set_rate(config: Config, trials: RateTrials) -> None:
    """Set the learning rate that was chosen.

    Args:
        config: Config of the training; it is changed.
        trials: Trials that were made before.
    """
    factor = trials.chosen()
    if factor is not None and factor != 1.0:
        shipped = trials.rate
        config.optim_wrapper.optimizer.lr = shipped * factor
        _say(f'learning rate {shipped * factor:.3g}, chosen on validation (the config has {shipped:.3g})')


def _say(message: str) -> None:
    print_log(message, logger=None)
