"""How many mistakes in the driver its tests would find. `nox -s mutation` plants them, by mutmut."""
