"""What differs in every version."""

VERSION = 0
