struct i { int a; }; struct o { int b; };
translator struct o < struct i *I > { b = I->a; };
BEGIN { trace((xlate < struct o > ((struct i *)arg0)).c); }
