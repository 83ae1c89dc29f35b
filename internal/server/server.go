// Package server puts the server together, which keeps what runs said and answers who asks: see docs/archive.md. The program and the tests
// both get it here.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/archive/ingest"
	"github.com/testrun-dev/testrun/internal/web"
)

// Options say how a server works.
type Options struct {
	// Config reaches the API server.
	Config *rest.Config
	// Namespace is that of the ConfigMap and the Lease.
	Namespace string
	// LeaderElect lets one of several replicas watch at a time.
	LeaderElect bool
	// DataDir is the folder of the server's own key, and of all that Database and Blobs do not name.
	DataDir string
	// Database and Blobs are URLs, as archive.Open and blobs.Open read them. Empty is a place in DataDir.
	Database, Blobs string
	// APIAddress, PushAddress and HealthAddress are what is listened on.
	APIAddress, PushAddress, HealthAddress string
	// CertFile and KeyFile are the server's key. Empty is its own. NextPin is the pin of the key that follows.
	CertFile, KeyFile, NextPin string
	// SessionKeyFile has the key that seals the sessions of the pages. Empty is the server's own, in the data folder. SessionTime is how long
	// a session lasts at most.
	SessionKeyFile string
	SessionTime    time.Duration
	// Login is how people log in, beside tokens.
	Login Login
	// Limits bound what is pushed, and MaxLog how many bytes of a pod's log are read.
	Limits ingest.Limits
	MaxLog int64
	// Retention says for how long what is kept.
	Retention archive.Policy
	Log       *slog.Logger
	// Registry takes the metrics. Nil is one of its own.
	Registry *prometheus.Registry
}

// DatabaseURL is that of the database.
func (o Options) DatabaseURL() string {
	if o.Database != "" {
		return o.Database
	}
	return "sqlite:" + filepath.Join(o.DataDir, "archive.db")
}

// BlobsURL is that of the blobs.
func (o Options) BlobsURL() string {
	if o.Blobs != "" {
		return o.Blobs
	}
	return "file:" + filepath.Join(o.DataDir, "blobs")
}

// Server is a server that listens. Run has it work.
type Server struct {
	options   Options
	keys      *keys
	store     *archive.Store
	blobs     blobs.Blobs
	clientset kubernetes.Interface
	registry  *prometheus.Registry

	watch     *ingest.Watch
	logs      *ingest.KubeletLogs
	status    *ingest.Status
	push      *ingest.Push
	retention *retention

	api, pushes, health *listener
}

// New opens the database and the blobs, and begins to listen.
func New(ctx context.Context, options Options) (*Server, error) {
	s := &Server{options: options, registry: options.Registry}
	if s.registry == nil {
		s.registry = prometheus.NewRegistry()
	}
	for _, step := range []func(context.Context) error{s.open, s.ingest, s.listen} {
		if err := step(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	if err := os.MkdirAll(s.options.DataDir, 0o700); err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	var err error
	if s.keys, err = newKeys(s.options.CertFile, s.options.KeyFile, s.options.NextPin, s.options.DataDir); err != nil {
		return err
	}
	if s.store, err = archive.Open(ctx, s.options.DatabaseURL()); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if s.blobs, err = blobs.Open(ctx, s.options.BlobsURL()); err != nil {
		return fmt.Errorf("opening the blobs: %w", err)
	}
	s.blobs = watchedBlobs{s.blobs, s.store}
	s.clientset, err = kubernetes.NewForConfig(s.options.Config)
	return err
}

// watchedBlobs tell the store whether blobs can be stored.
type watchedBlobs struct {
	blobs.Blobs
	store *archive.Store
}

func (b watchedBlobs) Put(ctx context.Context, key string, data []byte) error {
	err := b.Blobs.Put(ctx, key, data)
	b.store.BlobStored(err)
	return err
}

func (s *Server) ingest(context.Context) error {
	options, log := s.options, s.options.Log
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	watching, err := client.NewWithWatch(options.Config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	s.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), readOnlyMetric(s.store),
	)
	keeper := ingest.Keeper{Store: s.store, Blobs: s.blobs}
	s.watch = &ingest.Watch{Client: watching, Store: s.store, Log: log, Metrics: ingest.NewWatchMetrics(s.registry)}
	s.logs = &ingest.KubeletLogs{
		Pods: s.clientset.CoreV1(), Store: s.store, Keeper: keeper, MaxLog: options.MaxLog, Limits: options.Limits, Log: log,
		Metrics: ingest.NewKubeletMetrics(s.registry),
	}
	s.status = &ingest.Status{
		ConfigMaps: s.clientset.CoreV1().ConfigMaps(options.Namespace), Store: s.store, Pins: s.keys.pins, Log: log,
	}
	s.push = ingest.NewPush(ingest.PushOptions{
		Store: s.store, Blobs: s.blobs, Reviewer: ingest.NewPodReviewer(watching, s.store), Limits: options.Limits, Registerer: s.registry, Log: log,
	})
	s.retention = newRetention(s.store, ingest.NewSweeper(s.store, s.blobs), options.Retention, log, s.registry)
	return nil
}

// readOnlyMetric says whether the last write failed since there is no room, or no right to write.
func readOnlyMetric(store *archive.Store) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "testrun_archive_read_only", Help: "1 if nothing can be stored now, as when the disk is full; else 0.",
	}, func() float64 {
		if store.ReadOnly() != "" {
			return 1
		}
		return 0
	})
}

func (s *Server) listen(ctx context.Context) error {
	log := s.options.Log
	api, err := web.New(web.Options{Store: s.store, Blobs: s.blobs, Config: s.options.Config, Log: log}) //nolint:contextcheck // each request has its own
	if err != nil {
		return fmt.Errorf("making the API: %w", err)
	}
	pages, err := s.pages(api)
	if err != nil {
		return fmt.Errorf("making the pages: %w", err)
	}
	if s.api, err = listen(ctx, "the API", s.options.APIAddress, pages, s.keys, log); err != nil {
		return err
	}
	web.SetLimits(s.api.server)
	if s.pushes, err = listen(ctx, "pushes", s.options.PushAddress, s.push, s.keys, log); err != nil {
		return err
	}
	s.health, err = listen(ctx, "health checks and metrics", s.options.HealthAddress, health(s.store, s.registry), nil, log)
	return err
}

// Run works until ctx ends, or something fails that the server cannot do without. What is under way then still ends.
func (s *Server) Run(ctx context.Context) error {
	defer s.close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pushing, endPushing := context.WithCancel(context.WithoutCancel(ctx))
	defer endPushing()
	var all sync.WaitGroup
	failures := make(chan error, 8) // more than there are parts
	run := func(do func() error) {
		all.Go(func() {
			if err := do(); err != nil {
				failures <- err
				stop()
			}
		})
	}
	run(s.api.serve)
	run(s.pushes.serve)
	run(s.health.serve)
	run(func() error { return s.push.Run(pushing) })
	if s.keys.run != nil {
		run(func() error { return s.keys.run(ctx) })
	}
	run(func() error { return s.lead(ctx) })
	s.options.Log.Info("The server is up",
		"api", s.api.tcp.Addr().String(), "push", s.pushes.tcp.Addr().String(), "health", s.health.tcp.Addr().String(), "pins", s.keys.pins())

	<-ctx.Done()
	s.options.Log.Info("The server stops")
	var stopping sync.WaitGroup
	stopping.Go(func() { s.api.stop(pushing) })
	stopping.Go(func() { s.pushes.stop(pushing) })
	stopping.Wait()
	s.health.stop(pushing)
	endPushing()
	all.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// lead does what one replica does at a time.
func (s *Server) lead(ctx context.Context) error {
	work := func(ctx context.Context) {
		var all sync.WaitGroup
		for _, part := range []func(context.Context){s.watch.Run, s.logs.Run, s.status.Run, s.retention.run} {
			all.Go(func() { part(ctx) })
		}
		all.Wait()
	}
	if !s.options.LeaderElect {
		work(ctx)
		return nil
	}
	return lead(ctx, s.clientset, s.options.Namespace, s.options.Log, work)
}

// Addresses are those at which the API, pushes and health checks are listened for.
func (s *Server) Addresses() (api, pushes, health string) {
	return s.api.tcp.Addr().String(), s.pushes.tcp.Addr().String(), s.health.tcp.Addr().String()
}

// Pins are what the server's key may be.
func (s *Server) Pins() []string { return s.keys.pins() }

func (s *Server) close() {
	for _, l := range []*listener{s.api, s.pushes, s.health} {
		if l != nil {
			_ = l.tcp.Close()
		}
	}
	if s.blobs != nil {
		_ = s.blobs.Close()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}
