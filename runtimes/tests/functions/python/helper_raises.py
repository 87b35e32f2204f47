raise KeyError("below")
