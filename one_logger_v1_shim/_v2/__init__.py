"""How v2 hears v1's calls, and what it tells our exporter. The only room that knows v2's names."""
