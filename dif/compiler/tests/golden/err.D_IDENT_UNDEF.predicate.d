BEGIN /nothing/ { }
