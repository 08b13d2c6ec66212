"""What a host of many cities sees: a file of aggregates of each city, one database, one page (docs/host-tables.md).

A city gives what its analysts' database tells of all its children together; the host reads the files and nothing else
of a city.
"""
