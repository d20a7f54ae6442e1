"""The ground: what every room stands on, and what knows of no other room."""
