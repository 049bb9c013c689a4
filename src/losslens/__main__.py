"""``python -m losslens`` is the command ``losslens``."""

from losslens.faces.cli import main

if __name__ == "__main__":
    main()
