"""The machine that this runs on: processes, temporary files, Dagster's home, and what the system refuses, in words."""
