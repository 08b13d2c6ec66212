"""The only place that connects to DuckDB: connect, make declared tables, replace partitions, pseudonyms, publish.

What does not belong here: any rule about children; the store moves what the stages computed.
"""
