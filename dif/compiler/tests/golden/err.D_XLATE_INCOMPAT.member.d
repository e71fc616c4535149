struct i { int a; }; struct o { string b; };
translator struct o < struct i *I > { b = I->a; };
BEGIN { }
