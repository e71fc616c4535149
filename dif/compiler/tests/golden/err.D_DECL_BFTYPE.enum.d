enum e { A };
struct s { enum e a : 2; };
BEGIN { }
