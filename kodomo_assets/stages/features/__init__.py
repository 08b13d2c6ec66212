"""Rows + links -> one level per child and item, and the labels (items.yaml, method §4).

What does not belong here: what a level weighs, and how a row reaches its child.
"""
