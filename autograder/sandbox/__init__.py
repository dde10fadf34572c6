"""Around a student's process, and trusted: which walls this machine offers, and one confined process for each submission."""
