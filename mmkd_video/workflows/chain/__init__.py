"""Trainings in a row: the student of each is the teacher of the next."""
