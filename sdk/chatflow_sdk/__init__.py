"""What a notebook imports: `from chatflow_sdk import phase`."""
