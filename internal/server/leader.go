package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/testrun-dev/testrun/internal/archivestatus"
)

// How one leader follows another. Two may lead for a moment: all that they do may be done twice.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// leaseName is the name of the Lease. It exists already, since a right to create one cannot be limited to a name.
const leaseName = archivestatus.ConfigMap

// lead calls work whenever this replica leads, with a context that ends when it does not lead any more. It returns when ctx ends, after work.
func lead(ctx context.Context, client kubernetes.Interface, namespace string, log *slog.Logger, work func(context.Context)) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("finding the name of this replica: %w", err)
	}
	var turn sync.Mutex // one at a time works, and lead waits for it
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}, Client: client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s_%d_%d", host, os.Getpid(), time.Now().UnixNano())},
		},
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
		Name: leaseName,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				turn.Lock()
				defer turn.Unlock()
				if leading.Err() != nil {
					return
				}
				log.Info("This replica leads: it watches the TestRuns")
				work(leading)
				log.Info("This replica does not lead any more")
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("preparing the leader election: %w", err)
	}
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(log.Handler()))
	for ctx.Err() == nil {
		elector.Run(ctx)
	}
	turn.Lock()
	defer turn.Unlock()
	return nil
}
