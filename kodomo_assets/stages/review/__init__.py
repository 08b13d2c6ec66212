"""The list -> the meeting, the schools, and what comes back from them (method §7).

Data ends here and people begin: files for people are written, what they decide is read. What does not belong here:
scores and ranks (screening), and what came of it all (evaluation).
"""
