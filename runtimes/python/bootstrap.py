"""What the interpreter is started with. Everything is in the package beside it, because a module that is
imported is read compiled, while this file is compiled anew at every start."""
from lambent_runtime import bootstrap

bootstrap.main()
