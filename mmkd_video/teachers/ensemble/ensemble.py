"""Several teachers as one."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import AnyOf, Number, OneOf, Optional, Settings, Text, checked, did_you_mean
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.functional import mix_logits, mix_probabilities
from mmkd_video.recognizers.plain_student import named_members
from mmkd_video.teachers.ensemble.members import MEMBERS, Coverage, build_members, take_covers
from mmkd_video.teachers.ensemble.weighting import MembersStep, as_targets, build_member_weighting
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep

LOGITS = 'logits'


@MODELS.register_module()
@checked(
    members=MEMBERS,
    weighting=AnyOf(Text("the name of a weighting, such as 'mean'"), Settings("dict(type='mean')", needs=('type',))),
    combine=Optional(OneOf('probabilities', 'logits'), 'logits where a member covers a part of the classes'),
    temperature=Number(0, above=True),
)
class TeacherEnsemble(Teacher):
    """Several teachers that answer as one, each from a view of its own.

    Its ``logits`` are the members' combined; every other tap is one member's and begins with the member's name, as
    ``'i3d.backbone.layer4'``. Views, ``input_size`` and ``prepare`` name members, as they name teachers. Members run
    one after another, so that the activations of one at a time are in memory.

    Args:
        members: Settings of teachers that do not learn, by name, or a list of them, who are called ``member1``,
            ``member2``, .... A member that knows a part of the student's classes has one more key, ``covers``: the
            student's classes that its outputs are, in order.
        weighting: Weighting of the members: ``'mean'``, ``'weighted'``, ``'aekd'``, ``'ca_mkd'``, ``'entropy'``,
            ``'best'`` or one of a user's own, as a name or as ``dict(type=...)``.
        combine: ``'probabilities'``: the weighted mean of the softened distributions; ``'logits'``: that of the scores,
            each class over the members that know it. None: probabilities where all members know all classes.
        temperature: Temperature at which distributions are softened before they are averaged; that of the loss.
        name: Its name in terms and messages.

    Raises:
        KeyError: An unknown weighting, kind of teacher or key.
        ValueError: Members that do not go together; the message says why.
    """

    view = None

    def __init__(
        self,
        members: Mapping[str, Mapping] | Sequence[Mapping],
        weighting: str | Mapping = 'mean',
        combine: str | None = None,
        temperature: float = 4.0,
        name: str = 'teacher',
    ) -> None:
        super().__init__(name)
        where = f'{name}.members'
        settings, covers = take_covers(named_members(members), where)
        self.weighting = build_member_weighting(weighting, f'{name}.weighting')
        self._settings = [weighting, combine, temperature, covers]
        self.members = build_members(settings, where)
        self.coverage = Coverage(covers, self.members, where)
        self.weighting.fit(f'{name}.weighting', list(self.members))
        self.combine = combine or ('logits' if self.coverage.partial else 'probabilities')
        self.temperature = temperature
        self._check_subsets(weighting)
        own = [tap for member in self.members.values() for tap in member.student_taps]
        self.student_taps = tuple(dict.fromkeys([*self.weighting.student_taps, *own]))
        self._mask = self.coverage.mask()
        self._scored = False

    def __deepcopy__(self, memo: dict) -> 'TeacherEnsemble':
        """Return the ensemble itself: an EMA copy of the student learns from the same one."""
        return self

    @property
    def parts(self) -> dict[str, Teacher]:
        """The members by name; of a member that is an ensemble, its members."""
        return {name: part for member in self.members.values() for name, part in member.parts.items()}

    @property
    def num_classes(self) -> int | None:
        """Number of classes that the members teach together; None where one has no class scores."""
        scored = all(member.num_classes is not None for member in self.members.values())
        return self.coverage.classes if scored else None

    @property
    def fingerprint(self) -> str:
        """Hash of the members' fingerprints, and of how they are combined."""
        members = {name: member.fingerprint for name, member in self.members.items()}
        return sha256_of_settings([members, self._settings])[:16]

    def one_label_use(self, read: Sequence[str]) -> str:
        """Return that it makes one distribution of several, where a term reads its class scores."""
        return 'its class scores are' if LOGITS in read else ''

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Set the taps that will be read, of each member.

        Args:
            taps: ``'logits'``, and taps of members: ``'<member>.<tap>'``.
            probe: The student, and examples of its features.

        Returns:
            One example of each feature; without ``'logits'`` where a member has no class scores.

        Raises:
            KeyError: A tap is none of these, or a member does not have it.
            ValueError: A member's pass on noise fails.
        """
        wanted: dict[str, list[str]] = {name: [] for name in self.members}
        for tap in taps:
            if tap != LOGITS:
                member, inner = self._split(tap)
                wanted[member].append(inner)
        found = {}
        for name, member in self.members.items():
            read = list(dict.fromkeys([LOGITS, *wanted[name]])) if LOGITS in taps else wanted[name]
            found[name] = member.bind(read, probe)
            lacking = [tap for tap in wanted[name] if tap not in found[name]]
            if lacking:
                raise WrongKeyError(
                    f'{self.name}: a term reads {f"{name}.{lacking[0]}"!r}, which this {type(member).__name__} does '
                    f'not have; expected one of {", ".join(f"{name}.{tap}" for tap in found[name]) or "none"}'
                )
        states = {name: member.state for name, member in self.members.items() if member.state is not None}
        self.state = nn.ModuleDict(states) if states else None
        self._scored = all(LOGITS in each for each in found.values())
        return self._answer(found, None, None)

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Let the members answer, one after another, and combine their class scores.

        Args:
            step: The batch.

        Raises:
            ValueError: A member's view does not fit it.
        """
        found = {name: member.teach(_step_of(member, step)) for name, member in self.members.items()}
        student = step.student[LOGITS].detach() if LOGITS in self.weighting.student_taps else None
        return self._answer(found, step.labels, student)

    def losses(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the own losses of members that learn, as ``<member>_<name>``.

        Args:
            step: The step that they taught in.
            features: Features that they have taught.
        """
        found = {}
        for name, member in self.members.items():
            mine = f'{name}.'
            taught = {tap.removeprefix(mine): each for tap, each in features.items() if tap.startswith(mine)}
            own = member.losses(dataclasses.replace(step, view=step.views.get(name)), taught)
            found |= {f'{name}_{key}': value for key, value in own.items()}
        return found

    def after_step(self, student: nn.Module) -> None:
        """Let the members update."""
        for member in self.members.values():
            member.after_step(student)

    def apply_to(self, function: Callable[[Tensor], Tensor]) -> None:
        """Move the members along with the student."""
        for member in self.members.values():
            member.apply_to(function)

    def norm_before(self, tap: str) -> tuple[Tensor, Tensor]:
        """Return scale and shift ``(C,)`` of the batch norm whose output a member's tap reads.

        Args:
            tap: ``'<member>.<tap>'``.

        Raises:
            KeyError: It is no tap of a member.
            ValueError: The member has no batch norm there.
        """
        member, inner = self._split(tap)
        return self.members[member].norm_before(inner)

    def predict(self, data: dict) -> Tensor:
        """Refuse to predict from one pipeline: each member has its own, and :meth:`merge` combines their answers."""
        self._cannot('pipeline of its own', 'let each of its parts predict, and merge(predictions)')

    def merge(self, predictions: Mapping[str, Tensor]) -> Tensor:
        """Return the class probabilities ``(N, K)`` that follow from those of the members, at temperature 1.

        Labels and the student are left out of account: they decide in training, where a weighting asks for them.

        Args:
            predictions: Class probabilities of all ``parts``, by name.

        Raises:
            ValueError: A member has no class scores.
        """
        rows = {name: member.merge(predictions).float() for name, member in self.members.items()}
        logs = {name: each.clamp(min=torch.finfo(each.dtype).tiny).log() for name, each in rows.items()}
        return self._combine(logs, None, None, 1.0).softmax(dim=-1)

    def _answer(
        self, found: Mapping[str, Mapping[str, Tensor]], labels: Tensor | None, student: Tensor | None
    ) -> dict[str, Tensor]:
        answer = {f'{name}.{tap}': each for name, taught in found.items() for tap, each in taught.items()}
        if self._scored:
            scores = {name: taught[LOGITS] for name, taught in found.items()}
            answer[LOGITS] = self._combine(scores, labels, student, self.temperature)
        return answer

    @torch.no_grad()
    def _combine(
        self, scores: Mapping[str, Tensor], labels: Tensor | None, student: Tensor | None, temperature: float
    ) -> Tensor:
        clips = {name: len(each) for name, each in scores.items()}
        if len(set(clips.values())) > 1:
            told = ', '.join(f'{name} {count}' for name, count in clips.items())
            raise WrongValueError(
                f'{self.name}.members: they answer about different numbers of clips ({told}); give all views the same '
                'num_clips'
            )
        stacked = torch.stack([self.coverage.spread(name, each.detach()) for name, each in scores.items()])
        targets = as_targets(labels, stacked.shape[2])
        if targets is not None and len(targets) != stacked.shape[1]:
            targets = targets.repeat_interleave(stacked.shape[1] // len(targets), dim=0)
        student = None if student is None else student.float()
        weights = self.weighting.weigh(MembersStep(stacked, targets, student, temperature))
        if self.combine == 'probabilities':
            return mix_probabilities(stacked, weights, temperature)
        return mix_logits(stacked, weights, None if self._mask is None else self._mask.to(stacked.device))

    def _split(self, tap: str) -> tuple[str, str]:
        member, dot, inner = tap.partition('.')
        if not dot or member not in self.members:
            close = [name for name in self.members if did_you_mean(member, [name])]
            meant = f'{close[0]}.{inner}' if close and dot else f'{next(iter(self.members))}.{tap}'
            raise WrongKeyError(
                f"{self.name}: a term reads {tap!r}; expected 'logits', which are the members' together, or a tap of "
                f'one of {", ".join(self.members)} after its name, such as {meant!r}'
            )
        return member, inner

    def _check_subsets(self, weighting: str | Mapping) -> None:
        partial = self.coverage.partial
        if partial and self.combine == 'probabilities':
            raise WrongValueError(
                f"{self.name}.combine: got 'probabilities', but {partial[0]} covers a part of the classes, and what it "
                "says is about these alone; use 'logits'"
            )
        if partial and not self.weighting.subsets:
            raise WrongValueError(
                f'{self.name}.weighting: got {weighting!r}, which compares what members say about all classes, but '
                f"{partial[0]} covers a part of them; use 'mean' or 'weighted'"
            )


def _step_of(member: Teacher, step: TeachingStep) -> TeachingStep:
    """Return a step as a member sees it: its own view, and the student only where it asks for it."""
    student = step.student if member.student_taps else None
    return dataclasses.replace(step, view=step.views.get(member.name), student=student)
