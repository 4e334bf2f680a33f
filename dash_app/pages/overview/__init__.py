"""The first page: choose tags, look at their values, combine them into an SoS and see why it fell."""
