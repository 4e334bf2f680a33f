"""Thin skins of Airflow over the platform's steps."""
