"""Commands: parse, call, show. The library is imported inside the commands, so that help costs nothing."""
