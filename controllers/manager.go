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
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runcache"
)

// How one leader follows another. A leader that cannot renew its Lease keeps working for up to 2 × renewDeadline: once to renew it, once
// to release it. A creation that is under way then has to end before leaseDuration, when the next one may lead.
const (
	leaseDuration = 30 * time.Second
	renewDeadline = 12 * time.Second
	retryPeriod   = 2 * time.Second
	createTimeout = leaseDuration - retryPeriod - 2*renewDeadline
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

// ManagerOptions are those of a manager for the controllers. ctx is the life of the process.
func ManagerOptions(ctx context.Context, process Process) ctrl.Options {
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
