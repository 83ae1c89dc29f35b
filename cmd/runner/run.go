//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/supervise"
)

// formatAuto is v1alpha1.ResultsAuto: whichever format is there.
const formatAuto = "Auto"

// envResults names the folder for JUnit files: see v1alpha1.EnvResults.
const envResults = "TESTRUN_RESULTS"

type options struct {
	format     string
	pattern    string
	reportFile string
	grace      time.Duration
}

// exitCannotRun is the exit code of shells for a command that cannot be executed.
const exitCannotRun = 126

// runTest runs the command, reports, and returns the command's exit code. The error is for the log.
func runTest(opts options, command []string) (int, error) {
	formats := []string{formatAuto, string(results.TAP), string(results.JUnit), string(results.GoTest)}
	if !slices.Contains(formats, opts.format) {
		return exitUsage, fmt.Errorf("--format is %q: it is one of %s", opts.format, strings.Join(formats, ", "))
	}
	collector := newCollector(opts)
	reports := &reporting{to: terminationMessage{opts.reportFile}, collect: collector.report}
	stdout, stderr := supervise.Stream{To: os.Stdout}, supervise.Stream{To: os.Stderr}
	if collector.readsStreams() {
		stdout.Tee = func(output []byte) { collector.stdout(output); reports.changed() }
		stderr.Tee = collector.stderr
	}
	dir := os.Getenv(envResults)
	if err := collector.prepare(dir); err != nil {
		return exitCannotRun, errors.Join(err, reports.end(&results.Report{Final: true, NotStarted: err.Error()}))
	}
	result, err := supervise.Run(supervise.Command{Args: command, Grace: opts.grace, Stdin: os.Stdin, Stdout: stdout, Stderr: stderr})
	var notStarted *supervise.StartError
	if errors.As(err, &notStarted) {
		return notStarted.ExitCode(), errors.Join(err, reports.end(&results.Report{Final: true, NotStarted: err.Error()}))
	}
	collector.end(dir)
	report := collector.report()
	report.Final = true
	return result.ExitCode, errors.Join(err, reports.end(report))
}
