"""The benchmark and the cost model, with the peers it compares against."""
