"""What distillation costs, and how fast its results run."""
