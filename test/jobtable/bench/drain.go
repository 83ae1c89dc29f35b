package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// maxRuns is spec.maxRuns if that is unset.
const maxRuns = 1000

func countRuns(ctx context.Context) (int, error) {
	runs := &metav1.PartialObjectMetadataList{}
	runs.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TestRunList"))
	err := apiserver.Client.List(ctx, runs, client.InNamespace(namespace))
	return len(runs.Items), err
}

// drain has all rows become runs and end. Before the rows that wait, there are bad ones: such that make no run, one that somebody has
// locked, and one that a trigger refuses to change.
func (b *bench) drain(ctx context.Context, p *program) error {
	bad := b.count / 100
	lock, err := b.addBadRows(ctx, bad)
	if err != nil {
		return err
	}
	before, err := b.processorTimes(p)
	if err != nil {
		return err
	}
	operating, stop := context.WithCancel(ctx)
	operator := make(chan error, 1)
	go func() { operator <- operate(operating) }()
	began := time.Now()
	err = b.waitForEnd(ctx, operator)
	took := time.Since(began)
	stop()
	if err != nil {
		return errors.Join(err, lock())
	}
	after, timesErr := b.processorTimes(p)
	ended, endedErr := b.one(ctx, "SELECT count(*) FROM job WHERE data LIKE '{\"verdict\":\"Passed\"%'")
	refused, refusedErr := b.one(ctx, "SELECT count(*) FROM job WHERE data LIKE '%InvalidRow%'")
	left, leftErr := b.one(ctx, "SELECT count(*) FROM job WHERE status <> 'finished'")
	if err := errors.Join(timesErr, endedErr, refusedErr, leftErr, lock()); err != nil {
		return err
	}
	fmt.Printf("behind %d rows that make no run, a locked one and one that a trigger refuses: %d of %d rows became runs and ended, in %s: %.0f a second. "+
		"Of the bad ones %d ended as InvalidRow, and %d are left\n", bad, ended, b.count, took.Round(time.Second), float64(ended)/took.Seconds(), refused, left)
	for _, name := range []string{"jobtable", "PostgreSQL", "kube-apiserver", "etcd", "the tests' operator"} {
		used := after[name] - before[name]
		fmt.Printf("  processor time for each row, %s: %.2f ms (%.0f %% of a processor)\n", name, used.Seconds()*1000/float64(ended), 100*used.Seconds()/took.Seconds())
	}
	return nil
}

// addBadRows puts bad rows before all others, and returns what ends the lock on one of them.
func (b *bench) addBadRows(ctx context.Context, bad int) (unlock func() error, err error) {
	err = b.exec(ctx,
		fmt.Sprintf("INSERT INTO job (id, test_id, type) SELECT -n, n, 'NO SUCH TEST' FROM generate_series(3, %d) n", bad+2),
		"INSERT INTO job (id, test_id, type) VALUES (-1, -1, 'NO SUCH TEST'), (-2, -2, 'NO SUCH TEST')",
		"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$",
		"CREATE TRIGGER no BEFORE UPDATE ON job FOR EACH ROW WHEN (OLD.id = -2) EXECUTE FUNCTION no()")
	if err != nil {
		return nil, err
	}
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, "SELECT FROM job WHERE id = -1 FOR UPDATE")
	return tx.Rollback, err
}

// waitForEnd waits until all good rows have finished, while there is progress.
func (b *bench) waitForEnd(ctx context.Context, operator <-chan error) error {
	const patience = 2 * time.Minute
	began, shown, previous, progress := time.Now(), time.Now(), -1, time.Now()
	for {
		left, err := b.one(ctx, "SELECT count(*) FROM job WHERE status IN ('pending', 'in_progress') AND id > 0")
		switch {
		case err != nil:
			return err
		case left == 0:
			return nil
		case left != previous:
			previous, progress = left, time.Now()
		case time.Since(progress) > patience:
			return fmt.Errorf("%d rows have not ended, and none has for %s", left, patience)
		}
		if time.Since(shown) > 30*time.Second {
			shown = time.Now()
			fmt.Printf("  %s: %d rows left\n", time.Since(began).Round(time.Second), left)
		}
		select {
		case err := <-operator:
			return fmt.Errorf("the tests' operator has ended: %w", err)
		case <-time.After(time.Second):
		}
	}
}

// operate ends all runs at once, and deletes those that nobody holds any more, as the operator and retention do.
func operate(ctx context.Context) error {
	var workers sync.WaitGroup
	runs, failed := make(chan *v1alpha1.TestRun, 10*maxRuns), make(chan error, 8)
	for range cap(failed) {
		workers.Go(func() {
			for run := range runs {
				if err := operateOn(ctx, run); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	defer workers.Wait()
	defer close(runs)
	for {
		// The API server ends a watch that it sends too much to. A new one begins with all runs that there are.
		watched, err := apiserver.Client.Watch(ctx, &v1alpha1.TestRunList{}, client.InNamespace(namespace))
		if err != nil {
			return err
		}
		for event := range watched.ResultChan() {
			if run, isRun := event.Object.(*v1alpha1.TestRun); isRun && event.Type != watch.Deleted {
				select {
				case runs <- run:
				case err := <-failed:
					watched.Stop()
					return err
				}
			}
		}
	}
}

func operateOn(ctx context.Context, run *v1alpha1.TestRun) error {
	isOpen := run.Labels[v1alpha1.LabelOpenRow] != ""
	switch {
	case run.Status.Phase != v1alpha1.PhaseFinished:
		changed := run.DeepCopy()
		changed.Status.Phase, changed.Status.Verdict = v1alpha1.PhaseFinished, v1alpha1.VerdictPassed
		changed.Status.FinishTime = ptr.To(metav1.NewTime(time.Now().Add(-time.Hour))) // so that nobody holds it once its row has ended
		return client.IgnoreNotFound(apiserver.Client.Status().Patch(ctx, changed, client.MergeFrom(run)))
	case !isOpen:
		return client.IgnoreNotFound(apiserver.Client.Delete(ctx, run))
	default:
		return nil
	}
}
