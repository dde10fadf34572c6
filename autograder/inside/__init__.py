"""What runs in a student's process: cells, probes, the watch, walls and wire. No answer is here, and no judgement."""
