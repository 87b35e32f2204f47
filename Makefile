# What one does here; each target installs or builds what it needs and says so.

.PHONY: help demo cluster-demo test build install tidy

help:
	@echo "make demo     build everything, start Lambent, run a first function, stop"
	@echo "make cluster-demo   build everything, run a cluster of three zones under load on this machine"
	@echo "make test     every test there is"
	@echo "make build    target/release/lambent with its runtimes"
	@echo "make install  the same into PREFIX (default /usr/local)"
	@echo "make tidy     the rules of the tree, formatting, lints"

demo:
	@tools/demo

cluster-demo:
	@tools/cluster-demo $(DEMO)

test:
	@tools/test

build:
	@tools/build

install: build
	@tools/install "$(DESTDIR)$(or $(PREFIX),/usr/local)"

tidy:
	@tools/tidy
