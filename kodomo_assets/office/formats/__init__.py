"""What offices send -> grids: text files and workbooks of every kind, opened with care, every cell as text."""
