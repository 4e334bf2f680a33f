"""The mathematics of safety: pure functions on numbers and arrays. No I/O, no Airflow, no clock."""
