"""The members of an ensemble, built from a config, and the classes that they know."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import AnyOf, ListOf, Settings, Whole
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.teachers.build import build_teacher
from mmkd_video.teachers.teacher import Teacher

MEMBER = Settings('dict(config=..., checkpoint=...)')
MEMBERS = AnyOf(Settings('a dict of teachers by name'), ListOf(MEMBER, least=1))
COVERS = ListOf(Whole(0), least=1)
TAKEN = ('logits', 'frame_logits', 'pooled', 'cam', 'backbone', 'neck', 'cls_head', 'student')


def build_members(members: Mapping[str, Mapping], where: str) -> dict[str, Teacher]:
    """Build the members of an ensemble.

    Args:
        members: Their settings, without ``covers``.
        where: Their key, for messages.

    Raises:
        KeyError: An unknown key or kind of teacher.
        ValueError: A name that no member may have, two of one name, or an invalid value.
    """
    built: dict[str, Teacher] = {}
    for name, config in members.items():
        if not re.fullmatch(r'[A-Za-z]\w*', str(name)) or name in TAKEN or hasattr(nn.ModuleDict(), name):
            raise WrongValueError(
                f'{where}: got the name {name!r}; expected letters, digits and underscores, and none of '
                f"{', '.join(TAKEN)} or torch's own ('train', 'items', ...): taps of a member begin with its name"
            )
        built[name] = build_teacher(name, f'{where}.{name}', config)
    learning = [name for name, member in built.items() if member.learns]
    if learning:
        raise WrongValueError(
            f'{where}.{learning[0]}.type: got {type(built[learning[0]]).__name__}, which learns; expected a teacher '
            'that does not: give this one a place beside the ensemble, teacher=dict(a=dict(...), b=dict(...))'
        )
    alone = [name for name, member in built.items() if not member.needs_term]
    if alone:
        raise WrongValueError(
            f'{where}.{alone[0]}.type: got {type(built[alone[0]]).__name__}, which teaches by losses of its own; '
            'expected a teacher that terms read: give this one a place beside the ensemble, '
            'teacher=dict(a=dict(...), b=dict(...))'
        )
    parts = [part for member in built.values() for part in member.parts]
    twice = [part for part in dict.fromkeys(parts) if parts.count(part) > 1]
    if twice:
        raise WrongValueError(
            f'{where}: got {twice[0]!r} for two members of members; expected a name of its own for each, as views and '
            'sizes are given by name'
        )
    return built


class Coverage:
    """Which of the student's classes each member knows.

    Args:
        covers: Indices of the student's classes that a member's outputs are, in order, by its name; None for all.
        members: The members by name.
        where: Key of the members, for messages.

    Raises:
        ValueError: A list does not fit the member's outputs, members disagree on the number of classes, or no member
            knows some class.
    """

    def __init__(self, covers: Mapping[str, Sequence[int] | None], members: Mapping[str, Teacher], where: str) -> None:
        self.covers = {name: None if each is None else list(each) for name, each in covers.items()}
        counts = {name: each.num_classes for name, each in members.items() if each.num_classes is not None}
        for name, each in self.covers.items():
            if each is not None:
                _check_covers(each, counts.get(name), f'{where}.{name}.covers')
        whole = {name: count for name, count in counts.items() if self.covers[name] is None}
        known = {kept for each in self.covers.values() for kept in each or ()}
        known |= {kept for count in whole.values() for kept in range(count)}
        self.classes = max(known) + 1 if known else None
        """Number of the student's classes; None where no member has class scores."""
        differing = {name: count for name, count in whole.items() if count != self.classes}
        if differing:
            told = ', '.join(f'{name} {count}' for name, count in counts.items())
            raise WrongValueError(
                f'{where}: got members that teach different numbers of classes ({told}); name the outputs that are the '
                "student's classes with classes=[...] of a member, or the student's classes that a member knows with "
                'covers=[...]'
            )
        missing = sorted(set(range(self.classes or 0)) - known)
        if missing:
            raise WrongValueError(
                f'{where}: no member covers class {missing[0]} of the {self.classes}; expected each class in '
                'covers=[...] of some member'
            )

    @property
    def partial(self) -> list[str]:
        """Names of the members that know other classes than all in order."""
        return [name for name, each in self.covers.items() if each is not None]

    def mask(self) -> Tensor | None:
        """Return ``(M, K)``, which classes each member knows; None where all know all."""
        if not self.partial:
            return None
        mask = torch.zeros(len(self.covers), self.classes, dtype=torch.bool)
        for row, each in enumerate(self.covers.values()):
            mask[row, slice(None) if each is None else each] = True
        return mask

    def spread(self, name: str, scores: Tensor) -> Tensor:
        """Return a member's scores on the student's classes, 0 at those that it does not know.

        Args:
            name: The member.
            scores: ``(N, its classes)``.

        Returns:
            ``(N, K)`` float32.
        """
        scores = scores.float()
        if self.covers[name] is None:
            return scores
        return scores.new_zeros(len(scores), self.classes).index_copy(1, self._places(name, scores), scores)

    def _places(self, name: str, like: Tensor) -> Tensor:
        return torch.tensor(self.covers[name], device=like.device)


def take_covers(members: Mapping[str, Mapping], where: str) -> tuple[dict[str, dict], dict[str, Any]]:
    """Split the settings of members into those of teachers and ``covers``.

    Raises:
        ValueError: Settings are no dict, or ``covers`` is no list of classes.
    """
    teachers, covers = {}, {}
    for name, each in members.items():
        MEMBER.check(f'{where}.{name}', each)
        teachers[name] = {key: value for key, value in each.items() if key != 'covers'}
        covers[name] = each.get('covers')
        if covers[name] is not None:
            COVERS.check(f'{where}.{name}.covers', covers[name])
    return teachers, covers


def _check_covers(covers: list[int], outputs: int | None, where: str) -> None:
    if len(set(covers)) != len(covers):
        raise WrongValueError(f'{where}: got {covers}; expected each class of the student once')
    if outputs is not None and len(covers) != outputs:
        raise WrongValueError(
            f'{where}: got {len(covers)} classes; expected {outputs}, one for each class that the member teaches; '
            'leave out outputs of it with classes=[...]'
        )
