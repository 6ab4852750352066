"""What became of the jobs: verdicts, the terminal's table, the page. Writes ``compat_matrix/report/``."""
