"""`manage.py demo`: an instance that looks lived in, made by asking for jobs like anybody.

`cast` has the people, `places` the providers, `programs` what the jobs do, `wishes` the jobs
themselves, and `story` makes it all happen in order. No state is written and nothing is
dated back: the engine runs all of it, so all of it is of the last minutes.
"""
