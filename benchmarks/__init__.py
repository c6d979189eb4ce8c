"""What Gantry costs on top of the engine it drives: `make bench`, docs/performance.md."""
