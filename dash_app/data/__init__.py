"""The one way from the page to what the platform knows: a port, its test double, and its PostgreSQL adapter."""
