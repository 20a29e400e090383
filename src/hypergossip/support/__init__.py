"""What every layer above uses: checks of arguments, compilation, devices and processes, the registry of names."""
