"""Pure functions from the port's values to Plotly figures as plain dictionaries."""
