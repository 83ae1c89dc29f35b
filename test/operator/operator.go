// Package operator makes the operator for a test: in the test's process, and for one namespace.
package operator

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/testrun-dev/testrun/controllers/testrun"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// New returns the manager, which is to be started, and the reconciler of runs in it.
func New(ctx context.Context, api *rest.Config, namespace string, metrics prometheus.Registerer, change ...func(*ctrl.Options)) (ctrl.Manager, *testrun.Reconciler, error) {
	options := ctrl.Options{
		Scheme:     apiserver.Scheme,
		Cache:      testrun.CacheOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	}
	options.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	for _, change := range change {
		change(&options)
	}
	mgr, err := ctrl.NewManager(api, options)
	if err != nil {
		return nil, nil, err
	}
	reconciler := &testrun.Reconciler{
		Client:          mgr.GetClient(),
		APIReader:       mgr.GetAPIReader(),
		Recorder:        mgr.GetEventRecorder("testrun-controller"),
		Clock:           clock.RealClock{},
		Metrics:         testrun.NewMetrics(metrics),
		TestGracePeriod: 7 * time.Second,
		Runner:          testrun.Runner{Image: "testrun.dev/runner:dev", Mount: testrun.ImageVolume},
	}
	err = reconciler.SetupWithManager(ctx, mgr, 4)
	return mgr, reconciler, err
}
