"""The ways in beside Dagster's: the commands that try a file or a configuration, the web server with its guard."""
