"""Matrix + coefficients -> contributions, scores, ranks and flags (method §6), and what is told about a list.

What does not belong here: how weights come about, and any decision: the list is the input of a meeting of people.
"""
