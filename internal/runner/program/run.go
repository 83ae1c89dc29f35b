//go:build linux

package program

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/supervise"
)

// exitCannotRun is the exit code of shells for a command that cannot be executed.
const exitCannotRun = 126

// runTest runs the command, writes the report and returns the command's exit code. If it cannot report, the exit code is not 0. The
// error is for the log.
func runTest(opts runner.Options) (int, error) {
	stopSignal := unix.SignalNum(opts.StopSignal)
	if stopSignal == 0 && opts.StopSignal != "" {
		return exitUsage, fmt.Errorf("--stop-signal is %q: it is the name of a signal, SIGUSR1 for one", opts.StopSignal)
	}
	if err := tell(opts); err != nil {
		return exitCannotRun, err
	}
	archive := openArchive(opts)
	collector := newCollector(opts, archive)
	kills := newMemoryKills("/proc/self")
	reports := &reporting{to: openTerminationMessage(cmp.Or(opts.Report, runner.DefaultReport)), collect: func() *results.Report {
		report := collector.report()
		report.MemoryKills = kills.count()
		return report
	}}
	stdout, stderr := supervise.Stream{To: os.Stdout}, supervise.Stream{To: os.Stderr}
	if collector.readsStreams() {
		stdout.Tee = func(output []byte) { collector.stdout(output); reports.changed() }
		stderr.Tee = collector.stderr
	}
	stdout.Tee, stderr.Tee = archive.tee(stdout.Tee), archive.tee(stderr.Tee)
	dir := os.Getenv(runner.EnvResults)
	if err := collector.prepare(dir); err != nil {
		return exitCannotRun, errors.Join(err, archive.end(reports, &results.Report{NotStarted: err.Error()}))
	}
	forget()
	result, err := supervise.Run(supervise.Command{
		Args: opts.Command, Grace: opts.Grace, Stdin: os.Stdin, Stdout: stdout, Stderr: stderr,
		StopSignal: stopSignal, OnLateStop: archive.onLateStop(),
		OnStop: func(signal syscall.Signal) { archive.stopped(); reports.stopped(nameOf(signal)) },
	})
	var notStarted *supervise.StartError
	if errors.As(err, &notStarted) {
		return notStarted.ExitCode(), errors.Join(err, archive.end(reports, &results.Report{NotStarted: err.Error()}))
	}
	collector.end(dir, result.ExitCode)
	if err := archive.end(reports, reports.collect()); err != nil {
		// The test's own exit code says more, unless it is 0.
		return cmp.Or(result.ExitCode, results.ExitNotReported), err
	}
	return result.ExitCode, err
}

// tell puts the identity into the environment, which the test inherits.
func tell(opts runner.Options) error {
	if opts.Identity == (runner.Identity{}) {
		return nil
	}
	variables := opts.Identity.Variables()
	if opts.ReadsFiles() {
		variables = append(variables, runner.Variable{Name: runner.EnvResults, Value: opts.Identity.ResultsDir()})
	}
	if opts.Archive != "" {
		variables = append(variables, runner.Variable{Name: runner.EnvArtifacts, Value: opts.Identity.ArtifactsDir()})
	}
	for _, variable := range variables {
		if err := os.Setenv(variable.Name, variable.Value); err != nil {
			return err
		}
	}
	return nil
}

// nameOf names a signal. Real-time signals have numbers only.
func nameOf(signal syscall.Signal) string {
	return cmp.Or(unix.SignalName(signal), fmt.Sprintf("signal %d", int(signal)))
}
