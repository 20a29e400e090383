"""Running time: `make bench` runs all benchmarks, `python -m benchmarks NAME ...` some."""
