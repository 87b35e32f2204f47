require("nothing-like-this");
