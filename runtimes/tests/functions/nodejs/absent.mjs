import "nothing-like-this";
