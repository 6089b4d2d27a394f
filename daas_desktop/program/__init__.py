"""The program that a session is for: its process, and its windows on the screen."""
