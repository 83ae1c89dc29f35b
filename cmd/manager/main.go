// The manager runs TestRun's controllers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/testrun-dev/testrun/controllers"
)

// version is set by the build.
var version = "dev"

type options struct {
	controllers.Options
	process     controllers.Process
	runnerImage string
	runnerMount string
	archive     archiveFlags
}

func main() {
	opts, logOptions, err := parse(os.Args[1:])
	logThrough(zap.New(zap.UseFlagOptions(&logOptions)))
	switch {
	case errors.Is(err, flag.ErrHelp):
		flag.CommandLine.SetOutput(os.Stdout)
		flag.PrintDefaults()
		return
	case err != nil:
		ctrl.Log.Error(err, "The flags are wrong, see --help")
		os.Exit(2)
	}
	if err := run(ctrl.SetupSignalHandler(), opts); err != nil {
		ctrl.Log.Error(err, "The manager has stopped")
		os.Exit(1)
	}
}

// parse reads the flags. It prints nothing: a wrong flag is a line of the log too.
func parse(args []string) (opts options, logOptions zap.Options, err error) {
	flag.CommandLine.Init("manager", flag.ContinueOnError)
	flag.CommandLine.SetOutput(io.Discard)
	flag.StringVar(&opts.process.MetricsAddress, "metrics-bind-address", ":8443", "Address of the metrics endpoint; 0 turns it off.")
	flag.BoolVar(&opts.process.MetricsSecure, "metrics-secure", true, "Serve metrics over HTTPS, to those whom RBAC allows to read them.")
	flag.StringVar(&opts.process.ProbeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns them off.")
	flag.StringVar(&opts.process.PprofAddress, "pprof-bind-address", "0", "Address of /debug/pprof, for profiles; 0 turns it off. Anybody who gets there may read them.")
	flag.BoolVar(&opts.process.LeaderElect, "leader-elect", false, "Let one of several replicas work at a time.")
	flag.StringVar(&opts.process.LeaderNamespace, "leader-election-namespace", "", "Namespace of the leader's Lease, and of the archive's ConfigMap; needed outside a cluster only.")
	flag.IntVar(&opts.Concurrency, "concurrency", 16, "Number of runs that are reconciled at the same time.")
	flag.IntVar(&opts.DeletionsPerSecond, "deletions-per-second", 10, "Number of finished runs that retention deletes in a second.")
	flag.DurationVar(&opts.TestGracePeriod, "test-grace-period", 30*time.Second, "How long a run waits for a Test that does not exist.")
	flag.DurationVar(&opts.QueueGracePeriod, "queue-grace-period", 30*time.Second, "How long a run waits for a TestQueue that does not exist.")
	flag.IntVar(&opts.DefaultQueueLimit, "default-queue-limit", 0,
		"How many runs of the queue default may run at once while there is no TestQueue of that name; 0 is any number.")
	flag.StringVar(&opts.runnerImage, "runner-image", "", "Image of the runner, which reads a test's results; test pods pull it.")
	flag.StringVar(&opts.runnerMount, "runner-mount", mountAuto,
		"How the runner gets into a test's pod: image-volume, init-container, or auto, which is an image volume from Kubernetes 1.35 on.")
	flag.StringVar(&opts.archive.url, "archive-url", "", "URL of the port to which tests push what is kept, https://HOST:PORT; empty is no archive.")
	flag.StringVar(&opts.archive.pins, "archive-pin", "",
		"SHA-256 of the public key of the archive's certificate, in hex, or two with a comma; empty takes what the server writes into its ConfigMap.")
	flag.DurationVar(&opts.archive.patience, "retention-waits-for-archive", 24*time.Hour,
		"How long a finished run that is due is kept at most because the archive does not have it yet; 0 does not wait.")
	logOptions = logDefaults()
	logOptions.BindFlags(flag.CommandLine)
	if err := flag.CommandLine.Parse(args); err != nil {
		return opts, logOptions, err
	}
	if rest := flag.Args(); len(rest) > 0 {
		return opts, logOptions, fmt.Errorf("unexpected argument %q: the manager has flags only", rest[0])
	}
	return opts, logOptions, nil
}

func run(ctx context.Context, opts options) error {
	var err error
	if opts.Archive, err = newArchive(opts.archive, opts.process.LeaderNamespace); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	config.QPS = -1 // the API server's priority and fairness limits us, per flow, and knows better how much
	config.UserAgent = "testrun-manager/" + version
	opts.Metrics = metrics.Registry
	if opts.Runner, err = newRunner(config, opts); err != nil {
		return err
	}
	mgr, err := controllers.NewManager(ctx, config, opts.process, nil)
	if err != nil {
		return err
	}
	if _, err := controllers.SetupAll(ctx, mgr, opts.Options); err != nil {
		return err
	}
	if err := controllers.AddHealthChecks(mgr); err != nil {
		return err
	}
	ctrl.Log.Info("Starting the manager", "version", version, "runnerImage", opts.Runner.Image, "runnerMount", opts.Runner.Mount,
		"archiveURL", opts.Archive.URL)
	return mgr.Start(ctx)
}
