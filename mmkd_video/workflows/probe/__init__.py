"""Training of heads on a frozen encoder."""
