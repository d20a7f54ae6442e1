"""Writers of this repository's documents; not installed. Run each as ``python -m dev.<name>`` from its root."""
