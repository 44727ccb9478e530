# Every chore is a script in scripts/. ARGS are passed on: make test ARGS="tests/search -k ties"
.PHONY: setup demo test check docs bench
.SILENT:

setup: ## everything that a change needs
	scripts/setup demo test dev

demo:
	scripts/demo $(ARGS)

test:
	scripts/test $(ARGS)

check:
	scripts/check

docs:
	scripts/docs $(ARGS)

bench:
	scripts/bench $(ARGS)
