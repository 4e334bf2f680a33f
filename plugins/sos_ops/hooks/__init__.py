"""Thin skins for Airflow: hooks."""
