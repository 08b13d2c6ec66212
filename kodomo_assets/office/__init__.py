"""Files of an office: formats and the inbox, what people send back, how a workbook is written and known again.

What does not belong here: what the contract says of a table (stages.sources) and what stands in a file (its stage).
"""
