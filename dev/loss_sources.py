"""The sources of the pages of the losses."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml
from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video import losses
from mmkd_video.workflows.compare.ablation import Ablation
from mmkd_video.workflows.measure.loss_costs import LossCost, LossCosts

FOLDER, CONFIGS = Path('docs/losses'), Path('configs/losses')
LINES, COSTS, ABLATIONS = FOLDER / 'losses.yml', FOLDER / 'costs.yml', CONFIGS / 'metafile.yml'
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
        ablation: Gains of the losses; None where nothing is measured.
        methods: The YAML line of each method that is more than a loss.
    """

    lines: dict[str, dict[str, str]]
    configs: dict[str, dict[str, str]]
    costs: LossCosts | None
    ablation: Ablation | None
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
        found = yaml.safe_load(ABLATIONS.read_text())['Ablation'] if ABLATIONS.exists() else None
        return cls(lines, configs, costs, None if found is None else Ablation.from_dict(found), methods)

    def cost(self, loss: str) -> LossCost | None:
        """Return what the first config about a loss or a method costs; None where that is not measured."""
        costs = {} if self.costs is None else self.costs.costs
        return next((costs[name] for name in self.configs.get(loss, {}) if name in costs), None)
