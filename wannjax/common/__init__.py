"""What every room uses: checks of arguments, settings, devices, processes, files. Imports no other
room.
"""
