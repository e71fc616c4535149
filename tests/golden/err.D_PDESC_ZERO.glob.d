nosuch*:::entry { }
