"""What the product promises about speed and memory, measured: `python -m benchmarks [NAME…] [--json]`."""
