package queueing

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/queueview"
)

// Dumper writes the queues to the log when the process gets SIGUSR2. It needs no network and no permission in the cluster, so it also works
// when /queues cannot be reached.
type Dumper struct {
	Queues *Service
}

// Start waits for signals until ctx ends.
func (d *Dumper) Start(ctx context.Context) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
			d.Queues.dump(ctx)
		}
	}
}

// NeedLeaderElection is false: every replica handles the signal, which would otherwise end the process.
func (d *Dumper) NeedLeaderElection() bool { return false }

// dump logs each queue, and its next runs.
func (s *Service) dump(ctx context.Context) {
	var views []queueview.Queue
	s.replica.look(func(e *admission.Engine) {
		for _, name := range e.Queues() {
			views = append(views, withNext(e, name))
		}
	})
	logger := log.FromContext(ctx).WithName("queues")
	logger.Info("Dumping the queues", "queues", len(views), "open", s.IsOpen())
	for i := range views {
		view, oldest := &views[i], ""
		if view.Oldest != nil {
			oldest = view.Oldest.UTC().Format(time.RFC3339)
		}
		logger.Info("A queue", "queue", view.Name, "suspended", view.Suspended,
			"running", view.Running, "pending", view.Pending, "delayed", view.Delayed, "oldestPending", oldest)
		for _, run := range view.Next {
			logger.Info("A run that waits", "queue", view.Name, "position", run.Position,
				"namespace", run.Namespace, "name", run.Name, "reason", run.Reason, "message", run.Message)
		}
	}
}
