"""What students use: the check in the notebook, and the check of every push."""
