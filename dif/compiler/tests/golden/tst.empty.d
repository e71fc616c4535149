BEGIN { }
END { }
