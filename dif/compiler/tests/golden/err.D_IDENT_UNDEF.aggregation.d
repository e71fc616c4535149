BEGIN { x = @nosuch; }
