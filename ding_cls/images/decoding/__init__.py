"""How image files are opened: which kinds are read, what decoders say, what is wrong with a file."""
