"""Measurements of how much of a recognizer's accuracy is left on corrupted and attacked clips."""
