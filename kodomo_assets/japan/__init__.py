"""The only place that knows Japanese writing and calendars: text and match keys, eras, school years.

Pure functions of one cell or one day. What does not belong here: tables, files, children.
"""
