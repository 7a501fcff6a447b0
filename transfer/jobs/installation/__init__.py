"""Whether this machine will do, and a project to start from."""
