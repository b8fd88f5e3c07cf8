"""The command line: one file a group of commands, each talking straight to Postgres."""
