"""How does v2 hear of it, and what does it tell our exporter? The only room that knows v2's words."""
