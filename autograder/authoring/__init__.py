"""What an author writes, and what is made of it: questions, lessons, keys, releases, sample classes."""
