"""What was read while the platform's database is away: kept on disk, and stored on its return, once."""
