"""The command line, by audience."""
