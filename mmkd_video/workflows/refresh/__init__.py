"""A trained student updated with new clips or classes, and what it forgot."""
