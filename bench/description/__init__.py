"""Description: texts about recordings, and titles of their clusters."""
