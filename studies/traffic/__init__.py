"""Traffic signals that learn, compared with fixed-time signals: `python -m studies.traffic`."""
