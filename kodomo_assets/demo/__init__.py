"""The synthetic city: writes deliveries like a real one, with a known truth beside the inbox. No person in it exists.

A guest: nothing else in the package knows it, and a city's real inbox takes its place.
"""
