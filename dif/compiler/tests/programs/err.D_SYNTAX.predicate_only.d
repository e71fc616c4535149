plain:::go
/1/
