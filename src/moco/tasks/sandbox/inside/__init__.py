"""What runs inside the sandbox: standard library only, imported there as the top-level package ``inside``.

Nothing here may import moco: the interpreter in the sandbox has no project packages.
"""
