BEGIN { this->x = 1; y = &this->x; }
