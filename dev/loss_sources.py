"""The sources of the pages of the losses."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from dev.loss_accuracy import LossAccuracy
from mmkd_video import losses
from mmkd_video.workflows.measure.loss_costs import LossCost, LossCosts

FOLDER, CONFIGS = Path('docs/losses'), Path('configs/losses')
LINES, COSTS, ACCURACY = FOLDER / 'losses.yml', FOLDER / 'costs.yml', FOLDER / 'accuracy.json'
CATEGORIES = dict(
    logits='Class scores',
    features='Features, without parameters of their own',
    relations='Relations between the clips of a batch',
    learned='With learned parts or a memory',
    manifold='Manifolds of clips',
    video='Made for video',
)
KEYS = ('category', 'weight', 'paper', 'use')
METHOD_KEYS = ('category', 'part', 'loss', 'config', 'weight', 'paper', 'use')
WRITTEN = '<!-- Written by dev/loss_pages.py; change the docstring or losses.yml. -->'


@dataclass(frozen=True)
class Sources:
    """The sources of the pages.

    Args:
        lines: The YAML line of each loss.
        configs: Texts of the configs by name, for each loss or method that one is about.
        costs: Costs of a step; None where nothing is measured.
        accuracy: Accuracy of students that learn with each loss; None where nothing is measured.
        methods: The YAML line of each method that is more than a loss.
    """

    lines: dict[str, dict[str, str]]
    configs: dict[str, dict[str, str]]
    costs: LossCosts | None
    accuracy: LossAccuracy | None
    methods: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> 'Sources':
        """Read the files.

        Raises:
            ValueError: A loss has no line, or a line has no loss or other keys than it should.
        """
        lines = yaml.safe_load(LINES.read_text())
        methods = lines.pop('methods', {})
        missing, unknown = set(losses.__all__) - set(lines), set(lines) - set(losses.__all__)
        if missing or unknown:
            raise ValueError(
                f'{LINES}: expected one line for each loss; missing {sorted(missing)}, no loss {sorted(unknown)}'
            )
        for name, line in {**lines, **methods}.items():
            keys = METHOD_KEYS if name in methods else KEYS
            if tuple(line) != keys or line['category'] not in CATEGORIES:
                raise ValueError(
                    f'{LINES}: {name} has {line}; expected {", ".join(keys)}, category of {list(CATEGORIES)}'
                )
        owners = {method['config']: name for name, method in methods.items()}
        configs: dict[str, dict[str, str]] = {}
        for path in sorted(CONFIGS.glob('*.py')):
            main = Config.fromfile(path).model.terms[-1]['type']
            configs.setdefault(owners.get(path.stem, main), {})[path.stem] = path.read_text().strip()
        costs = LossCosts.from_dict(yaml.safe_load(COSTS.read_text())) if COSTS.exists() else None
        accuracy = LossAccuracy.read(json.loads(ACCURACY.read_bytes())) if ACCURACY.exists() else None
        return cls(lines, configs, costs, accuracy, methods)

    def cost(self, loss: str) -> LossCost | None:
        """Return what the first config about a loss or a method costs; None where that is not measured."""
        costs = {} if self.costs is None else self.costs.costs
        return next((costs[name] for name in self.configs.get(loss, {}) if name in costs), None)

    def owner(self, config: str) -> str | None:
        """Return the loss or method that a config is about, by the config's name; None where there is none."""
        return next((owner for owner, configs in self.configs.items() if config in configs), None)
