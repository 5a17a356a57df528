"""Alembic's environment and one file for each released schema."""
