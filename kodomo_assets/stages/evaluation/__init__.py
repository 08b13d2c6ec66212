"""What came of the list: how many children reach each step, as counts (method §6, §7).

What does not belong here: anything about a single child.
"""
