"""The command line: what the user types comes in, calls into the other rooms go out; each subcommand is one file."""
