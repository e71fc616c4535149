BEGIN { sym((int *)arg0); }
