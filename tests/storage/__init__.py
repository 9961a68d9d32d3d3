"""Storage, module by module; `test_contract.py` runs on every backend."""
