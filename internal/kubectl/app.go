// Package kubectl is the plugin `kubectl testrun`: its commands, what they ask the cluster, and what they do about mistakes. What they say is
// written by its folder show, and what runs in the cluster beside the API server is asked by its folder remote.
package kubectl

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/klog/v2"

	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// Exit codes. Those up to 4 are verdicts, and nothing else ends with them.
const (
	ExitPassed      = 0
	ExitFailed      = 1
	ExitError       = 2
	ExitTimedOut    = 3
	ExitCancelled   = 4
	ExitUsage       = 10  // the command line is wrong
	ExitProblem     = 11  // it could not be done: no cluster, no right, no such run
	ExitStillRuns   = 12  // --timeout is over, and the run has not finished
	ExitInterrupted = 130 // Ctrl-C, as of every program
)

// app is one call of the plugin.
type app struct {
	genericiooptions.IOStreams
	config  *genericclioptions.ConfigFlags
	version string
	// system is the namespace of the operator and the server.
	system string
	// archive is where the server of the archive is: an address, or none; empty to find it in the cluster.
	archive, archiveCA string
	archiveInsecure    bool
	now                func() time.Time
	// printer prints objects; nil before the first one.
	printer printers.ResourcePrinter
}

// exit ends the plugin with a code. It says nothing more if there is no error.
type exit struct {
	code int
	err  error
}

// Error is empty if everything was said.
func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap is what happened.
func (e *exit) Unwrap() error { return e.err }

// several is what went wrong with several runs.
type several []error

// Error is a line for each.
func (s several) Error() string { return errors.Join(s...).Error() }

// Unwrap are the errors.
func (s several) Unwrap() []error { return s }

// usage is a mistake on the command line.
func usage(format string, values ...any) error {
	return &exit{ExitUsage, fmt.Errorf(format, values...)}
}

// Completer is the name under which kubectl asks the plugin for completions.
const Completer = "kubectl_complete-testrun"

// Main does what the command line says, and returns the exit code.
func Main(ctx context.Context, args []string, streams genericiooptions.IOStreams, version string) int {
	a := &app{IOStreams: streams, version: version, now: time.Now}
	root := a.command() //nolint:contextcheck // each command gets the context when it is executed
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	err := root.ExecuteContext(ctx)
	var ending *exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ending) && ending.err == nil:
		return ending.code
	case ctx.Err() != nil:
		return ExitInterrupted
	}
	var all several
	if !errors.As(err, &all) {
		all = several{err}
	}
	for _, one := range all {
		fmt.Fprintln(streams.ErrOut, "error: "+show.Clean(strings.TrimSpace(one.Error())))
	}
	if errors.As(err, &ending) {
		return ending.code
	}
	return ExitProblem
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-testrun",
		Short: "Run tests as jobs of Kubernetes, watch them, and find out why they failed",
		Long: `Run tests as jobs of Kubernetes, watch them, and find out why they failed.

It works with the objects in the cluster alone. Where the server of the archive is installed, it also shows runs that are
gone, all cases, and which failures are new. docs/kubectl-testrun.md shows each command by example.

Exit codes of "wait", "run --wait" and whatever else waits for a verdict:
  0 passed, 1 failed, 2 error, 3 timed out, 4 cancelled
Other exit codes, of every command:
  10 the command line is wrong, 11 it could not be done, 12 the run has not finished within --timeout, 130 interrupted`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl testrun"},
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          a.noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.addFlags(root)
	root.AddGroup(&cobra.Group{ID: "runs", Title: "Runs:"}, &cobra.Group{ID: "look", Title: "Find out:"}, &cobra.Group{ID: "more", Title: "More:"})
	for id, commands := range map[string][]*cobra.Command{
		"runs": {a.runCommand(), a.listCommand(), a.watchCommand(), a.waitCommand(), a.cancelCommand(), a.rerunCommand(), a.pinCommand(), a.unpinCommand()},
		"look": {a.logsCommand(), a.resultsCommand(), a.whyCommand()},
		"more": {a.queueCommand(), a.uiCommand(), a.versionCommand()},
	} {
		for _, command := range commands {
			command.GroupID = id
			root.AddCommand(command)
		}
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w. %s --help shows the flags", err, cmd.CommandPath())
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.CompletionOptions.SetDefaultShellCompDirective(noFiles)
	return root
}

func (a *app) addFlags(root *cobra.Command) {
	a.config = genericclioptions.NewConfigFlags(true)
	a.config.AddFlags(root.PersistentFlags())
	flags := root.PersistentFlags()
	flags.StringVar(&a.system, "testrun-namespace", cmp.Or(os.Getenv("TESTRUN_SYSTEM_NAMESPACE"), "testrun-system"), "Namespace of TestRun's operator and server")
	flags.StringVar(&a.archive, "archive", os.Getenv("TESTRUN_ARCHIVE"), "Address of the server of the archive; none to use the objects alone. Found in the cluster if left out")
	flags.StringVar(&a.archiveCA, "archive-ca", os.Getenv("TESTRUN_ARCHIVE_CA"), "File with the CA of the certificate of --archive")
	flags.BoolVar(&a.archiveInsecure, "archive-insecure", false, "Trust whoever answers at --archive, and send them your token")
	addLogging(root)
	a.completeFlags(root)
}

// addLogging adds kubectl's flag -v, which shows each request. Without it client-go says nothing of its own: whatever matters comes as an error.
func addLogging(root *cobra.Command) {
	all := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(all)
	level := all.Lookup("v")
	root.PersistentFlags().AddGoFlag(level)
	root.PersistentPreRun = func(*cobra.Command, []string) {
		if level.Value.String() == "0" {
			klog.SetLogger(logr.Discard())
		}
	}
}

// noSuchCommand says which command may have been meant.
func (a *app) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, command := range cmd.Commands() {
		if command.IsAvailableCommand() {
			names = append(names, command.Name())
		}
	}
	return usage("%s", sentences(fmt.Sprintf("there is no command %q", args[0]), didYouMean(args[0], names), cmd.CommandPath()+" --help shows all"))
}

// exactly is for commands with so many arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %s, and was given %s. %[1]s --help shows examples", cmd.CommandPath(), what, count(len(args), "argument"))
		}
		return nil
	}
}

// atLeast is for commands with so many arguments or more.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usage("%s takes %s. %[1]s --help shows examples", cmd.CommandPath(), what)
		}
		return nil
	}
}

func count(n int, word string) string { return show.Count(int64(n), word) }

// note says something that is not the answer.
func (a *app) note(format string, values ...any) {
	fmt.Fprintln(a.ErrOut, show.Clean(fmt.Sprintf(format, values...)))
}

// terminal is the file behind a stream, if that is a terminal which can do more than print lines.
func terminal(stream io.Writer) (*os.File, bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	kind := os.Getenv("TERM")
	return file, kind != "" && kind != "dumb"
}

// look says how what is written to a stream is to look.
func look(stream io.Writer) show.Look {
	_, ok := terminal(stream)
	return show.Look{Colors: ok && os.Getenv("NO_COLOR") == ""}
}

// tell writes in one line how a run is.
func (a *app) tell(stream io.Writer, run show.Run) {
	fmt.Fprintln(stream, look(stream).Brief(run, a.now()))
}
