"""The command line. Start-up imports nothing heavy: commands import what they need when they run."""
