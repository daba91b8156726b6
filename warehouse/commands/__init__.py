"""The commands of `python -m warehouse`: the one place where the house is put together.

Only here, and in `__main__`, does `warehouse` import the other folders.
"""
