"""Ways to show results, one pure function a module."""
