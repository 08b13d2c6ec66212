"""Why a child stands where it stands: one table of factors per child, which page, workbook, view and command read.

What does not belong here: how a level or a contribution comes about (features, screening).
"""
