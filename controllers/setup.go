// Package controllers puts the operator together: the manager, and all controllers in it. The program and the tests both get it here.
package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/controllers/retention"
	"github.com/testrun-dev/testrun/controllers/testqueue"
	"github.com/testrun-dev/testrun/controllers/testrun"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/queueing"
)

// Options say how the controllers work.
type Options struct {
	// Concurrency is the number of runs that are reconciled at the same time.
	Concurrency int
	// DeletionsPerSecond is how many finished runs retention deletes in a second; at least 1.
	DeletionsPerSecond int
	// TestGracePeriod is how long a run waits for a Test that does not exist.
	TestGracePeriod time.Duration
	// QueueGracePeriod is how long a run waits for a TestQueue that does not exist.
	QueueGracePeriod time.Duration
	// DefaultQueueLimit is how many runs of the queue default may run while there is no TestQueue of that name. 0 is any number.
	DefaultQueueLimit int
	// Runner reads the results of tests.
	Runner jobspec.Runner
	// Archive is the server that keeps what tests say. Without a URL there is none.
	Archive Archive
	// Metrics takes the metrics.
	Metrics prometheus.Registerer

	// Clock tells the time of runs. Nil is the real clock. The queues set timers, and always use the real one.
	Clock clock.PassiveClock
	// APIReader reads from the API server itself. Nil is the manager's.
	APIReader client.Reader
}

// Archive says where the archive is, and how long it is waited for.
type Archive struct {
	// URL is that of the port to which tests push.
	URL string
	// Pins are what the server's key may be. None means that the server says so in its ConfigMap.
	Pins []string
	// Namespace is that of the ConfigMap.
	Namespace string
	// Patience is how long retention waits for the archive at most.
	Patience time.Duration
}

// Controllers are what SetupAll has registered, as far as anybody looks into it.
type Controllers struct {
	Runs   *testrun.Reconciler
	Queues *queueing.Service
}

// SetupAll makes all controllers, and registers them with the manager.
func SetupAll(ctx context.Context, mgr *Manager, options Options) (*Controllers, error) {
	options = withDefaults(options, mgr)
	archive, err := watchArchive(mgr, options)
	if err != nil {
		return nil, fmt.Errorf("setting up the archive: %w", err)
	}
	queues := queueing.New(clock.RealClock{}, options.DefaultQueueLimit)
	if err := options.Metrics.Register(queues); err != nil {
		return nil, fmt.Errorf("registering the metrics of the queues: %w", err)
	}
	runs := &testrun.Reconciler{
		Client:           mgr.GetClient(),
		APIReader:        options.APIReader,
		Recorder:         mgr.GetEventRecorder("testrun-controller"),
		Clock:            options.Clock,
		Metrics:          testrun.NewMetrics(options.Metrics),
		TestGracePeriod:  options.TestGracePeriod,
		QueueGracePeriod: options.QueueGracePeriod,
		Lease:            mgr.lease,
		Queues:           queues,
		Runner:           options.Runner,
	}
	if archive != nil {
		runs.Archive = func(ctx context.Context) jobspec.Archive {
			return jobspec.Archive{URL: options.Archive.URL, Pins: archive.Watcher.Status(ctx).Pins}
		}
	}
	if err := runs.SetupWithManager(ctx, mgr, options.Concurrency); err != nil {
		return nil, fmt.Errorf("setting up the controller of runs: %w", err)
	}
	settings := &testqueue.Reconciler{Client: mgr.GetClient(), APIReader: options.APIReader, Queues: queues}
	if err := settings.SetupWithManager(mgr); err != nil {
		return nil, fmt.Errorf("setting up the controller of queues: %w", err)
	}
	deleting := &retention.Controllers{
		Client:             mgr.GetClient(),
		APIReader:          options.APIReader,
		Clock:              options.Clock,
		Metrics:            retention.NewMetrics(options.Metrics),
		DeletionsPerSecond: options.DeletionsPerSecond,
		Archive:            archive,
	}
	if err := deleting.SetupWithManager(ctx, mgr); err != nil {
		return nil, fmt.Errorf("setting up retention: %w", err)
	}
	return &Controllers{Runs: runs, Queues: queues}, nil
}

// watchArchive has the manager watch what the archive says of itself; nil if there is no archive.
func watchArchive(mgr *Manager, options Options) (*retention.Archive, error) {
	if options.Archive.URL == "" {
		return nil, nil
	}
	watcher, err := archivestatus.NewWatcher(mgr.GetConfig(), mgr.GetHTTPClient(), options.Archive.Namespace, options.Archive.Pins, mgr.GetLogger())
	if err != nil {
		return nil, err
	}
	if err := options.Metrics.Register(watcher); err != nil {
		return nil, err
	}
	return &retention.Archive{Watcher: watcher, Patience: options.Archive.Patience}, mgr.Add(watcher)
}

func withDefaults(options Options, mgr *Manager) Options {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.APIReader == nil {
		options.APIReader = mgr.GetAPIReader()
	}
	return options
}
