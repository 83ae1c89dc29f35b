package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
)

// A batch ends with maxBatch events, with maxBatchSize bytes, or batchTime after its first event.
const (
	maxBatch     = 200
	maxBatchSize = 8 << 20
	batchTime    = 200 * time.Millisecond
)

// How long to wait after an error, at first and at most. Once something could be stored, it is the first again.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 15 * time.Second
)

// watchTime is how long the API server keeps a watch open. Then another one goes on from the cursor.
const watchTime = 10 * time.Minute

// quietTime is how long a watch says nothing when it has told everything that happened before.
const quietTime = time.Second

// errExpired means that the API server cannot tell what happened since the cursor.
var errExpired = errors.New("the API server does not remember what happened since the cursor")

// RunStore is what the watch stores in.
type RunStore interface {
	Apply(ctx context.Context, batch archive.Batch) error
	Cursor(ctx context.Context) (string, error)
	Live(ctx context.Context, afterUID string, limit int) ([]archive.LiveRun, error)
	Gone(ctx context.Context, uids []string, at time.Time) error
}

// Watch stores the state of every TestRun of the cluster. The database holds the cursor: the resourceVersion up to which everything is stored.
// Nothing is kept in memory but a batch. Of several replicas one is to watch at a time. If two do for a while, they store the same twice,
// which changes nothing.
type Watch struct {
	Client  client.WithWatch
	Store   RunStore
	Log     *slog.Logger
	Metrics *WatchMetrics

	// clock says when it is; nil is the computer's.
	clock func() time.Time
	// isHealthy means that something was stored since the last error.
	isHealthy bool
}

func (w *Watch) now() time.Time {
	if w.clock != nil {
		return w.clock()
	}
	return time.Now()
}

// Run watches until the context ends. After an error it waits, and goes on from the cursor: nothing is lost.
func (w *Watch) Run(ctx context.Context) {
	defer w.Metrics.caughtUp() // somebody else watches, or nobody
	backoff := newBackoff()
	for ctx.Err() == nil {
		err := w.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.isHealthy {
			backoff, w.isHealthy = newBackoff(), false
		}
		if err == nil {
			continue // the API server has ended the watch, as it does from time to time
		}
		pause := backoff.Step()
		w.Metrics.interrupted()
		w.Log.Warn("The watch of TestRuns was interrupted, and goes on from the cursor", "error", err, "pause", pause.String())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: firstBackoff, Factor: 2, Jitter: 0.2, Steps: 100, Cap: maxBackoff}
}

// once watches from the cursor until the watch ends. Without a cursor that the API server still knows, it first compares all TestRuns with
// what is kept.
func (w *Watch) once(ctx context.Context) error {
	cursor, err := w.Store.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("reading the cursor: %w", err)
	}
	restored, err := w.isAhead(ctx, cursor)
	if err != nil {
		return err
	}
	if cursor == "" || restored {
		if cursor, err = w.compare(ctx, restored); err != nil {
			return err
		}
	}
	err = w.follow(ctx, cursor)
	if errors.Is(err, errExpired) {
		w.Log.Info("The cursor has expired: all TestRuns are compared with what is kept", "cursor", cursor)
		_, err = w.compare(ctx, false)
	}
	return err
}

// isAhead says whether the API server has not come to the cursor's version yet. A watch would then be silent, and miss what happens.
func (w *Watch) isAhead(ctx context.Context, cursor string) (bool, error) {
	if cursor == "" {
		return false, nil
	}
	list := newList()
	if err := w.Client.List(ctx, list, client.Limit(1)); err != nil {
		return false, fmt.Errorf("asking for the latest version of TestRuns: %w", err)
	}
	return isNewer(cursor, list.GetResourceVersion()), nil
}

// follow stores what happens from the cursor on, until the watch ends.
func (w *Watch) follow(ctx context.Context, cursor string) error {
	seconds := int64(watchTime.Seconds())
	events, err := w.Client.Watch(ctx, newList(), &client.ListOptions{Raw: &metav1.ListOptions{
		ResourceVersion: cursor, AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	}})
	if err != nil {
		return watchError(err)
	}
	defer events.Stop()
	w.Log.Info("Watching TestRuns", "cursor", cursor)
	for {
		batch, err := w.collect(ctx, events.ResultChan())
		if batch.Cursor != "" {
			if applyErr := w.apply(ctx, batch); applyErr != nil {
				return applyErr
			}
		}
		if err != nil {
			return err
		}
		if batch.Cursor == "" {
			return nil
		}
	}
}

func (w *Watch) apply(ctx context.Context, batch archive.Batch) error {
	began := time.Now()
	if err := w.Store.Apply(ctx, batch); err != nil {
		return fmt.Errorf("storing %d states of TestRuns: %w", len(batch.Runs), err)
	}
	w.isHealthy = true
	w.Metrics.stored(batch, time.Since(began))
	return nil
}

// collect waits for an event, and makes a batch of it and of those that follow at once. An empty batch means that the watch has ended.
func (w *Watch) collect(ctx context.Context, events <-chan watch.Event) (archive.Batch, error) {
	var batch archive.Batch
	var done <-chan time.Time
	quiet, size := time.After(quietTime), 0
	for len(batch.Runs) < maxBatch && size < maxBatchSize {
		select {
		case <-ctx.Done():
			return batch, ctx.Err()
		case <-quiet:
			w.Metrics.caughtUp()
		case <-done:
			return batch, nil
		case event, open := <-events:
			if !open {
				return batch, nil
			}
			if err := w.add(&batch, event); err != nil {
				return batch, err
			}
			if count := len(batch.Runs); count > 0 && event.Type != watch.Bookmark {
				size += len(batch.Runs[count-1].Object)
			}
			if done == nil {
				quiet, done = nil, time.After(batchTime)
			}
		}
	}
	return batch, nil
}

// add adds an event to a batch.
func (w *Watch) add(batch *archive.Batch, event watch.Event) error {
	switch event.Type {
	case watch.Error:
		return watchError(apierrors.FromObject(event.Object))
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
	default:
		return fmt.Errorf("the API server sent an event of type %q", event.Type)
	}
	object, ok := event.Object.(*unstructured.Unstructured)
	if !ok || object.GetResourceVersion() == "" {
		return fmt.Errorf("the API server sent an event of type %s without a version", event.Type)
	}
	if event.Type != watch.Bookmark {
		var gone time.Time
		if event.Type == watch.Deleted {
			gone = w.now()
		}
		state, err := stateOf(object, gone)
		if err != nil {
			return err
		}
		batch.Runs = append(batch.Runs, state)
	}
	batch.Cursor = object.GetResourceVersion()
	w.Metrics.received(event.Type)
	return nil
}

func watchError(err error) error {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return errExpired
	}
	return fmt.Errorf("watching TestRuns: %w", err)
}

func newList() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TestRunList"))
	return list
}
