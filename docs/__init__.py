"""The pages of the documentation, and the program that writes the parts of them that the code knows."""
