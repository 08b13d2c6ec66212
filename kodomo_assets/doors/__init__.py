"""The ways in beside Dagster's: the commands that try a file or a configuration, the web server with its guard; and the
event log that Dagster is told to use.
"""
