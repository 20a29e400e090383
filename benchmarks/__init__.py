"""Speed, measured: `make bench` runs all of it, `python -m benchmarks NAME ...` some."""
