"""What comes back: decisions of the meeting, 個人票, support given (method §7). Its tables are those of schema review.

What does not belong here: what goes out (review), and what is counted of it (evaluation).
"""
