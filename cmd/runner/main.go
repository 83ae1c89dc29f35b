//go:build linux

// The runner is process 1 of a test's container: it runs the test's command, passes its output on, and reports the results that
// it reads on the way. The operator puts it into the pod; see docs/results.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"
)

const usage = `The runner runs a test's command and reports its results.

  runner run [flags] -- COMMAND [ARG...]   run the command; exit as it does
  runner install FILE                      copy the runner to that file

Flags of run:
`

// exitUsage is the exit code for a command line that is no use.
const exitUsage = 2

// memoryLimit is where the garbage collector begins to work harder. The memory is the test's: it counts against its limit.
const memoryLimit = 10 << 20

func main() {
	debug.SetMemoryLimit(memoryLimit)
	// On several processors of a busy node a reader may run on while its garbage collector waits for one, and fill the memory.
	runtime.GOMAXPROCS(1)
	code, err := run(os.Args[1:])
	if err != nil {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the exit code counts, even if nobody reads this
		fmt.Fprintln(os.Stderr, "runner:", err)
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	var opts options
	flags := flag.NewFlagSet("runner", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main says what is wrong
	flags.StringVar(&opts.format, "format", formatAuto, "Format of the results: Auto, TAP, JUnit or GoTest.")
	flags.StringVar(&opts.pattern, "path", "**/*.xml", "Where JUnit files are, below the folder that $TESTRUN_RESULTS names.")
	flags.StringVar(&opts.reportFile, "report", "/dev/termination-log", "File that the report is written to.")
	flags.DurationVar(&opts.grace, "grace", 28*time.Second, "Time from SIGTERM to SIGKILL of what is left.")
	flags.StringVar(&opts.stopSignal, "stop-signal", "", "A signal that tells to stop, beside SIGTERM and its like.")
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Print(usage)
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return 0, nil
	}
	switch verb := args[0]; verb {
	case "run":
		if err := flags.Parse(args[1:]); err != nil {
			return exitUsage, err
		}
		return runTest(opts, flags.Args())
	case "install":
		if len(args) != 2 {
			return exitUsage, errors.New("install takes one argument: the file to copy the runner to")
		}
		if err := install(args[1]); err != nil {
			return 1, fmt.Errorf("installing the runner: %w", err)
		}
		return 0, nil
	default:
		return exitUsage, fmt.Errorf("there is no verb %q: it is run or install", verb)
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
