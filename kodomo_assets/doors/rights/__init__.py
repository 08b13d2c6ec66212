"""What is stored about one person, for that person: the draft of a 開示 for the officer, and what is released of it."""
