// The manager runs TestRun's controllers.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers/retention"
	"github.com/testrun-dev/testrun/controllers/testqueue"
	"github.com/testrun-dev/testrun/controllers/testrun"
	"github.com/testrun-dev/testrun/internal/queueing"
)

// version is set by the build.
var version = "dev"

// How one leader follows another. Who cannot renew the Lease tries so for renewDeadline, then as long to give it back, and works
// all that time. With retryPeriod before and a creation that is under way that is leaseDuration, when the next one may lead.
const (
	leaseDuration = 30 * time.Second
	renewDeadline = 12 * time.Second
	retryPeriod   = 2 * time.Second
	createTimeout = leaseDuration - retryPeriod - 2*renewDeadline
)

type options struct {
	metricsAddress     string
	metricsSecure      bool
	probeAddress       string
	pprofAddress       string
	leaderElect        bool
	leaderNamespace    string
	concurrency        int
	deletionsPerSecond int
	testGracePeriod    time.Duration
	queueGracePeriod   time.Duration
	defaultQueueLimit  int
	runnerImage        string
	runnerMount        string
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
	flag.StringVar(&opts.metricsAddress, "metrics-bind-address", ":8443", "Address of the metrics endpoint; 0 turns it off.")
	flag.BoolVar(&opts.metricsSecure, "metrics-secure", true, "Serve metrics over HTTPS, to those whom RBAC allows to read them.")
	flag.StringVar(&opts.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns them off.")
	flag.StringVar(&opts.pprofAddress, "pprof-bind-address", "0", "Address of /debug/pprof, for profiles; 0 turns it off. Anybody who gets there may read them.")
	flag.BoolVar(&opts.leaderElect, "leader-elect", false, "Let one of several replicas work at a time.")
	flag.StringVar(&opts.leaderNamespace, "leader-election-namespace", "", "Namespace of the leader's Lease; needed outside a cluster only.")
	flag.IntVar(&opts.concurrency, "concurrency", 16, "Number of runs that are reconciled at the same time.")
	flag.IntVar(&opts.deletionsPerSecond, "deletions-per-second", 10, "Number of finished runs that retention deletes in a second.")
	flag.DurationVar(&opts.testGracePeriod, "test-grace-period", 30*time.Second, "How long a run waits for a Test that does not exist.")
	flag.DurationVar(&opts.queueGracePeriod, "queue-grace-period", 30*time.Second, "How long a run waits for a TestQueue that does not exist.")
	flag.IntVar(&opts.defaultQueueLimit, "default-queue-limit", 0,
		"How many runs of the queue default may run at once while there is no TestQueue of that name; 0 is any number.")
	flag.StringVar(&opts.runnerImage, "runner-image", "", "Image of the runner, which reads a test's results; test pods pull it.")
	flag.StringVar(&opts.runnerMount, "runner-mount", mountAuto,
		"How the runner gets into a test's pod: image-volume, init-container, or auto, which is an image volume from Kubernetes 1.35 on.")
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
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	config.QPS = -1 // the API server's priority and fairness limits us, per flow, and knows better how much
	config.UserAgent = "testrun-manager/" + version
	runner, err := newRunner(config, opts)
	if err != nil {
		return err
	}

	mgr, err := ctrl.NewManager(config, managerOptions(ctx, opts))
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	queues := queueing.New(clock.RealClock{}, opts.defaultQueueLimit)
	metrics.Registry.MustRegister(queues)
	reconciler := &testrun.Reconciler{
		Client:           mgr.GetClient(),
		APIReader:        mgr.GetAPIReader(),
		Recorder:         mgr.GetEventRecorder("testrun-controller"),
		Clock:            clock.RealClock{},
		Metrics:          testrun.NewMetrics(metrics.Registry),
		TestGracePeriod:  opts.testGracePeriod,
		QueueGracePeriod: opts.queueGracePeriod,
		CreateTimeout:    createTimeout,
		Queues:           queues,
		Runner:           runner,
	}
	if err := reconciler.SetupWithManager(ctx, mgr, opts.concurrency); err != nil {
		return fmt.Errorf("setting up the controller: %w", err)
	}
	if err := (&testqueue.Reconciler{Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(), Queues: queues}).SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the queues: %w", err)
	}
	deleting := &retention.Controllers{
		Client:             mgr.GetClient(),
		APIReader:          mgr.GetAPIReader(),
		Clock:              clock.RealClock{},
		Metrics:            retention.NewMetrics(metrics.Registry),
		DeletionsPerSecond: opts.deletionsPerSecond,
	}
	if err := deleting.SetupWithManager(ctx, mgr); err != nil {
		return fmt.Errorf("setting up retention: %w", err)
	}
	if err := addHealthChecks(mgr); err != nil {
		return err
	}
	ctrl.Log.Info("Starting the manager", "version", version, "runnerImage", runner.Image, "runnerMount", runner.Mount)
	return mgr.Start(ctx)
}

func managerOptions(ctx context.Context, opts options) ctrl.Options {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return ctrl.Options{
		Scheme:                        scheme,
		Logger:                        errorsAsInfo(ctrl.Log, onceDone(ctx)),
		Cache:                         testrun.CacheOptions(),
		Metrics:                       metricsOptions(opts),
		HealthProbeBindAddress:        opts.probeAddress,
		PprofBindAddress:              opts.pprofAddress,
		LeaderElection:                opts.leaderElect,
		LeaderElectionID:              "manager.testrun.dev",
		LeaderElectionNamespace:       opts.leaderNamespace,
		LeaseDuration:                 ptr.To(leaseDuration),
		RenewDeadline:                 ptr.To(renewDeadline),
		RetryPeriod:                   ptr.To(retryPeriod),
		LeaderElectionReleaseOnCancel: true, // run returns right after the manager has stopped
	}
}

func metricsOptions(opts options) metricsserver.Options {
	served := metricsserver.Options{BindAddress: opts.metricsAddress, SecureServing: opts.metricsSecure}
	if opts.metricsSecure {
		served.FilterProvider = authenticated
		// HTTP/2 has let clients exhaust servers (rapid reset), and a scrape needs none of what it offers.
		served.TLSOpts = []func(*tls.Config){func(config *tls.Config) { config.NextProtos = []string{"http/1.1"} }}
	}
	return served
}

// authenticated lets those read the metrics whom the API server knows and RBAC allows.
func authenticated(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	filter, err := filters.WithAuthenticationAndAuthorization(config, client)
	if err != nil {
		return nil, err
	}
	return func(logger logr.Logger, handler http.Handler) (http.Handler, error) {
		return filter(errorsAsInfo(logger, always), handler)
	}, nil
}

// addHealthChecks: alive means that the process answers; ready means that its caches are filled, so that a rollout waits
// for a manager that can work.
func addHealthChecks(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the health check: %w", err)
	}
	synced := mgr.GetCache().WaitForCacheSync
	if err := mgr.AddReadyzCheck("caches", cachesSynced(synced)); err != nil {
		return fmt.Errorf("adding the readiness check: %w", err)
	}
	return nil
}

func cachesSynced(wait func(context.Context) bool) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !wait(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}
