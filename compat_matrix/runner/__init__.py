"""Makes the environments of the cells and runs their jobs, each in a process of its own."""
