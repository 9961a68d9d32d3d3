"""Recording of connections: a transport around a transport, the journal of its bytes, and the files."""
