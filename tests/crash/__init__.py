"""The crash drill: a process that saves under load is killed again and again."""
