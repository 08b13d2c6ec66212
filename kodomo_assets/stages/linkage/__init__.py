"""Rows -> children and their links: who is a child of the spine, and which records are whose (method §3).

What does not belong here: what a record means for a child (features).
"""
