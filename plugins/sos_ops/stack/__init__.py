"""The programs of `make up`: PostgreSQL, the simulated BMS, Airflow and the page, run and ended together."""
