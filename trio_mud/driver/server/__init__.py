"""The master server: accepting, serving, shutting down."""
