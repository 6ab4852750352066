"""What became of the time that a training has cost. Pure: rows in, figures out; no file, no clock, no terminal.

``definitions`` is the table of what is measured, ``rows`` collects what one attempt's rows say, ``attempt`` divides
the attempt's time, ``trainings`` groups attempts, ``training`` adds them up, ``document`` is the JSON form. Times are
whole microseconds inside (v1's floats of ms are no finer), ms in all that leaves the package.
"""
