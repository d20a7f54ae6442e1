"""A loss, where it reads, its weight."""

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmkd_video.core.checked import Kind, Number, keys_of
from mmkd_video.core.layouts import channels_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.losses.base import DistillLoss
from mmkd_video.schedules import LearnedScalar, Progress, Scalar
from mmkd_video.terms.fusion import build_fusion, dry_fuse
from mmkd_video.terms.pair import Pair
from mmkd_video.terms.spec import TERMS, TermSpec
from mmkd_video.weightings import ClipWeighting, build_weighting, is_weighting

CONTEXT = ('labels', 'indices', 'domains', 'mask', 'teacher_head')
Sides = Tensor | list[Tensor]
REMEDIES = {
    'labels': 'annotate every training sample (gt_label)',
    'indices': "inherit configs/_base_/mmkd.py, or add dict(type='ReproducibleHook') to custom_hooks: it numbers the "
    'samples of the training set',
    'domains': "take train_dataloader.dataset=dict(type='MixedVideoDataset', unlabelled=<clips of the target>), whose "
    'first list is the source',
    'mask': "let the student see some of its tokens, with masking=dict(type='TubeMask', ratio=0.8) of the Distiller",
}


class Term(nn.Module):
    """One summand of the objective: ``weight * loss(connector(student feature), teacher feature)``.

    Args:
        spec: Settings from the config.
        student: Student features of the dry run, by tap.
        teacher: Teacher features of the dry run, by tap.
        norm_before: Function that returns scale and shift ``(C,)`` of the teacher's batch norm before a tap.
        seen: The tokens that the student saw in the dry run; None for all.

    Raises:
        ValueError: The two sides cannot be compared, or an argument of the loss is out of range.

    Attributes:
        acting: Whether training stands in ``[begin, end)``.
        idle: Whether the loss read no clip in the last step.
        clip_weight: Mean weight of the clips in the last step, 0-d; None where they are not weighed.
    """

    def __init__(
        self,
        spec: TermSpec,
        student: Mapping[str, Tensor],
        teacher: Mapping[str, Tensor],
        norm_before: Callable[[str], tuple[Tensor, Tensor]] | None = None,
        seen: TokenSubset | None = None,
    ) -> None:
        super().__init__()
        self.name = spec.name
        self.teacher = spec.teacher
        self.begin, self.end = spec.begin, spec.end
        weighted = is_weighting(spec.weight)
        self.weighting = build_weighting(spec.weight, f'term {spec.name!r}.weight') if weighted else None
        number = 1.0 if weighted or spec.weight is None else spec.weight
        self.weight = Scalar(number, f'term {spec.name!r}.weight', Number(0))
        where = f'term {spec.name!r}.'
        learned = {key: value for key, value in spec.scheduled.items() if value['type'] == 'Learned'}
        self.learned = nn.ModuleDict(
            {key: LearnedScalar.from_config(value, where + key) for key, value in learned.items()}
        )
        self.scalars = {key: Scalar(value, where + key) for key, value in spec.scheduled.items() if key not in learned}
        first = {key: float(scalar.tensor) for key, scalar in self.scalars.items()}
        first |= {key: scalar().item() for key, scalar in self.learned.items()}
        known = channels_for(spec, student, teacher)
        if norm_before is not None and 'teacher_norm' in inspect.signature(spec.loss_class).parameters:
            known['teacher_norm'] = functools.partial(norm_before, spec.pairs[0][1])
        arguments = {**known, **spec.loss_config, **first}
        try:
            self.loss = MODELS.build({**arguments, 'type': spec.loss_class})
        except ValueError as error:  # its constructor names the argument
            raise WrongValueError(f'{where}{error}') from None
        self._schedule_arguments()
        self._try_schedules(arguments)
        self.multi_layer = bool(getattr(spec.loss_class, 'multi_layer', False))
        self.needs = tuple(key for key in inspect.signature(self.loss.forward).parameters if key in CONTEXT)
        self.fusion = build_fusion(spec, student, teacher)
        connector = spec.connector if self.fusion is None else None
        layers = dry_fuse(self.fusion, [student[tap] for tap, _ in spec.pairs])
        self.pairs = nn.ModuleList(
            Pair(
                taps,
                self.loss,
                feature,
                teacher[taps[1]],
                connector,
                spec.name,
                spec.standardize,
                spec.target_norm,
                seen,
            )
            for taps, feature in zip(spec.pairs, layers, strict=True)
        )
        self.acting = True
        self.idle = False
        self.clip_weight: Tensor | None = None
        self._own_numbers: dict[str, float] = {}
        self._expect_clips_can_be_weighed(teacher)

    def move(self, progress: Progress) -> None:
        """Set weight and scheduled arguments to where training stands, and say whether the term acts."""
        self.acting = self.begin <= progress.epoch and (self.end is None or progress.epoch < self.end)
        self.weight.move(progress)
        for key, scalar in self.scalars.items():
            scalar.move(progress)
            getattr(self.loss, key).copy_(scalar.tensor)
            if isinstance(self.loss, DistillLoss):
                self.loss.moved(key, float(scalar.tensor))
        for key, scalar in self.learned.items():
            scalar.move(progress)
            getattr(self.loss, key).copy_(scalar().detach())

    def rescale(self, key: str, factor: float) -> None:
        """Multiply the weight, or a number among the arguments of the loss.

        Args:
            key: ``'weight'``, or the name of an argument.
            factor: Factor on what the config says; a later one takes the place of an earlier one.

        Raises:
            KeyError: There is no such number.
            ValueError: The number is learned, or a weighting computes it.
        """
        where = f'term {self.name!r}.{key}'
        if (key == 'weight' and self.weighting is not None) or key in self.learned:
            raise WrongValueError(f'{where}: it is learned or computed in each step; expected a number or a schedule')
        if key == 'weight' or key in self.scalars:
            (self.weight if key == 'weight' else self.scalars[key]).rescale(factor)
            return
        numbers = [each for each, kind in keys_of(type(self.loss)).kinds.items() if _is_real(kind)]
        if key not in numbers:
            raise WrongKeyError(f'{where}: got no number of this name; expected one of {["weight", *numbers]}')
        own = self._own_numbers.setdefault(key, getattr(self.loss, key))
        setattr(self.loss, key, own * factor)

    def forward(self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], context: Mapping) -> Tensor:
        """Return the loss, not yet weighted.

        Args:
            student: Features by tap.
            teacher: Features by tap.
            context: Further inputs that a loss may ask for by keyword: ``labels`` (N,) or (N, K), ``indices`` (N,) and
                ``domains`` (N,) on the host, ``mask`` (N, T, H, W), ...; ``labelled``, the rows that have a label, None
                for all: a loss that needs labels sees no others; ``seen``, the tokens that the student saw, None for
                all.

        Returns:
            Scalar. Outside ``[begin, end)``, and where a loss that needs labels would see no clip, it is zero times
            every parameter, so that DDP finds none unused.

        Raises:
            ValueError: The loss needs something that the batch does not bring, or refuses what it is given.
        """
        rows = context.get('labelled') if 'labels' in self.needs else None
        self.clip_weight = None
        self.idle = not self.acting or (rows is not None and not rows)
        if self.idle:
            parts = [parameter.sum() for parameter in self.parameters()]
            return sum(parts) * 0.0 if parts else next(iter(student.values())).new_zeros(())
        missing = [key for key in self.needs if context.get(key) is None and self._required(key)]
        if missing:
            remedies = '; '.join(REMEDIES[key] for key in missing if key in REMEDIES)
            raise WrongValueError(
                f'term {self.name!r}: {type(self.loss).__name__} needs {missing}, which the batch lacks'
                f'{"; " if remedies else ""}{remedies}'
            )
        layers = self._fuse([_rows(student[pair.taps[0]], rows) for pair in self.pairs])
        theirs = [_rows(teacher[pair.taps[1]], rows) for pair in self.pairs]
        seen = context.get('seen') and context['seen'].rows(rows)
        features = [pair(*sides, seen) for pair, *sides in zip(self.pairs, layers, theirs, strict=True)]
        ours, theirs = ([sides[i] for sides in features] for i in (0, 1))
        extra = {key: _rows(context[key], rows) for key in self.needs if context.get(key) is not None}
        labels = extra.get('labels')
        if isinstance(labels, Tensor) and labels.ndim == 2 and not labels.is_floating_point():
            extra['labels'] = labels.flatten()  # of frames, each of which is a row of the class scores
        if not self.multi_layer:
            ours, theirs = ours[0], theirs[0]
        learned = {key: scalar() for key, scalar in self.learned.items()}
        try:
            if isinstance(self.weighting, ClipWeighting):
                scores, labels = _rows(teacher['logits'], rows), _rows(context.get('labels'), rows)
                more = {}
                if 'domains' in inspect.signature(self.weighting.weigh).parameters:
                    more['domains'] = _rows(context.get('domains'), rows)
                weights = self.weighting.weigh(scores.detach().float(), labels, **more)
                return self._by_clip(learned, ours, theirs, extra, weights)
            return functional_call(self.loss, learned, (ours, theirs), extra)
        except ValueError as error:
            taps = [pair.taps for pair in self.pairs]
            raise WrongValueError(f'term {self.name!r} at {taps if self.multi_layer else taps[0]}: {error}') from error

    def _by_clip(self, learned: Mapping, ours: Sides, theirs: Sides, extra: Mapping, weights: Tensor) -> Tensor:
        """Return the mean over clips of weight times loss; frames of a clip that are rows have the clip's weight."""
        self.clip_weight = weights.mean()
        number = len(ours[0] if self.multi_layer else ours)
        weights = weights.repeat_interleave(number // len(weights))
        losses = []
        for row in range(number):
            sides = _row_of(ours, row, number), _row_of(theirs, row, number)
            keywords = {key: _row_of(value, row, number) for key, value in extra.items()}
            losses.append(functional_call(self.loss, learned, sides, keywords))
        return (torch.stack(losses) * weights).mean()

    def _expect_clips_can_be_weighed(self, teacher: Mapping[str, Tensor]) -> None:
        if not isinstance(self.weighting, ClipWeighting):
            return
        what = f'term {self.name!r}.weight: got {type(self.weighting).__name__}, which weighs clips'
        if not getattr(self.loss, 'averages_clips', False):
            raise WrongValueError(
                f'{what}, but {type(self.loss).__name__} relates the clips of a batch with each other, or does not say '
                'averages_clips = True; expected a loss that is a mean over clips, such as KDLoss'
            )
        if 'logits' in teacher and teacher['logits'].ndim != 2:
            raise WrongValueError(
                f'{what} by one row of class scores each, but {self.teacher} scores every frame; give the term a '
                'number, weight=1.0'
            )
        if 'logits' not in teacher:
            raise WrongValueError(
                f'{what} by the class scores of {self.teacher}, which has none; give the term a number, weight=1.0'
            )

    def _fuse(self, layers: list[Tensor]) -> list[Tensor]:
        return layers if self.fusion is None else self.fusion(layers)

    def _required(self, key: str) -> bool:
        return inspect.signature(self.loss.forward).parameters[key].default is inspect.Parameter.empty

    def _schedule_arguments(self) -> None:
        """Give the loss a 0-d buffer where its config held a schedule; it is moved in place.

        A learned number takes the buffer's place while the loss is computed, so that its gradient is found.
        """
        for key in (*self.scalars, *self.learned):
            if not hasattr(self.loss, key):
                raise WrongValueError(
                    f'term {self.name!r}.{key}: {type(self.loss).__name__} cannot schedule this argument'
                )
            first = self.scalars[key].tensor if key in self.scalars else self.learned[key]().detach()
            delattr(self.loss, key)
            self.loss.register_buffer(key, first.clone(), persistent=False)

    def _try_schedules(self, arguments: Mapping) -> None:
        """Refuse schedules that leave the loss's range later: its constructor, which checks it, sees their ends."""
        for key, scalar in {**self.scalars, **self.learned}.items():
            for value in sorted(set(scalar.reaches()) - {arguments[key]}):
                try:
                    with torch.random.fork_rng(devices=[]):
                        type(self.loss)(**{**arguments, key: value})
                except ValueError as error:
                    raise WrongValueError(
                        f'term {self.name!r}.{key}: its schedule reaches {value:g}; {error}'
                    ) from None


def _is_real(kind: Kind) -> bool:
    """Return whether an argument is a real number, not one of a set of whole ones."""
    return isinstance(kind, Number) and not kind.whole


def _row_of(value: object, row: int, number: int) -> object:
    """Return one row, as a batch, of a tensor ``(number, ...)`` or of each in a list; all else as it is."""
    if isinstance(value, (list, tuple)):
        return [_row_of(each, row, number) for each in value]
    return value[row : row + 1] if isinstance(value, Tensor) and value.ndim and len(value) == number else value


def _rows(value: object, rows: list[int] | None) -> object:
    """Return some rows of a tensor ``(N, ...)``; all of it, or what is no tensor, as it is."""
    return value if rows is None or not isinstance(value, Tensor) else value[rows]


def channels_for(spec: TermSpec, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> dict:
    """Return what a learned loss asks for at build: ``student_channels``, ``teacher_channels``.

    Args:
        spec: The term.
        student: Student features of the dry run, by tap.
        teacher: Teacher features of the dry run, by tap.

    Returns:
        Those of the two that the loss's constructor takes: a number, or a list for a loss of several layers.
    """
    parameters = inspect.signature(spec.loss_class).parameters
    known = {}
    for side, (key, features) in enumerate((('student_channels', student), ('teacher_channels', teacher))):
        if key in parameters:
            channels = [channels_of(features[taps[side]].shape) for taps in spec.pairs]
            known[key] = channels if getattr(spec.loss_class, 'multi_layer', False) else channels[0]
    return known


def parse_terms(configs: list, teachers: list[str], without_term: Collection[str] = ()) -> list[TermSpec]:
    """Read the ``terms`` of a config and see that names and teachers fit.

    Args:
        configs: The list of term configs.
        teachers: Names of the teachers.
        without_term: Names of those that teach without one, by losses of their own.

    Raises:
        ValueError: No terms, two of one name, a term without a teacher, or a teacher that nobody uses.
        KeyError: A term names a teacher that does not exist.
    """
    if not configs and teachers and set(teachers) <= set(without_term):
        return []
    TERMS.check('terms', configs)
    specs = [TermSpec.parse(config, index) for index, config in enumerate(configs)]
    if not teachers:
        raise WrongValueError(
            f'term {specs[0].name!r} reads a teacher, but there is none; '
            'add teacher=dict(config=..., checkpoint=...) to the Distiller'
        )
    for index, spec in enumerate(specs):
        if spec.name in [other.name for other in specs[:index]]:
            raise WrongValueError(f"terms[{index}]: duplicate term name {spec.name!r}; give one of them name='...'")
        if spec.teacher is None and len(teachers) > 1:
            raise WrongValueError(
                f'term {spec.name!r}: say which teacher it reads with teacher=...; there are {teachers}'
            )
        spec.teacher = spec.teacher or teachers[0]
        if spec.teacher not in teachers:
            nearest = difflib.get_close_matches(spec.teacher, teachers, n=1, cutoff=0.0)
            raise WrongKeyError(
                f'term {spec.name!r}.teacher: got {spec.teacher!r}; expected one of {teachers} {nearest}'
            )
    used = {spec.teacher for spec in specs} | set(without_term)
    unused = [name for name in teachers if name not in used]
    if unused:
        raise WrongValueError(
            f'no term reads teacher {unused[0]!r}; remove it or add a term with teacher={unused[0]!r}'
        )
    return specs
