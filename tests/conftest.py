"""What all tests share."""

pytest_plugins = ["pytester"]  # for the tests of the kit's own plugin
