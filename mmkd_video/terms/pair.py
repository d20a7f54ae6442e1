"""A pair of taps, with all that makes its two features comparable."""

import difflib
import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmkd_video import connectors as connector_package
from mmkd_video.connectors import match_layouts, match_positions
from mmkd_video.core.checked import keys_of
from mmkd_video.core.layouts import LAYOUT_SHAPES, channels_of, layout_of
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.functional import resample_map, standardise
from mmkd_video.taps import to_vector
from mmkd_video.terms.target_norm import build_target_norm

SCORE_TAPS = ('logits', 'frame_logits')


def find_connector(config: Mapping, where: str) -> type:
    """Return the class of a connector.

    Raises:
        KeyError: No such connector; the message names the nearest ones.
    """
    kind = config.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        known = [name for name in connector_package.__all__ if name.endswith('Connector')]
        nearest = difflib.get_close_matches(str(kind), known, n=3, cutoff=0.3)
        raise WrongKeyError(f'{where}: unknown connector type {kind!r}; nearest names: {", ".join(nearest or known)}')
    return found


def _own_name(tap: str) -> str:
    """Return the name of class scores or maps at a tap of an ensemble's member; any other tap as it is."""
    name = tap.rpartition('.')[2]
    return name if name in (*SCORE_TAPS, 'cam') else tap


class Pair(nn.Module):
    """A student feature and a teacher feature, brought into the form that a loss accepts.

    Args:
        taps: ``(student tap, teacher tap)``.
        loss: The loss; its class attributes ``layouts``, ``same_channels`` and ``same_positions`` say what it
            needs. One that lacks them is taken to compare features of equal shape.
        student: The student's feature from the dry run.
        teacher: The teacher's.
        connector: Config of the connector; None to infer it, False for none.
        where: Name of the term, for messages.
        standardize: Whether class scores of both sides get zero mean and unit deviation.
        target_norm: Config of the normalisation of the teacher's feature; None for none.
        seen: The tokens that the student saw in the dry run; None for all.

    Raises:
        FileNotFoundError: Statistics of the teacher's feature are missing.
        KeyError: There is no such connector or normalisation.
        ValueError: The two sides cannot be made comparable.
    """

    def __init__(
        self,
        taps: tuple[str, str],
        loss: nn.Module,
        student: Tensor,
        teacher: Tensor,
        connector: bool | Mapping | None,
        where: str,
        standardize: bool = False,
        target_norm: str | Mapping | None = None,
        seen: TokenSubset | None = None,
    ) -> None:
        super().__init__()
        self.taps = taps
        self.layouts = tuple(getattr(loss, 'layouts', ('vector', 'tokens', 'map')))
        names = {_own_name(tap) for tap in taps}
        self.scores = self.layouts == ('logits',) or ('logits' in self.layouts and names <= set(SCORE_TAPS))
        self.same_positions = bool(getattr(loss, 'same_positions', True))
        same_channels = bool(getattr(loss, 'same_channels', True))
        self.where = f'term {where!r} at {taps}'
        self.connector: nn.Module | None = None
        if student.shape[0] != teacher.shape[0]:
            raise WrongValueError(
                f'{self.where}: the student sees {student.shape[0]} clips and the teacher {teacher.shape[0]} of one '
                'sample; give both the same num_clips'
            )
        if getattr(loss, 'clips_only', False):
            self._check_frames(student, teacher)
        if standardize and not self.scores:
            raise WrongValueError(
                f'{self.where}: got standardize=True, which is for class scores; take it out, or compare '
                f'{" or ".join(map(repr, SCORE_TAPS))}'
            )
        self.standardize = standardize
        self.target_norm: nn.Module | None = None
        if target_norm is not None:
            self._expect_normalizable(loss, names)
            key = f'term {where!r}.target_norm'
            self.target_norm = build_target_norm(target_norm, channels_of(teacher.shape), taps[1], key)
        seen = seen if seen is not None and seen.are(student) else None
        if connector and not self.scores and _sees_teacher_shape(find_connector(connector, self.where)):
            self.connector = self._build_connector(student, teacher, connector, seen)
            self._align(self._connect(student, teacher, seen), teacher)
            return
        student, teacher = self._align(student, self._at_places(teacher, seen))
        if self.scores:
            self._connect_scores(student, teacher, connector)
        elif names == {'cam'}:
            self._check_counts(student, teacher)  # channels are classes: no connector may mix them
        elif connector is not False and (connector is not None or same_channels):
            self.connector = self._build_connector(student, teacher, connector, seen)
        elif same_channels and channels_of(student.shape) != channels_of(teacher.shape):
            raise WrongValueError(
                f'{self.where}: {channels_of(student.shape)} student channels against '
                f'{channels_of(teacher.shape)} teacher channels and connector=False; leave connector out to infer one'
            )

    def forward(self, student: Tensor, teacher: Tensor, seen: TokenSubset | None = None) -> tuple[Tensor, Tensor]:
        """Return both features as the loss takes them.

        Args:
            student: Canonical feature at the student's tap.
            teacher: Canonical feature at the teacher's tap.
            seen: The tokens that the student saw; None for all.
        """
        early = _sees_teacher_shape(self.connector)
        seen = seen if seen is not None and seen.are(student) else None
        if early:
            student = self._connect(student, teacher, seen)
        else:
            teacher = self._at_places(teacher, seen)
        student, teacher = self._align(student, teacher)
        student = student if early else self._connect(student, teacher, seen)
        if self.standardize:
            precision = torch.promote_types(student.dtype, torch.float32)
            return standardise(student.to(precision)), standardise(teacher.to(precision))
        teacher = teacher if self.target_norm is None else self.target_norm(teacher)
        return student, teacher

    def _connect(self, student: Tensor, teacher: Tensor, seen: TokenSubset | None) -> Tensor:
        if self.connector is None:
            return student
        shape = (teacher.shape,) if _sees_teacher_shape(self.connector) else ()
        if seen is not None and seen.are(student) and getattr(self.connector, 'sees_places', False):
            return self.connector(student, *shape, seen=seen)
        return self.connector(student, *shape)

    def _at_places(self, teacher: Tensor, seen: TokenSubset | None) -> Tensor:
        """Return the teacher's feature at the places of the tokens that the student saw, ``(N, K, C)``.

        A map is brought to the grid of the student's tokens first. What has no places stays as it is.
        """
        if seen is None or teacher.ndim == 2 or seen.are(teacher):
            return teacher
        if layout_of(teacher.shape) == 'map':
            return seen.of(resample_map(teacher, seen.grid).flatten(2).transpose(1, 2))
        if teacher.shape[1] != seen.total:
            raise WrongValueError(
                f"{self.where}: the student sees {seen.kept.shape[1]} of its {seen.total} tokens, and the teacher's "
                f'{teacher.shape[1]} tokens have no places on that grid; tap a map (N, C, T, H, W) of the teacher'
            )
        return seen.of(teacher)

    def _align(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        student, teacher = match_layouts(student, teacher)
        if self.scores:
            if student.ndim == 3:  # logits per frame: every frame is a row
                student, teacher = match_positions(student, teacher)
                return student.flatten(0, 1), teacher.flatten(0, 1)
            return student, teacher
        layout = layout_of(student.shape)
        if layout not in self.layouts:
            if layout == 'map' and 'tokens' in self.layouts and 'vector' not in self.layouts:
                student, teacher = (feature.flatten(2).transpose(1, 2) for feature in (student, teacher))
            elif 'vector' in self.layouts:
                student, teacher = to_vector(student), to_vector(teacher)
            else:
                wanted = ' or '.join(LAYOUT_SHAPES[name] for name in self.layouts)
                raise WrongValueError(
                    f'{self.where}: the loss takes {wanted}, but the tap gives {LAYOUT_SHAPES[layout]}; '
                    'tap a module that keeps space and time, such as a backbone stage'
                )
        return match_positions(student, teacher) if self.same_positions else (student, teacher)

    def _check_frames(self, student: Tensor, teacher: Tensor) -> None:
        if {layout_of(student.shape), layout_of(teacher.shape)} == {'map', 'tokens'}:
            raise WrongValueError(
                f'{self.where}: the loss compares frames, but the taps give {tuple(student.shape)} and '
                f'{tuple(teacher.shape)}: beside a map (N, C, T, H, W) each place of it would count as a frame of '
                'tokens (N, L, C); tap maps on both sides'
            )

    def _expect_normalizable(self, loss: nn.Module, names: set[str]) -> None:
        """Refuse to normalise what is no feature, or what the loss reads by the teacher's own numbers."""
        own = 'teacher_norm' in inspect.signature(type(loss)).parameters
        own = own or 'teacher_head' in inspect.signature(loss.forward).parameters
        if self.scores or names == {'cam'} or own:
            what = 'asks the teacher about its feature' if own else 'compares class scores'
            raise WrongValueError(
                f'{self.where}: got target_norm, but {type(loss).__name__} {what}; take target_norm out of this term'
            )

    def _connect_scores(self, student: Tensor, teacher: Tensor, connector: bool | Mapping | None) -> None:
        """Build the connector of class scores where it selects classes; no other one may mix them."""
        if connector and getattr(find_connector(connector, self.where), 'selects_classes', False):
            self.connector = self._build_connector(student, teacher, connector, None)
        else:
            self._check_classes(student, teacher)

    def _check_classes(self, student: Tensor, teacher: Tensor) -> None:
        if student.ndim != 2 or teacher.ndim != 2:
            raise WrongValueError(
                f'{self.where}: the loss compares class scores (N, K), but the taps give '
                f"{tuple(student.shape)} and {tuple(teacher.shape)}; use at='logits'"
            )
        self._check_counts(student, teacher)

    def _check_counts(self, student: Tensor, teacher: Tensor) -> None:
        if student.shape[1] != teacher.shape[1]:
            raise WrongValueError(
                f'{self.where}: the student has {student.shape[1]} classes and the teacher {teacher.shape[1]}; '
                "name the teacher outputs that are the student's classes with teacher=dict(classes=[...])"
            )

    def _build_connector(
        self, student: Tensor, teacher: Tensor, config: Mapping | None, seen: TokenSubset | None
    ) -> nn.Module | None:
        channels = channels_of(student.shape), channels_of(teacher.shape)
        if config is None and channels[0] == channels[1]:
            return None
        config = dict(config or {'type': 'ProjectionConnector'})
        known = {'in_channels': channels[0], 'out_channels': channels[1], 'layout': layout_of(student.shape)}
        connector_class = find_connector(config, self.where)
        parameters = inspect.signature(connector_class).parameters
        for key, value in known.items():
            if key in parameters:
                config.setdefault(key, value)
        keys_of(connector_class).check(f'{self.where}.connector', {k: v for k, v in config.items() if k != 'type'})
        built = MODELS.build(config)
        self.connector = built.eval()
        with torch.no_grad():
            shape = self._connect(student, teacher, seen).shape
        built.train()
        if channels_of(shape) != channels[1]:
            raise WrongValueError(
                f'{self.where}: connector {config["type"]} gives {channels_of(shape)} channels, '
                f'but the teacher has {channels[1]}'
            )
        return built


def _sees_teacher_shape(connector: object) -> bool:
    """Return whether a connector, or a class of them, is given the shape of the teacher's feature, and takes it on."""
    return bool(getattr(connector, 'sees_teacher_shape', False))
