"""The long forms: `make soak` runs them, `make test` does not."""
