"""What views see of a surface comes in, what a network says that it should be goes out."""
