"""An attempt's log: its chunks and archive, reading, following and searching it."""
