BEGIN { @[@a] = count(); }
