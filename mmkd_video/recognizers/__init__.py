"""The package's knowledge of MMAction2: configs, pipelines, sizes, weights, and facts about families of models."""
