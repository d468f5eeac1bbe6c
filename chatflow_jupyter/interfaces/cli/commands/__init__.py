"""One module per family of commands: `add_commands` declares them, the rest runs them."""
