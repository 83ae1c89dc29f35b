package jobtable

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// listen has PostgreSQL wake the program when there is news, unless it does so already. All of it may fail, or be silent: the table is looked
// at every spec.pollInterval.
func (r *Reconciler) listen(ctx context.Context, table *v1alpha1.JobTable, memory *memory) {
	isWanted := (table.Spec.Listen == nil || *table.Spec.Listen) && r.Wake != nil && memory.table.Listens()
	if !isWanted || memory.stopListening != nil {
		return
	}
	logger := log.FromContext(ctx)
	ctx, memory.stopListening = context.WithCancel(context.WithoutCancel(ctx))
	key, found := client.ObjectKeyFromObject(table), memory.table
	wake := func() {
		select {
		case r.Wake <- event.TypedGenericEvent[client.ObjectKey]{Object: key}:
		default: // so many wait already that one of them is for this table
		}
	}
	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 10, Cap: time.Minute}
	go func() {
		pauses := backoff
		for ctx.Err() == nil {
			began := time.Now()
			err := found.Listen(ctx, wake)
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, rows.ErrPooled) {
				memory.isPooled.Store(true)
				wake() // to say so
				return
			}
			logger.Info("PostgreSQL is not listened to any more; the table is polled", "cause", err)
			if time.Since(began) > time.Minute {
				pauses = backoff
			}
			select {
			case <-ctx.Done():
			case <-time.After(pauses.Step()):
			}
		}
	}()
}
