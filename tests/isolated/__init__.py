"""The worker on an interpreter of its own, and the job with the standard library alone."""
