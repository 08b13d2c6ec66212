"""The list -> the meeting and the schools (method §7): files for people.

What does not belong here: scores and ranks (screening), what comes back (outcomes), what came of it all (evaluation).
"""
