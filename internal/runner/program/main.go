//go:build linux

// Package program is the runner, as it runs in a test's container: it runs the test's command, passes its output on, and
// reports the results that it reads on the way.
package program

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/testrun-dev/testrun/internal/runner"
)

// exitUsage is the exit code for a command line that is no use.
const exitUsage = 2

// The memory is the test's: it counts against its limit. The heap grows by heapGrowth percent before the garbage collector works, which costs
// no more time than the usual 100 here, and from memoryLimit on it works harder.
const (
	heapGrowth  = 50
	memoryLimit = 8 << 20
)

// Main is the whole program. It returns the exit code.
func Main(args []string) int {
	debug.SetGCPercent(heapGrowth)
	debug.SetMemoryLimit(memoryLimit)
	// On several processors of a busy node a reader may run on while its garbage collector waits for one, and fill the memory.
	runtime.GOMAXPROCS(1)
	code, err := run(args)
	if err != nil {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the exit code counts, even if nobody reads this
		fmt.Fprintln(os.Stderr, "runner:", err)
	}
	return code
}

func run(args []string) (int, error) {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		runner.Usage(os.Stdout)
		return 0, nil
	}
	switch verb := args[0]; verb {
	case runner.Run:
		opts, err := runner.Parse(args)
		if err != nil {
			return exitUsage, err
		}
		return runTest(opts)
	case runner.Install:
		if len(args) != 2 {
			return exitUsage, errors.New("install takes one argument: the file to copy the runner to")
		}
		if err := install(args[1]); err != nil {
			return 1, fmt.Errorf("installing the runner: %w", err)
		}
		return 0, nil
	default:
		return exitUsage, fmt.Errorf("there is no verb %q: it is %s or %s", verb, runner.Run, runner.Install)
	}
}

func install(path string) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	target, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, self)
	return errors.Join(err, target.Chmod(0o755), target.Close())
}
