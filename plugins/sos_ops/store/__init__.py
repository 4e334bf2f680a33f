"""The only code that talks to PostgreSQL. Its SQL lies in `include/sql/`; values are always parameters."""
