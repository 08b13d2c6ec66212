"""Weights from many cities, records from none (cities.md, 2): sums that nobody but their total can read."""
