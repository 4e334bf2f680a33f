"""One folder per page: its layout, its callbacks, and what wires them."""
