"""MMAction2 seen from outside: configs, pipelines, sizes, weights, and what is known about a family by its name."""
