"""A teacher with fixed weights."""

import copy
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmkd_video.core.checked import AnyOf, ListOf, OneOf, Optional, Settings, Text, Whole, checked
from mmkd_video.core.episodes import episode_classes
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.recognizers.class_matching import selected_outputs
from mmkd_video.recognizers.compiling import COMPILE, compile_options, compile_parts
from mmkd_video.recognizers.config import expect_recognizer, resolve_config
from mmkd_video.recognizers.families import CLASSIFIER, classifier_of, scores_each_class
from mmkd_video.recognizers.input_form import InputForm, Inputs, input_form, noise_clip, one_of, shallow, to_device
from mmkd_video.recognizers.libraries import has_own_checkpoints, is_library_model, load_own_weights
from mmkd_video.recognizers.precision import HALVES, compute_in_half, in_float32
from mmkd_video.recognizers.size import explaining_size_errors, explaining_view_errors, find_size
from mmkd_video.recognizers.weights import fingerprint, load_weights
from mmkd_video.taps import TapSet, norm_before
from mmkd_video.taps.layout import class_scores
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep

SCORES = ('logits', 'frame_logits')
EPISODE = 'episode'
_REQUIRED = object()


@MODELS.register_module()
@checked(
    config=AnyOf(
        Text("a path, 'mmaction::recognition/...', 'hf::<folder>'"), Settings("dict(type='Recognizer3D', ...)")
    ),
    checkpoint=Optional(Text('a path or URL'), 'untrained weights are meant'),
    classes=Optional(
        AnyOf(
            ListOf(Whole(0), least=1), ListOf(Text('a name'), least=1), Text("'by_name', 'episode', or a file of names")
        ),
        'all',
    ),
    view=OneOf('own', 'student'),
    compile=COMPILE,
    precision=Optional(OneOf('f32', *HALVES), "the student's"),
)
class FrozenTeacher(Teacher):
    """A trained recognizer as teacher.

    Kept outside the student's module tree it is in no ``state_dict``, optimizer, DDP bucket, buffer broadcast, EMA copy
    or checkpoint. Device and dtype moves reach it through :meth:`apply_to`. It stays in ``eval()`` and gets no
    gradient, no labels and no loss of its own.

    Args:
        config: Path, ``'mmaction::recognition/...'``, or model dict; ``'hf::<folder>'`` or ``dict(source='hf::...')``
            for a model of transformers, which brings its weights.
        checkpoint: Path or URL; None says that untrained weights are meant. Leaving it out is an error, unless weights
            lie beside the config.
        classes: The teacher's outputs that are the student's classes, in the student's order: their indices, their
            names, or a file with a name on each line. ``'by_name'``: the names that belong to the config, which the
            tools of this package fill in. ``'episode'``: in every step those of the episode that the student learns.
            None for all.
        view: Its input where no ``DistillViews`` makes it a view of its own: ``'student'``, the student's clip laid
            out and normalised for it; ``'own'`` makes that an error.
        compile: True, or a dict of arguments of ``torch.compile``: its backbone is compiled, in pieces between its
            taps. Its answers in training then differ in rounding.
        precision: ``'bf16'`` or ``'f16'``: its backbone computes and keeps its weights in half precision, its head and
            what terms read are float32. ``'f32'``: all of it is float32, also where the student trains with AMP. None:
            as the student.
        name: Its name in terms and messages.

    Raises:
        FileNotFoundError: Config or checkpoint does not exist.
        ValueError: Checkpoint left out or of another architecture, or ``classes`` malformed.
    """

    def __init__(
        self,
        config: str | Mapping,
        checkpoint: str | None = _REQUIRED,
        classes: str | Sequence[int | str] | None = None,
        view: str = 'student',
        compile: bool | Mapping = False,
        precision: str | None = None,
        name: str = 'teacher',
    ) -> None:
        super().__init__(name)
        self.view = view
        if checkpoint is _REQUIRED and (not is_library_model(config) or has_own_checkpoints(config)):
            raise WrongValueError(
                f'{name}.checkpoint is missing; give a path or URL, or checkpoint=None if untrained weights are meant'
            )
        self.model_config, self.config = resolve_config(config)
        expect_recognizer(self.model_config, name)
        self.module = build_model(copy.deepcopy(self.model_config))
        if checkpoint is _REQUIRED:
            load_own_weights(self.module, self.config)
        elif checkpoint is not None and has_own_checkpoints(config):
            self.module.backbone.load_pretrained(checkpoint, self.module.cls_head)
        elif checkpoint is not None:
            load_weights(self.module, checkpoint)
        self.module.eval()
        self.module.requires_grad_(False)
        self.precision = precision
        if precision in HALVES:
            compute_in_half(self.module, HALVES[precision])
        self._parts = tuple(self.module.modules())
        self._by_episode = classes == EPISODE
        self.classes = None if self._by_episode else self._check_classes(classes)
        self._taps: TapSet | None = None
        self._example: Inputs | None = None
        self._to_compile = compile_options(f'{name}.compile', compile)

    def __deepcopy__(self, memo: dict) -> 'FrozenTeacher':
        """Return the teacher itself: an EMA copy of the student learns from the same one."""
        return self

    @property
    def data_preprocessor(self) -> nn.Module:
        """The teacher's own normalisation."""
        return self.module.data_preprocessor

    @property
    def input_form(self) -> InputForm:
        """In which form it takes its view."""
        return input_form(self.module)

    @property
    def num_classes(self) -> int | None:
        """Number of classes that it teaches; None of a model without a classifier."""
        return len(self.classes) if self.classes is not None else self._outputs() or None

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of its weights and architecture."""
        return fingerprint(self.module, {'model': self.model_config, 'classes': self.classes})

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Set the taps that will be read; the examples come from one forward pass on noise.

        Args:
            taps: The places.
            probe: Its ``input_size`` says on how many frames and pixels to try; inferred by default.

        Returns:
            One example of each feature.

        Raises:
            KeyError: A name points nowhere.
            ValueError: The pass fails.
        """
        if self._by_episode:
            self.classes = self._check_classes(list(range(probe.student.cls_head.num_classes)))
        self.tap(taps)
        size = find_size(self.model_config, self.config, probe.input_size, self.name)
        self._example = to_device(noise_clip(self.module, size), 'cpu')
        with explaining_size_errors(self.name, size):
            return self.features(to_device(self._example, next(self.module.parameters()).device))

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Return the features of its view of a batch.

        Args:
            step: The batch.

        Raises:
            ValueError: The view does not fit the model.
        """
        if self._to_compile is not None:  # now that all that ever hooks into it has done so
            compile_parts(self.module, self._to_compile)
            self._to_compile = None
        if self._by_episode:
            self.classes = self._check_classes(episode_classes(step.data_samples))
        with explaining_view_errors(self.name, step.view, self._example):
            return self.features(step.view)

    def tap(self, names: Iterable[str]) -> None:
        """Set the taps that will be read; class scores are left out where there are none.

        Raises:
            KeyError: A name points nowhere.
        """
        found = [name for name in names if self.num_classes is not None or name not in SCORES]
        self._taps = TapSet(self.module, found, self.name)

    def features(self, inputs: Inputs) -> dict[str, Tensor]:
        """Run the teacher on its view of a batch, without a gradient.

        Args:
            inputs: Normalised clips, ``(N, T, C, H, W)`` for 2D and ``(N, M, C, T, H, W)`` for 3D recognizers.

        Returns:
            Tap name to feature in canonical layout; ``logits``, ``frame_logits`` and ``cam`` hold the student's classes
            only.
        """
        with torch.no_grad():
            return self._run(inputs)

    def _run(self, inputs: Inputs) -> dict[str, Tensor]:
        self._stay_frozen()
        with self._taps.watch(), self._own_precision(one_of(inputs)):
            self.module.extract_feat(shallow(inputs), stage='head')
        found = self._taps.read(inputs)
        if self.precision is not None:
            found = in_float32(found)
        if self.classes is not None:
            for name, path in self._taps.paths.items():
                if path.module in SCORES:
                    found[name] = found[name][..., self.classes]
                elif path.module == 'cam':
                    found[name] = found[name][:, self.classes]
        return found

    def norm_before(self, tap: str, inputs: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scale and shift ``(C,)`` of the batch norm whose output a tap reads.

        Args:
            tap: A tap before an activation, such as ``backbone.layer4:pre``.
            inputs: Normalised clips on which the order of its layers is found; noise of the size it was bound with.

        Raises:
            KeyError: The tap names no module.
            ValueError: No batch norm runs before it, or an activation stands between the two.
        """
        self._stay_frozen()
        inputs = to_device(self._example, next(self.module.parameters()).device) if inputs is None else inputs
        with torch.no_grad():
            norm = norm_before(
                self.module, tap, self.name, lambda: self.module.extract_feat(shallow(inputs), stage='head')
            )
        scale = torch.ones_like(norm.running_mean) if norm.weight is None else norm.weight.detach()
        return scale, torch.zeros_like(scale) if norm.bias is None else norm.bias.detach()

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return weight ``(K, C)`` and bias ``(K,)`` of its last linear layer, on the student's classes.

        Raises:
            ValueError: Its head does not end in one linear layer.
        """
        head = self.module.cls_head
        linear = classifier_of(head)
        if linear is None:
            raise WrongValueError(
                f'{self.name}: its classifier is asked for, but {type(head).__name__}.{CLASSIFIER} '
                f'is {getattr(head, CLASSIFIER, None)}, not one linear layer'
            )
        bias = torch.zeros_like(linear.weight[:, 0]) if linear.bias is None else linear.bias
        return (linear.weight, bias) if self.classes is None else (linear.weight[self.classes], bias[self.classes])

    def classify(self, pooled: Tensor) -> Tensor:
        """Return the scores its last linear layer gives a vector; the gradient reaches the vector.

        Args:
            pooled: ``(N, C)``, what the layer reads.

        Returns:
            ``(N, K)`` on the student's classes.

        Raises:
            ValueError: Its head does not end in one linear layer that reads C numbers.
        """
        weight, bias = self.classifier()
        if weight.shape[1] != pooled.shape[1]:
            raise WrongValueError(
                f'{self.name}: a term asks its classifier for the scores of {pooled.shape[1]} channels, but it reads '
                f"{weight.shape[1]}; compare the feature that cls_head.fc_cls reads, such as 'pooled'"
            )
        return nn.functional.linear(pooled, weight.to(pooled.dtype), bias.to(pooled.dtype))

    @torch.no_grad()
    def predict(self, data: dict) -> Tensor:
        """Return class probabilities for a batch of the teacher's own pipeline.

        Args:
            data: Collated batch with ``inputs`` and ``data_samples``.

        Returns:
            ``(N, K)`` on the student's classes, averaged over clips and crops; rows sum to 1, unless it scores each
            class by itself.
        """
        if self.num_classes is None:
            self._cannot('class scores', 'leave out TeacherPredictionsHook')
        self._stay_frozen()
        data = self.data_preprocessor(data, False)
        inputs, samples = data['inputs'], data['data_samples']
        with self._own_precision(one_of(inputs)):
            features, extra = self.module.extract_feat(inputs, test_mode=True)
            scores = class_scores(self.module.cls_head(features, **extra)).float()
        clips = scores.shape[0] // len(samples)
        if self.classes is not None:
            scores = scores[..., self.classes]
        probabilities = scores.sigmoid() if self.several_labels else scores.softmax(dim=-1)
        return probabilities.unflatten(0, (len(samples), clips)).mean(dim=1)

    @property
    def several_labels(self) -> bool:
        """Whether its head scores each class by itself."""
        return scores_each_class(self.module.cls_head)

    def apply_to(self, function: Callable[[Tensor], Tensor]) -> None:
        """Move along with the student (``.to()``, ``.cuda()``, ``.half()``).

        Args:
            function: Function that ``nn.Module._apply`` applies to every tensor.
        """
        self.module._apply(function)
        parameter = next(self.module.parameters(), None)
        if parameter is not None and hasattr(self.data_preprocessor, '_device'):
            self.data_preprocessor._device = parameter.device

    def _own_precision(self, inputs: Tensor) -> AbstractContextManager:
        """Return the context of a forward pass: without the student's autocast where the teacher has a precision."""
        return nullcontext() if self.precision is None else torch.autocast(inputs.device.type, enabled=False)

    def _stay_frozen(self) -> None:
        if any(part.training for part in self._parts):  # one may have been switched alone
            self.module.eval()

    def _outputs(self) -> int:
        return self.module.cls_head.num_classes

    def _naming_config(self) -> Config | None:
        """Return the config that tells the names of its outputs."""
        return self.config

    def _check_classes(self, classes: str | Sequence[int | str] | None) -> list[int] | None:
        classes = selected_outputs(classes, self._naming_config(), self._outputs(), self.name)
        if classes is None:
            return None
        wrong = [index for index in classes if not isinstance(index, int) or not 0 <= index < self._outputs()]
        if wrong or len(set(classes)) != len(classes) or not classes:
            raise WrongValueError(
                f'{self.name}.classes: got {classes}; expected distinct indices from 0 to {self._outputs() - 1}, '
                "one for each of the student's classes"
            )
        return classes
