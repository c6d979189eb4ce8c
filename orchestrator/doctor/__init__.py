"""What is wrong with this instance, and what to do: the examination behind `manage.py doctor`.

Each module looks at one thing and yields findings; they read only (the archive is tried
with one small object that is deleted again). They need neither web nor an engine process.
"""
