"""A trained student becomes smaller, or a file that runs without PyTorch."""
