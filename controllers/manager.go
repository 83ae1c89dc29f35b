package controllers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/leadership"
	"github.com/testrun-dev/testrun/internal/runcache"
)

// How one leader follows another: after leaseDuration at the latest, or at once when the first one stops. What only a leader may do ends
// before that (internal/leadership), so the durations may be short. A leader that cannot renew its Lease for renewDeadline ends. A standby
// looks every 1 to 2.2 retryPeriods, and counts from when it saw the last renewal. So it follows within leaseDuration + 4.4 retryPeriods.
const (
	leaseDuration = 12 * time.Second
	renewDeadline = 9 * time.Second
	retryPeriod   = 1500 * time.Millisecond
)

// Process says what a manager serves, and whether it is one of several.
type Process struct {
	// MetricsAddress, ProbeAddress and PprofAddress are what is listened on; 0 turns one off.
	MetricsAddress string
	ProbeAddress   string
	PprofAddress   string
	// MetricsSecure serves the metrics over HTTPS, to those whom RBAC allows to read them.
	MetricsSecure bool
	// LeaderElect lets one of several replicas work at a time.
	LeaderElect bool
	// LeaderNamespace is the namespace of the Lease. Empty is the pod's own.
	LeaderNamespace string
}

// Manager is a manager for the controllers.
type Manager struct {
	ctrl.Manager
	// lease is that of the leader election; nil without one.
	lease *leadership.Lease
}

// NewManager makes the manager. ctx is the life of the process. Tests have other options, which changes set; nil changes nothing.
func NewManager(ctx context.Context, config *rest.Config, process Process, changes func(*ctrl.Options)) (*Manager, error) {
	options := managerOptions(ctx, process)
	if changes != nil {
		changes(&options)
	}
	var lease *leadership.Lease
	if options.LeaderElection {
		lock, err := leaderelection.NewResourceLock(config, withoutEvents{}, leaderelection.Options{
			LeaderElection: true, LeaderElectionNamespace: options.LeaderElectionNamespace, LeaderElectionID: options.LeaderElectionID,
			RenewDeadline: *options.RenewDeadline,
		})
		if err != nil {
			return nil, fmt.Errorf("preparing the leader election: %w", err)
		}
		lease = leadership.NewLease(lock, *options.LeaseDuration)
		options.LeaderElectionResourceLockInterface = lease
	}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	return &Manager{Manager: mgr, lease: lease}, nil
}

// withoutEvents has no events written about the Lease. The Lease says who leads, and the log since when.
type withoutEvents struct{ recorder.Provider }

func (withoutEvents) GetEventRecorderFor(string) record.EventRecorder { return nil }

func managerOptions(ctx context.Context, process Process) ctrl.Options {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return ctrl.Options{
		Scheme:                        scheme,
		Logger:                        errorsAsInfo(ctrl.Log, onceDone(ctx)),
		Cache:                         runcache.Options(),
		Metrics:                       metricsOptions(process),
		HealthProbeBindAddress:        process.ProbeAddress,
		PprofBindAddress:              process.PprofAddress,
		LeaderElection:                process.LeaderElect,
		LeaderElectionID:              "manager.testrun.dev",
		LeaderElectionNamespace:       process.LeaderNamespace,
		LeaseDuration:                 ptr.To(leaseDuration),
		RenewDeadline:                 ptr.To(renewDeadline),
		RetryPeriod:                   ptr.To(retryPeriod),
		LeaderElectionReleaseOnCancel: true, // the program ends right after the manager has stopped
	}
}

func metricsOptions(process Process) metricsserver.Options {
	served := metricsserver.Options{BindAddress: process.MetricsAddress, SecureServing: process.MetricsSecure}
	if process.MetricsSecure {
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

// AddHealthChecks says how the process is. Alive means that it answers. Ready means that its caches are filled, so that a rollout
// waits for a manager that can work.
func AddHealthChecks(mgr ctrl.Manager) error {
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
