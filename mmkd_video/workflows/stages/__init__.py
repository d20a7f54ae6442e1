"""Stages: one student, trained several times in a row."""
