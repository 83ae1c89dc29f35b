package jobtable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Options say how the program works.
type Options struct {
	// Namespace is the one whose JobTables are followed, and that of the Lease.
	Namespace string
	// Folder holds the URLs of the databases.
	Folder string
	// MetricsAddress and ProbeAddress are what is listened on; 0 turns one off.
	MetricsAddress, ProbeAddress string
	// LeaderElect lets one of several replicas work at a time.
	LeaderElect bool
}

// leaseName is the name of the Lease.
const leaseName = "jobtable.testrun.dev"

// NewManager makes the manager, and the controller of the tables in it.
func NewManager(config *rest.Config, options Options) (ctrl.Manager, error) {
	return newManager(config, options, metrics.Registry)
}

func newManager(config *rest.Config, options Options, registry prometheus.Registerer) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	// Only runs whose rows have not finished are of interest, however many others are kept.
	open := labels.SelectorFromSet(labels.Set{v1alpha1.LabelOpenRow: "true"})
	managed := ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{options.Namespace: {}},
			ByObject:          map[client.Object]cache.ByObject{&v1alpha1.TestRun{}: {Label: open, Transform: cache.TransformStripManagedFields()}},
		},
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        options.ProbeAddress,
		LeaderElection:                options.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       options.Namespace,
		LeaderElectionReleaseOnCancel: true, // the program ends right after the manager has stopped
	}
	if options.LeaderElect {
		lock, err := leaderelection.NewResourceLock(config, withoutEvents{}, leaderelection.Options{
			LeaderElection: true, LeaderElectionNamespace: options.Namespace, LeaderElectionID: leaseName, RenewDeadline: 10 * time.Second,
		})
		if err != nil {
			return nil, fmt.Errorf("preparing the leader election: %w", err)
		}
		managed.LeaderElectionResourceLockInterface = lock
	}
	mgr, err := ctrl.NewManager(config, managed)
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("testrun-jobtable"), Folder: options.Folder, Now: time.Now,
		Metrics: NewMetrics(registry), Wake: make(chan event.TypedGenericEvent[client.ObjectKey], 1024),
	}
	if err := add(mgr, r); err != nil {
		return nil, fmt.Errorf("setting up the controller of job tables: %w", err)
	}
	return mgr, errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping))
}

// withoutEvents has no events written about the Lease: the program has no right to.
type withoutEvents struct{ recorder.Provider }

func (withoutEvents) GetEventRecorderFor(string) record.EventRecorder { return nil }

// add registers the controller with the manager.
func add(mgr ctrl.Manager, r *Reconciler) error {
	c, err := controller.NewTyped("jobtable", mgr, controller.TypedOptions[reconcile.Request]{
		Reconciler: r, MaxConcurrentReconciles: 8, SkipNameValidation: ptr.To(true), NeedLeaderElection: ptr.To(true),
	})
	if err != nil {
		return err
	}
	tables := source.Kind(mgr.GetCache(), &v1alpha1.JobTable{}, &handler.TypedEnqueueRequestForObject[*v1alpha1.JobTable]{},
		predicate.TypedGenerationChangedPredicate[*v1alpha1.JobTable]{})
	runs := source.Kind(mgr.GetCache(), &v1alpha1.TestRun{}, runHandler(r))
	news := source.TypedChannel(r.Wake, handler.TypedFuncs[client.ObjectKey, reconcile.Request]{
		GenericFunc: func(_ context.Context, e event.TypedGenericEvent[client.ObjectKey], queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			queue.Add(reconcile.Request{NamespacedName: e.Object})
		},
	})
	stop := mgr.Add(closer{r})
	return errors.Join(c.Watch(tables), c.Watch(runs), c.Watch(news), stop)
}

// runHandler has the table of a run looked at when the run gets on.
func runHandler(r *Reconciler) handler.TypedEventHandler[*v1alpha1.TestRun, reconcile.Request] {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	look := func(run *v1alpha1.TestRun, q queue) {
		if table := run.Labels[v1alpha1.LabelJobTable]; table != "" {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: run.Namespace, Name: table}})
		}
	}
	return handler.TypedFuncs[*v1alpha1.TestRun, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*v1alpha1.TestRun], q queue) {
			if e.Object.Status.Phase != v1alpha1.PhasePending {
				look(e.Object, q)
			}
		},
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*v1alpha1.TestRun], q queue) {
			if e.ObjectOld.Status.Phase != e.ObjectNew.Status.Phase {
				look(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*v1alpha1.TestRun], q queue) {
			// A run that loses its label leaves the cache as well, and exists: whoever acts on this asks the API server first.
			r.SawDeleted(e.Object)
			look(e.Object, q)
		},
	}
}

// closer ends the connections when the manager stops.
type closer struct{ *Reconciler }

// Start waits for the end.
func (c closer) Start(ctx context.Context) error {
	<-ctx.Done()
	c.Close()
	return nil
}
