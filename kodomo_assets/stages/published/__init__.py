"""The analysts' database: the views over what is published, and the proof that it tells who nobody is."""
