//go:build linux

// The runner is process 1 of a test's container: it runs the test's command, passes its output on, and reports the results that
// it reads on the way. The operator puts it into the pod; see docs/results.md.
package main

import (
	"os"

	"github.com/testrun-dev/testrun/internal/runner/program"
)

func main() { os.Exit(program.Main(os.Args[1:])) }
