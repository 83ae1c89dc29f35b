// The program jobtable makes the rows of an application's own job table into runs, and writes back how they ended.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/testrun-dev/testrun/internal/jobtable"
)

// version is set by the build.
var version = "dev"

// errUsage means that the command line is wrong.
var errUsage = errors.New("the command line is wrong")

const usage = `usage: jobtable [flags]        follow the JobTables of a namespace
       jobtable trigger FILE  print the SQL of the trigger with which PostgreSQL says at once that there is a new row.
                              FILE holds JobTables as YAML; - is standard input. Nothing is run.
       jobtable version
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "version":
			fmt.Fprintln(out, version)
			return nil
		case "trigger":
			return trigger(args[1:], in, out)
		}
	}
	return follow(ctx, args, out)
}

// trigger prints the SQL for the JobTables in a file.
func trigger(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%w: jobtable trigger takes one file, or - for standard input", errUsage)
	}
	if args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	sql, err := jobtable.Triggers(in)
	if err != nil {
		return err
	}
	fmt.Fprint(out, sql)
	return nil
}

// follow does the work until ctx ends.
func follow(ctx context.Context, args []string, out io.Writer) error {
	options, logOptions, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, usage, "\nflags:\n", helpOf())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w, see --help: %w", errUsage, err)
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logOptions)))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	config.QPS = -1 // the API server's priority and fairness limits us, per flow, and knows better how much
	config.UserAgent = "testrun-jobtable/" + version
	mgr, err := jobtable.NewManager(config, options)
	if err != nil {
		return err
	}
	ctrl.Log.Info("Starting to follow job tables", "version", version, "namespace", options.Namespace)
	return mgr.Start(ctx)
}

// parse reads the flags.
func parse(args []string) (options jobtable.Options, logOptions zap.Options, err error) {
	flags := flags(&options, &logOptions)
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		return options, logOptions, err
	}
	if flags.NArg() > 0 {
		return options, logOptions, fmt.Errorf("unexpected argument %q: beside trigger and version, which come first, there are flags only", flags.Arg(0))
	}
	if options.Namespace == "" {
		namespace, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
		if err != nil {
			return options, logOptions, errors.New("--namespace is needed outside a cluster")
		}
		options.Namespace = strings.TrimSpace(string(namespace))
	}
	return options, logOptions, nil
}

func flags(options *jobtable.Options, logOptions *zap.Options) *flag.FlagSet {
	flags := flag.NewFlagSet("jobtable", flag.ContinueOnError)
	if kubeconfig := flag.CommandLine.Lookup("kubeconfig"); kubeconfig != nil {
		flags.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	flags.StringVar(&options.Namespace, "namespace", "", "Namespace whose JobTables are followed; needed outside a cluster only.")
	flags.StringVar(&options.Folder, "databases", "/databases", "Folder with a file for each database, which holds its URL: a mounted Secret.")
	flags.StringVar(&options.MetricsAddress, "metrics-bind-address", ":8080", "Address of the metrics, over HTTP; 0 turns them off.")
	flags.StringVar(&options.ProbeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns them off.")
	flags.BoolVar(&options.LeaderElect, "leader-elect", false, "Let one of several replicas work at a time.")
	logOptions.BindFlags(flags)
	return flags
}

func helpOf() string {
	var options jobtable.Options
	var logOptions zap.Options
	var text strings.Builder
	flags := flags(&options, &logOptions)
	flags.SetOutput(&text)
	flags.PrintDefaults()
	return text.String()
}
