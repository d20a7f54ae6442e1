"""The channels removed from a model, step by step: plain data that is kept in its checkpoint."""

import json
import os.path as osp
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmkd_video.compat import safe_load
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Anything, Many, Number, Record, Table, read_json
from mmkd_video.pruning.cut import Cut, cuts_from_data, cuts_to_data

FORMAT = 'mmkd_video.pruning/1'
PRUNING_KEY = 'pruning'  # the checkpoint's own top-level key; its value is the JSON text
_COUNTS = Table(Number(0, 1e18), most=20)
_STEPS = Many(
    Record(optional=dict(cuts=Many(Anything(2**25), most=100_000), settings=Anything(), before=_COUNTS, after=_COUNTS)),
    most=1000,
)
_ANY = Table(Anything(2**25), most=20)


@dataclass(frozen=True)
class PruningStep:
    """One pruning step.

    Attributes:
        cuts: Removed channels, counted on the model before the step.
        settings: Settings that chose it: target, criterion, scope; in words, which layers had to stay whole.
        before: ``params`` and, where counted, ``flops`` before the step.
        after: The same after it.
    """

    cuts: list[Cut]
    settings: dict = field(default_factory=dict)
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)


@dataclass
class PruningHistory:
    """All steps that lead from a recognizer's config to its pruned form.

    Args:
        steps: First step first.
    """

    steps: list[PruningStep] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps)

    def begins_with(self, other: 'PruningHistory') -> bool:
        """Return whether another history is a beginning of this one (or all of it)."""
        cuts = [step.cuts for step in self.steps[: len(other)]]
        return cuts == [step.cuts for step in other.steps]

    def to_json(self) -> str:
        """Return the history as JSON text."""
        steps = [
            dict(settings=step.settings, before=step.before, after=step.after, cuts=cuts_to_data(step.cuts))
            for step in self.steps
        ]
        return json.dumps(dict(format=FORMAT, steps=steps), separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str) -> 'PruningHistory':
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        data = read_json(text, _ANY, 'a pruning history must be JSON text')
        if data.get('format') != FORMAT or not isinstance(data.get('steps'), list):
            raise WrongValueError(
                f'a pruning history must have format={FORMAT!r} and steps; got {data.get("format")!r}'
            )
        _STEPS.check(data['steps'], 'a pruning history: steps')
        return cls(
            [
                PruningStep(
                    cuts_from_data(step.get('cuts', ())),
                    *(step.get(key, {}) for key in ('settings', 'before', 'after')),
                )
                for step in data['steps']
            ]
        )

    @classmethod
    def load(cls, source: 'str | Mapping | PruningHistory') -> 'PruningHistory':
        """Read a history from a checkpoint, a file or text.

        Args:
            source: Path of a JSON file, path of a pruned checkpoint, the JSON text itself, its dict, or a history.

        Raises:
            FileNotFoundError: The path does not exist.
            ValueError: There is no pruning history in it.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, Mapping):
            return cls.from_json(json.dumps(source))
        if source.lstrip().startswith('{'):
            return cls.from_json(source)
        if not osp.isfile(source):
            raise MissingFileError(f'history: {source!r} does not exist; expected a pruned checkpoint or a JSON file')
        if source.endswith('.json'):
            with open(source, encoding='utf-8') as file:
                return cls.from_json(file.read())
        checkpoint = safe_load.load(source)
        if not isinstance(checkpoint, Mapping) or PRUNING_KEY not in checkpoint:
            raise WrongValueError(
                f'history: {source!r} holds no {PRUNING_KEY!r}, so it is no pruned checkpoint; '
                'make one with tools/prune.py or PruningHook'
            )
        return cls.from_json(checkpoint[PRUNING_KEY])


def checked_history(text: str) -> str:
    """Return the JSON text of a history that a checkpoint holds, if it is one, and not the path of another file.

    Raises:
        ValueError: It is something else.
    """
    return PruningHistory.from_json(text).to_json()


def history_of(model: object) -> PruningHistory:
    """Return what was removed from a model since its config built it; empty for an unpruned one."""
    return getattr(model, 'pruning_history', None) or PruningHistory()
