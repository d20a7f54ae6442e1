"""Members with weights of their own."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from mmkd_video.core.checked import AnyOf, ListOf, Number, Settings, checked, did_you_mean
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import TASK_UTILS
from mmkd_video.teachers.ensemble.weighting import MembersStep, MemberWeighting

WEIGHT = Number(0, above=True)


@TASK_UTILS.register_module(name='weighted')
@checked(weights=AnyOf(ListOf(WEIGHT, least=1), Settings('a dict of numbers above 0 by name of the member')))
class FixedWeighting(MemberWeighting):
    """Members with fixed weights.

    Args:
        weights: A number above 0 for each member, in their order or by name; they are divided by their sum.

    Raises:
        KeyError: A name is none of the members.
        ValueError: A number is not above 0, or there are more or fewer numbers than members.
    """

    subsets = True

    def __init__(self, weights: Sequence[float] | Mapping[str, float]) -> None:
        self.weights = dict(weights) if isinstance(weights, Mapping) else list(weights)

    def fit(self, where: str, members: Sequence[str]) -> None:
        """See :meth:`MemberWeighting.fit`."""
        if isinstance(self.weights, dict):
            for name, weight in self.weights.items():
                if name not in members:
                    hint = did_you_mean(name, members) or 'take it out'
                    raise WrongKeyError(
                        f'{where}.weights: got the unknown key {name!r}; expected {", ".join(members)}; {hint}'
                    )
                WEIGHT.check(f'{where}.weights.{name}', weight)
            self.weights = [self.weights[name] for name in members if name in self.weights]
        if len(self.weights) != len(members):
            raise WrongValueError(
                f'{where}.weights: got {len(self.weights)} numbers; expected one for each of {", ".join(members)}'
            )

    def weigh(self, step: MembersStep) -> Tensor:
        """Return the weights ``(M, 1)``."""
        total = sum(self.weights)
        return step.scores.new_tensor([weight / total for weight in self.weights]).unsqueeze(1)
