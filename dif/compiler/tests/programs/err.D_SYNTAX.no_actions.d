plain:::go
