// Package runner is the command line of the runner: the program that runs a test's command as process 1 of its container and
// reports the results. The operator writes the command line and the program reads it, both with this package. The program
// itself is in the folder program, which the operator does not import: it needs Linux.
package runner

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// The verbs of the runner, its first argument.
const (
	// Run runs a test's command. Options are what follows.
	Run = "run"
	// Install copies the runner to the file that follows.
	Install = "install"
)

// Auto is the format that stands for whichever is there: v1alpha1.ResultsAuto.
const Auto = "Auto"

// formats are the formats that the runner can be told to read.
var formats = []string{Auto, string(results.TAP), string(results.JUnit), string(results.GoTest)}

// What empty options stand for.
const (
	DefaultPath   = "**/*.xml"
	DefaultReport = "/dev/termination-log"
)

// DefaultGrace is what fits Kubernetes' default grace period of 30 seconds.
const DefaultGrace = 28 * time.Second

// Options say what to run, and how to read and report its results.
type Options struct {
	// Format is the format of the results: Auto, TAP, JUnit or GoTest.
	Format string
	// Path says where JUnit files are, below the folder for them: a pattern. Empty means DefaultPath.
	Path string
	// Report is the file that the report is written to. Empty means DefaultReport.
	Report string
	// Grace is the time from SIGTERM to SIGKILL of what is left.
	Grace time.Duration
	// StopSignal names a signal that tells the test to stop, beside SIGTERM and its like. Empty means none.
	StopSignal string
	// Identity is what the test is told in variables. Without one it has these from the container, or not at all.
	Identity Identity
	// Archive is the URL of the server that keeps what the test says. Empty means that nothing is pushed. Whatever it holds, the test
	// runs: an archive that cannot be used is said in the report.
	Archive string
	// ArchivePins are what the server's key may be, one or two: the SHA-256 of its certificate's SubjectPublicKeyInfo in hex.
	ArchivePins []string
	// Command is the test's command and its arguments.
	Command []string
}

// ReadsFiles says whether results may be in JUnit files.
func (o Options) ReadsFiles() bool { return o.Format == Auto || o.Format == string(results.JUnit) }

// Args returns the arguments of the runner that stand for the options. Parse reads them.
func (o Options) Args() []string {
	args := []string{Run}
	if o.Identity != (Identity{}) {
		args = append(args, identityFlag+o.Identity.String())
	}
	if o.Format != Auto {
		args = append(args, "--format="+o.Format)
	}
	if o.Grace != DefaultGrace {
		args = append(args, "--grace="+o.Grace.String())
	}
	if o.StopSignal != "" {
		args = append(args, "--stop-signal="+o.StopSignal)
	}
	if o.Path != "" {
		args = append(args, "--path="+o.Path)
	}
	if o.Report != "" {
		args = append(args, "--report="+o.Report)
	}
	if o.Archive != "" {
		args = append(args, "--archive="+o.Archive)
	}
	if len(o.ArchivePins) > 0 {
		args = append(args, "--archive-pin="+strings.Join(o.ArchivePins, ","))
	}
	return slices.Concat(args, []string{"--"}, o.Command)
}

// Parse reads the arguments of the runner, of which the first is Run.
func Parse(args []string) (Options, error) {
	if len(args) == 0 || args[0] != Run {
		return Options{}, fmt.Errorf("the first argument is not %s", Run)
	}
	var o Options
	flags := flagsFor(&o)
	if err := flags.Parse(args[1:]); err != nil {
		return Options{}, err
	}
	if !slices.Contains(formats, o.Format) {
		return Options{}, fmt.Errorf("--format is %q: it is one of %s", o.Format, strings.Join(formats, ", "))
	}
	if flags.NArg() > 0 {
		o.Command = flags.Args()
	}
	return o, nil
}

// flagsFor returns the flags that set the options.
func flagsFor(o *Options) *flag.FlagSet {
	flags := flag.NewFlagSet("runner", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller says what is wrong
	flags.Var(&o.Identity, "identity", "Which execution it is, NAMESPACE/NAME/UID/ATTEMPT: the test is told so in the variables "+EnvName+" and so on.")
	flags.StringVar(&o.Format, "format", Auto, "Format of the results: Auto, TAP, JUnit or GoTest.")
	flags.StringVar(&o.Path, "path", "", "Where JUnit files are, below the folder that $"+EnvResults+" names (default \""+DefaultPath+"\").")
	flags.StringVar(&o.Report, "report", "", "File that the report is written to (default \""+DefaultReport+"\").")
	flags.DurationVar(&o.Grace, "grace", DefaultGrace, "Time from SIGTERM to SIGKILL of what is left.")
	flags.StringVar(&o.Archive, "archive", "", "URL of the server that keeps what the test says, https://HOST:PORT (default: nothing is pushed).")
	flags.Func("archive-pin", "Key of that server: the SHA-256 of its SubjectPublicKeyInfo in hex; or two of them, with a comma.", func(pins string) error {
		o.ArchivePins = strings.Split(pins, ",")
		return nil
	})
	flags.StringVar(&o.StopSignal, "stop-signal", "", "A signal that tells to stop, beside SIGTERM and its like.")
	return flags
}

const usage = `The runner runs a test's command and reports its results.

  runner run [flags] -- COMMAND [ARG...]   run the command; exit as it does
  runner install FILE                      copy the runner to that file

Flags of run:
`

// Usage writes how the runner is called.
func Usage(out io.Writer) {
	_, _ = io.WriteString(out, usage)
	flags := flagsFor(&Options{})
	flags.SetOutput(out)
	flags.PrintDefaults()
}
