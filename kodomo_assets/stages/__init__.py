"""What the project is for, one package a stage: plain functions and SQL that a test can run without Dagster.

A stage is handed an open connection, reads declared tables and temp views, and leaves its result in temp tables
``new_<table>``; the caller stores them. No stage imports dagster, store, defs or demo.
"""
