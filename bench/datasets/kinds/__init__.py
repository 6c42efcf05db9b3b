"""The kinds of datasets: one module each."""
