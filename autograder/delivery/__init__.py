"""What leaves the course and what comes back: repositories, bundles, wheels; collected submissions."""
