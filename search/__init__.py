"""What is answered: a question becomes passages, and passages become quotes one can check."""
