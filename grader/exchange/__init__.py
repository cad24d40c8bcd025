"""Other people's formats of submissions and grades: read and write."""
